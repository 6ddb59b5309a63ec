/**
 * `fractional-attention/analysis`: what there is to ask about an attention matrix, about the points behind it, and about
 * the process that it stands for, in float64. The functions are those of the reference, by their names there; `weights.ts`
 * adds the step from `attention.weights` to them.
 *
 * ```ts
 * import { createAttention } from "fractional-attention";
 * import { diffusionMap, headWeights, reversibleKernel, summarizeAttention } from "fractional-attention/analysis";
 *
 * const weights = headWeights(await attention.weights(inputs, options), inputs); // [N, N]
 * const { gap, hops, effectiveLinks, reach, eigenvalues } = summarizeAttention(weights, inputs.queries);
 * // Shared query and key, symmetric masks:
 * const { embedding } = diffusionMap(reversibleKernel(weights, inputs.queries), inputs.queries, { components: 2 });
 * ```
 *
 * | question | functions |
 * |---|---|
 * | one matrix at a glance | `summarizeAttention`, `headWeights` |
 * | how fast does a walk forget where it began | `attentionEigenvalues`, `sharedEigenvalues`, `spectralGap`, `generatorEigenvalues` |
 * | how many steps lie between two tokens | `hopGraph`, `shortestPath`, `shortestPaths`, `mostLikelyPath` |
 * | which tokens belong together | `diffusionMap`, `diffusionDistances`, `reversibleKernel` |
 * | the same where query and key differ | `magneticTransform`, `hermitianEigenvalues` |
 * | kernel matrices of points | `euclideanDistances`, `sphereAngles`, `distanceToScore`, `markovMatrix`, `scaleKappa` |
 * | what if part of the attention is taken away | `bernoulliMask`, `thresholdMask`, `maskedFraction` |
 * | does the generator have the right order | `circleSpectrum`, `circleDenseSpectrum`, `fitExponent` |
 * | the process itself: steps, tails, paths | `stableIncrement`, `levyPath`, `isotropicPath2d`, `hillEstimate`, `meanSquareDisplacement`, `stableDensity` |
 * | its operator | `fractionalLaplacianFourier`, `fractionalLaplacianSingular`, `fractionalDiffusion` |
 *
 * @module
 */

export * from "../../reference/attention-graph.js";
export type { Floats } from "../../reference/check.js";
export * from "../../reference/circle-spectrum.js";
export * from "../../reference/diffusion-map.js";
export { euclideanDistances, sphereAngles } from "../../reference/distance.js";
export * from "../../reference/dynamic-inference.js";
export { FractionalAttentionError, InvalidArgumentError } from "../../reference/errors.js";
export * from "../../reference/fractional-laplacian.js";
export { distanceToScore, type MarkovMatrix, markovMatrix } from "../../reference/kernel.js";
export * from "../../reference/levy-process.js";
export * from "../../reference/levy-stable.js";
export * from "../../reference/magnetic.js";
export { thresholdMask } from "../../reference/masks.js";
export { createRandom, type Random } from "../../reference/random.js";
export * from "../../reference/scale.js";
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
} from "../../reference/spectrum.js";
export type { HopCounts } from "./hops.js";
export {
  type AttentionSummary,
  headWeights,
  reversibleKernel,
  type SummaryOptions,
  summarizeAttention,
  type WeightsShape,
} from "./weights.js";
