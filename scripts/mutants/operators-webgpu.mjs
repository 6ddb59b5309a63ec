/** Operator mutants of the WGSL kernels and of what calls them; they need an adapter. */

import { operatorMutants } from "../operator-mutants.mjs";
import { survivors } from "../operator-survivors.mjs";

const counts = {
  "src/backends/webgpu/bandwidth.ts": 2,
  "src/backends/webgpu/backward.ts": 3,
  "src/backends/webgpu/call.ts": 4,
  "src/backends/webgpu/chunks.ts": 2,
  "src/backends/webgpu/mask.ts": 2,
  "src/backends/webgpu/records.ts": 4,
  "src/backends/webgpu/runner.ts": 2,
  "src/backends/webgpu/steps.ts": 2,
  "src/backends/webgpu/weights.ts": 2,
  "src/backends/webgpu/wgsl/accumulate.wgsl.ts": 2,
  "src/backends/webgpu/wgsl/backward.wgsl.ts": 4,
  "src/backends/webgpu/wgsl/column-sums.wgsl.ts": 2,
  "src/backends/webgpu/wgsl/heads.wgsl.ts": 3,
  "src/backends/webgpu/wgsl/math.wgsl.ts": 2,
  "src/backends/webgpu/wgsl/measure.wgsl.ts": 3,
  "src/backends/webgpu/wgsl/pack-backward.wgsl.ts": 2,
  "src/backends/webgpu/wgsl/pack.wgsl.ts": 3,
  "src/backends/webgpu/wgsl/softmax.wgsl.ts": 3,
  "src/backends/webgpu/wgsl/tile.wgsl.ts": 4,
  "src/backends/webgpu/wgsl/weights.wgsl.ts": 2,
};

/** @type {(root: string, seed: number) => Promise<import("./list.mjs").Mutant[]>} */
export const mutants = (root, seed) => operatorMutants(root, seed, counts, survivors);
