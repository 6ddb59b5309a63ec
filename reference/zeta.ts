/**
 * Hurwitz' zeta function of real arguments, which sums the singular kernel of the fractional Laplacian over all periods
 * and corrects the trapezoidal rule at the singularity.
 *
 *   ζ(s, a) = Σ_{n≥0} (n + a)^(−s)     for s > 1, continued analytically to s < 1;     ζ(s, 1) is Riemann's ζ(s)
 *
 * Euler-Maclaurin: the first N terms, then with b = N + a the integral b^(1−s)/(s−1), half a term, and the Bernoulli
 * corrections Σ_k B₂ₖ/(2k)! s(s+1)⋯(s+2k−2) b^(1−s−2k), which is also the continuation.
 *
 * Serves eq. section 15 (arXiv:2511.10208).
 * Error: with N = 16 and six corrections the rest is below 10⁻¹⁷; what remains is rounding, relative to the larger of
 * the result and, for s < 1, of the partial sum (16 + a)^(1−s)/(1−s) that cancels. Measured against 40-digit values at
 * 800 random points of −1 < s < 3, 0.01 < a < 1000: below 2·10⁻¹⁵ of that.
 */

import { finite, positive } from "./check.js";
import { InvalidArgumentError } from "./errors.js";

/** How many terms are added one by one. */
const LEADING_TERMS = 16;

/** B₂ₖ for k = 1 … 6. */
const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730];

/**
 * ζ(s, a).
 *
 * @param s a number in (−2, 4], not 1, where ζ has its pole
 * @param a a finite number above 0
 * @throws InvalidArgumentError outside these domains
 */
export function hurwitzZeta(s: number, a: number): number {
  finite("s", s);
  if (s <= -2 || s > 4 || s === 1) throw new InvalidArgumentError("s", "a number in (-2, 4] other than 1", s);
  positive("a", a);
  let sum = 0;
  for (let n = 0; n < LEADING_TERMS; n++) sum += (n + a) ** -s;
  const b = LEADING_TERMS + a;
  sum += b ** (1 - s) / (s - 1) + b ** -s / 2;
  // s(s+1)⋯(s+2k−2) b^(1−s−2k) / (2k)!, carried from one k to the next.
  let factor = (s * b ** (-s - 1)) / 2;
  for (let k = 1; k <= BERNOULLI.length; k++) {
    sum += BERNOULLI[k - 1] * factor;
    factor *= ((s + 2 * k - 1) * (s + 2 * k)) / ((2 * k + 1) * (2 * k + 2) * b * b);
  }
  return sum;
}
