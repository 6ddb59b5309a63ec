/** The sizes that the bars are about. */

import type { Size } from "../../src/bench/problem.js";

/** The sizes of the speed bars. */
export const allSizes: readonly Size[] = [
  { slices: 1, length: 512, dim: 8 },
  { slices: 1, length: 512, dim: 64 },
  { slices: 8, length: 512, dim: 32 },
  { slices: 8, length: 1024, dim: 32 },
  { slices: 8, length: 1024, dim: 64 },
  { slices: 1, length: 4096, dim: 64 },
  { slices: 8, length: 2048, dim: 64 },
];

/** The sizes at which gradients have a bar against another library, by name. */
export const backwardSizes: readonly string[] = ["8x512x32", "8x1024x64"];
