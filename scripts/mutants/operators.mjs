/** Operator mutants of the kernels, of what calls them, and of the package between a caller and a device. */

import { operatorMutants } from "../operator-mutants.mjs";
import { survivors } from "../operator-survivors.mjs";

/** How many of each file: more where more is computed. */
const counts = {
  "assembly/backward.ts": 14,
  "assembly/bandwidth.ts": 7,
  "assembly/distance.ts": 9,
  "assembly/forward.ts": 14,
  "assembly/masks.ts": 12,
  "assembly/math/asin.ts": 4,
  "assembly/math/exp.ts": 5,
  "assembly/math/log.ts": 3,
  "assembly/math/log1p.ts": 7,
  "assembly/pack.ts": 12,
  "assembly/product.ts": 4,
  "assembly/score.ts": 8,
  "assembly/slope.ts": 9,
  "assembly/sphere.ts": 7,
  "assembly/spread.ts": 7,
  "assembly/state.ts": 8,
  "assembly/tile.ts": 12,
  "assembly/value.ts": 4,
  "src/backends/wasm/arena.ts": 4,
  "src/backends/wasm/call.ts": 12,
  "src/backends/wasm/steps.ts": 10,
  "src/backends/wasm/threaded.ts": 6,
  "src/attention.ts": 5,
  "src/merge.ts": 5,
  "src/plan.ts": 8,
  "src/validate.ts": 8,
};

/** @type {(root: string, seed: number) => Promise<import("./list.mjs").Mutant[]>} */
export const mutants = (root, seed) => operatorMutants(root, seed, counts, survivors);
