/**
 * Random numbers and paths of symmetric α-stable Lévy processes, and two estimates made from them. Over a time dt
 *
 *   one dimension    E exp(iξX) = exp(−dt |ξ|^α)                      α = 2: normal with variance 2 dt
 *   in the plane     E exp(i⟨ξ, X⟩) = exp(−dt |ξ|^α)                  the same along every direction: isotropic
 *
 * One dimension (Chambers, Mallows, Stuck), U uniform in (−π/2, π/2), W exponential with mean 1:
 *   X = dt^(1/α) sin(αU) / (cos U)^(1/α) · (cos((1−α)U) / W)^((1−α)/α)
 * Positive β-stable (Kanter), E exp(−λS) = exp(−λ^β), U uniform in (0, π):
 *   S = sin(βU) / (sin U)^(1/β) · (sin((1−β)U) / W)^((1−β)/β)
 * In the plane X = dt^(1/α) √(2S) G, with S positive (α/2)-stable and G two independent standard normals: given S the
 * characteristic function is exp(−S|ξ|²), and its mean over S is exp(−|ξ|^α). Two independent one-dimensional numbers
 * are not isotropic for α < 2: their characteristic function is exp(−|ξ₁|^α − |ξ₂|^α).
 *
 * Source: eq. section 15 (arXiv:2511.10208); `radialPath2d` is the authors' notebook's variant.
 * Paths are row-major [steps + 1, dimension] and start at 0. Non-goals: skewed laws, more than two dimensions.
 */

import { type Floats, floats, integer, positive, record, stabilityIndex } from "./check.js";
import { InvalidArgumentError } from "./errors.js";
import { checkRandom, type Random } from "./random.js";

/** What a path is made of. */
export interface PathOptions {
  /** Stability index in (0, 2]. */
  alpha: number;
  /** Number of increments, at least 1. */
  steps: number;
  /** Time between two points, above 0. Default 1. */
  dt?: number;
}

/**
 * A symmetric α-stable number with characteristic function exp(−dt|ξ|^α): the increment of the process over dt. Takes
 * two uniforms from `random`.
 *
 * @param random where the randomness comes from
 * @param alpha stability index in (0, 2]; 1 is Cauchy, 2 normal with variance 2 dt
 * @param dt time, above 0; default 1
 * @throws InvalidArgumentError outside these domains
 */
export function stableIncrement(random: Random, alpha: number, dt = 1): number {
  checkRandom("random", random);
  stabilityIndex("alpha", alpha);
  positive("dt", dt);
  return dt ** (1 / alpha) * symmetricStable(random, alpha);
}

/**
 * A positive β-stable number S with Laplace transform E exp(−λS) = exp(−λ^β); 1 always at β = 1. Takes two uniforms.
 *
 * @param random where the randomness comes from
 * @param beta stability index in (0, 1]
 * @throws InvalidArgumentError for another index
 */
export function positiveStable(random: Random, beta: number): number {
  checkRandom("random", random);
  if (typeof beta !== "number" || !(beta > 0 && beta <= 1)) {
    throw new InvalidArgumentError("beta", "a number in (0, 1]", beta);
  }
  const angle = Math.PI * random.uniform();
  const exponential = -Math.log(random.uniform());
  // At β = 1 the second factor is 0^0 = 1 and the first sin U / sin U.
  return (
    (Math.sin(beta * angle) / Math.sin(angle) ** (1 / beta)) *
    (Math.sin((1 - beta) * angle) / exponential) ** ((1 - beta) / beta)
  );
}

/**
 * A path of the one-dimensional process.
 *
 * @returns [steps + 1] positions, the first 0
 * @throws InvalidArgumentError naming the option outside its domain
 */
export function levyPath(random: Random, options: PathOptions): Float64Array {
  const { alpha, steps, scale } = resolve(random, options);
  const path = new Float64Array(steps + 1);
  for (let i = 1; i <= steps; i++) path[i] = path[i - 1] + scale * symmetricStable(random, alpha);
  return path;
}

/**
 * A path of the isotropic process in the plane, increments dt^(1/α) √(2S) G. Its projection on any direction is a path
 * of the one-dimensional process.
 *
 * @returns [steps + 1, 2] positions, the first (0, 0)
 * @throws InvalidArgumentError naming the option outside its domain
 */
export function isotropicPath2d(random: Random, options: PathOptions): Float64Array {
  const { alpha, steps, scale } = resolve(random, options);
  return path2d(steps, () => {
    const length = scale * Math.sqrt(2 * positiveStable(random, alpha / 2));
    return [length * random.normal(), length * random.normal()];
  });
}

/**
 * The path of the authors' notebook: steps of uniform direction whose signed length is a one-dimensional α-stable
 * number. It is isotropic, with the same exponent of the tail, but its increments are not stable: at α = 2 the length
 * of a step is half-normal where that of Brownian motion is Rayleigh, and no projection of it has the law of
 * `levyPath`.
 *
 * @returns [steps + 1, 2] positions, the first (0, 0)
 * @throws InvalidArgumentError naming the option outside its domain
 */
export function radialPath2d(random: Random, options: PathOptions): Float64Array {
  const { alpha, steps, scale } = resolve(random, options);
  return path2d(steps, () => {
    const length = scale * symmetricStable(random, alpha);
    const angle = 2 * Math.PI * random.uniform();
    return [length * Math.cos(angle), length * Math.sin(angle)];
  });
}

/**
 * Hill's estimate of the exponent α of a tail P(|X| > x) ~ x^−α from its largest values:
 *   1/α̂ = (1/top) Σ_{i≤top} log(X₍ᵢ₎ / X₍top+1₎),    X₍₁₎ ≥ X₍₂₎ ≥ … the sorted |samples|.
 * Its standard error is α/√top where the tail is a pure power law; what bends the tail inside the top adds a bias. For
 * a law without such a tail (α = 2) it gives a number that grows with the sample.
 *
 * @param samples numbers, more than `top`; the signs do not matter
 * @param top how many of the largest, at least 1
 * @throws InvalidArgumentError outside these domains, or when the samples are not finite or the top ones are all equal
 */
export function hillEstimate(samples: Floats, top: number): number {
  floats("samples", samples);
  integer("top", top, 1, Math.max(1, samples.length - 1));
  const sizes = Float64Array.from(samples, Math.abs).sort();
  const threshold = sizes[sizes.length - 1 - top];
  // The sort puts NaN last, so one look at the end finds any number that is not finite.
  if (!Number.isFinite(sizes[sizes.length - 1])) throw new InvalidArgumentError("samples", "finite numbers", samples);
  let sum = 0;
  for (let i = sizes.length - top; i < sizes.length; i++) sum += Math.log(sizes[i] / threshold);
  if (!(threshold > 0 && sum > 0)) {
    throw new InvalidArgumentError(
      "samples",
      `more than ${top} numbers other than 0, the largest not all equal`,
      samples,
    );
  }
  return top / sum;
}

/**
 * Mean-square displacement of one path for each lag, averaged over every starting point:
 *   M(lag) = mean over i of |x_{i+lag} − x_i|²
 * For α = 2 it grows as 2 · dimension · dt · lag. For α < 2 its expectation is infinite, and the number is that of its
 * largest steps.
 *
 * @param path row-major [points, dimension]
 * @param dimension at least 1
 * @param maxLag at least 1 and below the number of points
 * @returns [maxLag + 1], entry 0 is 0
 * @throws InvalidArgumentError outside these domains
 */
export function meanSquareDisplacement(path: Floats, dimension: number, maxLag: number): Float64Array {
  floats("path", path);
  integer("dimension", dimension, 1);
  const points = path.length / dimension;
  if (!Number.isInteger(points) || points < 2) {
    throw new InvalidArgumentError("path", `at least two points of ${dimension} numbers each`, path);
  }
  integer("maxLag", maxLag, 1, points - 1);
  const result = new Float64Array(maxLag + 1);
  for (let lag = 1; lag <= maxLag; lag++) {
    let sum = 0;
    for (let i = 0; i < (points - lag) * dimension; i++) sum += (path[i + lag * dimension] - path[i]) ** 2;
    result[lag] = sum / (points - lag);
  }
  return result;
}

function resolve(random: Random, options: PathOptions): { alpha: number; steps: number; scale: number } {
  checkRandom("random", random);
  const { alpha, steps, dt = 1 } = record("options", options, ["alpha", "steps", "dt"]);
  stabilityIndex("options.alpha", alpha);
  integer("options.steps", steps, 1);
  return { alpha, steps, scale: positive("options.dt", dt) ** (1 / alpha) };
}

/** Chambers-Mallows-Stuck at scale 1. At α = 1 the last factor is 1 and X = tan U; at α = 2, X = 2 sin U √W. */
function symmetricStable(random: Random, alpha: number): number {
  const angle = Math.PI * (random.uniform() - 0.5);
  const exponential = -Math.log(random.uniform());
  return (
    (Math.sin(alpha * angle) / Math.cos(angle) ** (1 / alpha)) *
    (Math.cos((1 - alpha) * angle) / exponential) ** ((1 - alpha) / alpha)
  );
}

function path2d(steps: number, increment: () => [number, number]): Float64Array {
  const path = new Float64Array(2 * (steps + 1));
  for (let i = 1; i <= steps; i++) {
    const [dx, dy] = increment();
    path[2 * i] = path[2 * i - 2] + dx;
    path[2 * i + 1] = path[2 * i - 1] + dy;
  }
  return path;
}
