/**
 * Models around fractional neural attention, in float32 on WebAssembly: the encoder classifier of the text experiments,
 * trained and evaluated. Start with `createClassifier`.
 */

export { createClassifier } from "./classifier.js";
export { resolveConfig } from "./config.js";
export { NonFiniteError } from "./errors.js";
export { initialParameters, type ParameterSpec, parameterSpecs } from "./parameters.js";
export { learningRateAt, type Schedule } from "./schedule.js";
export type * from "./types.js";
