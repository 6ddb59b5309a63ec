/**
 * What a measured bandwidth needs (equations section 3), with z = d_g/κ: the sum of z over the unmasked pairs of each
 * query, and for a median one histogram a head and turn. The lower median is found by radix selection over the bits of
 * z, which order like z itself: each of four turns counts 8 bits of the numbers whose higher bits are `prefix`.
 *
 *   counts    [B, H, 258]: 256 bins, unmasked pairs, unmasked pairs that are NaN (as 0 or more)
 *   rowSums   [B, H, N]
 *
 * Integer atomics only, so that the numbers do not depend on the order of the threads. `params.shift` is the lowest bit
 * of the turn; the bits above it and its 8 are compared with the prefix.
 */

import { begin, pairs, scoresOfTile, shared } from "./softmax.wgsl.js";
import { bindings, four, type Tile, tile } from "./tile.wgsl.js";

/** Counters of one head. */
export const countsPerHead = 258;

export function measure(rowThreads: number, sphere: boolean): string {
  const shape: Tile = { rowThreads, sphere, rows: "queries" };
  const storage = {
    rows: "array<vec4f>",
    columns: "array<vec4f>",
    mask: "array<u32>",
    counts: "*array<atomic<u32>>",
    rowSums: "*array<f32>",
  };
  return /* wgsl */ `${bindings(storage)}${tile(shape)}${pairs(shape)}${shared}
var<workgroup> bins: array<atomic<u32>, ${countsPerHead}>;
fn count(h: Head, keep: vec4<bool>, z: vec4f) {
  let bits = bitcast<vec4u>(z);
  let high = vec4u(params.shift + 8u);
  // Shifts by 32 are not defined; the top turn has no prefix.
  let same = select(bits >> high, vec4u(), high > vec4u(31u)) == vec4u(h.prefix);
  let bin = (bits >> vec4u(params.shift)) & vec4u(255u);
  for (var f = 0u; f < 4u; f++) {
    if (keep[f]) {
      atomicAdd(&bins[256], 1u);
      if (same[f]) { atomicAdd(&bins[bin[f]], 1u); }
    }
  }
}
${begin(shape)}
  for (var column0 = 0u; column0 < columnEnd; column0 += C) {
    ${scoresOfTile(shape, false, "count(h, keep, z);\nmass[e] += sum4(select(vec4f(), z, keep));")}
  }
  workgroupBarrier();
  ${four((e) => `tops[own8[${e}] + tc] = mass[${e}];\n`)}
  workgroupBarrier();
  mass = vec4f();
  for (var t = 0u; t < 8u; t++) {
    mass += vec4f(tops[own8.x + t], tops[own8.y + t], tops[own8.z + t], tops[own8.w + t]);
  }
  if (tc == 0u) {
    ${four((e) => `if (own[${e}] < rowCount) { rowSums[rowBase + own[${e}]] = mass[${e}]; }\nif ((atomicLoad(&poison[tr + ${e}u * TR]) & 1u) != 0u) { atomicAdd(&bins[257], 1u); }\n`)}
  }
  workgroupBarrier();
  for (var t = thread; t < ${countsPerHead}u; t += T) {
    let n = atomicLoad(&bins[t]);
    if (n != 0u) { atomicAdd(&counts[head * ${countsPerHead}u + t], n); }
  }
}
`;
}
