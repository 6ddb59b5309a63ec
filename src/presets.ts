/**
 * The conventions of the paper and of the authors' three programs, as options (equations sections 3 and 17). They
 * differ where the paper leaves room: length scale, bandwidth exponent, dimension on the sphere, the diagonal under
 * shared queries and keys, and which pairs a measured bandwidth looks at.
 */

import { flag, integer, oneOf, record } from "../reference/check.js";
import { rescaledRadius } from "../reference/scale.js";
import type { AttentionOptions } from "./types.js";

/** Names of the presets. */
export type PresetName = "paper" | "authors-text" | "authors-vision" | "authors-translation";

/** What a preset has to know about the model, where its conventions depend on it. */
export interface PresetContext {
  /** Default `"euclidean"`. Translation knows no sphere. */
  manifold?: "euclidean" | "sphere";
  /** Queries and keys are the same projection: the text code then masks the diagonal. Default false. */
  sharedQueryKey?: boolean;
  /** Heads; the text code takes d_M = D - 1 on the sphere for one head, D for several. Default 1. */
  heads?: number;
  /** D; needed on the sphere by the authors' presets. */
  headDim?: number;
}

const contextNames = ["manifold", "sharedQueryKey", "heads", "headDim"] satisfies (keyof PresetContext)[];

/**
 * Options that follow one of the published programs. Spread them and override what you like:
 * `{ ...preset("authors-vision"), alpha: 1.4 }`.
 *
 * | preset | kappa (alpha < 2) | bandwidth exponent | sphere, alpha < 2 |
 * |---|---|---|---|
 * | `paper` | sqrt(D)/(2^(1/D) - 1) | 1/alpha | d_M = max(1, D - 1), rescaled radius |
 * | `authors-text` | the same | 1/alpha | d_M = D - 1 for one head, D for several; rescaled radius |
 * | `authors-vision` | D | 1/2 | d_M = D in the exponent, D - 1 in the radius |
 * | `authors-translation` | D | 1/2 | none |
 *
 * The vision radius is a number, so with that preset set `radius: 1` yourself at alpha = 2.
 * @throws InvalidArgumentError
 */
export function preset(name: PresetName, context: PresetContext = {}): AttentionOptions {
  oneOf("name", name, ["paper", "authors-text", "authors-vision", "authors-translation"]);
  record("context", context, contextNames);
  const { manifold = "euclidean", heads = 1, headDim } = context;
  oneOf("context.manifold", manifold, name === "authors-translation" ? ["euclidean"] : ["euclidean", "sphere"]);
  const sharedQueryKey = flag("context.sharedQueryKey", context.sharedQueryKey);
  integer("context.heads", heads, 1);
  const sphere = manifold === "sphere";
  if (headDim !== undefined || (sphere && name !== "paper")) integer("context.headDim", headDim, 1);
  const paper: AttentionOptions = { alpha: 1.2, manifold, kappa: "paper", bandwidth: 1, bandwidthExponent: "1/alpha" };
  if (name === "paper") return paper;

  const authors: AttentionOptions = { ...paper, bandwidthPairs: "all" };
  if (name === "authors-text") {
    if (sharedQueryKey) authors.excludeSelf = true;
    if (sphere && headDim) authors.intrinsicDim = heads === 1 ? Math.max(1, headDim - 1) : headDim;
    return authors;
  }
  authors.bandwidthExponent = "1/2";
  if (!sphere || !headDim) return { ...authors, kappa: "dim" };
  return { ...authors, intrinsicDim: headDim, radius: rescaledRadius(Math.max(1, headDim - 1)) };
}
