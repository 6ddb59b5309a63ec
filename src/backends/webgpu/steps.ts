/**
 * A call, chunk by chunk, and where its results go; the forward pass. `backward.ts` and `weights.ts` are the other two calls.
 */

import { type Plan, tensorLengths } from "../../plan.js";
import type { Tensor } from "../../types.js";
import type { Kept } from "../backend.js";
import { ChunkCall, type Sources } from "./call.js";
import { chunksOf } from "./chunks.js";
import { forward as forwardPass } from "./passes.js";
import type { Chunk } from "./records.js";
import { openResults, type Piece, type Results } from "./results.js";
import type { Runner } from "./runner.js";

/** A chunk, ready for its passes. */
export async function openChunk(
  runner: Runner,
  plan: Plan,
  chunk: Chunk,
  signal: AbortSignal | undefined,
  backward = false,
): Promise<ChunkCall> {
  signal?.throwIfAborted();
  const mask = plan.mask && (await import("./on-demand.js")).packMask(plan, chunk.head, chunk.head + chunk.heads);
  return new ChunkCall(runner, plan, chunk, signal, mask, backward);
}

/** Runs the chunks of a call into its results; what one chunk took is free for the next. */
export async function collect<Name extends string>(
  runner: Runner,
  results: Results<Name>,
  chunks: readonly Chunk[],
  signal: AbortSignal | undefined,
  run: (chunk: Chunk, isLast: boolean) => Promise<Piece<Name>[]>,
): Promise<Record<Name, Tensor>> {
  const keep = runner.pool.taken;
  try {
    for (const [at, chunk] of chunks.entries()) {
      await results.store(await run(chunk, at === chunks.length - 1));
      signal?.throwIfAborted();
      runner.pool.release(keep);
    }
    return await results.finish();
  } catch (error) {
    results.abandon();
    throw error;
  }
}

export async function forward(runner: Runner, plan: Plan, sources: Sources, signal?: AbortSignal, kept?: Kept) {
  const { output, logSumExp, q, k } = tensorLengths(plan);
  const chunks = q === 0 || k === 0 ? [] : chunksOf(plan, runner.device.limits);
  const fill = chunks.length === 0 ? { logSumExp: Number.NEGATIVE_INFINITY } : {};
  const results = await openResults(runner, { output, logSumExp }, kept, fill);
  return collect(runner, results, chunks, signal, async (chunk) => {
    const call = await openChunk(runner, plan, chunk, signal);
    await call.prepare([forwardPass]);
    await call.pack(sources);
    await call.measure();
    const rows = chunk.heads * plan.queries;
    const found = { output: runner.take(4 * rows * plan.valueDim), logSumExp: runner.take(4 * rows) };
    await call.tilePass(forwardPass, found, { ...call.queriesAsRows, chunks: call.slotChunks });
    const first = chunk.head * plan.queries;
    return [
      { name: "output", from: found.output, at: first * plan.valueDim, length: rows * plan.valueDim },
      { name: "logSumExp", from: found.logSumExp, at: first, length: rows },
    ];
  });
}
