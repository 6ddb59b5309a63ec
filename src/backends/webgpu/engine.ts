/** What the device computes a forward pass with. It loads when there is a GPU to compute on: who has none does without. */

export { Runner } from "./runner.js";
export { forward } from "./steps.js";
