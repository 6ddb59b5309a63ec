/**
 * Column sums of the kernel for the degree normalisation (equations section 6): rows are keys, no bias, no values. Writes
 * (log N_C,j, is NaN, 0, 0), [B, H, M]; a key without a query has 0.
 */

import { begin, gatherMass, level, raise, scoresOfTile, shared, tileTops } from "./softmax.wgsl.js";
import { bindings, four, ofRow, own, type Tile, tile } from "./tile.wgsl.js";

/** log N_C of every key. */
export function columnSums(sphere: boolean): string {
  const shape: Tile = { patch: 4, sphere, rows: "keys" };
  const storage = { rows: "array<vec4f>", columns: "array<vec4f>", mask: "array<u32>", columnSums: "*array<vec4f>" };
  return /* wgsl */ `${bindings(storage)}${tile(shape)}${shared}
${begin(shape)}
  for (var column0 = 0u; column0 < columnEnd; column0 += C) {
    ${scoresOfTile(shape, false)}
    ${tileTops(shape)}
    ${raise(shape)}
  }
  ${gatherMass(shape)}
  if (tc != 0u) { return; }
  ${four(
    (e) => `
  if (${own(e)} < rowCount) {
    let bad = (atomicLoad(&poison[tr + ${8 * e}u]) & 1u) != 0u;
    let level = select(0.0, ${level(e)}, ${ofRow("top", e)} > UNSEEN && !bad);
    columnSums[head * rowCount + ${own(e)}] = vec4f(level, select(0.0, 1.0, bad), 0.0, 0.0);
  }`,
  )}
}
`;
}
