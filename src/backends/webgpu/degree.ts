/** The pass of the degree normalisation that forward, gradients and weights share. */

import type { Pass } from "./passes.js";
import { columnSums as columnSumsSource } from "./wgsl/column-sums.wgsl.js";

export const columnSums: Pass = {
  name: "columnSums",
  by: ["sphere"],
  source: ({ sphere }) => columnSumsSource(sphere),
};
