/**
 * Density and distribution function of the symmetric α-stable law SαS by numerical inversion of its characteristic
 * function, for 0 < α ≤ 2, location 0 and scale c:
 *
 *   E exp(iξX) = exp(−|cξ|^α)        α = 2: normal with variance 2c²;  α = 1: Cauchy, p(x) = 1/(π(1 + x²)) at c = 1
 *
 * How (c = 1, x > 0). In p(x) = (1/π) Re ∫₀^∞ exp(ikx − k^α) dk the path is bent to where g = k^α − ikx is real, so
 * that nothing oscillates and every term of the sum is positive. With k = r e^(iφ) that path is
 *
 *   r^(α−1) = x cos φ / sin αφ,        g = r x cos((α−1)φ) / sin αφ,        0 < φ < π/2
 *   p(x)     = α/(π|α−1|x) ∫₀^{π/2} g e^(−g) dφ                                  (Zolotarev's integral)
 *   1 − F(x) = (1/π) ∫₀^{π/2} e^(−g) dφ  for α > 1,   (1/π) ∫₀^{π/2} (1 − e^(−g)) dφ  for α < 1
 *
 * At α = 1 the path is the ray φ = arctan x and the angle stops being a coordinate of it; at α = 2 it starts at k =
 * ix/2 and the modulus stops being one. So the path is followed by s = log tan φ where |α − 1| > 0.2, and by t = log r,
 * the angle found by Newton's method, where |α − 1| ≤ 0.2; there |α−1| cancels, and α = 1 is a value like any other:
 *
 *   p(x)     = α/(πx) ∫ g e^(−g) sin φ cos φ / D dt,        D = sin²φ + α sin φ cos φ cot αφ = −d log(cos φ/sin αφ)/ds
 *   1 − F(x) = (1/π) ∫ (π/2 − φ) e^(−g) (dg/dt) dt                               (by parts; every α)
 *
 * Both integrands are analytic and die out at both ends, which makes the trapezoidal rule exponentially accurate; its
 * step is halved until two results agree to 10⁻¹². The finer is better than that, as each halving squares the error.
 *
 * Source: eq. section 15 (arXiv:2511.10208); tail p(x) ~ Γ(α+1) sin(πα/2)/π · |x|^−(1+α) for α < 2.
 * Error: rounding only, relative also in the tails. Measured against 45-digit integration along a straight ray, at 23
 * orders in [0.1, 2] and 12 points in [10⁻⁶, 10⁶] (at α = 2 to x = 10): density and upper tail within 5·10⁻¹⁵. Farther
 * out it was only tried, against the tail law to 10⁻¹² where that holds: 0.001 ≤ α, |x| ≤ 10²⁰⁰.
 * Not here: skewed laws; the derivative in α.
 */

import { finite, positive, stabilityIndex } from "./check.js";
import { FractionalAttentionError, InvalidArgumentError } from "./errors.js";
import { gamma } from "./gamma.js";

/** |α − 1| up to which the path is followed by its modulus rather than by its angle. */
const MODULUS_WITHIN = 0.2;

/**
 * Two trapezoidal sums that agree to this are taken as converged. Once the step resolves the integrand the finer is
 * right to about the square of the difference; the reserve is for bumps that hold a small part of the integral and are
 * narrower.
 */
const AGREEMENT = 1e-12;

/** Of 20,000 random orders and points within the domain none needed a step below 1/64. */
const FINEST_STEP = 1 / 1024;

/** Terms below this part of the sum are left out, on either side of the peak. */
const NEGLIGIBLE = 1e-18;

/** exp(−g) is 0 in float64 from g = e^7 on, so larger ones are cut to it; g itself may exceed float64. */
const LOG_G_MAX = 7;

/** |x|/scale beyond which the path's angle leaves the range of float64. */
const FARTHEST = 1e200;

/**
 * Density p(x) of the symmetric α-stable law with characteristic function exp(−|scale·ξ|^α).
 *
 * @param x a finite number, |x| ≤ 10²⁰⁰ scale
 * @param alpha stability index in (0, 2]
 * @param scale c > 0, in the units of x; default 1
 * @returns p(x) in units of 1/x; Infinity at 0 where Γ(1 + 1/α) exceeds float64 (α below 0.0059)
 * @throws InvalidArgumentError outside these domains
 */
export function stableDensity(x: number, alpha: number, scale = 1): number {
  const y = Math.abs(standardize(x, alpha, scale));
  if (y < 1 / FARTHEST) return gamma(1 + 1 / alpha) / (Math.PI * scale);
  if (Math.abs(alpha - 1) <= MODULUS_WITHIN) {
    const integral = integrateByModulus(y, alpha, ({ g, angle, slope }) => {
      return (g * Math.exp(-g) * angle.sinPhi * angle.cosPhi) / slope;
    });
    return ((alpha / (Math.PI * y)) * integral) / scale;
  }
  const integral = integrateByAngle(y, alpha, (g) => g * Math.exp(-g));
  return ((alpha / (Math.PI * Math.abs(alpha - 1) * y)) * integral) / scale;
}

/**
 * Upper tail P(X > x) of the law of `stableDensity`, accurate relative to itself for x > 0, however small it is.
 *
 * @param x a finite number, |x| ≤ 10²⁰⁰ scale
 * @param alpha stability index in (0, 2]
 * @param scale c > 0, in the units of x; default 1
 * @throws InvalidArgumentError outside these domains
 */
export function stableSurvival(x: number, alpha: number, scale = 1): number {
  const y = standardize(x, alpha, scale);
  return y < 0 ? 1 - upperTail(-y, alpha) : upperTail(y, alpha);
}

/**
 * Distribution function F(x) = P(X ≤ x) of the law of `stableDensity`, accurate relative to itself for x < 0.
 *
 * @param x a finite number, |x| ≤ 10²⁰⁰ scale
 * @param alpha stability index in (0, 2]
 * @param scale c > 0, in the units of x; default 1
 * @throws InvalidArgumentError outside these domains
 */
export function stableDistribution(x: number, alpha: number, scale = 1): number {
  const y = standardize(x, alpha, scale);
  return y > 0 ? 1 - upperTail(y, alpha) : upperTail(-y, alpha);
}

/**
 * The constant of the power-law tail, p(x) ~ stableTailConstant(α) · |x|^−(1+α), at scale 1: Γ(α+1) sin(πα/2) / π.
 *
 * @param alpha in (0, 2); at 2 the law is normal and has no such tail
 * @throws InvalidArgumentError outside this domain
 */
export function stableTailConstant(alpha: number): number {
  if (typeof alpha !== "number" || !(alpha > 0 && alpha < 2)) {
    throw new InvalidArgumentError("alpha", "a number in (0, 2)", alpha);
  }
  return (gamma(alpha + 1) * Math.sin((Math.PI * Math.min(alpha, 2 - alpha)) / 2)) / Math.PI;
}

function standardize(x: number, alpha: number, scale: number): number {
  finite("x", x);
  stabilityIndex("alpha", alpha);
  positive("scale", scale);
  if (Math.abs(x) / scale > FARTHEST) throw new InvalidArgumentError("x", "a number within 1e200 scales of 0", x);
  return x / scale;
}

function upperTail(y: number, alpha: number): number {
  if (y < 1 / FARTHEST) return 0.5;
  if (Math.abs(alpha - 1) <= MODULUS_WITHIN) {
    return (
      integrateByModulus(y, alpha, (point) => point.angle.colatitude * Math.exp(-point.g) * point.growth) / Math.PI
    );
  }
  const weight = alpha > 1 ? (g: number) => Math.exp(-g) : (g: number) => -Math.expm1(-g);
  return integrateByAngle(y, alpha, weight) / Math.PI;
}

/** What depends on the angle alone, at φ = arctan e^s. */
interface Angle {
  /** φ and π/2 − φ, each to full relative accuracy. */
  readonly phi: number;
  readonly colatitude: number;
  readonly sinPhi: number;
  readonly cosPhi: number;
  readonly sinAlphaPhi: number;
  /** cos((α−1)φ). */
  readonly cosRest: number;
}

/**
 * The sines are taken of angles that vanish where they do: αφ near π (α near 2, φ near π/2) is π − αφ = 2ψ + (2−α)φ,
 * and π/2 − |α−1|φ is ψ + min(α, 2−α)φ, with ψ = π/2 − φ. Without that the upper tail near α = 2 would be rounding
 * noise.
 */
function angleAt(s: number, alpha: number): Angle {
  const tangent = Math.exp(-Math.abs(s));
  const nearer = Math.atan(tangent);
  const phi = s < 0 ? nearer : Math.PI / 2 - nearer;
  const colatitude = s < 0 ? Math.PI / 2 - nearer : nearer;
  const norm = Math.sqrt(1 + tangent * tangent);
  const sinAlphaPhi = alpha * phi > Math.PI / 2 ? Math.sin(2 * colatitude + (2 - alpha) * phi) : Math.sin(alpha * phi);
  return {
    phi,
    colatitude,
    sinPhi: (s < 0 ? tangent : 1) / norm,
    cosPhi: (s < 0 ? 1 : tangent) / norm,
    sinAlphaPhi,
    cosRest: Math.sin(colatitude + Math.min(alpha, 2 - alpha) * phi),
  };
}

/** log(ab): of the product, which is the more accurate, unless that leaves the range of float64. */
function logProduct(a: number, b: number): number {
  const product = a * b;
  return product > 1e-300 && product < 1e300 ? Math.log(product) : Math.log(a) + Math.log(b);
}

/** ∫₀^{π/2} weight(g(φ)) dφ over s = log tan φ. The weight is bounded and unimodal in g. */
function integrateByAngle(x: number, alpha: number, weight: (g: number) => number): number {
  function logG(angle: Angle): number {
    const { cosPhi, sinAlphaPhi, cosRest } = angle;
    return logProduct(x, cosPhi / sinAlphaPhi) / (alpha - 1) + logProduct(x, cosRest / sinAlphaPhi);
  }
  const integrand = (s: number): number => {
    const angle = angleAt(s, alpha);
    return weight(Math.exp(Math.min(logG(angle), LOG_G_MAX))) * angle.sinPhi * angle.cosPhi;
  };
  // log g is monotone in s, falling for α > 1 and rising for α < 1: bisection finds g = 1, the peak of the power-law
  // part.
  let low = -700;
  let high = 700;
  for (let i = 0; i < 24; i++) {
    const middle = (low + high) / 2;
    if (logG(angleAt(middle, alpha)) > 0 === alpha > 1) low = middle;
    else high = middle;
  }
  // At α = 2 there is no such point: g stays above x²/4, and the normal bump, at cot φ of order 1/x, is all there is.
  // Near α = 2 both bumps count, and both have to lie inside the range.
  const peak = high < 700 ? low : Math.max(0, Math.log(x));
  return trapezoid(() => integrand, Math.min(0, peak), Math.max(0, peak));
}

/** A point of the path at modulus r = e^t. */
interface PathPoint {
  readonly angle: Angle;
  readonly g: number;
  /** dg/dt. */
  readonly growth: number;
  /** D of the file's head: −d log(cos φ / sin αφ)/ds. */
  readonly slope: number;
}

/** ∫ weight(point(t)) dt over t = log r, for α near 1. The weight dies out for g → 0 and g → ∞. */
function integrateByModulus(x: number, alpha: number, weight: (point: PathPoint) => number): number {
  function follow(): (t: number) => number {
    // The angle of one point is the first guess for the next; at α = 1 every point has s = log x.
    let s = Math.log(x);
    return (t) => {
      let point = pointAt(s, t, x, alpha);
      let correction: number;
      // D is 1 at α = 1 and at both ends, and near 1 between them: Newton's method converges from anywhere. It squares
      // the error, so the point after a correction of 10⁻⁸ is exact to rounding.
      do {
        const { cosPhi, sinAlphaPhi } = point.angle;
        correction = (logProduct(x, cosPhi / sinAlphaPhi) - (alpha - 1) * t) / point.slope;
        s += correction;
        point = pointAt(s, t, x, alpha);
      } while (Math.abs(correction) > 1e-8);
      return weight(point);
    };
  }
  // g = 1 exactly here for α = 1, within a factor of a few for the others.
  const peak = -Math.log(Math.hypot(1, x));
  return trapezoid(follow, peak - 2, peak + 2);
}

function pointAt(s: number, t: number, x: number, alpha: number): PathPoint {
  const angle = angleAt(s, alpha);
  const { phi, sinPhi, cosPhi, sinAlphaPhi, cosRest } = angle;
  const cotAlphaPhi = Math.cos(alpha * phi) / sinAlphaPhi;
  const slope = sinPhi * sinPhi + alpha * sinPhi * cosPhi * cotAlphaPhi;
  const g = Math.exp(Math.min(t + logProduct(x, cosRest / sinAlphaPhi), LOG_G_MAX));
  // dg/dt = g + (∂g/∂φ) (dφ/dt), with dφ/dt = −(α−1) sin φ cos φ / D along the path.
  const rest = alpha - 1;
  const turning = (rest * sinPhi * cosPhi * (rest * Math.tan(rest * phi) + alpha * cotAlphaPhi)) / slope;
  return { angle, g, growth: g * (1 + turning), slope };
}

/**
 * ∫ f over the whole line by the trapezoidal rule. [low, high] must hold every bump of f ≥ 0; outside it f falls at
 * least exponentially. `start` gives a fresh f for every walk, so that f may remember where it was.
 */
function trapezoid(start: () => (at: number) => number, low: number, high: number): number {
  let previous = Number.NaN;
  for (let step = 0.5; step >= FINEST_STEP; step /= 2) {
    const origin = Math.floor(low / step);
    let sum = 0;
    const right = start();
    for (let i = origin; ; i++) {
      const term = right(i * step);
      sum += term;
      if (i * step > high && !(term > NEGLIGIBLE * sum)) break;
    }
    const left = start();
    for (let i = origin - 1; ; i--) {
      const term = left(i * step);
      sum += term;
      if (!(term > NEGLIGIBLE * sum)) break;
    }
    const integral = sum * step;
    if (Math.abs(integral - previous) <= AGREEMENT * integral) return integral;
    previous = integral;
  }
  throw new FractionalAttentionError(`the density's integral did not settle at a step of ${FINEST_STEP}`);
}
