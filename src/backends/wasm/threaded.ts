/**
 * The calls on a pool of workers. The same kernels as in `steps.ts`, in tasks; the order is that of the file there.
 * With the pool, this is the part of the device that only `threads` above 1 need, and that is loaded only then.
 */

import { BackendUnavailableError } from "../../errors.js";
import type { Plan } from "../../plan.js";
import type { BackwardInputs, BackwardResult, ForwardResult } from "../../types.js";
import type { Tensors } from "../backend.js";
import { Arena } from "./arena.js";
import { Call } from "./call.js";
import type { Engine } from "./module.js";
import type { Pool } from "./pool.js";
import { readBackward, readForward, units } from "./steps.js";

export { Pool } from "./pool.js";

/** Refuses threads where memory cannot be shared, with what is missing. */
export function refuseWithoutSharing(): void {
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;
  if (typeof SharedArrayBuffer !== "undefined" && isolated) return;
  const reason =
    "threads above 1 need SharedArrayBuffer: serve the page cross-origin isolated " +
    "(Cross-Origin-Opener-Policy: same-origin, Cross-Origin-Embedder-Policy: require-corp), or use threads: 1";
  throw new BackendUnavailableError([{ device: "wasm", reason }]);
}

/** Pieces of a head near the end of a task, when whole heads would leave threads idle; fewer, if it has fewer blocks. */
const pieces = 128;

async function prepare(pool: Pool, call: Call, signal: AbortSignal | undefined): Promise<void> {
  const { plan } = call;
  const heads = [...units(plan, 1, 1)];
  if (call.isMeasured) {
    call.beginBandwidth();
    const scratch = call.scratch(pool.threads, false);
    const median = Number(plan.bandwidth === "median");
    const tasks = heads.map(([b, h]) => [b, h, median, 0]);
    await pool.run("bandwidth_unit", tasks, call.record, scratch, false, signal);
    call.endBandwidth();
  }
  if (plan.degreeNormalization > 0) {
    call.beginColumnSums();
    await pool.run("column_sums_unit", heads, call.record, call.scratch(pool.threads, false), false, signal);
  }
}

/** Whole heads first, which are packed once each, and the last ones in pieces. */
export function forwardUnits(plan: Plan, blocks: number, threads: number): number[][] {
  const perPiece = Math.max(1, Math.ceil(blocks / pieces));
  const whole = plan.batch * plan.heads - 2 * threads;
  return [...units(plan, blocks, Math.max(1, blocks))].flatMap((unit, index) =>
    index < whole
      ? [unit]
      : [...units({ ...plan, batch: 1, heads: 1 }, blocks, perPiece)].map(([, , from, to]) => [
          unit[0],
          unit[1],
          from,
          to,
        ]),
  );
}

export async function forwardThreaded(
  pool: Pool,
  engine: Engine,
  plan: Plan,
  tensors: Tensors,
  signal: AbortSignal | undefined,
): Promise<ForwardResult<Float32Array>> {
  const call = new Call(new Arena(engine.memory), engine.kernels, plan, tensors);
  await prepare(pool, call, signal);
  call.beginForward();
  const tasks = forwardUnits(plan, call.blocks, pool.threads);
  await pool.run("forward_unit", tasks, call.record, call.scratch(pool.threads, false), false, signal);
  return readForward(call);
}

/**
 * How many threads share the queries of a key head, each with its own sums for dk and dv. One where there are key heads
 * enough, and with degree normalisation, whose sums over columns need all queries first.
 */
export function backwardParts(plan: Plan, threads: number): number {
  const isSplit = plan.degreeNormalization === 0 && plan.batch * plan.keyHeads < 4 * threads;
  return isSplit ? threads : 1;
}

export async function backwardThreaded(
  pool: Pool,
  engine: Engine,
  plan: Plan,
  tensors: Tensors,
  saved: BackwardInputs,
  signal: AbortSignal | undefined,
): Promise<BackwardResult<Float32Array>> {
  const call = new Call(new Arena(engine.memory), engine.kernels, plan, tensors);
  const parts = backwardParts(plan, pool.threads);
  // Before anything is waited for, as the caller may then change what is saved.
  call.beginBackward(saved, parts);
  await prepare(pool, call, signal);
  const tasks: number[][] = [];
  for (const [b, key] of units({ ...plan, heads: plan.keyHeads }, 1, 1)) {
    for (let part = 0; part < parts; part++) tasks.push([b, key, part, parts]);
  }
  await pool.run("backward_part", tasks, call.record, call.scratch(pool.threads, true), true, signal);
  return readBackward(call);
}
