/**
 * The kernel Φ_α of fractional neural attention (arXiv:2511.10208; equations section 4) and its derivatives (section 9).
 *
 *   Φ_α(z) = (1 + z)^−(d_M + α)      0 < α < 2    multiscale: power-law tail of Lévy flights
 *   Φ_α(z) = exp(−z^(α/(α−1)))       α ≥ 2        local: α = 2 is the Gaussian exp(−z²) of Brownian motion
 *
 * z ≥ 0 is the rescaled distance d_g/(κ ε^(1/α)) (`scale.ts`). The family is NOT continuous at α = 2: from below it tends
 * to (1 + z)^−(d_M + 2), which is not exp(−z²). The derivative in α therefore belongs to the branch α < 2 alone; on the
 * other branch the order is a constant.
 *
 * Everything is computed from the logarithm, through log1p: log(1 + z) loses the digits of a small z.
 */

import { finite, floats, integer, nonNegative, oneOf, positive } from "./check.js";
import { InvalidArgumentError } from "./errors.js";
import { type BandwidthExponent, bandwidthFactor } from "./scale.js";

/** log Φ_α(z). No argument checks: see `logKernel`. */
export function logPhi(z: number, alpha: number, intrinsicDim: number): number {
  return alpha < 2 ? -(intrinsicDim + alpha) * Math.log1p(z) : -(z ** (alpha / (alpha - 1)));
}

/**
 * log Φ_α(z), section 4.
 * @param z rescaled distance, at least 0 (Infinity gives -Infinity)
 * @param alpha order, above 0; 2 and above take the local branch, which ignores `intrinsicDim`
 * @param intrinsicDim d_M above 0
 * @throws InvalidArgumentError
 */
export function logKernel(z: number, alpha: number, intrinsicDim: number): number {
  if (z !== Number.POSITIVE_INFINITY) nonNegative("z", z);
  positive("alpha", alpha);
  positive("intrinsicDim", intrinsicDim);
  return logPhi(z, alpha, intrinsicDim);
}

/** Φ_α(z), section 4. Arguments as for `logKernel`. */
export function kernel(z: number, alpha: number, intrinsicDim: number): number {
  return Math.exp(logKernel(z, alpha, intrinsicDim));
}

/** d log Φ_α / dz. No argument checks: see `logKernelSlope`. */
export function logPhiSlope(z: number, alpha: number, intrinsicDim: number): number {
  if (alpha < 2) return -(intrinsicDim + alpha) / (1 + z);
  const p = alpha / (alpha - 1);
  return -p * z ** (p - 1);
}

/**
 * d log Φ_α / dz = −(d_M + α)/(1 + z) for α < 2, −p z^(p−1) with p = α/(α−1) for α ≥ 2 (−2z at α = 2), section 9.
 * Arguments as for `logKernel`, z finite.
 */
export function logKernelSlope(z: number, alpha: number, intrinsicDim: number): number {
  nonNegative("z", z);
  positive("alpha", alpha);
  positive("intrinsicDim", intrinsicDim);
  return logPhiSlope(z, alpha, intrinsicDim);
}

/** d log Φ_α / dα. No argument checks: see `logKernelOrderSlope`. */
export function logPhiOrderSlope(z: number, alpha: number, intrinsicDim: number, logBandwidth: number): number {
  const dz = (z * logBandwidth) / (alpha * alpha);
  if (alpha < 2) return -Math.log1p(z) - ((intrinsicDim + alpha) / (1 + z)) * dz;
  if (z === 0) return 0;
  const p = alpha / (alpha - 1);
  return (z ** p * Math.log(z)) / (alpha - 1) ** 2 - p * z ** (p - 1) * dz;
}

/**
 * Total derivative d log Φ_α / dα of a branch at a fixed distance, section 9:
 *
 *   α < 2:  −log1p(z) − (d_M + α)/(1 + z) · z ln(ε)/α²
 *   α ≥ 2:  z^p ln(z)/(α − 1)² − p z^p ln(ε)/α²,  p = α/(α−1)
 *
 * The terms with ε are there only for the exponent 1/α and a numeric ε (a measured ε is held fixed): pass
 * `logBandwidth` = ln ε then, and 0 otherwise. Attention takes its order as a constant at α = 2, where the branches meet
 * without being continuous; this function is the derivative along the branch. Arguments as for `logKernel`, z finite.
 */
export function logKernelOrderSlope(z: number, alpha: number, intrinsicDim: number, logBandwidth = 0): number {
  nonNegative("z", z);
  positive("alpha", alpha);
  positive("intrinsicDim", intrinsicDim);
  finite("logBandwidth", logBandwidth);
  return logPhiOrderSlope(z, alpha, intrinsicDim, logBandwidth);
}

/**
 * Scores of distances: Φ_α(d_g/ε^(1/2)) or Φ_α(d_g/ε^(1/α)), elementwise, sections 3 and 4 (κ = 1; divide before).
 * @param distance d_g of any length, at least 0
 * @param exponent the paper's `"1/alpha"` unless given
 * @throws InvalidArgumentError
 */
export function distanceToScore(
  distance: Float64Array | Float32Array,
  alpha: number,
  intrinsicDim: number,
  bandwidth = 1,
  exponent: BandwidthExponent = "1/alpha",
): Float64Array {
  for (const d of floats("distance", distance)) {
    if (!(d >= 0)) throw new InvalidArgumentError("distance", "numbers of at least 0", d);
  }
  positive("intrinsicDim", intrinsicDim);
  const factor = bandwidthFactor(bandwidth, alpha, exponent);
  return Float64Array.from(distance, (d) => kernel(d / factor, alpha, intrinsicDim));
}

/** A kernel matrix and its diffusion-map normalisation. */
export interface MarkovMatrix {
  /** K_ij = Φ_α of the distances, [N, N]. */
  kernel: Float64Array;
  /** Row sums D of K, [N]. */
  degree: Float64Array;
  /** K~ = diag(D^−a) K diag(D^−a), [N, N]: row sums on both sides, as in diffusion maps. */
  normalized: Float64Array;
  /** Row sums of K~, [N]. */
  normalizedDegree: Float64Array;
}

/**
 * The diffusion-map construction on a matrix of distances, section 6. Unlike attention it uses the row sums on both
 * sides, which for a symmetric kernel is the same.
 * @param distance [N, N]
 * @param size N
 * @param degreeNormalization a ≥ 0
 * @throws InvalidArgumentError
 */
export function markovMatrix(
  distance: Float64Array | Float32Array,
  size: number,
  alpha: number,
  intrinsicDim: number,
  degreeNormalization: number,
  bandwidth = 1,
  exponent: BandwidthExponent = "1/alpha",
): MarkovMatrix {
  integer("size", size, 0);
  floats("distance", distance, size * size);
  nonNegative("degreeNormalization", degreeNormalization);
  oneOf("exponent", exponent, ["1/alpha", "1/2"]);
  const k = distanceToScore(distance, alpha, intrinsicDim, bandwidth, exponent);
  const degree = rowSums(k, size);
  const normalized = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      normalized[i * size + j] =
        (k[i * size + j] * degree[i] ** -degreeNormalization) / degree[j] ** degreeNormalization;
    }
  }
  return { kernel: k, degree, normalized, normalizedDegree: rowSums(normalized, size) };
}

function rowSums(matrix: Float64Array, size: number): Float64Array {
  const sums = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) sums[i] += matrix[i * size + j];
  }
  return sums;
}
