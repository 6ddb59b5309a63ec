/** One call on one device with everything that it gives, and the a-priori bounds of `judge-float32.ts` for it. */

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
  /** Row by row. */
  readonly rows: Float32Bounds;
  /** The largest of each tensor, where rows are put in another order or left out. */
  readonly bounds: Record<keyof Float32Bounds, number>;
}

/**
 * The oracle's forward result of a call, with the bounds of a device's arithmetic. They are linear in the error e of a
 * score, which is fair up to about 1/8: e^x - 1 < 1.07 x, within the 8 roundings where a device has 5 or 6. Beyond that,
 * where |s| > 2^17 or so in float32, a score says only that a weight is a weight, and of the bounds that of L is left.
 */
export function truthOf(call: Call, unit: number): Truth {
  const plan = makePlan(call.inputs, call.options);
  const rows = float32Bounds(plan, call.inputs, call.dOutput, unit);
  const { weights: error, ...tensors } = rows;
  if (error > 1 / 8) {
    for (const [name, bounds] of Object.entries(tensors))
      if (name !== "logSumExp") bounds.fill(Number.POSITIVE_INFINITY);
  }
  const largest = (x: Float64Array) => x.reduce((most, e) => Math.max(most, e), 0);
  const bounds = {
    weights: error > 1 / 8 ? Number.POSITIVE_INFINITY : error,
    output: largest(rows.output),
    logSumExp: largest(rows.logSumExp),
    dq: largest(rows.dq),
    dk: largest(rows.dk),
    dv: largest(rows.dv),
    dAlpha: largest(rows.dAlpha),
    dKappa: largest(rows.dKappa),
  };
  // Where two runs are compared only the bounds are asked for, and the oracle is slow.
  let found: ForwardResult<Float64Array> | undefined;
  const result = () => {
    found ??= oracle.forwardSync!(plan, call.inputs) as ForwardResult<Float64Array>;
    return found;
  };
  return {
    plan,
    rows: { ...rows, weights: bounds.weights },
    bounds,
    get output() {
      return result().output;
    },
    get logSumExp() {
      return result().logSumExp;
    },
  };
}

/** The oracle's weights and gradients of a call. */
export function restOfTruth(call: Call, { plan, output, logSumExp }: Truth): { weights: Floats } & BackwardResult {
  const gradient = oracle.backwardSync!(plan, call.inputs, { output, logSumExp, dOutput: call.dOutput });
  return { ...gradient, weights: oracle.weightsSync!(plan, call.inputs) };
}

/**
 * Throws unless each |x − y| is within the bound, which is one for all or one for each row, times `count`; infinities and
 * NaN must be met exactly.
 */
export function expectClose(
  what: string,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  bound: number | Float64Array,
  count = 1,
): void {
  if (x.length !== y.length) throw new Error(`off by length: ${what} has ${x.length} numbers, not ${y.length}`);
  const width = typeof bound === "number" ? 1 : y.length / bound.length;
  for (let e = 0; e < y.length; e++) {
    if (Object.is(x[e], y[e])) continue;
    const error = Math.abs(x[e] - y[e]);
    const allowed = count * (typeof bound === "number" ? bound : bound[Math.floor(e / width)]);
    if (!(error <= allowed)) throw new Error(`off by ${error}: ${what}[${e}] = ${x[e]}, not ${y[e]} within ${allowed}`);
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
