/**
 * The fractional Laplacian, by its two definitions, and the diffusion that it generates.
 *
 *   Fourier    (−Δ)^(α/2) e^(ikx) = |k|^α e^(ikx)                                      0 < α ≤ 2
 *   integral   (−Δ)^(α/2) f(x) = C_{d,α} P.V. ∫ (f(x) − f(y)) / |x − y|^(d+α) dy         0 < α < 2
 *              C_{d,α} = 2^α Γ((d+α)/2) / (π^(d/2) |Γ(−α/2)|)
 *   diffusion  ∂ρ/∂t + (−Δ)^(α/2) ρ = 0,   so each mode decays as exp(−t|k|^α)
 *
 * Quadrature of the integral in one dimension. With u(y) = 2f(x) − f(x+y) − f(x−y), which is even and O(y²), it is
 * C ∫₀^∞ u(y) y^(−1−α) dy, and the trapezoidal rule of step h needs one correction for the singularity at 0 (the
 * generalised Euler-Maclaurin formula; u(y)/y² is even, so odd powers are absent):
 *
 *   ∫₀^∞ u(y) y^(−1−α) dy = h Σ_{j≥1} u(jh) (jh)^(−1−α) − ζ(α−1) h^(−α) u(h) + O(h^(4−α))
 *
 * for four times differentiable f: order 4 − α, and no worse near α = 2, where the pole of ζ meets the zero of C. The
 * infinite sum over a period or beyond a cutoff is a Hurwitz zeta function.
 *
 * Source: eq. section 15 (arXiv:2511.10208). Grids are [N] values of a real function at x_j = jL/N, L the period, and
 * k = 2πn/L with n in (−N/2, N/2]. The Fourier transform is the plain sum, O(N²) operations.
 * Non-goals: boundaries other than periodic or decaying, the integral in more than one dimension.
 */

import { type Floats, finite, floats, integer, nonNegative, positive, record, stabilityIndex } from "./check.js";
import { InvalidArgumentError } from "./errors.js";
import { gamma } from "./gamma.js";
import { hurwitzZeta } from "./zeta.js";

/**
 * C_{d,α}, the constant of the singular integral.
 *
 * @param dimension d, at least 1
 * @param alpha in (0, 2); at both ends the constant is 0 and the integral diverges
 * @returns Infinity from about d = 400 on, where it exceeds float64
 * @throws InvalidArgumentError outside these domains
 */
export function fractionalLaplacianConstant(dimension: number, alpha: number): number {
  integer("dimension", dimension, 1);
  singularOrder("alpha", alpha);
  // Γ((d+α)/2)/π^(d/2) is raised from d = 1 or 2, because Γ alone exceeds float64 long before the constant does.
  const start = dimension % 2 === 0 ? 2 : 1;
  let constant = (2 ** alpha * gamma((start + alpha) / 2)) / (Math.PI ** (start / 2) * Math.abs(gamma(-alpha / 2)));
  for (let d = start; d < dimension && constant < Number.POSITIVE_INFINITY; d += 2) {
    constant *= (d + alpha) / (2 * Math.PI);
  }
  return constant;
}

/**
 * (−Δ)^(α/2) f on a periodic grid by its Fourier multiplier |k|^α: exact for what the grid resolves.
 *
 * @param values [N] values of f
 * @param period L > 0
 * @param alpha in (0, 2]; at 2 it is −f″
 * @returns [N], in units of f / length^α
 * @throws InvalidArgumentError outside these domains
 */
export function fractionalLaplacianFourier(values: Floats, period: number, alpha: number): Float64Array {
  checkGrid(values, period);
  stabilityIndex("alpha", alpha);
  return applyMultiplier(values, period, (k) => k ** alpha);
}

/**
 * ρ at time t for the fractional diffusion ∂ρ/∂t + (−Δ)^(α/2) ρ = 0 that starts from `density`, on a periodic grid. The
 * sum of ρ is kept. From a point it is the density of the stable law of scale t^(1/α), summed over the periods.
 *
 * @param density [N] values of ρ at time 0
 * @param period L > 0
 * @param alpha in (0, 2]
 * @param time t ≥ 0, in units of length^α
 * @returns [N]
 * @throws InvalidArgumentError outside these domains
 */
export function fractionalDiffusion(density: Floats, period: number, alpha: number, time: number): Float64Array {
  checkGrid(density, period, "density");
  stabilityIndex("alpha", alpha);
  nonNegative("time", time);
  return applyMultiplier(density, period, (k) => Math.exp(-time * k ** alpha));
}

/**
 * (−Δ)^(α/2) f on a periodic grid by the singular integral over the whole line, f continued periodically; the step of
 * the quadrature is that of the grid, h = L/N. It differs from the Fourier multiplier by O(h^(4−α)).
 *
 * @param values [N] values of f, N at least 3
 * @param period L > 0
 * @param alpha in (0, 2)
 * @returns [N], in units of f / length^α
 * @throws InvalidArgumentError outside these domains
 */
export function fractionalLaplacianSingular(values: Floats, period: number, alpha: number): Float64Array {
  checkGrid(values, period);
  if (values.length < 3) throw new InvalidArgumentError("values", "at least 3 numbers", values);
  singularOrder("alpha", alpha);
  const count = values.length;
  const scale = fractionalLaplacianConstant(1, alpha) * (period / count) ** -alpha;
  // Offset j stands for j, j + N, j + 2N, …: Σ_m (j + mN)^(−1−α). At j = N u vanishes.
  const weights = new Float64Array(count);
  for (let j = 1; j < count; j++) weights[j] = count ** (-1 - alpha) * hurwitzZeta(1 + alpha, j / count);
  weights[1] -= hurwitzZeta(alpha - 1, 1);
  return Float64Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let j = 1; j < count; j++) {
      sum += weights[j] * (2 * values[i] - values[(i + j) % count] - values[(i - j + count) % count]);
    }
    return scale * sum;
  });
}

/** How `fractionalLaplacianAt` integrates. */
export interface SingularIntegralOptions {
  /** Step h of the quadrature, above 0. The error is O(h^(4−α)), and rounding grows as h^(−α). */
  step: number;
  /** f(y) is taken as 0 for |x − y| beyond this many steps; at least 1. */
  reach: number;
}

/**
 * (−Δ)^(α/2) f at one point of the line, for a smooth f that vanishes, or nearly, outside a neighbourhood of x. What f
 * is beyond the reach R = reach · step is left out; its share is at most (2C/(αR^α)) sup|f| there.
 *
 * @param f the function, called 2·reach + 1 times
 * @param x a finite number
 * @param alpha in (0, 2)
 * @throws InvalidArgumentError outside these domains
 */
export function fractionalLaplacianAt(
  f: (x: number) => number,
  x: number,
  alpha: number,
  options: SingularIntegralOptions,
): number {
  if (typeof f !== "function") throw new InvalidArgumentError("f", "a function", f);
  finite("x", x);
  singularOrder("alpha", alpha);
  record("options", options, ["step", "reach"]);
  const step = positive("options.step", options.step);
  const reach = integer("options.reach", options.reach, 1);
  const centre = f(x);
  let sum = 2 * centre * hurwitzZeta(1 + alpha, reach + 1);
  for (let j = reach; j >= 1; j--) {
    const difference = 2 * centre - f(x + j * step) - f(x - j * step);
    sum += difference * (j ** (-1 - alpha) - (j === 1 ? hurwitzZeta(alpha - 1, 1) : 0));
  }
  return fractionalLaplacianConstant(1, alpha) * step ** -alpha * sum;
}

function singularOrder(argument: string, alpha: number): number {
  if (typeof alpha !== "number" || !(alpha > 0 && alpha < 2)) {
    throw new InvalidArgumentError(argument, "a number in (0, 2)", alpha);
  }
  return alpha;
}

function checkGrid(values: Floats, period: number, name = "values"): void {
  if (floats(name, values).length === 0) throw new InvalidArgumentError(name, "at least one number", values);
  positive("period", period);
}

/** Multiplies the Fourier mode k of a real periodic function by a real multiplier(|k|). */
function applyMultiplier(values: Floats, period: number, multiplier: (k: number) => number): Float64Array {
  const count = values.length;
  const cos = Float64Array.from({ length: count }, (_, j) => Math.cos((2 * Math.PI * j) / count));
  const sin = Float64Array.from({ length: count }, (_, j) => Math.sin((2 * Math.PI * j) / count));
  const result = new Float64Array(count);
  // A real function has conjugate modes at n and −n: each pair is added at once, 0 and N/2 (N even) by themselves.
  for (let n = 0; 2 * n <= count; n++) {
    let re = 0;
    let im = 0;
    for (let j = 0; j < count; j++) {
      re += values[j] * cos[(n * j) % count];
      im -= values[j] * sin[(n * j) % count];
    }
    const pair = n === 0 || 2 * n === count ? 1 : 2;
    const weight = (pair * multiplier((2 * Math.PI * n) / period)) / count;
    for (let j = 0; j < count; j++) {
      result[j] += weight * (re * cos[(n * j) % count] - im * sin[(n * j) % count]);
    }
  }
  return result;
}
