/**
 * Judges the float64 reference device on one problem: forward against the literal evaluation, gradients against central
 * differences of the device's own forward pass. u = 2^-53.
 *
 * Forward bound, relative, per unmasked pair. Both evaluations round log Φ or Φ itself (8 operations and |s| u for the
 * logarithm's own size), and both round the distance: D + 8 roundings, which the slope G = |d log Φ / d log d| magnifies
 * (on the sphere the error of the angle is absolute, G = |d log Φ / dθ| π). Row and column sums add N + M roundings, and
 * the degree normalisation enters with the power a:
 *
 *   E = u (1 + 2a) (16 + 8 max|s| + 4 (D + 8) G + 2 (N + M))
 *
 * Gradient bound: a Richardson table of central differences with steps h, h/2, h/4 leaves a truncation error of order
 * (h/l)^6, where l is the length over which the loss changes: the smallest distance of a pair, at which the kernel has a
 * kink, and the change that moves a score by 1. A step of l/20 makes it about 1e-8. The loss is rounded as its scores
 * are, and that is divided by the smallest step: 1e-7 |g| + 64 u (1 + max|s|) |loss|/(h/4), with |loss| the sum of the
 * magnitudes of its terms and |g| the norms of gradient and direction multiplied.
 */

import { createRandom, type Random } from "../../reference/random.js";
import type { Backend } from "../backends/backend.js";
import { makePlan, type Plan } from "../plan.js";
import type { Problem } from "./battery.js";
import type { Check } from "./check.js";
import { largestDifference, relativeError } from "./compare.js";
import { literalForward } from "./literal.js";

const u = 2 ** -53;

/** Checks one problem on the reference backend. `id` names it in the report, `seed` fixes the direction of the slope. */
export function judgeReference(backend: Backend, problem: Problem, id: string, seed: number): Check[] {
  const { inputs, options } = problem;
  const plan = makePlan(inputs, options);
  const { output, logSumExp } = backend.forwardSync!(plan, inputs);
  const weights = backend.weightsSync!(plan, inputs) as Float64Array;
  const literal = literalForward(plan, inputs);
  const checks: Check[] = [rowSumCheck(id, plan, weights, logSumExp)];

  // Beyond e^±600 the powers Φ N_R^−a N_C^−a of the literal evaluation leave float64; the row sums above still hold.
  if (literal.largestScore * (1 + 2 * plan.degreeNormalization) < 600) {
    const bound = forwardBound(plan, literal.largestScore);
    checks.push({ case: id, tensor: "weights", error: largestRatio(weights, literal.weights), bound });
    checks.push({ case: id, tensor: "output", error: relativeError(output, literal.output), bound: bound * 4 });
    // L is a logarithm: the relative error of what it is the logarithm of, and its own rounding.
    const size = 1 + Math.max(0, ...logSumExp.filter(Number.isFinite).map(Math.abs));
    checks.push({
      case: id,
      tensor: "logSumExp",
      error: largestDifference(logSumExp, literal.logSumExp),
      bound: bound + 4 * u * size,
    });
  }
  if (literal.largestScore < 600) {
    const slope = slopeCheck(backend, plan, problem, id, createRandom(seed), literal.largestScore);
    if (slope) checks.push(slope);
  }
  return checks;
}

/** Largest |d log Φ / d d_g| over pairs with scores up to `largestScore`. */
function largestSlope(plan: Plan, h: number, largestScore: number): number {
  const alpha = plan.alpha[h];
  const divisor = plan.kappa[h] * (plan.bandwidth as number) ** (plan.bandwidthExponent === "1/2" ? 0.5 : 1 / alpha);
  return (alpha < 2 ? plan.intrinsicDim + alpha : 2 * Math.sqrt(largestScore)) / divisor;
}

function forwardBound(plan: Plan, largestScore: number): number {
  const { headDim, queries, keys, intrinsicDim, degreeNormalization: a } = plan;
  let slope = 1;
  plan.alpha.forEach((alpha, h) => {
    const relative = alpha < 2 ? intrinsicDim + alpha : 2 * largestScore;
    const absolute = Math.PI * plan.radius[h] * largestSlope(plan, h, largestScore);
    slope = Math.max(slope, plan.manifold === "sphere" ? absolute : relative);
  });
  return u * (1 + 2 * a) * (16 + 8 * largestScore + 4 * (headDim + 8) * slope + 2 * (queries + keys));
}

/** Rows of A sum to 1 or are empty. */
function rowSumCheck(id: string, plan: Plan, weights: Float64Array, logSumExp: ArrayLike<number>): Check {
  let error = 0;
  for (let row = 0; row < weights.length; row += plan.keys) {
    let sum = 0;
    for (let j = 0; j < plan.keys; j++) sum += weights[row + j];
    const empty = weights.subarray(row, row + plan.keys).every((w) => w === 0);
    error = empty ? error : Math.max(error, Math.abs(sum - 1));
  }
  // L is of the size of max|s|; its rounding is what the row sum shows.
  let size = 0;
  for (const alpha of plan.alpha) size = Math.max(size, plan.intrinsicDim + alpha);
  for (const l of Array.from(logSumExp)) if (Number.isFinite(l)) size = Math.max(size, Math.abs(l));
  return { case: id, tensor: "row sums", error, bound: u * (plan.keys + 16) * 64 * (1 + size) };
}

/** Largest |x/ref − 1|; a pair that only one of them masks is an infinite error. */
function largestRatio(x: Float64Array, reference: Float64Array): number {
  let largest = 0;
  for (let e = 0; e < x.length; e++) {
    if (x[e] === reference[e]) continue;
    largest = Math.max(largest, Math.abs(x[e] / reference[e] - 1));
  }
  return largest;
}

/** The slope of the loss Σ O·dO along a random direction of q, k, v, alpha and kappa, or undefined where it has a kink. */
function slopeCheck(
  backend: Backend,
  plan: Plan,
  problem: Problem,
  id: string,
  random: Random,
  largestScore: number,
): Check | undefined {
  const { inputs, dOutput } = problem;
  const smallest = smallestDistance(plan, inputs);
  // NaN where a vector on the sphere is zero and has no direction.
  if (!(smallest >= 1e-2)) return undefined;
  const direction = {
    q: inputs.q.map(() => random.normal()),
    k: inputs.k.map(() => random.normal()),
    v: inputs.v.map(() => random.normal()),
    alpha: plan.alpha.map((alpha) => (alpha < 2 ? random.normal() : 0)),
    kappa: plan.kappa.map(() => random.normal()),
  };
  const losses = (t: number): { loss: number; size: number } => {
    const move = (x: Float64Array, way: Float64Array) => x.map((e, at) => e + t * way[at]);
    const moved = { ...plan, alpha: move(plan.alpha, direction.alpha), kappa: move(plan.kappa, direction.kappa) };
    const tensors = {
      q: move(inputs.q, direction.q),
      k: move(inputs.k, direction.k),
      v: move(inputs.v, direction.v),
    };
    const { output } = backend.forwardSync!(moved, tensors);
    let loss = 0;
    let size = 0;
    for (let e = 0; e < output.length; e++) {
      loss += output[e] * dOutput[e];
      size += Math.abs(output[e] * dOutput[e]);
    }
    return { loss, size };
  };

  // A direction of D normal components moves a pair by about 2 sqrt(D) h.
  const perUnit = 2 * Math.sqrt(plan.headDim);
  const step = Math.min(
    smallest / (20 * perUnit),
    1e-2,
    ...Array.from(plan.alpha, (alpha, h) => {
      // The order also moves z through eps^(1/alpha): the score by as much as (d_M + alpha) |ln eps|/alpha^2 per unit.
      const perOrder = plan.bandwidthExponent === "1/2" ? 0 : Math.abs(Math.log(plan.bandwidth as number)) / alpha ** 2;
      const order =
        alpha < 2 ? Math.min(alpha, 2 - alpha, 1 / (1 + largestScore + (plan.intrinsicDim + alpha) * perOrder)) : 1;
      const scale = plan.kappa[h] / (1 + 2 * largestScore);
      return Math.min(order, scale, 1 / (perUnit * plan.radius[h] * largestSlope(plan, h, largestScore))) / 20;
    }),
  );
  const central = [1, 2, 4].map((part) => {
    const h = step / part;
    return (losses(h).loss - losses(-h).loss) / (2 * h);
  });
  const once = [(4 * central[1] - central[0]) / 3, (4 * central[2] - central[1]) / 3];
  const numeric = (16 * once[1] - once[0]) / 15;

  const { output, logSumExp } = backend.forwardSync!(plan, inputs);
  const gradient = backend.backwardSync!(plan, inputs, { output, logSumExp, dOutput });
  const pairs = [
    [gradient.dq, direction.q],
    [gradient.dk, direction.k],
    [gradient.dv, direction.v],
    [gradient.dAlpha, direction.alpha],
    [gradient.dKappa, direction.kappa],
  ] as const;
  let analytic = 0;
  let gradientNorm = 0;
  let directionNorm = 0;
  for (const [g, way] of pairs) {
    for (let e = 0; e < g.length; e++) {
      analytic += g[e] * way[e];
      gradientNorm += g[e] * g[e];
      directionNorm += way[e] * way[e];
    }
  }
  const bound =
    1e-7 * Math.sqrt(gradientNorm * directionNorm) + (64 * u * (1 + largestScore) * losses(0).size) / (step / 4);
  return { case: id, tensor: "slope", error: Math.abs(numeric - analytic), bound };
}

/** The smallest distance of any pair (on the sphere: chord of the directions), Infinity without pairs. */
function smallestDistance(plan: Plan, { q, k }: Problem["inputs"]): number {
  const { headDim } = plan;
  const rows = (x: Float64Array) => {
    const all: Float64Array[] = [];
    for (let at = 0; at < x.length; at += headDim) {
      const row = x.subarray(at, at + headDim);
      const norm = plan.manifold === "sphere" ? Math.hypot(...row) : 1;
      all.push(row.map((e) => e / norm));
    }
    return all;
  };
  let smallest = Number.POSITIVE_INFINITY;
  const keys = rows(k);
  for (const x of rows(q)) {
    for (const y of keys) {
      smallest = Math.min(smallest, Math.hypot(...x.map((e, c) => e - y[c])));
      // On the sphere the antipode is a kink as well, and short vectors turn fast.
      if (plan.manifold === "sphere") smallest = Math.min(smallest, Math.hypot(...x.map((e, c) => e + y[c])));
    }
  }
  if (plan.manifold === "sphere") {
    for (const x of [q, k]) {
      for (let at = 0; at < x.length; at += headDim)
        smallest *= Math.min(1, Math.hypot(...x.subarray(at, at + headDim)));
    }
  }
  return smallest;
}
