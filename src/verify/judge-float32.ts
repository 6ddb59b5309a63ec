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
 *              sphere min(2, 16u/sin θ): unit vectors carry an absolute rounding, which a short chord magnifies
 *   dAlpha     Σ T ((|∂s/∂α| + a |log N_C|/(d_M + α)) E + |∂²s/∂α∂z| Δ)
 *   dKappa     Σ T (|s' z| E + |(s' z)'| Δ)/κ
 *
 * where s' = ∂s/∂z and Δ is the error of z beyond its roundings, 4u ∂z/∂θ on the sphere and m z with a measured bandwidth. It
 * does not shrink with z, so what is small near z = 0 has it as an error of its own and not times E:
 *
 *   α < 2   |s''| = |(s' z)'| = |s'|/(1 + z),   |∂²s/∂α∂z| = (1 + |s'| |ln ε|/α²)/(1 + z)
 *   α = 2   |s''| = 2,   s' z is off by 2 (z + Δ)² − 2 z² = (4z + 2Δ) Δ
 *
 * Each tensor passes when its largest error is within its largest bound.
 */

import { attentionForward } from "../../reference/attention.js";
import { logPhiOrderSlope, logPhiSlope } from "../../reference/kernel.js";
import type { Attention } from "../attention.js";
import { createReferenceBackend, headOf, optionsOf, type Slice, slices } from "../backends/reference.js";
import { makePlan, type Plan } from "../plan.js";
import type { AttentionInputs, AttentionOptions, Floats } from "../types.js";
import type { Problem } from "./battery.js";
import type { Check } from "./check.js";
import { largestDifference } from "./compare.js";

const u = 2 ** -24;

/**
 * The unit on webgpu. WGSL lets every operation round either way, 2u in place of u; a square root may be 1/inverseSqrt, 4.5 ulp
 * = 9u of a distance, and a division 2.5 ulp = 5u. Twice the 8u (1 + |s|) of a weight and 9u |∂s/∂ log d| <= 9u |s| are
 * within 32u (1 + |s|), and gradients, with one division for each pair, as well.
 */
export const wgslUnit = 4 * u;

const oracle = createReferenceBackend();

/** Largest error that each tensor of a problem may have. */
export type Float32Bounds = Record<
  "weights" | "output" | "logSumExp" | "dq" | "dk" | "dv" | "dAlpha" | "dKappa",
  number
>;

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
  const unit = attention.device === "webgpu" ? wgslUnit : u;
  const bounds = float32Bounds(plan, inputs, dOutput, unit);

  const result = await attention.forward(narrow, options);
  const saved = { ...result, dOutput: Float32Array.from(dOutput) };
  const gradient = await attention.backward(narrow, options, saved);
  const weights = await attention.weights(narrow, options);

  const check = (tensor: keyof Float32Bounds, error: number): Check => ({
    case: id,
    tensor,
    error,
    bound: bounds[tensor],
  });
  return [
    check("weights", largestRatio(weights, trueWeights)),
    check("output", largestDifference(result.output, truth.output)),
    check("logSumExp", largestDifference(result.logSumExp, truth.logSumExp)),
    ...(["dq", "dk", "dv", "dAlpha", "dKappa"] as const).map((name) =>
      check(name, largestDifference(gradient[name], slope[name])),
    ),
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
  const angle = plan.manifold === "sphere" ? (4 * plan.radius[slice.head]) / distance : 0;
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
  const { queries: N, keys: M, headDim: D, valueDim: V, keyHeads, batch, degreeNormalization: a } = plan;
  const sphere = plan.manifold === "sphere";
  const largest: Float32Bounds = { weights: 0, output: 0, logSumExp: 0, dq: 0, dk: 0, dv: 0, dAlpha: 0, dKappa: 0 };
  // Key heads collect from several query heads.
  const dk = new Float64Array(batch * keyHeads * M);
  const dv = new Float64Array(batch * keyHeads * M);
  const perHead = { dAlpha: new Float64Array(plan.heads), dKappa: new Float64Array(plan.heads) };

  for (const slice of slices(plan)) {
    const head = headOf(plan, slice, inputs);
    const forward = attentionForward(head, optionsOf(plan, slice));
    const alpha = plan.alpha[slice.head];
    const kappa = plan.kappa[slice.head];
    const factor = forward.bandwidth ** (plan.bandwidthExponent === "1/2" ? 0.5 : 1 / alpha);
    // Distances on the sphere are turned back into angles, whose rounding is absolute.
    const perAngle = (sphere ? plan.radius[slice.head] : 1) / (kappa * factor);
    const measured = typeof plan.bandwidth !== "number";
    const logBandwidth = plan.bandwidthExponent === "1/alpha" && !measured ? Math.log(forward.bandwidth) : 0;

    let largestScore = 0;
    let largestTurn = 0;
    let largestStretch = 0;
    for (let p = 0; p < N * M; p++) {
      if (forward.mask[p]) continue;
      const slope = Math.abs(logPhiSlope(forward.z[p], alpha, plan.intrinsicDim));
      largestScore = Math.max(largestScore, Math.abs(forward.logKernel[p]), Math.abs(forward.biased[p]));
      largestTurn = Math.max(largestTurn, slope * perAngle);
      largestStretch = Math.max(largestStretch, slope * forward.z[p]);
    }
    const m = measuredError(plan, slice, forward.bandwidth, unit);
    const turn = sphere ? 4 * unit * perAngle : 0;
    const e = (unit * (8 * (1 + largestScore) + (sphere ? 4 * largestTurn : 0)) + m * largestStretch) * (1 + a);
    const sums = e + unit * (D + 2 * V + N + M + 8);
    const E = sums + coarse;
    largest.weights = Math.max(largest.weights, e);
    // L is as wrong as the sum it is the logarithm of, and is rounded itself.
    const logSize = Math.max(0, ...forward.logSumExp.filter(Number.isFinite).map(Math.abs));
    largest.logSumExp = Math.max(largest.logSumExp, sums + 4 * unit * logSize);

    const size = new Float64Array(N * M);
    const outputSize = new Float64Array(V);
    for (let i = 0; i < N; i++) {
      const row = slice.row * N + i;
      outputSize.fill(0);
      for (let j = 0; j < M; j++) {
        const weight = forward.weights[i * M + j];
        for (let c = 0; c < V; c++) if (weight > 0) outputSize[c] += weight * Math.abs(head.v[j * V + c]);
      }
      let delta = 0;
      let dSize = 0;
      for (let c = 0; c < V; c++) {
        const arrives = Math.abs(dOutput[row * V + c]);
        delta += arrives * outputSize[c];
        dSize = Math.max(dSize, arrives);
        largest.output = Math.max(largest.output, outputSize[c] * E);
      }
      for (let j = 0; j < M; j++) {
        const p = i * M + j;
        if (forward.mask[p]) continue;
        let product = 0;
        for (let c = 0; c < V; c++) product += Math.abs(dOutput[row * V + c] * head.v[j * V + c]);
        size[p] = forward.weights[p] * (product + delta);
        dv[slice.column * M + j] += forward.weights[p] * dSize * E;
      }
    }
    if (a > 0) addDegreeSizes(size, forward, N, M, a);

    const norms = (x: Floats, rows: number) =>
      Float64Array.from({ length: rows }, (_, at) => (sphere ? Math.hypot(...x.subarray(at * D, (at + 1) * D)) : 1));
    const [normsQ, normsK] = [norms(head.q, N), norms(head.k, M)];
    for (let i = 0; i < N; i++) {
      let dq = 0;
      for (let j = 0; j < M; j++) {
        const p = i * M + j;
        if (forward.mask[p]) continue;
        const z = forward.z[p];
        const slope = Math.abs(logPhiSlope(z, alpha, plan.intrinsicDim));
        const shift = turn + m * z;
        const bend = alpha < 2 ? slope / (1 + z) : 2;
        const theta = sphere ? forward.distance[p] / plan.radius[slice.head] : 0;
        const direction = sphere ? Math.min(2, (16 * unit) / Math.sin(theta)) : 0;
        const pull = size[p] * perAngle * (slope * (E + m + direction) + bend * shift);
        dq += pull / normsQ[i];
        dk[slice.column * M + j] += pull / normsK[j];
        const scaleShift = (alpha < 2 ? bend : 4 * z + 2 * shift) * shift;
        perHead.dKappa[slice.head] += (size[p] * (slope * z * E + scaleShift)) / kappa;
        if (alpha < 2) {
          const order = Math.abs(logPhiOrderSlope(z, alpha, plan.intrinsicDim, logBandwidth));
          const perSlope = Math.abs(logBandwidth) / (alpha * alpha);
          const parts = order + slope * z * perSlope + Math.log1p(z);
          // A device may keep s with its bias: taking that off again leaves s with the rounding of their sum.
          const bias = a > 0 ? Math.abs(forward.biased[p] - forward.logKernel[p]) / (plan.intrinsicDim + alpha) : 0;
          const orderShift = ((1 + slope * perSlope) / (1 + z)) * shift;
          perHead.dAlpha[slice.head] += size[p] * ((parts + bias) * E + orderShift);
        }
      }
      if (Number.isFinite(dq)) largest.dq = Math.max(largest.dq, dq);
    }
  }
  const most = (x: Float64Array) => x.reduce((m, e) => (Number.isFinite(e) ? Math.max(m, e) : m), 0);
  return { ...largest, dk: most(dk), dv: most(dv), dAlpha: most(perHead.dAlpha), dKappa: most(perHead.dKappa) };
}

/** Adds a Σ_i T_ij C_ij: what the gradient through the column sums can be as large as. */
function addDegreeSizes(
  size: Float64Array,
  forward: { mask: Uint8Array; logKernel: Float64Array; logColumnSum: Float64Array },
  N: number,
  M: number,
  a: number,
): void {
  for (let j = 0; j < M; j++) {
    let total = 0;
    for (let i = 0; i < N; i++) total += size[i * M + j];
    for (let i = 0; i < N; i++) {
      const p = i * M + j;
      if (!forward.mask[p]) size[p] += a * total * Math.exp(forward.logKernel[p] - forward.logColumnSum[j]);
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
