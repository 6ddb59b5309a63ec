/**
 * What a plain forward pass has no use for: gradients, weights, measured bandwidths, the degree normalisation, masks of the
 * caller's, results that stay on the GPU, and telling which tensor a failed call failed for. It loads as one, when the first of
 * them is asked for; one file for each would split what they share with the rest into more files than it saves.
 */

export { backward } from "./backward.js";
export { bandwidths, measure } from "./bandwidth.js";
export { columnSums } from "./degree.js";
export { OnGpu } from "./kept-results.js";
export { packMask } from "./mask.js";
export { refuseUnusable } from "./unusable.js";
export { weights } from "./weights.js";
