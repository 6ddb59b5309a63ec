/** Inputs for tests of the float32 devices, and the comparison of their results. */

import { expect } from "vitest";
import { createRandom } from "../reference/random.js";
import type { AttentionInputs, Floats } from "../src/types.js";

/** Standard normal numbers. */
export function normals(length: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  const random = createRandom(seed);
  return Float32Array.from({ length }, () => scale * random.normal());
}

/** Random inputs of a shape: 40 queries and keys of 8 components unless it says so. */
export function inputsOf(
  shape: Partial<AttentionInputs> & { keyHeads?: number },
  seed = 1,
): AttentionInputs<Float32Array> {
  const { batch = 1, heads = 1, queries = 40, keys = queries, headDim = 8, valueDim = headDim } = shape;
  const { keyHeads = heads } = shape;
  return {
    batch,
    heads,
    queries,
    keys,
    headDim,
    valueDim,
    q: normals(batch * heads * queries * headDim, seed),
    k: normals(batch * keyHeads * keys * headDim, seed + 1),
    v: normals(batch * keyHeads * keys * valueDim, seed + 2),
  };
}

/** Largest difference; NaN and infinities must stand in the same places. */
export function difference(x: Floats, y: Floats): number {
  let largest = 0;
  expect(x.length).toBe(y.length);
  for (let e = 0; e < y.length; e++) {
    if (Object.is(x[e], y[e])) continue;
    if (!Number.isFinite(x[e]) || !Number.isFinite(y[e])) expect([e, x[e]]).toEqual([e, y[e]]);
    largest = Math.max(largest, Math.abs(x[e] - y[e]));
  }
  return largest;
}
