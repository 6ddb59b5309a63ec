/**
 * Length scale and bandwidth of fractional neural attention (arXiv:2511.10208; equations section 3).
 *
 *   z = d_g / (κ ε^(1/α))                     with the exponent "1/alpha", the paper's
 *   z = d_g / (κ ε^(1/2))                     with the exponent "1/2", older files of the authors' code
 *   κ = √D / (2^(1/D) − 1)  for α < 2,  √D  for α ≥ 2                      "paper"
 *   κ = D                   for α < 2,  √D  for α ≥ 2                      "dim", the authors' vision and translation code
 *   r = (π^(1/d_M) − 1)/π                                                  rescaled radius of the sphere
 *   ε = max(lower median of (d_g/κ)^α, 10⁻³)  or  max((mean of d_g/κ)², 10⁻³)   measured bandwidths
 *
 * Why the paper's κ: at the typical distance d_g = √D the multiscale kernel is 2^−(1+α/D), neither saturated nor
 * vanished. 2^(1/D) − 1 is taken through expm1, which keeps all digits for large D.
 */

import { floats, integer, oneOf, optionalMask, positive } from "./check.js";
import { InvalidArgumentError } from "./errors.js";

/** How the bandwidth divides the distance. */
export type BandwidthExponent = "1/alpha" | "1/2";

/** Smallest measured bandwidth, so that coincident points do not divide by zero (section 3). */
export const bandwidthFloor = 1e-3;

/**
 * The length scale κ by name, section 3.
 * @param name `"paper"`, `"dim"` or `"none"` (1)
 * @param headDim D, at least 1
 * @param alpha order above 0; 2 and above take the local branch
 * @throws InvalidArgumentError
 */
export function scaleKappa(name: "paper" | "dim" | "none", headDim: number, alpha: number): number {
  oneOf("name", name, ["paper", "dim", "none"]);
  integer("headDim", headDim, 1);
  positive("alpha", alpha);
  if (name === "none") return 1;
  if (alpha >= 2) return Math.sqrt(headDim);
  return name === "dim" ? headDim : Math.sqrt(headDim) / Math.expm1(Math.LN2 / headDim);
}

/**
 * The rescaled radius r = (π^(1/d_M) − 1)/π of the sphere, sections 2 and 17.
 * @param intrinsicDim d_M above 0
 * @throws InvalidArgumentError
 */
export function rescaledRadius(intrinsicDim: number): number {
  positive("intrinsicDim", intrinsicDim);
  return Math.expm1(Math.log(Math.PI) / intrinsicDim) / Math.PI;
}

/**
 * What the bandwidth contributes to the divisor of the distance: ε^(1/α) or ε^(1/2), section 3.
 * @throws InvalidArgumentError
 */
export function bandwidthFactor(bandwidth: number, alpha: number, exponent: BandwidthExponent = "1/alpha"): number {
  positive("bandwidth", bandwidth);
  positive("alpha", alpha);
  oneOf("exponent", exponent, ["1/alpha", "1/2"]);
  return exponent === "1/2" ? Math.sqrt(bandwidth) : bandwidth ** (1 / alpha);
}

/**
 * A bandwidth measured on distances, section 3: for `"median"` the lower median of (d_g/κ)^α, for `"mean"` the square of
 * the mean of d_g/κ, never below 10⁻³. Over unmasked pairs, or over all pairs when no mask is given.
 * With no pair at all the bandwidth is 1, which nothing will use.
 * @param distance d_g, any length
 * @param mask 1 = leave the pair out, same length
 * @throws InvalidArgumentError
 */
export function measuredBandwidth(
  rule: "median" | "mean",
  distance: Float64Array | Float32Array,
  kappa: number,
  alpha: number,
  mask?: Uint8Array,
): number {
  oneOf("rule", rule, ["median", "mean"]);
  floats("distance", distance);
  positive("kappa", kappa);
  positive("alpha", alpha);
  optionalMask("mask", mask, distance.length);
  const rescaled: number[] = [];
  for (let p = 0; p < distance.length; p++) {
    if (mask?.[p]) continue;
    if (distance[p] < 0) throw new InvalidArgumentError("distance", "numbers of at least 0", distance[p]);
    rescaled.push(distance[p] / kappa);
  }
  if (rescaled.length === 0) return 1;
  if (rescaled.some(Number.isNaN)) return Number.NaN;
  if (rule === "mean") {
    let sum = 0;
    for (const d of rescaled) sum += d;
    return Math.max((sum / rescaled.length) ** 2, bandwidthFloor);
  }
  // The power is increasing, so the median may be taken before it.
  rescaled.sort((a, b) => a - b);
  return Math.max(rescaled[(rescaled.length - 1) >> 1] ** alpha, bandwidthFloor);
}
