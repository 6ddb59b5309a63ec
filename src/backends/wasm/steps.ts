/**
 * The calls as sequences of steps, each a few milliseconds of work on one thread, and the reading of their results. The same
 * steps serve calls that wait and calls that let timers and events through.
 */

import { type Plan, tensorLengths } from "../../plan.js";
import type { BackwardInputs, BackwardResult, ForwardResult } from "../../types.js";
import type { Tensors } from "../backend.js";
import { Arena } from "./arena.js";
import { Call } from "./call.js";
import { blockRows, field } from "./layout.js";
import type { Engine } from "./module.js";

/** One step between yields; the return value is the result. */
export type Steps<Result> = Generator<void, Result>;

/** Blocks of a head that take some milliseconds: a pair costs about 2 ns and 0.13 ns for each component. */
function blocksPerStep(plan: Plan): number {
  const nanoseconds = blockRows * Math.max(1, plan.keys) * (2 + 0.07 * (plan.headDim + plan.valueDim));
  return Math.max(1, Math.floor(8e6 / nanoseconds));
}

/** (b, h, from, to) of all blocks of all heads, in the order of memory. */
export function* units(plan: Plan, blocks: number, perStep: number): Generator<[number, number, number, number]> {
  for (let b = 0; b < plan.batch; b++) {
    for (let h = 0; h < plan.heads; h++) {
      for (let from = 0; from < blocks; from += perStep) yield [b, h, from, Math.min(blocks, from + perStep)];
    }
  }
}

/** What comes before the pairs: measured bandwidths and column sums. */
function* prepare(call: Call): Steps<void> {
  const { plan, kernels } = call;
  if (call.isMeasured) {
    call.beginBandwidth();
    kernels.open(call.record, call.scratch(1, false)[0], 0);
    for (const [b, h] of units(plan, 1, 1)) {
      kernels.bandwidth_unit(b, h, Number(plan.bandwidth === "median"), 0);
      yield;
    }
    call.endBandwidth();
  }
  if (plan.degreeNormalization > 0) {
    call.beginColumnSums();
    kernels.open(call.record, call.scratch(1, false)[0], 0);
    for (const [b, h] of units(plan, 1, 1)) {
      kernels.column_sums_unit(b, h, 0, 0);
      yield;
    }
  }
}

export function* forwardSteps(
  engine: Engine,
  plan: Plan,
  tensors: Tensors,
  arena = new Arena(engine.memory),
): Steps<ForwardResult<Float32Array>> {
  const call = new Call(arena, engine.kernels, plan, tensors);
  yield* prepare(call);
  call.beginForward();
  const [scratch] = call.scratch(1, false);
  engine.kernels.open(call.record, scratch, 0);
  for (const unit of units(plan, call.blocks, blocksPerStep(plan))) {
    engine.kernels.forward_unit(...unit);
    yield;
  }
  return readForward(call);
}

export function readForward(call: Call): ForwardResult<Float32Array> {
  const lengths = tensorLengths(call.plan);
  const output = call.arena.floats(call.get(field.output), lengths.output);
  const logSumExp = call.arena.floats(call.get(field.logSumExp), lengths.logSumExp);
  for (const head of call.isMeasured ? call.nanHeads() : []) {
    const { queries, valueDim } = call.plan;
    for (let row = head * queries; row < (head + 1) * queries; row++) {
      if (logSumExp[row] === Number.NEGATIVE_INFINITY) continue;
      logSumExp[row] = Number.NaN;
      output.fill(Number.NaN, row * valueDim, (row + 1) * valueDim);
    }
  }
  return { output, logSumExp };
}

export function* weightsSteps(
  engine: Engine,
  plan: Plan,
  tensors: Omit<Tensors, "v">,
  arena = new Arena(engine.memory),
): Steps<Float32Array> {
  const { q, k } = tensors;
  const call = new Call(arena, engine.kernels, plan, { q, k });
  yield* prepare(call);
  const blocks = Math.min(call.blocks, blocksPerStep(plan));
  call.beginWeights(blocks);
  const [scratch] = call.scratch(1, false);
  engine.kernels.open(call.record, scratch, 0);
  const weights = new Float32Array(tensorLengths(plan).weights);
  let written = 0;
  for (const unit of units(plan, call.blocks, blocks)) {
    engine.kernels.weights_unit(...unit);
    const rows = Math.min(plan.queries, unit[3] * blockRows) - unit[2] * blockRows;
    weights.set(new Float32Array(engine.memory.buffer, call.get(field.weights), rows * plan.keys), written);
    written += rows * plan.keys;
    yield;
  }
  for (const head of call.isMeasured ? call.nanHeads() : []) {
    // What is attended to is above 0 or NaN here.
    const size = plan.queries * plan.keys;
    for (let p = head * size; p < (head + 1) * size; p++) if (weights[p] !== 0) weights[p] = Number.NaN;
  }
  return weights;
}

export function* backwardSteps(
  engine: Engine,
  plan: Plan,
  tensors: Tensors,
  saved: BackwardInputs,
  arena = new Arena(engine.memory),
): Steps<BackwardResult<Float32Array>> {
  const { kernels } = engine;
  const call = new Call(arena, kernels, plan, tensors);
  yield* prepare(call);
  call.beginBackward(saved, 1);
  const [scratch] = call.scratch(1, true);
  kernels.open(call.record, scratch, 1);
  const group = plan.heads / plan.keyHeads;
  const perStep = Math.max(1, Math.floor(blocksPerStep(plan) / 3));
  const chunks = [...units({ ...plan, batch: 1, heads: 1 }, call.blocks, perStep)];
  for (let b = 0; b < plan.batch; b++) {
    for (let h = 0; h < plan.heads; h++) {
      if (plan.degreeNormalization > 0) {
        for (const [, , from, to] of chunks) {
          kernels.backward_columns_unit(b, h, from, to);
          yield;
        }
      }
      // Without a block, the head still has to be made the one at hand.
      if (chunks.length === 0) kernels.backward_unit(b, h, 0, 0);
      for (const [, , from, to] of chunks) {
        kernels.backward_unit(b, h, from, to);
        yield;
      }
      if ((h + 1) % group === 0) kernels.backward_finish();
    }
  }
  return readBackward(call);
}

/** Gradients from the call's memory; copies that threads made are added in their order. */
export function readBackward(call: Call): BackwardResult<Float32Array> {
  const { plan, arena } = call;
  const lengths = tensorLengths(plan);
  const parts = call.get(field.parts);
  const dq = arena.floats(call.get(field.dq), lengths.q);
  const sumOfParts = (address: number, length: number) => {
    const sum = arena.floats(address, length);
    for (let part = 1; part < parts; part++) {
      const copy = new Float32Array(arena.memory.buffer, address + part * length * 4, length);
      for (let e = 0; e < length; e++) sum[e] += copy[e];
    }
    return sum;
  };
  const dk = sumOfParts(call.get(field.dk), lengths.k);
  const dv = sumOfParts(call.get(field.dv), lengths.v);
  const { dAlpha, dKappa } = headGradients(call);

  return { dq, dk, dv, dAlpha, dKappa };
}

/**
 * dAlpha and dKappa (equations section 9) from A = sum dS s and Z = sum dS z/(1 + z), or sum dS z^2 at alpha = 2:
 *
 *   dAlpha = A/(d_M + alpha) - (d_M + alpha) Z log(eps)/alpha^2,   dKappa = (d_M + alpha) Z/kappa;   0 and 2 Z/kappa
 */
function headGradients(call: Call): { dAlpha: Float32Array; dKappa: Float32Array } {
  const { plan } = call;
  const { batch, heads } = plan;
  const rows = call.get(field.parts) * batch;
  const sums = new Float64Array(call.arena.memory.buffer, call.get(field.dHeads), rows * heads * 2);
  const dAlpha = new Float32Array(heads);
  const dKappa = new Float32Array(heads);
  const logBandwidth =
    plan.bandwidthExponent === "1/alpha" && typeof plan.bandwidth === "number" ? Math.log(plan.bandwidth) : 0;
  for (let h = 0; h < heads; h++) {
    let order = 0;
    let scale = 0;
    for (let row = 0; row < rows; row++) {
      order += sums[2 * (row * heads + h)];
      scale += sums[2 * (row * heads + h) + 1];
    }
    const alpha = plan.alpha[h];
    const exponent = plan.intrinsicDim + alpha;
    if (alpha < 2) {
      dAlpha[h] = order / exponent - (exponent * scale * logBandwidth) / alpha ** 2;
      dKappa[h] = (exponent * scale) / plan.kappa[h];
    } else dKappa[h] = (2 * scale) / plan.kappa[h];
  }
  return { dAlpha, dKappa };
}
