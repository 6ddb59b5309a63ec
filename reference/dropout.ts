/**
 * Dropout (arXiv:2511.10208; equations section 11) whose mask is a function of where a number stands, so that threads,
 * precisions and resumed runs draw the same one:
 *
 *   y = x m/(1 − p),   m = 0 where ⌊h 2^−8⌋ < round(p 2^24), else 1
 *   h = mix(mix(key + row) + 0x9e3779b9 column),   key = mix(mix(mix(seed) + step) + site)
 *
 * `mix` scrambles 32 bits: x ^= x ≫ 16, x ·= 0x7feb352d, x ^= x ≫ 15, x ·= 0x846ca68b, x ^= x ≫ 16, a bijection in which
 * every bit of the result depends on every bit of the argument. All sums are modulo 2^32. The gradient is the same map.
 */

import { type Floats, floats, integer, share } from "./check.js";
import { InvalidArgumentError } from "./errors.js";

/** A bijection of 32 bits. */
export function mixBits(x: number): number {
  let h = x >>> 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  h ^= h >>> 16;
  return h >>> 0;
}

/** The key of one place of a model in one step. @throws InvalidArgumentError */
export function dropoutKey(seed: number, step: number, site: number): number {
  integer("seed", seed, 0, 2 ** 32 - 1);
  integer("step", step, 0);
  integer("site", site, 0);
  return mixBits(mixBits(mixBits(seed) + step) + site);
}

/**
 * Y, or with a cotangent in place of X its gradient.
 * @param x [R, C]
 * @param rowIds [R] what a row is called, whole numbers of at least 0
 * @param width C
 * @param probability p in [0, 1)
 * @param key of `dropoutKey`, in [0, 2^32)
 * @throws InvalidArgumentError
 */
export function dropout(
  x: Floats,
  rowIds: readonly number[] | Int32Array,
  width: number,
  probability: number,
  key: number,
): Float64Array {
  integer("width", width, 1);
  if (!Array.isArray(rowIds) && !(rowIds instanceof Int32Array)) {
    throw new InvalidArgumentError("rowIds", "an array of integers or an Int32Array", rowIds);
  }
  for (const id of rowIds) integer("rowIds", id, 0);
  integer("key", key, 0, 2 ** 32 - 1);
  floats("x", x, rowIds.length * width);
  share("probability", probability);
  const threshold = Math.round(probability * 2 ** 24);
  return Float64Array.from(x, (value, p) => {
    const row = mixBits(key + rowIds[Math.floor(p / width)]);
    const bits = mixBits(row + Math.imul(0x9e3779b9, p % width));
    return bits >>> 8 < threshold ? 0 : value / (1 - probability);
  });
}
