/**
 * Times the devices of this package. Each is checked first: all of its numbers have to be within the bound of
 * `accuracy.ts`. Then every device and direction takes its turn in each round, beside a multiply-add loop, so that ratios
 * between devices, and shares of the peak, compare what one machine did at one time.
 *
 * Operations are counted as if nothing were computed twice: for each pair that the mask leaves, 2D for the distance and 2D
 * for the value (values have D components); the gradients compute the distance again and have four more products, 10D.
 */

import { createRandom, type Random } from "../../reference/random.js";
import type { Attention } from "../attention.js";
import { errorOverAllowed, makeOracle } from "./accuracy.js";
import { choosePeakLoops } from "./peak.js";
import {
  type Direction,
  type Mask,
  makeProblem,
  type Problem,
  type Results,
  type Size,
  unmaskedPairs,
  windowHalf,
} from "./problem.js";
import { type PeakLoop, peakLoops } from "./roofline.js";
import { type Entry, sampleInterleaved } from "./sampler.js";
import { median, quantile, ratios } from "./statistics.js";

/** A device, open, and how it is called in tables. */
export interface Target {
  /** "wasm", "wasm, 4 threads", "webgpu". */
  readonly label: string;
  readonly attention: Attention;
  /** Of the wasm device; elsewhere 1. */
  readonly threads: number;
  /** What runs a webgpu device, in words. */
  readonly adapter?: string;
}

/** One device on one task. */
export interface BenchRow {
  readonly label: string;
  readonly direction: Direction;
  readonly adapter?: string;
  /** Largest error over what the check allows; above 1, or NaN, is a failure and is not timed. */
  readonly error: number;
  /** Why it was not timed, if it was not. */
  readonly failed?: string;
  /** Milliseconds by round, the median of the calls of a turn; NaN where it sat out. */
  readonly samples: readonly number[];
  /** How many calls were timed; p50 and p99 are over all of them, in milliseconds. */
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
  /** Pairs that the mask leaves, 10⁹ operations, both a second, from p50. */
  readonly pairsPerSecond: number;
  readonly gflops: number;
  /** Median over the rounds of the share of the peak of its threads; undefined where the CPU's peak says nothing. */
  readonly share?: number;
}

/** All rows of one size, order and mask. */
export interface BenchGroup {
  readonly size: Size;
  readonly alpha: number;
  readonly mask: Mask;
  /** 10⁹ operations a second of the loop on one thread, by round. */
  readonly peak: readonly number[];
  /** Processor time over time while sampling; of one thread clearly below 1 when others took the machine. */
  readonly processorShare: number;
  readonly rows: readonly BenchRow[];
}

/** What to run. */
export interface BenchOptions {
  readonly sizes: readonly Size[];
  readonly alphas: readonly number[];
  readonly mask: Mask;
  readonly directions: readonly Direction[];
  readonly rounds: number;
  readonly seed: number;
  /** Name of the loop that shares are of; the fastest plain one unless given. */
  readonly loop?: string;
}

/** A slow row takes part in fewer rounds, so that it is done within this time, but not in fewer than five. */
const mostMilliseconds = 20_000;
const fewestRounds = 5;

/**
 * Runs everything.
 * @param onProgress told what is done, how much there is, and what comes next
 * @returns the groups and the name of the loop
 */
export async function runBench(
  targets: readonly Target[],
  { sizes, alphas, mask, directions, rounds, seed, loop: wanted }: BenchOptions,
  onProgress: (done: number, total: number, label: string) => void = () => {},
): Promise<{ groups: BenchGroup[]; loop: string }> {
  const random = createRandom(seed);
  const plain = peakLoops().filter(({ relaxed }) => !relaxed);
  const loop = plain.find(({ name }) => name === wanted) ?? (await choosePeakLoops(random, () => {}, plain)).chosen[0];
  const settings = alphas.flatMap((alpha) => sizes.map((size) => ({ ...size, alpha, mask })));
  const each = rounds + directions.length * (targets.length + 1);
  const groups: BenchGroup[] = [];
  for (const setting of settings) {
    const problem = makeProblem(setting, setting.alpha, mask, seed);
    let done = groups.length * each;
    const step = (label: string) => onProgress(done++, settings.length * each, label);
    groups.push(await runGroup(targets, problem, directions, rounds, loop, random, step));
  }
  return { groups, loop: loop.name };
}

type Checked = Pick<BenchRow, "label" | "direction" | "adapter" | "error" | "failed"> & {
  readonly target: Target;
  readonly milliseconds: number;
};

async function runGroup(
  targets: readonly Target[],
  problem: Problem,
  directions: readonly Direction[],
  rounds: number,
  loop: PeakLoop,
  random: Random,
  step: (label: string) => void,
): Promise<BenchGroup> {
  const checked: Checked[] = [];
  for (const direction of directions) {
    step("the same in float64");
    // Lets a progress bar draw.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const oracle = makeOracle(problem, direction);
    for (const target of targets) {
      step(`checking ${target.label}`);
      // The first call compiles.
      await call(target, problem, direction);
      const start = performance.now();
      const results = await call(target, problem, direction);
      const milliseconds = performance.now() - start;
      const error = errorOverAllowed(results, oracle);
      const failed = error <= 1 ? undefined : `error is ${error.toPrecision(3)} times what is allowed`;
      const { label, adapter } = target;
      checked.push({ label, direction, adapter, error, failed, target, milliseconds });
    }
  }
  const calls = new Map<Checked, number[]>();
  const entries: Entry[] = [{ id: "peak", run: loop.run, milliseconds: 0, rounds }];
  for (const row of checked) {
    if (row.failed !== undefined) continue;
    const { target, direction, milliseconds } = row;
    const times: number[] = [];
    calls.set(row, times);
    entries.push({
      id: `${row.label}/${direction}`,
      run: () => call(target, problem, direction),
      milliseconds,
      rounds: Math.max(Math.min(rounds, fewestRounds), Math.min(rounds, Math.floor(mostMilliseconds / milliseconds))),
      onCall: (time) => times.push(time),
    });
  }
  const [start, used] = [performance.now(), process.cpuUsage()];
  const samples = await sampleInterleaved(entries, rounds, random, (done) => step(`round ${done} of ${rounds}`));
  const { user, system } = process.cpuUsage(used);
  const processorShare = (user + system) / 1000 / (performance.now() - start);
  const peak = samples.get("peak")!.map((time) => loop.operations / time / 1e6);
  const pairs = unmaskedPairs(problem);
  const rows = checked.map(({ target, milliseconds: _, ...row }, index): BenchRow => {
    const times = calls.get(checked[index]) ?? [];
    const bySample = samples.get(`${row.label}/${row.direction}`) ?? [];
    const operations = pairs * problem.dim * (row.direction === "forward" ? 4 : 14);
    const p50 = quantile(times, 0.5);
    const speeds = bySample.map((time) => operations / time / 1e6);
    const share = median(ratios(speeds, peak)) / target.threads;
    return {
      ...row,
      samples: bySample,
      calls: times.length,
      p50,
      p99: quantile(times, 0.99),
      pairsPerSecond: (pairs / p50) * 1000,
      gflops: operations / p50 / 1e6,
      ...(target.attention.device === "wasm" && times.length > 0 && { share }),
    };
  });
  const { slices, length, dim, alpha, mask } = problem;
  return { size: { slices, length, dim }, alpha, mask, peak, processorShare, rows };
}

/** One call, or two for both passes: arrays in, arrays out. */
async function call({ attention }: Target, problem: Problem, direction: Direction): Promise<Results> {
  const { slices, length, dim, q, k, v, dOutput, alpha, mask } = problem;
  const inputs = { q, k, v, batch: 1, heads: slices, queries: length, keys: length, headDim: dim };
  const masks = { full: {}, causal: { causal: true }, window: { window: windowHalf } };
  const options = { alpha, ...masks[mask] };
  const forward = await attention.forward(inputs, options);
  if (direction === "forward") return forward;
  const saved = { ...forward, dOutput: attention.device === "reference" ? Float64Array.from(dOutput) : dOutput };
  return { ...forward, ...(await attention.backward(inputs, options, saved)) };
}
