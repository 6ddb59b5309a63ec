/**
 * How long the devices take over N, and how right they are: a few seconds for the page, no benchmark. One head, standard
 * normal inputs of D components, the paper's options; time of `forward` from the call to the numbers.
 *
 * - First the numbers, then the time: at every N a sample of query rows, all keys, is held against the float64 reference
 *   under the bound of `verify/judge-float32.ts`; a device that misses it is not timed any further. (`fna bench` checks
 *   every row, which at these sizes would take longer than the times.)
 * - Rounds are interleaved, so that what disturbs the machine disturbs all devices. What is told is the median, and the
 *   quartiles as its spread.
 * - A device leaves when a call took longer than its share; its curve ends there.
 *
 * Runs in Node and in browsers.
 */

import type { Attention } from "../attention.js";
import { createReferenceBackend } from "../backends/reference.js";
import { makeProblem } from "../bench/problem.js";
import { median, quantile } from "../bench/statistics.js";
import { makePlan } from "../plan.js";
import type { AttentionInputs, Floats } from "../types.js";
import { float32Bounds, nearestToBound, unitOf } from "../verify/judge-float32.js";

/** A device that takes part: an open one and what to call it. */
export interface TimedDevice {
  readonly name: string;
  readonly attention: Attention;
}

/** One device at one N. */
export interface TimingPoint {
  /** N */
  readonly size: number;
  /** Median, and the quartiles, in milliseconds. */
  readonly milliseconds: number;
  readonly quartiles: readonly [low: number, high: number];
  readonly rounds: number;
  /** Largest |output − reference| over the sampled rows, and what arithmetic allows. */
  readonly error: number;
  readonly bound: number;
}

/** The curve of one device. */
export interface DeviceTimings {
  readonly name: string;
  readonly points: readonly TimingPoint[];
  /** False when a check failed; the curve ends before it. */
  readonly passed: boolean;
  /** The N that failed, its error and bound. */
  readonly failure?: { readonly size: number; readonly error: number; readonly bound: number };
}

/** What to measure. */
export interface TimingOptions {
  /** N, ascending. Default 64, 128, …, 4096. */
  readonly sizes?: readonly number[];
  /** D. Default 32. */
  readonly dim?: number;
  /** Milliseconds for the rounds of one device at one N. Default 150. */
  readonly share?: number;
  readonly onProgress?: (done: number, total: number, label: string) => void;
}

/** D, as the page says it. */
export const timingDim = 32;
const timingSizes = [64, 128, 256, 512, 1024, 2048, 4096];
const mostRounds = 25;
/** How many query rows of each problem are held against the reference. */
export const sampledRows = 32;
const oracle = createReferenceBackend();

/** Times the devices; see the head of this file. */
export async function timingStudy(
  devices: readonly TimedDevice[],
  options: TimingOptions = {},
): Promise<DeviceTimings[]> {
  const { sizes = timingSizes, dim = timingDim, share = 150, onProgress } = options;
  const runners = devices.map(
    (device) => ({ ...device, points: [] as TimingPoint[], passed: true, running: true }) as Runner,
  );
  for (const [done, size] of sizes.entries()) {
    onProgress?.(done, sizes.length, `timing N = ${size}`);
    // Lets a progress bar or a page draw.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const problem = timingProblem(size, dim);
    const taking: Turn[] = [];
    for (const runner of runners.filter((r) => r.running)) {
      const turn = await prepare(runner, problem);
      if (turn !== undefined) taking.push(turn);
    }
    for (let round = 0; round < mostRounds && taking.some((turn) => turn.spent < share); round++) {
      for (const turn of taking) if (turn.spent < share) await run(turn);
    }
    for (const { runner, samples, error, bound } of taking) {
      const milliseconds = median(samples);
      const quartiles = [quantile(samples, 0.25), quantile(samples, 0.75)] as const;
      runner.points.push({ size, milliseconds, quartiles, rounds: samples.length, error, bound });
      if (milliseconds > 2 * share) runner.running = false;
    }
  }
  onProgress?.(sizes.length, sizes.length, "done");
  return runners.map(({ name, points, passed, failure }) => ({ name, points, passed, ...(failure && { failure }) }));
}

interface Runner extends TimedDevice {
  points: TimingPoint[];
  passed: boolean;
  failure?: DeviceTimings["failure"];
  running: boolean;
}

interface Turn {
  readonly runner: Runner;
  readonly inputs: AttentionInputs;
  readonly samples: number[];
  readonly error: number;
  readonly bound: number;
  spent: number;
}

interface TimingProblem {
  readonly inputs: AttentionInputs<Float32Array>;
  /** The output of its first rows, all keys, in float64. */
  readonly truth: Float64Array;
  /** How far each of those rows may be off, for a unit roundoff. */
  readonly bounds: (unit: number) => Float64Array;
}

function timingProblem(size: number, dim: number): TimingProblem {
  const { q, k, v } = makeProblem({ slices: 1, length: size, dim }, 1.2);
  const inputs = { q, k, v, batch: 1, heads: 1, queries: size, keys: size, headDim: dim };
  const rows = Math.min(size, sampledRows);
  const sample = { ...inputs, q: inputs.q.subarray(0, rows * dim), queries: rows };
  const plan = makePlan(sample, {});
  const truth = oracle.forwardSync!(plan, sample).output as Float64Array;
  const none = new Float64Array(truth.length);
  return { inputs, truth, bounds: (unit) => float32Bounds(plan, sample, none, unit).output };
}

/** The check, which also is the warm-up; undefined when it fails. */
async function prepare(runner: Runner, { inputs, truth, bounds }: TimingProblem): Promise<Turn | undefined> {
  const { output } = await runner.attention.forward(inputs);
  const sampled = output.subarray(0, truth.length) as Floats;
  const { error, bound } = nearestToBound(sampled, truth, bounds(unitOf(runner.attention)));
  if (!(error <= bound)) {
    Object.assign(runner, { passed: false, running: false, failure: { size: inputs.queries, error, bound } });
    return undefined;
  }
  return { runner, inputs, samples: [], error, bound, spent: 0 };
}

async function run(turn: Turn): Promise<void> {
  const start = performance.now();
  await turn.runner.attention.forward(turn.inputs);
  const elapsed = performance.now() - start;
  turn.samples.push(elapsed);
  turn.spent += elapsed;
}
