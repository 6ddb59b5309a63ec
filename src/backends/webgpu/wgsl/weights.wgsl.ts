/**
 * The matrix A itself: rows are queries. Goes over the tiles twice and writes A_ij = w_ij/l_i, of some rows of [B, H, N, M] at a
 * time.
 */

import { begin, gatherMass, pairs, raise, scoresOfTile, shared, tileTop } from "./softmax.wgsl.js";
import { bindings, type Tile, tile } from "./tile.wgsl.js";

/** The matrix itself, into zeros; `params.shift` is the first of the rows that the buffer holds, `params.heads` their number. */
export function weights(rowThreads: number, sphere: boolean): string {
  const shape: Tile = { rowThreads, sphere, rows: "queries" };
  const storage = {
    rows: "array<vec4f>",
    columns: "array<vec4f>",
    mask: "array<u32>",
    columnSums: "array<vec4f>",
    matrix: "*array<u32>",
  };
  return /* wgsl */ `${bindings(storage)}${tile(shape)}${pairs(shape)}${shared}
${begin(shape)}
  for (var turn = 0u; turn < 2u; turn++) {
    for (var column0 = 0u; column0 < columnEnd; column0 += C) {
      ${scoresOfTile(
        shape,
        true,
        `if (turn == 0u) {
        ${tileTop}
      } else if (own[e] < params.queries && own[e] >= params.shift && own[e] - params.shift < params.heads) {
        let bad = (atomicLoad(&poison[tr + e * TR]) & 1u) != 0u;
        let w = exp4(s[e] - vec4f(top[e])) / mass[e];
        let at = (head * params.heads + own[e] - params.shift) * params.keys;
        for (var f = 0u; f < 4u; f++) {
          if (keep[f] && index[f] < params.keys) { matrix[at + index[f]] = select(bitcast<u32>(w[f]), NAN, bad); }
        }
      }`,
      )}
      if (turn == 0u) {
        ${raise()}
      }
    }
    if (turn == 0u) {
      ${gatherMass}
    }
  }
}
`;
}
