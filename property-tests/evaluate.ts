/** One call on one device with everything that it gives, and the a-priori bounds of `judge-float32.ts` for it. */

import { bandwidthFactor, bandwidthFloor } from "../reference/scale.js";
import { createReferenceBackend } from "../src/backends/reference.js";
import { makePlan, type Plan } from "../src/plan.js";
import type { AttentionInputs, AttentionOptions, BackwardResult, Floats, ForwardResult } from "../src/types.js";
import { type Float32Bounds, float32Bounds } from "../src/verify/judge-float32.js";
import type { TestBackend } from "./backends.js";

/** What a call is: the fields of a `Case` that a device sees. */
export interface Call {
  readonly inputs: AttentionInputs<Float64Array>;
  readonly options: AttentionOptions;
  readonly dOutput: Float64Array;
  readonly recipe?: { readonly offset: number };
}

const oracle = createReferenceBackend();

/** x in the arrays of a device: a view at an odd place of a larger array, whose other numbers are NaN. */
export function viewed<T extends Floats = Floats>(backend: TestBackend, x: Floats, offset = 0): T {
  const view = new backend.floats(x.length + offset + 2).fill(Number.NaN).subarray(offset, offset + x.length);
  view.set(x);
  return view as T;
}

/** The inputs of a call in the arrays of a device. */
export function inputsFor(backend: TestBackend, { inputs, recipe }: Call): AttentionInputs {
  const { q, k, v } = inputs;
  const offset = recipe?.offset ?? 0;
  return { ...inputs, q: viewed(backend, q, offset), k: viewed(backend, k, offset + 1), v: viewed(backend, v, offset) };
}

export function forward(backend: TestBackend, call: Call): Promise<ForwardResult> {
  return backend.attention.forward(inputsFor(backend, call), call.options);
}

export function weights(backend: TestBackend, call: Call): Promise<Floats> {
  return backend.attention.weights(inputsFor(backend, call), call.options);
}

export function backward(backend: TestBackend, call: Call, result: ForwardResult): Promise<BackwardResult> {
  const { offset } = call.recipe ?? { offset: 0 };
  const saved = {
    output: viewed(backend, result.output, offset),
    logSumExp: viewed(backend, result.logSumExp, offset),
    dOutput: viewed(backend, call.dOutput, offset),
  };
  return backend.attention.backward(inputsFor(backend, call), call.options, saved);
}

/** x [blocks, rows, width] without the rows that are not kept. */
export function kept(x: Float64Array, rows: number, width: number, keep: readonly number[]): Float64Array {
  const parts: number[] = [];
  for (let at = 0; at < x.length; at += rows * width) {
    for (const row of keep) parts.push(...x.subarray(at + row * width, at + (row + 1) * width));
  }
  return Float64Array.from(parts);
}

/** The call with some of its keys only. */
export function withoutKeys(call: Call, keep: readonly number[]): Call {
  const { k, v, keys, headDim, valueDim = headDim } = call.inputs;
  const inputs = {
    ...call.inputs,
    k: kept(k, keys, headDim, keep),
    v: kept(v, keys, valueDim, keep),
    keys: keep.length,
  };
  return { ...call, inputs };
}

/** The results of the float64 oracle, and how far a device may be from them. */
export interface Truth extends ForwardResult<Float64Array> {
  readonly plan: Plan;
  readonly bounds: Float32Bounds;
}

/**
 * The oracle's forward result of a call, with the bounds of a device's arithmetic. They are linear in the error e of a
 * score, which is fair up to about 1/8: e^x - 1 < 1.07 x, within the 8 roundings where a device has 5 or 6. Beyond that,
 * where |s| > 2^17 or so in float32, a score says only that a weight is a weight, and of the bounds that of L is left.
 */
export function truthOf(call: Call, unit: number): Truth {
  const plan = makePlan(call.inputs, call.options);
  let bounds = float32Bounds(plan, call.inputs, call.dOutput, unit);
  if (bounds.weights <= 1 / 8) bounds = withUnderflow(call, plan, bounds, unit);
  else {
    const any = Number.POSITIVE_INFINITY;
    bounds = { ...bounds, weights: any, output: any, dq: any, dk: any, dv: any, dAlpha: any, dKappa: any };
  }
  // Where two runs are compared only the bounds are asked for, and the oracle is slow.
  let found: ForwardResult<Float64Array> | undefined;
  const result = () => {
    found ??= oracle.forwardSync!(plan, call.inputs) as ForwardResult<Float64Array>;
    return found;
  };
  return {
    plan,
    bounds,
    get output() {
      return result().output;
    },
    get logSumExp() {
      return result().logSumExp;
    },
  };
}

/**
 * The bounds with what float32 cannot hold: a result below t = 2^-126 is rounded by up to t, be it a weight, dS, a step
 * towards the pull of a pair, or the number that is asked for. A pair carries such a rounding on, times at most A = (1 + 2V)
 * max(1, |dO|) max(1, |v|), what arrives, and times a slope of the score, 2^4 of them with degree normalisation:
 *
 *   dq, dk   per length of a point: (d_M + alpha)/l or 2z/l, below 2^10/l, with l = kappa eps^(1/alpha)/r, on the sphere
 *            times |x|. And the coefficient of x - y: rounded by t among coordinates as the kernels have them, of order 1
 *            where the largest is beyond 2^+-40, and scaled back; on the sphere x/|x|. A distance is below 2^5 coordinates.
 *   dKappa   (d_M + alpha)/kappa or 2z^2/kappa, below 2^19/kappa, because z^2 < 2^18 where there are bounds
 *   dAlpha   log(1 + z) and (d_M + alpha) |ln eps|/alpha^2, both below 2^19 for the bandwidths of `arbitraries.ts`
 *   output   the rounding of a weight times |v|, for each key;  dv the same times |dO|, for each query
 *
 * A measured eps is at least its floor. Float64 holds all of this for all cases here.
 */
function withUnderflow(call: Call, plan: Plan, bounds: Float32Bounds, unit: number): Float32Bounds {
  if (unit < 2 ** -24) return bounds;
  const { q, k, v } = call.inputs;
  const largest = (x: Float64Array) => x.reduce((most, e) => Math.max(most, Math.abs(e)), 0);
  const least = (x: Float64Array) => x.reduce((m, e) => (e === 0 ? m : Math.min(m, Math.abs(e))), 2 ** 127);
  const size = Math.max(largest(q), largest(k));
  if (size === 0) return bounds;
  const arrives = (1 + 2 * plan.valueDim) * Math.max(1, largest(call.dOutput)) * Math.max(1, largest(v));
  const lost = 2 ** -126 * plan.batch * plan.heads * plan.queries * plan.keys * arrives;
  const eps = typeof plan.bandwidth === "number" ? plan.bandwidth : bandwidthFloor;
  const lengths = plan.kappa.map(
    (kappa, h) => (kappa * bandwidthFactor(eps, plan.alpha[h], plan.bandwidthExponent)) / plan.radius[h],
  );
  const slope = 2 ** 14 / Math.min(...lengths);
  const isOrdinary = size > 2 ** -40 && size < 2 ** 41;
  const pull =
    plan.manifold === "sphere"
      ? (slope + 2 ** 5) / Math.min(least(q), least(k))
      : slope + 2 ** 5 * (isOrdinary ? size : 2 / size);
  return {
    ...bounds,
    output: bounds.output + lost,
    dq: bounds.dq + lost * (pull + 1),
    dk: bounds.dk + lost * (pull + 1),
    dv: bounds.dv + lost,
    dAlpha: bounds.dAlpha + lost * 2 ** 23,
    dKappa: bounds.dKappa + lost * (2 ** 23 / Math.min(...plan.kappa) + 1),
  };
}

/** The oracle's weights and gradients of a call. */
export function restOfTruth(call: Call, { plan, output, logSumExp }: Truth): { weights: Floats } & BackwardResult {
  const gradient = oracle.backwardSync!(plan, call.inputs, { output, logSumExp, dOutput: call.dOutput });
  return { ...gradient, weights: oracle.weightsSync!(plan, call.inputs) };
}

/** Throws unless each |x − y| is within the bound; infinities and NaN must be met exactly. */
export function expectClose(what: string, x: ArrayLike<number>, y: ArrayLike<number>, bound: number): void {
  if (x.length !== y.length) throw new Error(`off by length: ${what} has ${x.length} numbers, not ${y.length}`);
  for (let e = 0; e < y.length; e++) {
    if (Object.is(x[e], y[e])) continue;
    const error = Math.abs(x[e] - y[e]);
    if (!(error <= bound)) throw new Error(`off by ${error}: ${what}[${e}] = ${x[e]}, not ${y[e]} within ${bound}`);
  }
}

/** Throws unless each x is y up to the relative bound; where y is no normal number of the device x must be as small. */
export function expectRatio(
  what: string,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  bound: number,
  tiny = 2 ** -120,
): void {
  if (x.length !== y.length) throw new Error(`off by length: ${what} has ${x.length} numbers, not ${y.length}`);
  for (let e = 0; e < y.length; e++) {
    if (x[e] === y[e] || (Math.abs(y[e]) < tiny && Math.abs(x[e]) < 2 * tiny)) continue;
    const error = Math.abs(x[e] - y[e]);
    if (!(error <= bound * Math.abs(y[e]))) {
      throw new Error(`off by ${error / Math.abs(y[e])}: ${what}[${e}] = ${x[e]}, not ${y[e]} times 1 +- ${bound}`);
    }
  }
}
