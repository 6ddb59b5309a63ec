/**
 * The reference device: the float64 oracle of `reference/` behind the common interface. It computes one head of one
 * batch entry at a time, from the formulas, with N x M matrices; it is there to be right, not to be fast.
 */

import { type AttentionResult, attentionForward, type Head, type HeadOptions } from "../../reference/attention.js";
import { attentionBackward } from "../../reference/attention-gradient.js";
import { causalMask, orMasks, paddingMask, selfMask, windowMask } from "../../reference/masks.js";
import { type Plan, tensorLengths } from "../plan.js";
import type { BackwardInputs, BackwardResult, Floats, ForwardResult } from "../types.js";
import type { Backend, Tensors } from "./backend.js";

/** Where one head of one batch entry stands in the tensors. */
export interface Slice {
  readonly batch: number;
  readonly head: number;
  /** Index of its rows among [B, H]. */
  readonly row: number;
  /** Index of its keys among [B, K]. */
  readonly column: number;
}

/** All slices of a plan, batch entry by batch entry. */
export function* slices(plan: Plan): Generator<Slice> {
  for (let batch = 0; batch < plan.batch; batch++) {
    for (let head = 0; head < plan.heads; head++) {
      const keyHead = Math.floor((head * plan.keyHeads) / plan.heads);
      yield { batch, head, row: batch * plan.heads + head, column: batch * plan.keyHeads + keyHead };
    }
  }
}

/** The part of a tensor that belongs to slice `index`, `size` numbers each. */
function part(x: Floats, index: number, size: number): Floats {
  return x.subarray(index * size, (index + 1) * size);
}

/** The tensors of one slice. */
export function headOf(plan: Plan, slice: Slice, { q, k, v }: Tensors): Head {
  const { queries, keys, headDim, valueDim } = plan;
  return {
    q: part(q, slice.row, queries * headDim),
    k: part(k, slice.column, keys * headDim),
    v: part(v, slice.column, keys * valueDim),
    queries,
    keys,
    headDim,
    valueDim,
  };
}

/** The options of one slice, every positional mask in one matrix. */
export function optionsOf(plan: Plan, slice: Slice): HeadOptions {
  return {
    alpha: plan.alpha[slice.head],
    manifold: plan.manifold,
    intrinsicDim: plan.intrinsicDim,
    kappa: plan.kappa[slice.head],
    radius: plan.radius[slice.head],
    bandwidth: plan.bandwidth,
    bandwidthExponent: plan.bandwidthExponent,
    bandwidthPairs: plan.bandwidthPairs,
    degreeNormalization: plan.degreeNormalization,
    distanceThreshold: plan.distanceThreshold,
    mask: maskOf(plan, slice),
  };
}

/** Every mask that is known before the distances, as one matrix [N, M]. */
function maskOf(plan: Plan, { batch, head }: Slice): Uint8Array {
  const { queries, keys } = plan;
  const offset = plan.keyLengths[batch] - plan.queryLengths[batch];
  let given: Uint8Array | undefined;
  if (plan.mask) {
    const { data, batchStride, headStride, queryStride } = plan.mask;
    given = new Uint8Array(queries * keys);
    for (let i = 0; i < queries; i++) {
      const from = batch * batchStride + head * headStride + i * queryStride;
      given.set(data.subarray(from, from + keys), i * keys);
    }
  }
  return orMasks(
    queries * keys,
    paddingMask(queries, keys, plan.keyLengths[batch], plan.queryLengths[batch]),
    plan.causal ? causalMask(queries, keys, offset) : undefined,
    plan.window >= 0 ? windowMask(queries, keys, plan.window, plan.globalTokens, offset) : undefined,
    plan.excludeSelf ? selfMask(queries, keys, offset) : undefined,
    given,
  );
}

/** Adds or sets the part of `target` that belongs to slice `index`. */
function add(target: Float64Array, index: number, source: Float64Array): void {
  for (let e = 0; e < source.length; e++) target[index * source.length + e] += source[e];
}

/** One step is one head; a generator, so that the same loop serves the calls that wait and those that do not. */
type Steps<Result> = Generator<void, Result>;

function* forwardSteps(plan: Plan, tensors: Tensors): Steps<ForwardResult<Float64Array>> {
  const lengths = tensorLengths(plan);
  const output = new Float64Array(lengths.output);
  const logSumExp = new Float64Array(lengths.logSumExp);
  for (const slice of slices(plan)) {
    const result: AttentionResult = attentionForward(headOf(plan, slice, tensors), optionsOf(plan, slice));
    output.set(result.output, slice.row * result.output.length);
    logSumExp.set(result.logSumExp, slice.row * result.logSumExp.length);
    yield;
  }
  return { output, logSumExp };
}

function* backwardSteps(plan: Plan, tensors: Tensors, saved: BackwardInputs): Steps<BackwardResult<Float64Array>> {
  const lengths = tensorLengths(plan);
  const dq = new Float64Array(lengths.q);
  const dk = new Float64Array(lengths.k);
  const dv = new Float64Array(lengths.v);
  const dAlpha = new Float64Array(plan.heads);
  const dKappa = new Float64Array(plan.heads);
  for (const slice of slices(plan)) {
    const gradient = attentionBackward(headOf(plan, slice, tensors), optionsOf(plan, slice), {
      output: part(saved.output, slice.row, plan.queries * plan.valueDim),
      logSumExp: part(saved.logSumExp, slice.row, plan.queries),
      dOutput: part(saved.dOutput, slice.row, plan.queries * plan.valueDim),
    });
    add(dq, slice.row, gradient.dq);
    // Query heads that share a key head add up.
    add(dk, slice.column, gradient.dk);
    add(dv, slice.column, gradient.dv);
    dAlpha[slice.head] += gradient.dAlpha;
    dKappa[slice.head] += gradient.dKappa;
    yield;
  }
  return { dq, dk, dv, dAlpha, dKappa };
}

function* weightsSteps(plan: Plan, { q, k }: Omit<Tensors, "v">): Steps<Float64Array> {
  const weights = new Float64Array(tensorLengths(plan).weights);
  const v = new Float64Array(tensorLengths(plan).v);
  for (const slice of slices(plan)) {
    const result = attentionForward(headOf(plan, slice, { q, k, v }), optionsOf(plan, slice));
    weights.set(result.weights, slice.row * result.weights.length);
    yield;
  }
  return weights;
}

function finish<Result>(steps: Steps<Result>): Result {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** Runs the steps, letting timers and events through about sixty times a second, and stops when the signal says so. */
async function finishLater<Result>(steps: Steps<Result>, signal: AbortSignal | undefined): Promise<Result> {
  let pause = performance.now() + 16;
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) return step.value;
    if (performance.now() < pause) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    signal?.throwIfAborted();
    pause = performance.now() + 16;
  }
}

/** The float64 oracle as a device. */
export function createReferenceBackend(): Backend {
  return {
    device: "reference",
    arrays: [Float64Array, Float32Array],
    forward: (plan, tensors, signal) => finishLater(forwardSteps(plan, tensors), signal),
    backward: (plan, tensors, saved, signal) => finishLater(backwardSteps(plan, tensors, saved), signal),
    weights: (plan, tensors, signal) => finishLater(weightsSteps(plan, tensors), signal),
    forwardSync: (plan, tensors) => finish(forwardSteps(plan, tensors)),
    backwardSync: (plan, tensors, saved) => finish(backwardSteps(plan, tensors, saved)),
    weightsSync: (plan, tensors) => finish(weightsSteps(plan, tensors)),
    dispose() {},
  };
}
