/**
 * Column sums of the kernel for the degree normalisation (equations section 6): rows are keys, no bias, no values. Writes
 * (log N_C,j, is NaN, 0, 0), [B, H, M]; a key without a query has 0.
 */

import { begin, gatherMass, pairs, raise, scoresOfTile, shared, tileTop } from "./softmax.wgsl.js";
import { bindings, four, type Tile, tile } from "./tile.wgsl.js";

/** log N_C of every key. */
export function columnSums(rowThreads: number, sphere: boolean): string {
  const shape: Tile = { rowThreads, sphere, rows: "keys" };
  const storage = { rows: "array<vec4f>", columns: "array<vec4f>", mask: "array<u32>", columnSums: "*array<vec4f>" };
  return /* wgsl */ `${bindings(storage)}${tile(shape)}${pairs(shape)}${shared}
${begin(shape)}
  for (var column0 = 0u; column0 < columnEnd; column0 += C) {
    ${scoresOfTile(shape, false, tileTop)}
    ${raise()}
  }
  ${gatherMass}
  if (tc != 0u) { return; }
  ${four(
    (e) => `
  if (own[${e}] < rowCount) {
    let level = top[${e}] + log1p4(vec4f(max(mass[${e}] - 1.0, 0.0))).x;
    let bad = (atomicLoad(&poison[tr + ${e}u * TR]) & 1u) != 0u;
    columnSums[head * rowCount + own[${e}]] = vec4f(select(0.0, level, top[${e}] > UNSEEN && !bad), select(0.0, 1.0, bad), 0.0, 0.0);
  }`,
  )}
}
`;
}
