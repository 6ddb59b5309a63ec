/**
 * Where the vectors of a text's tokens come from: their spelling (`embeddings.ts`), or a trained model. The three
 * attentions of `compare.ts` are computed on either.
 *
 * A model gives the points that its first layer attends with: embedding and position, as its training left them. It has to
 * be one whose own attention is then one of the three: points in the plane, one head, keys that are the queries, the
 * paper's length scale.
 */

import { InvalidArgumentError } from "../errors.js";
import type { Classifier } from "../models/types.js";
import { embed } from "./embeddings.js";

/** Vectors of the tokens of a text. */
export interface TokenVectors {
  /** [N, D] */
  readonly points: Float32Array;
  /** D */
  readonly dim: number;
  /** Order that the model was trained with or has learned; undefined for spelling. */
  readonly alpha: number | undefined;
}

/** Vectors of the spelling of tokens and their places. @throws InvalidArgumentError */
export function spellingVectors(tokens: readonly string[], dim: number): TokenVectors {
  return { points: embed(tokens, dim), dim, alpha: undefined };
}

/**
 * Vectors that a trained model attends with.
 * @param ids the tokens as the model's numbers, [N]
 * @param name of the model, for the message
 * @throws InvalidArgumentError for a model whose attention is none of the three
 */
export async function trainedVectors(
  model: Pick<Classifier, "attention" | "config">,
  ids: Int32Array,
  name: string,
): Promise<TokenVectors> {
  const { attention, heads, qkShare, kappa, learnKappa, intrinsicDim, degreeNormalization, width } = model.config;
  const isOneOfThree =
    attention === "fna-euclidean" &&
    heads === 1 &&
    qkShare &&
    kappa === "paper" &&
    !learnKappa &&
    intrinsicDim === width &&
    degreeNormalization === 0;
  if (!isOneOfThree) {
    const domain = "an fna-euclidean model with one head, keys that are its queries, and the paper's length scale";
    throw new InvalidArgumentError(name, domain, "another one");
  }
  const [{ queries, alpha }] = await model.attention({ tokens: ids, lengths: Int32Array.of(ids.length) });
  return { points: queries, dim: width, alpha: alpha[0] };
}
