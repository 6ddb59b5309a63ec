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

import { begin, gatherMass, scoresOfTile, shared } from "./softmax.wgsl.js";
import { bindings, four, ofRow, own, type Tile, tile } from "./tile.wgsl.js";

/** Counters of one head. */
export const countsPerHead = 258;

export function measure(sphere: boolean): string {
  const shape: Tile = { patch: 4, sphere, rows: "queries" };
  const storage = {
    rows: "array<vec4f>",
    columns: "array<vec4f>",
    mask: "array<u32>",
    counts: "*array<atomic<u32>>",
    rowSums: "*array<f32>",
  };
  return /* wgsl */ `${bindings(storage)}${tile(shape)}${shared}
var<workgroup> bins: array<atomic<u32>, ${countsPerHead}>;
fn count(h: Head, keep: vec4<bool>, z: vec4f) -> f32 {
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
  return sum4(select(vec4f(), z, keep));
}
${begin(shape)}
  for (var column0 = 0u; column0 < columnEnd; column0 += C) {
    ${scoresOfTile(shape, false, (e) => `${ofRow("mass", e)} += count(h, unpack(keep >> ${4 * e}u), z);`)}
  }
  ${gatherMass(shape)}
  if (tc == 0u) {
    ${four(
      (e) => `if (${own(e)} < rowCount) { rowSums[rowBase + ${own(e)}] = ${ofRow("mass", e)}; }
    if ((atomicLoad(&poison[tr + ${8 * e}u]) & 1u) != 0u) { atomicAdd(&bins[257], 1u); }\n`,
    )}
  }
  workgroupBarrier();
  for (var t = thread; t < ${countsPerHead}u; t += 64u) {
    let n = atomicLoad(&bins[t]);
    if (n != 0u) { atomicAdd(&counts[head * ${countsPerHead}u + t], n); }
  }
}
`;
}
