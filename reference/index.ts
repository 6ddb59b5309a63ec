/**
 * The float64 reference: every equation of fractional neural attention (arXiv:2511.10208) by name, as plain loops. It is
 * what everything else is judged by, and it is never optimised. The table of equations and names is in README.md beside
 * this file.
 */

export * from "./activation.js";
export { type AdamOptions, type AdamState, adamStep } from "./adam.js";
export {
  type AttentionResult,
  attentionForward,
  type Compatibility,
  type Head,
  type HeadOptions,
} from "./attention.js";
export { type AttentionGradient, attentionBackward, type SavedForward } from "./attention-gradient.js";
export * from "./attention-graph.js";
export type { Floats } from "./check.js";
export * from "./circle-spectrum.js";
export * from "./cross-entropy.js";
export * from "./diffusion-map.js";
export { euclideanDistances, rawArccosAngles, sphereAngles, type UnitRows, unitRows } from "./distance.js";
export {
  type DotProductGradients,
  type DotProductOptions,
  type DotProductResult,
  dotProductAttention,
  dotProductAttentionBackward,
} from "./dot-product.js";
export { dropout, dropoutKey } from "./dropout.js";
export * from "./dynamic-inference.js";
export * from "./embedding.js";
export * from "./encoder.js";
export { FractionalAttentionError, InvalidArgumentError } from "./errors.js";
export * from "./fractional-laplacian.js";
export { gamma } from "./gamma.js";
export {
  distanceToScore,
  kernel,
  logKernel,
  logKernelOrderSlope,
  logKernelSlope,
  type MarkovMatrix,
  markovMatrix,
} from "./kernel.js";
export * from "./layer-norm.js";
export * from "./levy-process.js";
export * from "./levy-stable.js";
export { type Linear, type LinearGradient, linearBackward, linearForward } from "./linear.js";
export * from "./magnetic.js";
export {
  authorsLongformerMask,
  causalMask,
  orMasks,
  paddingMask,
  selfMask,
  thresholdMask,
  windowMask,
} from "./masks.js";
export * from "./multi-head.js";
export * from "./orthogonal.js";
export * from "./pooling.js";
export { createRandom, type Random } from "./random.js";
export * from "./scale.js";
export {
  type SinkhornOptions,
  type SinkhornResult,
  sinkhornAttention,
  sinkhornAttentionBackward,
  sinkhornNormalize,
} from "./sinkhorn.js";
export {
  attentionEigenvalues,
  type ComplexValues,
  generatorEigenvalues,
  type SpectralGap,
  type SpectrumOrder,
  type SymmetricEigen,
  sharedEigenvalues,
  spectralGap,
  symmetricEigen,
} from "./spectrum.js";
