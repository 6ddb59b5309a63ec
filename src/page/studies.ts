/**
 * The two pictures of the page that do not depend on the text: the spectrum of the generator on the circle
 * (eq. section 12) and a Lévy flight beside Brownian motion (eq. section 15; arXiv:2511.10208). Computed, not stored.
 */

import { circleSpectrum, fitExponent } from "../../reference/circle-spectrum.js";
import { isotropicPath2d } from "../../reference/levy-process.js";
import { createRandom } from "../../reference/random.js";

/** Fitted exponents of one order over the bandwidth. */
export interface CircleStudy {
  readonly alpha: number;
  /** [ε, exponent fitted over the modes 5 … 50] */
  readonly fits: readonly (readonly [bandwidth: number, exponent: number])[];
  /** The exponent on 500 points at ε = 10⁻⁴, a size at which the dense eigenproblem is usual. */
  readonly coarse: number;
}

const orders = [1, 1.2, 1.6, 2];
const exponentsOfTen = [-2, -3, -4, -5, -6, -7, -8];

/**
 * Exponent of the generator's spectrum against the bandwidth. n = 20/√ε points, so their spacing is always the same
 * fraction, 0.31, of a jump; n = 200,000 at ε = 10⁻⁸.
 */
export function circleStudy(onProgress: (done: number, total: number) => void = () => {}): CircleStudy[] {
  let done = 0;
  return orders.map((alpha) => ({
    alpha,
    fits: exponentsOfTen.map((exponent) => {
      onProgress(done++, orders.length * exponentsOfTen.length);
      const bandwidth = 10 ** exponent;
      return [bandwidth, fitted(Math.ceil(20 / Math.sqrt(bandwidth)), alpha, bandwidth)] as const;
    }),
    coarse: fitted(500, alpha, 1e-4),
  }));
}

function fitted(points: number, alpha: number, bandwidth: number): number {
  const { modes, generator } = circleSpectrum({ points, alpha, bandwidth });
  return fitExponent(modes, generator).exponent;
}

/** One path in the plane. */
export interface PathStudy {
  readonly alpha: number;
  readonly points: readonly (readonly [number, number])[];
  /** Length of the largest step over that of the median step. */
  readonly largestStep: number;
}

const steps = 1000;
const pathSeed = 1;

/** A Lévy flight of order 1.2 and a Brownian path, isotropic, of the same number of steps and from the same seed. */
export function pathStudy(): PathStudy[] {
  return [1.2, 2].map(pathOf);
}

/** The path of one order: a thousand isotropic steps from the seed that every order shares. */
export function pathOf(alpha: number): PathStudy {
  const path = isotropicPath2d(createRandom(pathSeed), { alpha, steps });
  const points = Array.from({ length: steps + 1 }, (_, i) => [path[2 * i], path[2 * i + 1]] as const);
  const lengths = points.slice(1).map(([x, y], i) => Math.hypot(x - points[i][0], y - points[i][1]));
  lengths.sort((a, b) => a - b);
  return { alpha, points, largestStep: lengths[steps - 1] / lengths[steps >> 1] };
}
