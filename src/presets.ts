/**
 * The conventions of the paper and of the authors' three programs, as options (equations sections 3 and 17). They
 * differ where the paper leaves room: length scale, bandwidth exponent, dimension on the sphere, the diagonal under
 * shared queries and keys, and which pairs a measured bandwidth looks at.
 */

import { integer, oneOf } from "../reference/check.js";
import { rescaledRadius } from "../reference/scale.js";
import type { AttentionOptions } from "./types.js";
import { checkObject } from "./validate.js";

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
  checkObject("context", context);
  const manifold = oneOf(
    "context.manifold",
    context.manifold ?? "euclidean",
    name === "authors-translation" ? ["euclidean"] : ["euclidean", "sphere"],
  );
  const heads = integer("context.heads", context.heads ?? 1, 1);
  const sphere = manifold === "sphere";
  const paper: AttentionOptions = { alpha: 1.2, manifold, kappa: "paper", bandwidth: 1, bandwidthExponent: "1/alpha" };
  if (name === "paper") return paper;

  const authors: AttentionOptions = { ...paper, bandwidthPairs: "all" };
  if (name === "authors-text") {
    if (context.sharedQueryKey) authors.excludeSelf = true;
    if (sphere) authors.intrinsicDim = heads === 1 ? Math.max(1, spherical(context) - 1) : spherical(context);
    return authors;
  }
  authors.bandwidthExponent = "1/2";
  if (!sphere) return { ...authors, kappa: "dim" };
  const headDim = spherical(context);
  return { ...authors, intrinsicDim: headDim, radius: rescaledRadius(Math.max(1, headDim - 1)) };
}

function spherical(context: PresetContext): number {
  return integer("context.headDim", context.headDim, 1);
}
