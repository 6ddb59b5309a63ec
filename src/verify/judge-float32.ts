/**
 * Judges a float32 device on one problem against the float64 reference on the same numbers. The bounds are a priori,
 * from the arithmetic of the problem and u = 2^-24, and hold for any order of summation:
 *
 *   weights    relative, per unmasked pair   e = 8u (1 + max|s|)            s = log Φ − a log N_C
 *              on the sphere                 e + 4u max|∂s/∂θ|              angles have an absolute error
 *              with a measured bandwidth     e + m max|∂s/∂ log z|          m the relative error of ε^(1/α) (below)
 *   output     A_i E with A_i = Σ_j W |V_j|                     E = e + u (D + 2V + N + M + 8), the roundings of the sums
 *   dS         T_ij E with T_ij = W_ij (Σ|dO V| + Σ|dO| A_i), because δ is made of an output that is off by A_i E even
 *              where it cancels; and a Σ_i T_ij C_ij more for the degree normalisation
 *   dv         Σ_i W |dO_i| E
 *   dq, dk     Σ T |∂z/∂x| (|s'| (E + m + direction) + |s''| Δ)  direction 0 on the plane, where q − k is exact to u; on the
 *              sphere min(2, 16u/sin θ): unit vectors carry an absolute rounding, which a short chord magnifies. Nothing of a
 *              pair at one point or, on the sphere, of parallel vectors that normalise to the same numbers: its pull is
 *              exactly 0. With a vector without a direction it is 0 as well, but for the direction's rounding
 *   dAlpha     Σ T ((|∂s/∂α| + a |log N_C|/(d_M + α)) E + |∂²s/∂α∂z| Δ)
 *   dKappa     Σ T (|s' z| E + |(s' z)'| Δ)/κ
 *
 * where s' = ∂s/∂z and Δ is the error of z beyond its roundings, 4u ∂z/∂θ on the sphere and m z with a measured bandwidth. It
 * does not shrink with z, so what is small near z = 0 has it as an error of its own and not times E:
 *
 *   α < 2   |s''| = |(s' z)'| = |s'|/(1 + z),   |∂²s/∂α∂z| = (1 + |s'| |ln ε|/α²)/(1 + z)
 *   α = 2   |s''| = 2,   s' z is off by 2 (z + Δ)² − 2 z² = (4z + 2Δ) Δ
 *
 * Numbers below t = 2^-126 are no normal numbers of float32, those below t = 2^-1022 none of float64, and each result there may be off by t: a weight, and so an
 * output by Σ_j t (1 + |V_j|) and dv by Σ_i t (1 + |dO_i|); dS by
 *
 *   t (1 + Σ|dO V| + Σ|dO| A_i) + W_ij (Σ|dO| times what the output is off by, and 2V t for the two inner products)
 *
 * which go on to the gradients like T E; the coefficient of q − k, in the lengths that a device computes in, which are the
 * caller's or, where the largest coordinate is beyond 2^±40, such that it is of order 1; and what is stored.
 *
 * max is that over the keys of a query, with degree normalisation over all pairs of the head, which the column sums bring
 * together. All sums are those of one query or one key, so that each row of output, L, dq, dk and dv has a bound of its
 * own, and each number passes when its error is within that of its row.
 */

import { attentionForward } from "../../reference/attention.js";
import { logPhiOrderSlope, logPhiSlope } from "../../reference/kernel.js";
import type { Attention } from "../attention.js";
import { createReferenceBackend, headOf, optionsOf, type Slice, slices } from "../backends/reference.js";
import { makePlan, type Plan } from "../plan.js";
import type { AttentionInputs, AttentionOptions, Floats } from "../types.js";
import type { Problem } from "./battery.js";
import type { Check } from "./check.js";

const u = 2 ** -24;

/**
 * The unit on webgpu. WGSL lets every operation round either way, 2u in place of u; a square root may be 1/inverseSqrt, 4.5 ulp
 * = 9u of a distance, and a division 2.5 ulp = 5u. Twice the 8u (1 + |s|) of a weight and 9u |∂s/∂ log d| <= 9u |s| are
 * within 32u (1 + |s|), and gradients, with one division for each pair, as well.
 */
export const wgslUnit = 4 * u;

const oracle = createReferenceBackend();

/** The least normal number of float32. */
const t = 2 ** -126;

/** How far the numbers of each tensor of a problem may be off. */
export interface Float32Bounds
  extends Record<"output" | "logSumExp" | "dq" | "dk" | "dv" | "dAlpha" | "dKappa", Float64Array> {
  /** Relative, of every weight. The other tensors have one bound for each row of their last axis, in order. */
  readonly weights: number;
}

/** The unit roundoff that a device answers for. */
export function unitOf({ device }: Attention): number {
  return device === "webgpu" ? wgslUnit : u;
}

/**
 * The number of x that comes nearest to the bound of its row, or is farthest beyond: its error against the reference, and
 * that bound; the largest bound where no number is off. Numbers that are equal, infinities among them, are exact. NaN
 * anywhere is a NaN, which no bound accepts.
 */
export function nearestToBound(x: Floats, reference: Floats, bounds: Float64Array): { error: number; bound: number } {
  const width = reference.length / bounds.length;
  let nearest = { error: 0, bound: bounds.reduce((most, bound) => Math.max(most, bound), 0) };
  let largest = 0;
  for (let e = 0; e < reference.length; e++) {
    if (x[e] === reference[e]) continue;
    const bound = bounds[Math.floor(e / width)];
    const error = Math.abs(x[e] - reference[e]);
    if (Number.isNaN(error)) return { error, bound };
    if (error / bound > largest) {
      largest = error / bound;
      nearest = { error, bound };
    }
  }
  return nearest;
}

/** Checks one problem, forward, weights and gradients, on a device that computes in float32. */
export async function judgeFloat32(attention: Attention, problem: Problem, id: string): Promise<Check[]> {
  const { inputs } = problem;
  const options = awayFromThreshold(inputs, problem.options);
  const narrow = {
    ...inputs,
    q: Float32Array.from(inputs.q),
    k: Float32Array.from(inputs.k),
    v: Float32Array.from(inputs.v),
  };
  const plan = makePlan(inputs, options);
  const dOutput = problem.dOutput;
  const truth = oracle.forwardSync!(plan, inputs);
  const slope = oracle.backwardSync!(plan, inputs, { ...truth, dOutput });
  const trueWeights = oracle.weightsSync!(plan, inputs);
  const bounds = float32Bounds(plan, inputs, dOutput, unitOf(attention));

  const result = await attention.forward(narrow, options);
  const saved = { ...result, dOutput: Float32Array.from(dOutput) };
  const found = { ...result, ...(await attention.backward(narrow, options, saved)) };
  const weights = await attention.weights(narrow, options);
  const expected = { ...truth, ...slope };

  return [
    { case: id, tensor: "weights", error: largestRatio(weights, trueWeights), bound: bounds.weights },
    ...(["output", "logSumExp", "dq", "dk", "dv", "dAlpha", "dKappa"] as const).map((tensor) => ({
      case: id,
      tensor,
      ...nearestToBound(found[tensor], expected[tensor], bounds[tensor]),
    })),
  ];
}

/**
 * Relative error of ε^(1/α) or ε^(1/2) for a measured ε. A distance has D + 8 roundings, an angle an absolute error of 4u,
 * which counts relative to the angle that ε stands for; a mean adds a rounding per pair. The median is d^α, the mean
 * enters squared.
 */
function measuredError(plan: Plan, slice: Slice, bandwidth: number, unit: number): number {
  if (typeof plan.bandwidth === "number") return 0;
  const alpha = plan.alpha[slice.head];
  const median = plan.bandwidth === "median";
  const distance = bandwidth ** (median ? 1 / alpha : 0.5) * plan.kappa[slice.head];
  // Beside no angle at all every rounding is beyond any bound, but no infinity: nothing times it must stay nothing.
  const angle = plan.manifold === "sphere" ? Math.min((4 * plan.radius[slice.head]) / distance, 1e100) : 0;
  const roundings = plan.headDim + 8 + (median ? 0 : plan.queries * plan.keys);
  return unit * (angle + roundings) * (median ? alpha : 2) * (plan.bandwidthExponent === "1/2" ? 0.5 : 1 / alpha);
}

/** A threshold that some pair meets within rounding decides nothing that float32 could be blamed for: leave it out. */
export function awayFromThreshold(inputs: AttentionInputs, options: AttentionOptions): AttentionOptions {
  const { distanceThreshold, ...rest } = options;
  if (distanceThreshold === undefined) return options;
  const plan = makePlan(inputs, rest);
  for (const slice of slices(plan)) {
    const { distance } = attentionForward(headOf(plan, slice, inputs), optionsOf(plan, slice));
    const near = (d: number) => Math.abs(d / plan.kappa[slice.head] / distanceThreshold - 1) < 1e-4;
    if (distance.some(near)) return rest;
  }
  return options;
}

/**
 * The bounds of this file's head for one problem; with `unit` = 2^-53 those of the same arithmetic in float64.
 * @param coarse roundoff of what weights and dS are rounded to before they are multiplied, where that is coarser
 */
export function float32Bounds(
  plan: Plan,
  inputs: AttentionInputs,
  dOutput: Floats,
  unit = u,
  coarse = 0,
): Float32Bounds {
  const { queries: N, keys: M, headDim: D, valueDim: V, heads, keyHeads, batch, degreeNormalization: a } = plan;
  const sphere = plan.manifold === "sphere";
  const least = unit < u ? 2 ** -1022 : t;
  const rows = (count: number) => new Float64Array(count).fill(least);
  const [output, logSumExp, dq] = [1, 2, 3].map(() => rows(batch * heads * N));
  // Key heads collect from several query heads.
  const [dk, dv] = [1, 2].map(() => rows(batch * keyHeads * M));
  const [dAlpha, dKappa] = [1, 2].map(() => rows(heads));
  let weights = 0;
  // From the caller's lengths to those of a device; vectors on the sphere are of length 1.
  const largestOf = (x: Floats) => (x as Float64Array).reduce((most, e) => Math.max(most, Math.abs(e)), 0);
  const extent = Math.max(largestOf(inputs.q), largestOf(inputs.k));
  const scale = sphere || extent === 0 || (extent > 2 ** -40 && extent < 2 ** 41) ? 1 : 1 / extent;

  for (const slice of slices(plan)) {
    const head = headOf(plan, slice, inputs);
    const forward = attentionForward(head, optionsOf(plan, slice));
    const alpha = plan.alpha[slice.head];
    const kappa = plan.kappa[slice.head];
    const factor = forward.bandwidth ** (plan.bandwidthExponent === "1/2" ? 0.5 : 1 / alpha);
    // Distances on the sphere are turned back into angles, whose rounding is absolute.
    const exponent = alpha < 2 ? plan.intrinsicDim + alpha : 2;
    const perAngle = (sphere ? plan.radius[slice.head] : 1) / (kappa * factor);
    const measured = typeof plan.bandwidth !== "number";
    const logBandwidth = plan.bandwidthExponent === "1/alpha" && !measured ? Math.log(forward.bandwidth) : 0;
    const m = measuredError(plan, slice, forward.bandwidth, unit);
    const turn = sphere ? 4 * unit * perAngle : 0;
    // A pair whose kernel is 0 even as a logarithm has no say, as in the reference.
    const isLeftOut = (p: number) => forward.mask[p] === 1 || forward.logKernel[p] === Number.NEGATIVE_INFINITY;

    const errors = new Float64Array(N);
    for (let i = 0; i < N; i++) {
      let largestScore = 0;
      let largestTurn = 0;
      let largestStretch = 0;
      for (let p = i * M; p < (i + 1) * M; p++) {
        if (isLeftOut(p)) continue;
        const slope = Math.abs(logPhiSlope(forward.z[p], alpha, plan.intrinsicDim));
        largestScore = Math.max(largestScore, Math.abs(forward.logKernel[p]), Math.abs(forward.biased[p]));
        largestTurn = Math.max(largestTurn, slope * perAngle);
        largestStretch = Math.max(largestStretch, slope * forward.z[p]);
      }
      const turns = sphere ? 4 * largestTurn : 0;
      errors[i] = (unit * (8 * (1 + largestScore) + turns) + m * largestStretch) * (1 + a);
    }
    const largestError = errors.reduce((most, e) => Math.max(most, e), 0);
    if (a > 0) errors.fill(largestError);
    weights = Math.max(weights, largestError);
    const sums = errors.map((e) => e + unit * (D + 2 * V + N + M + 8));
    const E = sums.map((e) => e + coarse);

    const size = new Float64Array(N * M);
    const lost = new Float64Array(N * M);
    const outputSize = new Float64Array(V);
    const outputLost = new Float64Array(V);
    for (let i = 0; i < N; i++) {
      const row = slice.row * N + i;
      const level = forward.logSumExp[i];
      // L is as wrong as the sum it is the logarithm of, and is rounded itself.
      logSumExp[row] += sums[i] + 4 * unit * (Number.isFinite(level) ? Math.abs(level) : 0);
      outputSize.fill(0);
      outputLost.fill(0);
      for (let j = 0; j < M; j++) {
        if (isLeftOut(i * M + j)) continue;
        for (let c = 0; c < V; c++) {
          const value = Math.abs(head.v[j * V + c]);
          outputSize[c] += forward.weights[i * M + j] * value;
          outputLost[c] += least * (1 + value);
        }
      }
      let delta = 0;
      let productsLost = 2 * V * least;
      let dSize = 0;
      let largest = 0;
      for (let c = 0; c < V; c++) {
        const arrives = Math.abs(dOutput[row * V + c]);
        delta += arrives * outputSize[c];
        productsLost += arrives * outputLost[c];
        dSize = Math.max(dSize, arrives);
        largest = Math.max(largest, outputSize[c] * E[i] + outputLost[c]);
      }
      output[row] += largest;
      for (let j = 0; j < M; j++) {
        const p = i * M + j;
        if (isLeftOut(p)) continue;
        const weight = forward.weights[p];
        let product = 0;
        for (let c = 0; c < V; c++) product += Math.abs(dOutput[row * V + c] * head.v[j * V + c]);
        size[p] = weight * (product + delta);
        lost[p] = least * (1 + product + delta) + weight * productsLost;
        dv[slice.column * M + j] += weight * dSize * E[i] + least * (1 + dSize);
      }
    }
    if (a > 0) addDegreeSizes(size, lost, forward, isLeftOut, N, M, a, least);

    const norms = (x: Floats, count: number) =>
      Float64Array.from({ length: count }, (_, at) => (sphere ? Math.hypot(...x.subarray(at * D, (at + 1) * D)) : 1));
    const [normsQ, normsK] = [norms(head.q, N), norms(head.k, M)];
    for (let i = 0; i < N; i++) {
      for (let j = 0; j < M; j++) {
        const p = i * M + j;
        if (isLeftOut(p)) continue;
        const z = forward.z[p];
        const slope = Math.abs(logPhiSlope(z, alpha, plan.intrinsicDim));
        const shift = turn + m * z;
        const bend = alpha < 2 ? slope / (1 + z) : 2;
        const scaleShift = (alpha < 2 ? bend : 4 * z + 2 * shift) * shift;
        dKappa[slice.head] += (size[p] * (slope * z * E[i] + scaleShift) + lost[p] * (exponent + slope * z)) / kappa;
        if (alpha < 2) {
          const order = Math.abs(logPhiOrderSlope(z, alpha, plan.intrinsicDim, logBandwidth));
          const perSlope = Math.abs(logBandwidth) / (alpha * alpha);
          const parts = order + slope * z * perSlope + Math.log1p(z);
          // A device may keep s with its bias: taking that off again leaves s with the rounding of their sum.
          const bias = a > 0 ? Math.abs(forward.biased[p] - forward.logKernel[p]) / exponent : 0;
          const orderShift = ((1 + slope * perSlope) / (1 + z)) * shift;
          const lostParts = 1 + parts + bias + exponent * perSlope;
          dAlpha[slice.head] += size[p] * ((parts + bias) * E[i] + orderShift) + lost[p] * lostParts;
        }
        // The same point, or on the sphere the same or the opposite direction, has no pull, not even by rounding.
        if (sphere ? isParallel(head.q, i, head.k, j, D) : forward.distance[p] === 0) continue;
        // A point without a direction is at a right angle to all others and pulls nowhere, up to the directions' rounding.
        const theta = sphere ? forward.distance[p] / plan.radius[slice.head] : 0;
        const direction = sphere ? Math.min(2, (16 * unit) / Math.sin(theta)) : 0;
        const isPulled = normsQ[i] > 0 && normsK[j] > 0;
        const relative = slope * ((isPulled ? E[i] + m : 0) + direction) + (isPulled ? bend * shift : 0);
        // The coefficient's rounding times the difference, or in the plane times both points, no longer than 4d together.
        const step = sphere ? 2 : (1 + 4 * forward.distance[p] * scale) * scale;
        const pull = perAngle * (size[p] * relative + lost[p] * slope) + least * step;
        if (normsQ[i] > 0) dq[slice.row * N + i] += pull / normsQ[i];
        if (normsK[j] > 0) dk[slice.column * M + j] += pull / normsK[j];
      }
    }
  }
  return { weights, output, logSumExp, dq, dk, dv, dAlpha, dKappa };
}

/** Whether row i of x is row j of y times a power of two or minus one: divided by their norms both are the same numbers. */
function isParallel(x: Floats, i: number, y: Floats, j: number, dim: number): boolean {
  const [a, b] = [x.subarray(i * dim, (i + 1) * dim), y.subarray(j * dim, (j + 1) * dim)];
  const at = a.findIndex((e) => e !== 0);
  const ratio = b[at] / a[at];
  return Number.isInteger(Math.log2(Math.abs(ratio))) && a.every((e, c) => e * ratio === b[c]);
}

/** Adds a Σ_i T_ij C_ij: what the gradient through the column sums can be as large as. */
function addDegreeSizes(
  size: Float64Array,
  lost: Float64Array,
  forward: { logKernel: Float64Array; logColumnSum: Float64Array },
  isLeftOut: (p: number) => boolean,
  N: number,
  M: number,
  a: number,
  least: number,
): void {
  for (let j = 0; j < M; j++) {
    let total = 0;
    let totalLost = 0;
    for (let i = 0; i < N; i++) {
      total += size[i * M + j];
      totalLost += lost[i * M + j];
    }
    for (let i = 0; i < N; i++) {
      const p = i * M + j;
      if (isLeftOut(p)) continue;
      const share = Math.exp(forward.logKernel[p] - forward.logColumnSum[j]);
      size[p] += a * total * share;
      lost[p] += a * totalLost * share + least * (1 + a * total);
    }
  }
}

/** Largest |x/ref − 1| where the reference is a normal float32; elsewhere, and where it is 0, x must be as small. */
function largestRatio(x: Floats, reference: Floats): number {
  let largest = 0;
  for (let e = 0; e < reference.length; e++) {
    if (x[e] === reference[e]) continue;
    const tiny = Math.abs(reference[e]) < 2 ** -120;
    const error = tiny
      ? Math.abs(x[e]) <= 2 ** -119
        ? 0
        : Number.POSITIVE_INFINITY
      : Math.abs(x[e] / reference[e] - 1);
    largest = Math.max(largest, error);
  }
  return largest;
}
