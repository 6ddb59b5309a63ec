/** Bugs of the WGSL kernels and of what calls them. They need an adapter: see `npm run mutants -- --help`. */

import { inFastPath } from "./list.mjs";

const wgsl = "src/backends/webgpu/wgsl";

/** @type {import("./list.mjs").Mutant[]} */
export const mutants = [
  ...inFastPath(`${wgsl}/softmax.wgsl.ts`, [
    ["webgpu: sums are not rescaled when the maximum rises", "    mass *= factor;\n", ""],
    [
      "webgpu: the maximum of one thread for the row",
      "next = max(next, vec4f(tops[own8.x + t], tops[own8.y + t], tops[own8.z + t], tops[own8.w + t]));",
      "next = max(next, vec4f(tops[own8.x + tc], tops[own8.y + tc], tops[own8.z + tc], tops[own8.w + tc]));",
    ],
    ["webgpu: the bias is added", "score(h, z) - bias;", "score(h, z) + bias;"],
  ]),
  ...inFastPath(`${wgsl}/tile.wgsl.ts`, [
    ["webgpu: causal counts from the first key", "let p = i + vec4i(h.keyLength - h.queryLength);", "let p = i;"],
    ["webgpu: axes of a tile swapped", '"let i = column; let j = row;"', '"let i = row; let j = column;"'],
    ["webgpu: the tail of a slice is taken twice", "let count = min(SLICE, width - first);", "let count = SLICE;"],
  ]),
  ...inFastPath(`${wgsl}/math.wgsl.ts`, [
    ["webgpu: log(1 + z) of small z", "let f = fma(z, scale, scale - 1.0);", "let f = (z + 1.0) * scale - 1.0;"],
    ["webgpu: obtuse angles as acute ones", "select(acute, 3.141592653589793 - acute, coded < vec4f(0.0))", "acute"],
  ]),
  ...inFastPath(`${wgsl}/backward.wgsl.ts`, [
    ["webgpu: delta left out", "g.dScore = g.weight * (product - delta);", "g.dScore = g.weight * product;"],
  ]),
  ...inFastPath(`${wgsl}/pack.wgsl.ts`, [
    [
      "webgpu: gradients on the sphere are not projected",
      "let x = fma(-total, points[start + d / 4u][d % 4u], bitcast<f32>(gradient[to + d]));",
      "let x = bitcast<f32>(gradient[to + d]);",
    ],
  ]),
];
