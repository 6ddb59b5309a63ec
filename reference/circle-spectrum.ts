/**
 * The generator of fractional diffusion on the circle S¹, a check of the theory (eq. section 12; arXiv:2511.10208).
 *
 *   points θ_i, arcs d_ij = min(|θ_i − θ_j|, 2π − |θ_i − θ_j|),  Φ_ij = Φ_α(d_ij/ε^(1/2)) with d_M = 1,  A = D⁻¹Φ
 *   L = −log(A)/t,  t = ε^(α/2):   its k-th eigenvalue grows as k^α
 *
 * On equally spaced points θ_i = 2πi/n, A is circulant and its eigenvalues are known: with the first row r of Φ,
 *
 *   λ_k = Σ_j r_j cos(2πjk/n) / Σ_j r_j           1 − λ_k = Σ_j r_j 2 sin²(πjk/n) / Σ_j r_j          k = 0 … n/2
 *
 * each twice but for k = 0 and k = n/2. −log(λ)/t multiplies an error of λ by 1/t, so the second form is what counts:
 * all of its terms are positive, nothing cancels, and −log1p(−(1 − λ))/t keeps n ulp of relative accuracy.
 *
 * How fast the exponent comes to α: with h = k √ε the eigenvalue is c h^α (1 + O(h^(2−α)) + O(h)), O(h log h) for α = 1,
 * because a jump shorter than √ε is not yet a power law. At ε = 10⁻⁴ and modes up to 50, h is 0.5, and the fit is far
 * from α for α < 2; ε = 10⁻⁸ brings it near. For the Gaussian branch the corrections are exponentially small.
 * What is left as ε → 0 is the circle itself: arcs end at π, which takes O(k^−α) from the eigenvalue.
 *
 * Non-goals: other manifolds, degree normalisation (on equally spaced points all degrees are equal).
 */

import { type Floats, floats, integer, mostEntries, oneOf, positive, record, stabilityIndex } from "./check.js";
import { InvalidArgumentError } from "./errors.js";
import { distanceToScore } from "./kernel.js";
import { conjugateByDegree, rowSums, symmetricEigen } from "./spectrum.js";

/**
 * `"periodic"`: θ_i = 2πi/n. `"doubled"`: θ_i = 2πi/(n − 1), the authors' notebook, where the first and the last point
 * coincide; A is not circulant then and has an eigenvalue 0.
 */
export type CirclePoints = "periodic" | "doubled";

/** What the circle is covered with and how it is looked at. */
export interface CircleOptions {
  /** n, the number of points, at least 2 (3 for `"doubled"`). */
  points: number;
  /** Order in (0, 2]. */
  alpha: number;
  /** ε above 0; √ε is the length of a jump. Spacing 2π/n must be well below √ε for the sum to stand for an integral. */
  bandwidth: number;
}

/** Eigenvalues of the circulant A at chosen modes. */
export interface CircleSpectrum {
  /** k */
  readonly modes: Float64Array;
  /** λ_k of A. */
  readonly eigenvalues: Float64Array;
  /** 1 − λ_k without cancellation. */
  readonly complements: Float64Array;
  /** −log(λ_k)/t of the generator, t = ε^(α/2); NaN where λ_k ≤ 0 has no real logarithm. */
  readonly generator: Float64Array;
}

function checkOptions(options: CircleOptions, minimum: number, maximum = mostEntries): void {
  const { points, alpha, bandwidth } = record("options", options, ["points", "alpha", "bandwidth"]);
  integer("points", points, minimum, maximum);
  stabilityIndex("alpha", alpha);
  positive("bandwidth", bandwidth);
}

/** t = ε^(α/2), eq. section 12, for the exponent 1/2 of the bandwidth. */
export function circleTime(alpha: number, bandwidth: number): number {
  return positive("bandwidth", bandwidth) ** (stabilityIndex("alpha", alpha) / 2);
}

/** The whole numbers first, first + 1, …, last. */
export function modeRange(first: number, last: number): Float64Array {
  integer("first", first, 0);
  integer("last", last, first);
  return Float64Array.from({ length: last - first + 1 }, (_, j) => first + j);
}

/**
 * Spectrum on equally spaced points, by the circulant formula. Cost n for each mode. eq. section 12.
 *
 * @param options points n, alpha, bandwidth ε
 * @param modes k, whole numbers in [0, n/2]; default 5 … 50, the modes that the exponent is fitted over
 * @throws InvalidArgumentError
 */
export function circleSpectrum(options: CircleOptions, modes: Floats = modeRange(5, 50)): CircleSpectrum {
  checkOptions(options, 2);
  const { points: n, alpha, bandwidth } = options;
  for (const k of floats("modes", modes)) integer("modes", k, 0, Math.floor(n / 2));
  const time = circleTime(alpha, bandwidth);

  const arcs = Float64Array.from({ length: n }, (_, j) => (2 * Math.PI * Math.min(j, n - j)) / n);
  const row = distanceToScore(arcs, alpha, 1, bandwidth, "1/2");
  let total = 0;
  for (const r of row) total += r;
  // sin²(πm/n) depends on m modulo n only; reducing jk in whole numbers keeps the angle exact for any mode.
  const squaredSine = Float64Array.from({ length: n }, (_, m) => Math.sin((Math.PI * Math.min(m, n - m)) / n) ** 2);

  const complements = Float64Array.from(modes, (k) => {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += row[j] * squaredSine[(j * k) % n];
    return (2 * sum) / total;
  });
  return {
    modes: Float64Array.from(modes),
    eigenvalues: complements.map((c) => 1 - c),
    complements,
    generator: complements.map((c) => (0 - Math.log1p(-c)) / time),
  };
}

/**
 * Φ on the circle, [n, n], symmetric. eq. section 12.
 *
 * @param layout `"periodic"` (default) or `"doubled"`
 * @throws InvalidArgumentError
 */
export function circleKernelMatrix(options: CircleOptions, layout: CirclePoints = "periodic"): Float64Array {
  oneOf("layout", layout, ["periodic", "doubled"]);
  checkOptions(options, layout === "periodic" ? 2 : 3, Math.floor(Math.sqrt(mostEntries)));
  const { points: n, alpha, bandwidth } = options;
  const steps = layout === "periodic" ? n : n - 1;
  const arcs = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const apart = Math.abs(i - j);
      arcs[i * n + j] = (2 * Math.PI * Math.min(apart, steps - apart)) / steps;
    }
  }
  return distanceToScore(arcs, alpha, 1, bandwidth, "1/2");
}

/** All eigenvalues of A from the dense matrix, largest first, with those of the generator. */
export interface CircleDenseSpectrum {
  /** [n], descending. */
  readonly eigenvalues: Float64Array;
  /** −log(λ)/t, [n]; NaN where λ ≤ 0, which a coincident pair of points brings about by rounding. */
  readonly generator: Float64Array;
}

/**
 * Spectrum of A = D⁻¹Φ from the dense matrix, through the symmetric D^−½ Φ D^−½. Cost O(n³). eq. section 12.
 * Absolute accuracy of some n ulp in λ, hence n ulp/t in the generator: use `circleSpectrum` for a small bandwidth.
 *
 * @param layout `"periodic"` (default) or `"doubled"`
 * @throws InvalidArgumentError
 */
export function circleDenseSpectrum(options: CircleOptions, layout: CirclePoints = "periodic"): CircleDenseSpectrum {
  const phi = circleKernelMatrix(options, layout);
  const { points: n, alpha, bandwidth } = options;
  const time = circleTime(alpha, bandwidth);
  const { values } = symmetricEigen(conjugateByDegree(phi, rowSums(phi, n), n), n);
  const eigenvalues = values.reverse();
  return { eigenvalues, generator: eigenvalues.map((x) => (x > 0 ? (0 - Math.log(x)) / time : Number.NaN)) };
}

/** y ≈ prefactor · x^exponent. */
export interface PowerLaw {
  readonly exponent: number;
  readonly prefactor: number;
}

/**
 * Least squares of log value against log mode.
 *
 * @param modes numbers above 0, at least two different ones
 * @param values numbers above 0, as many
 * @throws InvalidArgumentError
 */
export function fitExponent(modes: Floats, values: Floats): PowerLaw {
  const x = Float64Array.from(floats("modes", modes), (k) => Math.log(positive("modes", k)));
  const y = Float64Array.from(floats("values", values, x.length), (v) => Math.log(positive("values", v)));
  const mean = (a: Float64Array): number => a.reduce((sum, b) => sum + b, 0) / a.length;
  const [meanX, meanY] = [mean(x), mean(y)];
  let covariance = 0;
  let variance = 0;
  for (let j = 0; j < x.length; j++) {
    covariance += (x[j] - meanX) * (y[j] - meanY);
    variance += (x[j] - meanX) ** 2;
  }
  if (!(variance > 0)) throw new InvalidArgumentError("modes", "at least two different numbers", modes);
  const exponent = covariance / variance;
  return { exponent, prefactor: Math.exp(meanY - exponent * meanX) };
}
