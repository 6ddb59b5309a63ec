/**
 * Three ways to attend, on the same embeddings: the picture by which the paper explains itself (arXiv:2511.10208).
 *
 *   dot-product    A = softmax(X Xᵀ/√D)                        eq. section 10
 *   local          A ∝ exp(−z²)                                eq. section 4, α = 2: Brownian steps
 *   multiscale     A ∝ (1 + z)^−(d_M + α)                      eq. section 4, α < 2: Lévy flights
 *
 * Queries and keys are the embeddings themselves and no token attends to itself: the shared query and key of the paper's
 * models, whose projections are isometries, so distances are those of the embeddings. Every such A is a reversible
 * Markov chain, A_ij D_i = A_ji D_j. Its spectrum is therefore real, and that of the symmetric S_ij = (A_ij A_ji)^½, which
 * is D^½ A D^−½ whatever D is (eq. section 12).
 *
 * Nothing is fitted to the picture: κ, ε, d_M and the scale of the embeddings are the paper's unless given.
 */

import { dotProductAttention } from "../../reference/dot-product.js";
import { selfMask } from "../../reference/masks.js";
import { type AttentionSummary, summarizeAttention } from "../analysis/weights.js";
import type { Attention } from "../attention.js";
import { InvalidArgumentError } from "../errors.js";
import type { AttentionOptions } from "../types.js";

/** The three, in the order in which they are shown. */
export const attentionNames = ["dot-product", "local", "multiscale"] as const;
export type AttentionName = (typeof attentionNames)[number];

/** What may be chosen about the local and the multiscale attention; defaults are the paper's. */
export interface CompareOptions extends Pick<AttentionOptions, "manifold" | "kappa" | "bandwidth"> {
  /** Order of the multiscale attention, in (0, 2]. Default 1.2. */
  alpha?: number;
}

/** One attention matrix and what it says about the walk of information over the tokens; N − 1 effective links if to all alike. */
export interface ComparedAttention extends Omit<AttentionSummary, "eigenvalues"> {
  readonly name: AttentionName;
  /** Order; none for dot-product attention. */
  readonly alpha: number | undefined;
  /** A, [N, N]. */
  readonly weights: Float64Array;
  /** Eigenvalues of A, [N], descending. */
  readonly eigenvalues: Float64Array;
}

/**
 * Computes and measures the three attentions.
 * @param attention the device that computes the local and the multiscale one; dot-product attention is the reference's
 * @param embeddings X, [N, D]
 * @param size N, at least 2
 * @param dim D
 * @param onProgress called before each of the three and at the end
 * @throws InvalidArgumentError
 */
export async function compareAttention(
  attention: Pick<Attention, "weights">,
  embeddings: Float32Array,
  size: number,
  dim: number,
  options: CompareOptions = {},
  onProgress: (done: number, total: number, label: string) => void = () => {},
): Promise<ComparedAttention[]> {
  if (!(size >= 2)) throw new InvalidArgumentError("size", "an integer of at least 2", size);
  const { alpha = 1.2, ...scale } = options;
  const results: ComparedAttention[] = [];
  for (const name of attentionNames) {
    onProgress(results.length, attentionNames.length, `${name} attention`);
    const order = orderOf(name, alpha);
    const weights = await weightsOf(attention, embeddings, size, dim, order, scale);
    results.push(measure(name, order, weights, size));
  }
  onProgress(results.length, attentionNames.length, "done");
  return results;
}

function orderOf(name: AttentionName, alpha: number): number | undefined {
  if (name === "dot-product") return undefined;
  return name === "local" ? 2 : alpha;
}

async function weightsOf(
  attention: Pick<Attention, "weights">,
  x: Float32Array,
  size: number,
  dim: number,
  alpha: number | undefined,
  scale: AttentionOptions,
): Promise<Float64Array> {
  if (alpha === undefined) {
    const inputs = { q: x, k: x, v: x, queries: size, keys: size, headDim: dim };
    return dotProductAttention(inputs, { mask: selfMask(size, size) }).weights;
  }
  const inputs = { q: x, k: x, batch: 1, heads: 1, queries: size, keys: size, headDim: dim };
  return Float64Array.from(await attention.weights(inputs, { ...scale, alpha, excludeSelf: true }));
}

/** What one reversible attention matrix says. */
export function measure(
  name: AttentionName,
  alpha: number | undefined,
  weights: Float64Array,
  size: number,
): ComparedAttention {
  const { eigenvalues, ...summary } = summarizeAttention(weights, size, { reversible: true });
  return { name, alpha, weights, eigenvalues: eigenvalues.re, ...summary };
}
