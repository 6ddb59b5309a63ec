/**
 * The three calls, chunk by chunk, and where their results go.
 */

import { type Plan, tensorLengths } from "../../plan.js";
import { ChunkCall, type Saved, type Sources } from "./call.js";
import { chunksOf } from "./chunks.js";
import type { Chunk } from "./records.js";
import type { Runner } from "./runner.js";

/** Rows of a tile follow the workgroup memory: 64 rows need 19 KiB of it, 32 rows 14 KiB. */
export function rowThreadsFor(limits: GPUSupportedLimits): number {
  return limits.maxComputeWorkgroupStorageSize >= 20480 && limits.maxComputeInvocationsPerWorkgroup >= 128 ? 16 : 8;
}

/** Results of a forward pass. */
export interface Forward {
  output: Float32Array<ArrayBuffer>;
  logSumExp: Float32Array<ArrayBuffer>;
}

/** Gradients, as `BackwardResult`. */
export interface Backward {
  dq: Float32Array<ArrayBuffer>;
  dk: Float32Array<ArrayBuffer>;
  dv: Float32Array<ArrayBuffer>;
  dAlpha: Float32Array<ArrayBuffer>;
  dKappa: Float32Array<ArrayBuffer>;
}

function open(runner: Runner, plan: Plan, chunk: Chunk, signal: AbortSignal | undefined, backward: boolean): ChunkCall {
  signal?.throwIfAborted();
  return new ChunkCall(runner, plan, chunk, signal, rowThreadsFor(runner.device.limits), backward);
}

export async function forward(runner: Runner, plan: Plan, sources: Sources, signal?: AbortSignal): Promise<Forward> {
  const lengths = tensorLengths(plan);
  const output = new Float32Array(lengths.output);
  const logSumExp = new Float32Array(lengths.logSumExp).fill(Number.NEGATIVE_INFINITY);
  if (lengths.q === 0 || lengths.k === 0) return { output, logSumExp };
  for (const chunk of chunksOf(plan, runner.device.limits)) {
    const call = open(runner, plan, chunk, signal, false);
    await call.prepare(["forward"]);
    await call.pack(sources);
    await call.measure();
    const rows = chunk.heads * plan.queries;
    const results = { output: runner.take(4 * rows * plan.valueDim), logSumExp: runner.take(4 * rows) };
    await call.tilePass("forward", results, { ...call.queriesAsRows, chunks: call.slotChunks });
    const [o, l] = await runner.read([results.output, results.logSumExp], [4 * rows * plan.valueDim, 4 * rows]);
    output.set(new Float32Array(o), chunk.head * plan.queries * plan.valueDim);
    logSumExp.set(new Float32Array(l), chunk.head * plan.queries);
    signal?.throwIfAborted();
    runner.pool.releaseAll();
  }
  return { output, logSumExp };
}

export async function weights(
  runner: Runner,
  plan: Plan,
  sources: Omit<Sources, "v">,
  signal?: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  const lengths = tensorLengths(plan);
  const matrix = new Float32Array(lengths.weights);
  if (matrix.length === 0) return matrix;
  const { limits } = runner.device;
  const block = 4 * rowThreadsFor(limits);
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  for (const chunk of chunksOf(plan, limits, block)) {
    const call = open(runner, { ...plan, valueDim: 0 }, chunk, signal, false);
    await call.prepare(["weights"]);
    await call.pack({ q: sources.q, k: sources.k });
    await call.measure();
    const fitting = Math.floor(most / (4 * chunk.heads * plan.keys * block)) * block;
    const step = Math.min(fitting, Math.ceil(plan.queries / block) * block);
    for (let first = 0; first < plan.queries; first += step) {
      const rows = Math.min(step, plan.queries - first);
      const bytes = 4 * chunk.heads * rows * plan.keys;
      const part = runner.take(bytes);
      runner.encode("weights", (encoder) => encoder.clearBuffer(part.buffer, 0, part.size));
      await call.matrixPass(part, first, rows);
      const [found] = await runner.read([part], [bytes]);
      for (let head = 0; head < chunk.heads; head++) {
        const own = new Float32Array(found, 4 * head * rows * plan.keys, rows * plan.keys);
        matrix.set(own, ((chunk.head + head) * plan.queries + first) * plan.keys);
      }
      signal?.throwIfAborted();
    }
    runner.pool.releaseAll();
  }
  return matrix;
}

export async function backward(
  runner: Runner,
  plan: Plan,
  sources: Required<Sources>,
  saved: Saved,
  signal?: AbortSignal,
): Promise<Backward> {
  const lengths = tensorLengths(plan);
  const result: Backward = {
    dq: new Float32Array(lengths.q),
    dk: new Float32Array(lengths.k),
    dv: new Float32Array(lengths.v),
    dAlpha: new Float32Array(plan.heads),
    dKappa: new Float32Array(plan.heads),
  };
  if (lengths.q === 0 || lengths.k === 0) return result;
  // Of each head: sums of dS s and of dS z/(1 + z).
  const totals = new Float64Array(2 * plan.heads);
  for (const chunk of chunksOf(plan, runner.device.limits)) {
    const call = open(runner, plan, chunk, signal, true);
    const isBiased = plan.degreeNormalization > 0;
    const isSphere = plan.manifold === "sphere";
    await call.prepare([
      "packCotangents",
      "dQueries",
      "dKeys",
      ...(isBiased ? (["columnGradients"] as const) : []),
      ...(isSphere ? (["project"] as const) : []),
    ]);
    await call.pack(sources);
    await call.measure();
    const cotangents = await call.packCotangents(saved);
    if (isBiased) await call.tilePass("columnGradients", { ...call.turned, cotangents }, call.keysAsRows);

    const rows = chunk.heads * plan.queries;
    const columns = chunk.keyHeads * plan.keys;
    const bytes = [rows * plan.headDim, 2 * rows, columns * plan.headDim, columns * plan.valueDim].map((n) => 4 * n);
    const [dq, partials, dk, dv] = bytes.map((size) => runner.take(size));
    const ofQueries = { cotangents, dPoints: dq, partials };
    await call.tilePass("dQueries", ofQueries, { ...call.queriesAsRows, chunks: call.slotChunks });
    const ofKeys = { ...call.turned, cotangents, dPoints: dk, dValues: dv };
    await call.tilePass("dKeys", ofKeys, { ...call.keysAsRows, heads: chunk.keyHeads, chunks: call.slotChunks });
    if (isSphere) {
      await call.rowPass("project", { points: call.turned.columns, gradient: dq }, rows, [plan.queries]);
      await call.rowPass("project", { points: call.turned.rows, gradient: dk }, columns, [plan.keys]);
    }
    const found = await runner.read([dq, partials, dk, dv], bytes);
    result.dq.set(new Float32Array(found[0]), chunk.head * plan.queries * plan.headDim);
    result.dk.set(new Float32Array(found[2]), chunk.keyHead * plan.keys * plan.headDim);
    result.dv.set(new Float32Array(found[3]), chunk.keyHead * plan.keys * plan.valueDim);
    const sums = new Float32Array(found[1]);
    for (let row = 0; row < rows; row++) {
      const head = (chunk.head + Math.floor(row / plan.queries)) % plan.heads;
      totals[2 * head] += sums[2 * row];
      totals[2 * head + 1] += sums[2 * row + 1];
    }
    signal?.throwIfAborted();
    runner.pool.releaseAll();
  }
  headGradients(plan, totals, result);
  return result;
}

/**
 * dα and dκ (equations section 9) from A = Σ dS s and Z = Σ dS z/(1 + z), or Σ dS z² at α = 2:
 *
 *   dα = A/(d_M + α) − (d_M + α) Z log(ε)/α²,   dκ = (d_M + α) Z/κ;   0 and 2 Z/κ at α = 2
 */
function headGradients(plan: Plan, totals: Float64Array, { dAlpha, dKappa }: Backward): void {
  const varies = plan.bandwidthExponent === "1/alpha" && typeof plan.bandwidth === "number";
  const logBandwidth = varies ? Math.log(plan.bandwidth as number) : 0;
  for (let head = 0; head < plan.heads; head++) {
    const [order, length] = [totals[2 * head], totals[2 * head + 1]];
    const alpha = plan.alpha[head];
    const exponent = plan.intrinsicDim + alpha;
    if (alpha < 2) dAlpha[head] = order / exponent - (exponent * length * logBandwidth) / alpha ** 2;
    dKappa[head] = ((alpha < 2 ? exponent : 2) * length) / plan.kappa[head];
  }
}
