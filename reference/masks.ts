/**
 * Masks (arXiv:2511.10208; equations section 5). A mask is a Uint8Array [N, M], 1 = may not attend; masks are OR-ed.
 * A masked pair has Φ = 0.
 *
 * Every mask that speaks of positions takes `offset`: query i stands at position i + offset among the keys. Attention
 * aligns the last query with the last key, offset = M − N. Random masks for inference are in `dynamic-inference.ts`.
 */

import { type Floats, floats, integer, mostEntries, notNaN, optionalMask } from "./check.js";

/** Sizes of a mask [N, M]: it has to fit into an array. */
export function checkMaskSizes(queries: number, keys: number): void {
  integer("queries", queries, 0);
  integer("keys", keys, 0, Math.floor(mostEntries / Math.max(1, queries)));
}

/** A mask [N, M] from a predicate on query index and key index. No argument checks. */
function build(queries: number, keys: number, masked: (i: number, j: number) => boolean): Uint8Array {
  const mask = new Uint8Array(queries * keys);
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) mask[i * keys + j] = masked(i, j) ? 1 : 0;
  }
  return mask;
}

/**
 * Padding, section 5: keys from `keyLength` and queries from `queryLength` on do not take part.
 * @throws InvalidArgumentError
 */
export function paddingMask(queries: number, keys: number, keyLength: number, queryLength = queries): Uint8Array {
  checkMaskSizes(queries, keys);
  integer("keyLength", keyLength, 0, keys);
  integer("queryLength", queryLength, 0, queries);
  return build(queries, keys, (i, j) => i >= queryLength || j >= keyLength);
}

/** No query attends to a later position: j > i + offset. @throws InvalidArgumentError */
export function causalMask(queries: number, keys: number, offset = keys - queries): Uint8Array {
  checkMaskSizes(queries, keys);
  integer("offset", offset, -queries);
  return build(queries, keys, (i, j) => j > i + offset);
}

/** No token attends to itself: j = i + offset. @throws InvalidArgumentError */
export function selfMask(queries: number, keys: number, offset = keys - queries): Uint8Array {
  checkMaskSizes(queries, keys);
  integer("offset", offset, -queries);
  return build(queries, keys, (i, j) => j === i + offset);
}

/**
 * The Longformer pattern, section 5: |i + offset − j| ≤ w, or i or j among the leading global tokens.
 * @param width w, the half width, at least 0
 * @param globalTokens how many leading tokens attend and are attended everywhere
 * @throws InvalidArgumentError
 */
export function windowMask(
  queries: number,
  keys: number,
  width: number,
  globalTokens = 0,
  offset = keys - queries,
): Uint8Array {
  checkMaskSizes(queries, keys);
  integer("width", width, 0);
  integer("globalTokens", globalTokens, 0);
  integer("offset", offset, -queries);
  return build(queries, keys, (i, j) => {
    const position = i + offset;
    const isGlobal = j < globalTokens || (position >= 0 && position < globalTokens);
    return !isGlobal && Math.abs(position - j) > width;
  });
}

/**
 * What the authors' code really masks when asked for a Longformer pattern (section 17): its builder returns 1 for "may
 * attend" and is then used as a mask, so that the window of ⌊N/8⌋ and the global tokens 0 and 1 are what is removed.
 * @throws InvalidArgumentError
 */
export function authorsLongformerMask(size: number): Uint8Array {
  integer("size", size, 0, Math.floor(Math.sqrt(mostEntries)));
  return windowMask(size, size, Math.floor(size / 8), 2).map((masked) => 1 - masked);
}

/**
 * Masks pairs at least as far apart as the threshold: d_g/κ ≥ τ, sections 5 and 16. A distance of NaN is not masked,
 * so that it stays visible.
 * @param distance d_g/κ, [N, M]
 * @param threshold τ, a number (0 masks every pair, Infinity no finite distance)
 * @throws InvalidArgumentError
 */
export function thresholdMask(distance: Floats, threshold: number): Uint8Array {
  floats("distance", distance);
  notNaN("threshold", threshold);
  return Uint8Array.from(distance, (d) => (d >= threshold ? 1 : 0));
}

/**
 * The union of masks of one length: a pair is masked when any of them masks it. Undefined ones count as empty.
 * @throws InvalidArgumentError
 */
export function orMasks(length: number, ...masks: readonly (Uint8Array | undefined)[]): Uint8Array {
  integer("length", length, 0);
  const union = new Uint8Array(length);
  for (const mask of masks) {
    optionalMask("mask", mask, length);
    for (let p = 0; p < length; p++) if (mask?.[p]) union[p] = 1;
  }
  return union;
}
