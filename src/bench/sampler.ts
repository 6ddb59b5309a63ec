/**
 * Interleaved sampling. Every round runs every entry once, in an order shuffled anew, so that what disturbs the machine
 * for a while disturbs all entries of that round, and ratios within a round hold. One round is one run of tinybench with
 * one iteration a task: it calls the hooks, times and keeps the sample. Its own statistics describe a task by itself and
 * are not used; those over rounds are in `statistics.ts`.
 *
 * An entry that is over in a blink runs several times in a row in its turn; the sample is the median of these. Before
 * each turn garbage is collected, outside of the time, so that nobody pays for what another left.
 */

import { Bench } from "tinybench";
import type { Random } from "../../reference/random.js";
import { median } from "./statistics.js";

/** Something to time. */
export interface Entry {
  readonly id: string;
  /** Runs once. */
  run(): unknown;
  /** About how long that takes. */
  readonly milliseconds: number;
  /** Takes part in this many rounds at most. */
  readonly rounds: number;
  /** Told the milliseconds of every call that is part of a sample. */
  readonly onCall?: (milliseconds: number) => void;
}

/** A turn lasts about this long, or one run. */
const turnMilliseconds = 20;
const mostRepeats = 15;

/** Milliseconds from some moment on. */
export type Clock = () => number;

/** What passes on the wall. */
export const wallClock: Clock = () => performance.now();

/** What all threads of this process have spent on a processor: hardly disturbed by others, but blind to parallelism. */
export const processorClock: Clock = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/**
 * Milliseconds a round of each entry by id, by `clock`; NaN where it sat out. `onRound` is told how many rounds are done.
 */
export async function sampleInterleaved(
  entries: readonly Entry[],
  rounds: number,
  random: Random,
  onRound: (done: number) => void,
  clock = wallClock,
): Promise<Map<string, number[]>> {
  const samples = new Map(entries.map(({ id }) => [id, [] as number[]]));
  const repeats = new Map<string, number>();
  for (const entry of entries) repeats.set(entry.id, await chooseRepeats(entry, clock));
  for (let round = 0; round < rounds; round++) {
    // Those who take part in few rounds take part in rounds spread over the whole.
    const taking = entries.filter((entry) => takesPart(round, rounds, entry.rounds));
    const bench = new Bench({ iterations: 1, time: 0, warmup: false, retainSamples: true, throws: true });
    for (const entry of shuffled(taking, random)) {
      const turn = () => runTurn(entry, repeats.get(entry.id) ?? 1, clock, true);
      bench.add(entry.id, turn, { async: true, beforeEach: collectGarbage });
    }
    await bench.run();
    for (const { id } of entries) {
      const result = bench.getTask(id)?.result;
      samples.get(id)?.push(result?.state === "completed" ? result.latency.mean : Number.NaN);
    }
    onRound(round + 1);
  }
  return samples;
}

function collectGarbage(): void {
  globalThis.gc?.();
}

function takesPart(round: number, rounds: number, most: number): boolean {
  if (most >= rounds) return true;
  return Math.floor(((round + 1) * most) / rounds) > Math.floor((round * most) / rounds);
}

async function runTurn(
  entry: Entry,
  repeats: number,
  clock: Clock,
  counts = false,
): Promise<{ overriddenDuration: number }> {
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = clock();
    await entry.run();
    times.push(clock() - start);
  }
  if (counts) for (const time of times) entry.onCall?.(time);
  return { overriddenDuration: median(times) };
}

/** Short entries run a few times first, which lets the engine finish compiling, and are measured again. */
async function chooseRepeats(entry: Entry, clock: Clock): Promise<number> {
  if (entry.milliseconds > 2 * turnMilliseconds) return 1;
  await runTurn(entry, 2, clock);
  const { overriddenDuration } = await runTurn(entry, 3, clock);
  return Math.min(mostRepeats, Math.ceil(turnMilliseconds / overriddenDuration));
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
