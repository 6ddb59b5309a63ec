/** Bugs of the WGSL kernels and of what calls them. They need an adapter: see `npm run mutants -- --help`. */

import { inFastPath } from "./list.mjs";

const wgsl = "src/backends/webgpu/wgsl";

/** @type {import("./list.mjs").Mutant[]} */
export const mutants = [
  ...inFastPath(`${wgsl}/softmax.wgsl.ts`, [
    ["webgpu: sums are not rescaled when the maximum rises", " *= factor", " += 0.0 * factor"],
    ["webgpu: the maximum of one thread for the row", 'topAt(n, "t")}); }', 'topAt(n, "tc")}); }'],
    ["webgpu: the bias is added", 'biased ? " - bias"', 'biased ? " + bias"'],
  ]),
  ...inFastPath(`${wgsl}/tile.wgsl.ts`, [
    ["webgpu: causal counts from the first key", "let p = i + vec4i(h.keyLength - h.queryLength);", "let p = i;"],
    ["webgpu: axes of a tile swapped", '"let i = column; let j = row;"', '"let i = row; let j = column;"'],
    ["webgpu: slices of points overlap", "let count = min(", "let count = max("],
    ["webgpu: rows of a thread share their flags", "(rowFlags >> (2u * e)) & 3u", "rowFlags & 3u"],
    ["webgpu: masks of the first row for all", "<< (4u * e);", ";"],
  ]),
  ...inFastPath(`${wgsl}/math.wgsl.ts`, [
    ["webgpu: log(1 + z) of small z", "let f = fma(z, scale, scale - 1.0);", "let f = (z + 1.0) * scale - 1.0;"],
    ["webgpu: obtuse angles as acute ones", "select(acute, 3.141592653589793 - acute, coded < vec4f(0.0))", "acute"],
  ]),
  ...inFastPath(`${wgsl}/backward.wgsl.ts`, [
    ["webgpu: delta left out", "g.dScore = g.weight * (product - delta);", "g.dScore = g.weight * product;"],
  ]),
  ...inFastPath(`${wgsl}/pack-backward.wgsl.ts`, [
    [
      "webgpu: gradients on the sphere are not projected",
      "let x = fma(-total, points[start + d / 4u][d % 4u], bitcast<f32>(gradient[to + d]));",
      "let x = bitcast<f32>(gradient[to + d]);",
    ],
  ]),
];
