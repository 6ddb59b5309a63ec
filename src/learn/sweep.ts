/**
 * A grid of runs: every attention with every order it has, every width, every seed. Each is a run in a folder of its own
 * (`train.ts`), independent of the others and resumable, so a sweep can be spread over processes or machines that share a
 * folder.
 *
 *   sweep.json            what the grid is
 *   <job>/                the runs, e.g. fna-euclidean-a1.2-w64-s1
 *   results.json          what they came to, mean and spread over the seeds
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { integer, record, stabilityIndex } from "../../reference/check.js";
import { InvalidArgumentError } from "../errors.js";
import type { AttentionKind } from "../models/types.js";
import { readIfThere } from "./files.js";
import { mergeRuns, type RunConfig, type RunOptions, resolveRun, sameRun } from "./run-config.js";
import { type RunResult, resultFile } from "./train.js";

export const sweepFile = "sweep.json";
export const gatheredFile = "results.json";

/** The axes. Orders apply to the fractional attentions only. */
export interface Grid {
  readonly attention: readonly AttentionKind[];
  readonly alpha: readonly number[];
  readonly width: readonly number[];
  readonly seed: readonly number[];
}

/** A sweep: its axes, and everything that its runs have in common. */
export interface Sweep {
  readonly grid: Grid;
  readonly base: RunOptions;
}

/** One run of a sweep. */
export interface Job {
  /** Names the folder of the run. */
  readonly name: string;
  readonly run: RunConfig;
}

/**
 * The runs of a sweep: all of one seed before those of the next, so that a sweep that is cut short has whole comparisons.
 * @throws InvalidArgumentError for an empty axis or a value outside its domain
 */
export function sweepJobs({ grid, base }: Sweep): Job[] {
  record("grid", grid, ["attention", "alpha", "width", "seed"]);
  for (const [axis, values] of Object.entries(grid)) {
    if (!Array.isArray(values) || values.length === 0 || new Set(values).size < values.length) {
      throw new InvalidArgumentError(axis, "one or more values, each once", values);
    }
  }
  const jobs: Job[] = [];
  for (const seed of grid.seed) {
    for (const width of grid.width) {
      for (const attention of grid.attention) {
        const orders = attention.startsWith("fna") ? grid.alpha : [undefined];
        for (const alpha of orders) {
          const over = { model: { attention, width, ...(alpha !== undefined && { alpha }) }, training: { seed } };
          integer("width", width, 1, 2 ** 20);
          if (alpha !== undefined) stabilityIndex("alpha", alpha);
          const name = `${attention}${alpha === undefined ? "" : `-a${alpha}`}-w${width}-s${seed}`;
          jobs.push({ name, run: resolveRun(mergeRuns(base, over)) });
        }
      }
    }
  }
  return jobs;
}

/** Mean and sample standard deviation of a measure over seeds; no deviation for one seed. */
export interface Spread {
  readonly mean: number;
  readonly deviation: number | undefined;
}

/** Runs that differ in nothing but their seed. */
export interface SweepRow {
  readonly attention: AttentionKind;
  readonly alpha: number | undefined;
  readonly width: number;
  readonly seeds: readonly number[];
  readonly parameterCount: number;
  readonly accuracy: Spread;
  /** For two classes. */
  readonly auc: Spread | undefined;
  readonly loss: Spread;
  /** Mean wall time of training, in seconds: a measurement of the machine. */
  readonly trainingSeconds: number;
}

/** What a sweep has come to so far. */
export interface SweepResults {
  readonly sweep: Sweep;
  readonly rows: readonly SweepRow[];
  /** Names of runs that are not done. */
  readonly missing: readonly string[];
}

/** Reads the results of all runs that are done. Scores are those on the test part. */
export async function gatherSweep(folder: string, sweep: Sweep): Promise<SweepResults> {
  const groups = new Map<string, RunResult[]>();
  const missing: string[] = [];
  for (const { name, run } of sweepJobs(sweep)) {
    const bytes = await readIfThere(join(folder, name, resultFile));
    const result = bytes && (JSON.parse(bytes.toString()) as RunResult);
    if (result === undefined || !sameRun(result.run, run)) missing.push(name);
    else {
      const key = name.replace(/-s\d+$/, "");
      groups.set(key, [...(groups.get(key) ?? []), result]);
    }
  }
  return { sweep, rows: [...groups.values()].map(rowOf), missing };
}

function rowOf(results: readonly RunResult[]): SweepRow {
  const { run, parameterCount, test } = results[0];
  const { attention = "fna-euclidean", alpha, width } = run.model;
  return {
    attention,
    alpha,
    width,
    seeds: results.map((result) => result.run.training.seed),
    parameterCount,
    accuracy: spread(results.map((result) => result.test.accuracy)),
    auc: test.auc === undefined ? undefined : spread(results.map((result) => result.test.auc ?? Number.NaN)),
    loss: spread(results.map((result) => result.test.loss)),
    trainingSeconds: spread(results.map((result) => result.trainingSeconds)).mean,
  };
}

/** Mean and sample standard deviation. */
export function spread(values: readonly number[]): Spread {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  if (values.length < 2) return { mean, deviation: undefined };
  return { mean, deviation: Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1)) };
}

/**
 * The sweep of a folder, or undefined when there is none.
 * @throws InvalidArgumentError for a file that is no sweep
 */
export async function readSweep(folder: string): Promise<Sweep | undefined> {
  const path = join(folder, sweepFile);
  if ((await readIfThere(path)) === undefined) return undefined;
  let sweep: Sweep;
  try {
    sweep = JSON.parse(await readFile(path, "utf8")) as Sweep;
  } catch {
    throw new InvalidArgumentError(path, "a sweep as JSON", "something else");
  }
  record(path, sweep, ["grid", "base"]);
  sweepJobs(sweep);
  return sweep;
}
