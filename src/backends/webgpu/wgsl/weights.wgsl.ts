/**
 * The matrix A itself: rows are queries. Goes over the tiles twice and writes A_ij = w_ij/l_i, of some rows of [B, H, N, M] at a
 * time.
 */

import { begin, gatherMass, raise, scoresOfTile, shared, tileTops } from "./softmax.wgsl.js";
import { bindings, ofRow, own, type Tile, tile } from "./tile.wgsl.js";

/** The matrix itself, into zeros; `params.shift` is the first of the rows that the buffer holds, `params.heads` their number. */
export function weights(sphere: boolean): string {
  const shape: Tile = { patch: 4, sphere, rows: "queries" };
  const storage = {
    rows: "array<vec4f>",
    columns: "array<vec4f>",
    mask: "array<u32>",
    columnSums: "array<vec4f>",
    matrix: "*array<u32>",
  };
  return /* wgsl */ `${bindings(storage)}${tile(shape)}${shared}
fn store(head: u32, row: u32, index: vec4u, keep: vec4<bool>, w: vec4f, bad: bool) {
  if (row >= params.queries || row < params.shift || row - params.shift >= params.heads) { return; }
  let at = (head * params.heads + row - params.shift) * params.keys;
  for (var f = 0u; f < 4u; f++) {
    if (keep[f] && index[f] < params.keys) { matrix[at + index[f]] = select(bitcast<u32>(w[f]), NAN, bad); }
  }
}
${begin(shape)}
  for (var turn = 0u; turn < 2u; turn++) {
    for (var column0 = 0u; column0 < columnEnd; column0 += C) {
      ${scoresOfTile(
        shape,
        true,
        (e) => `if (turn == 1u) {
        let bad = (atomicLoad(&poison[tr + ${8 * e}u]) & 1u) != 0u;
        let w = exp4(s${e} - ${ofRow("top", e)}) / ${ofRow("mass", e)};
        store(head, ${own(e)}, index, unpack(keep >> ${4 * e}u), w, bad);
      }`,
      )}
      if (turn == 0u) {
        ${tileTops(shape)}
        ${raise(shape)}
      }
    }
    if (turn == 0u) {
      ${gatherMass(shape)}
    }
  }
}
`;
}
