/**
 * The second product of a tile: Σ_j w_ij y_j for the rows of a thread, over the 32 columns of the tile.
 *
 * Weights lie in `stage` behind the first `stageVectors`, [column mod 8][row], a vector for the columns c, c + 8, c + 16,
 * c + 24. A thread has its rows and `slots` vectors of 4 components, c + 8 n of the chunk that the workgroup stands for
 * (`id.z`), in variables `${target}${row}${slot}`. The vectors of the columns pass through the rest of `stage`, for as many
 * columns as there is room.
 */

import { each, four, stageVectors, type Tile, weightAt } from "./tile.wgsl.js";

/** Declares the sums of a thread. */
export function sums({ patch }: Tile, target: string, slots: number): string {
  return each(patch, (e) => each(slots, (n) => `var ${target}${e}${n} = vec4f();\n`));
}

/**
 * Text that adds a tile. `buffer` holds rows of `stride` vectors, of which the first `width` count. Its first column is
 * `columnBase + column0`. `add` gives the statement for row e and slot n from the vectors v0 to v3 and the weights w.
 * Every thread of the workgroup must come here after the weights are written; a barrier comes before they are read.
 */
export function accumulate(
  { patch }: Tile,
  slots: number,
  buffer: string,
  stride: string,
  width: string,
  add: (e: number, n: number) => string,
  prepare = "",
): string {
  const vectors = 8 * slots;
  const groups = Math.min(8, stageVectors / (4 * vectors));
  return /* wgsl */ `
  for (var g0 = 0u; g0 < 8u; g0 += ${groups}u) {
    if (g0 > 0u) { workgroupBarrier(); }
    for (var t = thread; t < ${4 * groups * vectors}u; t += 64u) {
      let l = t >> ${Math.log2(vectors)}u;
      let column = min(column0 + g0 + (l & ${groups - 1}u) + 8u * (l >> ${Math.log2(groups)}u), columnCount - 1u);
      let at = id.z * ${vectors}u + (t & ${vectors - 1}u);
      var value = vec4f();
      if (at < ${width}) { value = ${buffer}[(columnBase + column) * (${stride}) + at]; }
      stage[t] = value;
    }
    workgroupBarrier();
    for (var g = 0u; g < ${groups}u; g++) {
      ${each(slots, (n) => four((f) => `let v${f}${n} = stage[(g + ${f * groups}u) * ${vectors}u + tc + ${8 * n}u];\n`))}
      ${each(
        patch,
        (e) => `{
        let w = ${weightAt("(g0 + g)", e)};
        ${prepare}
        ${each(slots, (n) => add(e, n))}
      }\n`,
      )}
    }
  }
`;
}
