/**
 * Two runs of `fna bench`, and whether the later one is slower.
 *
 * Compared is time times peak, t_i p_i for round i: how many operations of the multiply-add loop the machine could have done
 * instead, so that a slower clock or a busy hour is not taken for slower code. Both runs use the same loop. Devices that
 * are not a CPU are compared by their time.
 *
 * A run also shows its own noise: cut into blocks of consecutive rounds, the same code on the same machine gives medians
 * that differ. With ν the largest deviation of a block's median from that of its run, and [low, high] the 90 % bootstrap
 * interval of the ratio of the medians, the later run is
 *
 *   slower   if low  > 1 + ν_before + ν_now
 *   faster   if high < 1/(1 + ν_before + ν_now)
 *
 * and otherwise the same, as far as these two runs can tell.
 */

import { createRandom } from "../../reference/random.js";
import { sizeName } from "./problem.js";
import type { BenchGroup, BenchRow } from "./run.js";
import { type Estimate, median, ratioEstimate } from "./statistics.js";

/** A row of both runs. */
export interface Comparison extends Estimate {
  /** "wasm forward 8x512x64 alpha 1.2" */
  readonly what: string;
  /** ν_before + ν_now. */
  readonly noise: number;
  readonly verdict: "slower" | "faster" | "same";
}

/** Blocks that a run is cut into. */
const blocks = 6;

/** Compares the rows that both runs have. */
export function compareRuns(before: readonly BenchGroup[], now: readonly BenchGroup[], seed = 1): Comparison[] {
  const random = createRandom(seed);
  const earlier = new Map(rowsOf(before));
  return rowsOf(now).flatMap(([what, samples]) => {
    const old = earlier.get(what);
    if (old === undefined) return [];
    const ratio = ratioEstimate(samples, old, random);
    const noise = noiseOf(old) + noiseOf(samples);
    const verdict = ratio.low > 1 + noise ? "slower" : ratio.high < 1 / (1 + noise) ? "faster" : "same";
    return [{ what, ...ratio, noise, verdict }];
  });
}

/** Names of the rows that were timed and what is compared of them. */
export function rowsOf(groups: readonly BenchGroup[]): [what: string, samples: number[]][] {
  return groups.flatMap((group) =>
    group.rows
      .filter(({ samples }) => samples.some((time) => !Number.isNaN(time)))
      .map((row) => [nameOf(group, row), workOf(group, row)] as [string, number[]]),
  );
}

/** What a row is, for people and for finding it again. */
export function nameOf({ size, alpha, mask }: BenchGroup, { label, direction }: BenchRow): string {
  return `${label} ${direction} ${sizeName(size)} alpha ${alpha}${mask === "full" ? "" : ` ${mask}`}`;
}

function workOf({ peak }: BenchGroup, { samples, adapter }: BenchRow): number[] {
  const work = samples.map((time, round) => (adapter === undefined ? time * peak[round] : time));
  return work.filter((x) => !Number.isNaN(x));
}

/** The largest deviation of the median of a block from the median of all. */
export function noiseOf(samples: readonly number[]): number {
  const count = Math.min(blocks, samples.length);
  const whole = median(samples);
  let largest = 0;
  for (let b = 0; b < count; b++) {
    const from = Math.floor((b * samples.length) / count);
    const to = Math.floor(((b + 1) * samples.length) / count);
    const ratio = median(samples.slice(from, to)) / whole;
    largest = Math.max(largest, Math.max(ratio, 1 / ratio) - 1);
  }
  return largest;
}
