/**
 * What is run. One group is one size and one α: all rows of a group are sampled in the same rounds, so that any two of
 * them can be compared. A row is a contestant on a task; it is checked for accuracy once, then timed.
 */

import type { Random } from "../../reference/random.js";
import { errorOverAllowed, makeOracle, type Oracle } from "../../src/bench/accuracy.js";
import { type Mask, makeProblem, type Size, sizeName } from "../../src/bench/problem.js";
import type { PeakLoop } from "../../src/bench/roofline.js";
import { type Clock, type Entry, sampleInterleaved } from "../../src/bench/sampler.js";
import type { Contestant, Direction, Results, Session } from "./contestants/contestant.js";
import { ourName } from "./contestants/ours.js";
import { backwardSizes } from "./sizes.js";

/** A contestant on a task. */
export interface Row {
  readonly contestant: string;
  readonly family: string;
  readonly mask: Mask;
  readonly direction: Direction;
  /** Largest error over what the check allows; above 1 or NaN fails. */
  readonly error: number;
  /** Why it was not timed, if it was not. */
  readonly failed?: string;
  /** Milliseconds by round, NaN where it sat out; empty when it was not timed. */
  readonly samples: readonly number[];
  /** Whether the output has the same bits as that of the first of its family. */
  readonly sameBits?: boolean;
}

/** All rows of one size and one α. */
export interface Group {
  readonly size: Size;
  readonly alpha: number;
  readonly rows: readonly Row[];
  /** Of the fastest loop, 10⁹ operations a second, by round. */
  readonly peak: { readonly plain: readonly number[]; readonly relaxed: readonly number[] };
  /** Processor time over time while sampling: clearly below 1 when others took the machine. */
  readonly processorShare: number;
}

/** How to run a group. */
export interface GroupOptions {
  readonly rounds: number;
  readonly contestants: readonly Contestant[];
  /** The fastest plain loop and the fastest relaxed one. */
  readonly loops: readonly PeakLoop[];
  readonly random: Random;
  readonly clock?: Clock;
  say(message: string): void;
}

/** A row that no bar is about takes part in few rounds when it is slow: as many as this time allows, within bounds. */
const slowMilliseconds = 250;
const slowBudget = 10_000;
const [fewestRounds, slowRounds] = [2, 5];

function roundsOf({ barred, milliseconds }: Prepared, alpha: number, rounds: number): number {
  if (alpha !== 2 && (barred || milliseconds <= slowMilliseconds)) return rounds;
  const affordable = Math.floor(slowBudget / milliseconds);
  return Math.min(rounds, slowRounds, Math.max(fewestRounds, affordable));
}

/** Rows that bars are about take part in every round. */
function hasBar({ contestant, direction }: Task, size: Size): boolean {
  const { family, name } = contestant;
  if (family === ourName) return true;
  if (!name.endsWith("softmax of log")) return false;
  if (direction === "forward") return ["onnxruntime-web", "onnxruntime-node", "jax-js", "tfjs"].includes(family);
  return family === "jax-js" && backwardSizes.includes(sizeName(size));
}

const directions: readonly Direction[] = ["forward", "forward+backward"];

interface Task {
  readonly contestant: Contestant;
  readonly mask: Mask;
  readonly direction: Direction;
}

/** Forward for all; both passes for those who have gradients; the masks for us. At α = 2 forward alone, without a bar. */
function tasksOf(contestants: readonly Contestant[], alpha: number): Task[] {
  const tasks: Task[] = [];
  for (const direction of alpha === 2 ? directions.slice(0, 1) : directions) {
    for (const contestant of contestants) tasks.push({ contestant, mask: "full", direction });
  }
  if (alpha === 2) return tasks;
  for (const mask of ["causal", "window"] as const) {
    for (const contestant of contestants) {
      if (contestant.name === ourName) tasks.push({ contestant, mask, direction: "forward" });
    }
  }
  return tasks;
}

interface Prepared extends Row {
  readonly id: string;
  readonly session?: Session;
  /** Of the run that was checked. */
  readonly milliseconds: number;
  readonly barred: boolean;
}

const longMilliseconds = 4000;

/** Opens, runs and checks. What goes wrong in here is the contestant's, and is reported as such. */
async function prepare(task: Task, size: Size, alpha: number, oracle: Oracle, first?: Results) {
  const { contestant, mask, direction } = task;
  const label = { contestant: contestant.name, family: contestant.family, mask, direction, samples: [] };
  const row = { ...label, id: `${contestant.name}/${mask}/${direction}`, barred: hasBar(task, size) };
  let session: Session | undefined;
  try {
    session = await contestant.open(makeProblem(size, alpha, mask), direction);
    let results: Results = {};
    let milliseconds = 0;
    // The first run compiles; where that is a small part of it, it will do.
    for (let run = 0; run < 2 && milliseconds < longMilliseconds; run++) {
      const start = performance.now();
      results = await session.run();
      milliseconds = performance.now() - start;
    }
    const error = errorOverAllowed(results, oracle);
    const sameBits = first?.output && results.output ? sameNumbers(first.output, results.output) : undefined;
    if (error <= 1) return { results, prepared: { ...row, session, error, milliseconds, sameBits } };
    await session.close();
    const failed = `error is ${error.toPrecision(3)} times what is allowed`;
    return { results, prepared: { ...row, error, milliseconds, failed } };
  } catch (error) {
    await session?.close();
    const failed = `${error instanceof Error ? error.message : error}`.split("\n")[0];
    return { results: undefined, prepared: { ...row, error: Number.NaN, milliseconds: 0, failed } };
  }
}

function sameNumbers(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/** Checks and times everyone on one size and one α. */
export async function runGroup(size: Size, alpha: number, options: GroupOptions): Promise<Group> {
  const { rounds, contestants, loops, random, say } = options;
  const oracles = new Map<string, Oracle>();
  const firsts = new Map<string, Results | undefined>();
  const prepared: Prepared[] = [];
  for (const task of tasksOf(contestants, alpha)) {
    const { contestant, mask, direction } = task;
    if (contestant.refuses({ ...size, alpha, mask }, direction) !== undefined) continue;
    say(`checking ${contestant.name}`);
    const key = `${mask}/${direction}`;
    if (!oracles.has(key)) oracles.set(key, makeOracle(makeProblem(size, alpha, mask), direction));
    const family = `${key}/${contestant.family}`;
    const outcome = await prepare(task, size, alpha, oracles.get(key)!, firsts.get(family));
    if (!firsts.has(family)) firsts.set(family, outcome.results);
    prepared.push(outcome.prepared);
  }
  oracles.clear();
  firsts.clear();
  const entries: Entry[] = [];
  for (const row of prepared) {
    const { id, session, milliseconds } = row;
    if (!session) continue;
    entries.push({ id, run: () => session.run(), milliseconds, rounds: roundsOf(row, alpha, rounds) });
  }
  for (const loop of loops) entries.push({ id: loop.name, run: loop.run, milliseconds: 0, rounds });
  const [start, used] = [performance.now(), process.cpuUsage()];
  const samples = await sampleInterleaved(
    entries,
    alpha === 2 ? Math.min(rounds, slowRounds) : rounds,
    random,
    (done) => say(`round ${done}`),
    options.clock,
  );
  const { user, system } = process.cpuUsage(used);
  const processorShare = (user + system) / 1000 / (performance.now() - start);
  for (const { session } of prepared) await session?.close();
  const peakOf = (relaxed: boolean) => {
    const loop = loops.find((candidate) => candidate.relaxed === relaxed);
    return loop ? (samples.get(loop.name) ?? []).map((time) => loop.operations / time / 1e6) : [];
  };
  const rows = prepared.map(({ id, session, barred, milliseconds, ...row }) => ({
    ...row,
    samples: samples.get(id) ?? [],
  }));
  return { size, alpha, rows, peak: { plain: peakOf(false), relaxed: peakOf(true) }, processorShare };
}
