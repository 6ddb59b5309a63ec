/**
 * The bars: what the speed has to be, beside what it is. A ratio is formed within a round; its median over the rounds is
 * held against the bar, with a bootstrap interval beside it. Of a library's formulations the faster one at that size counts.
 */

import type { Random } from "../../reference/random.js";
import { type Mask, sizeName } from "../../src/bench/problem.js";
import {
  type Estimate,
  geometricEstimate,
  geometricMean,
  median,
  medianEstimate,
  ratios,
} from "../../src/bench/statistics.js";
import type { Direction } from "./contestants/contestant.js";
import { ourName } from "./contestants/ours.js";
import { backwardSizes } from "./sizes.js";
import type { Group, Row } from "./suite.js";

/** One bar and what was measured. */
export interface Bar extends Estimate {
  /** "forward, onnxruntime-web / ours" */
  readonly what: string;
  /** A size, or "geometric mean". */
  readonly where: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** What is hoped for beyond the bar, or without one. */
  readonly aim?: number;
  /** Undefined where there is an aim alone. */
  readonly met?: boolean;
  /** Where a bar against a peer is missed: the share of the plain peak that we would have to reach. */
  readonly needs?: number;
}

type Limit = Pick<Bar, "atLeast" | "atMost" | "aim">;

/** Peers, forward at α = 1.2: what each size and what the geometric mean has to reach. */
const peers: readonly { family: string; each: Limit; mean?: Limit }[] = [
  { family: "onnxruntime-web", each: { atLeast: 2.2 }, mean: { atLeast: 3.2, aim: 4 } },
  { family: "jax-js", each: { atLeast: 3.5 }, mean: { atLeast: 6 } },
  { family: "tfjs", each: { atLeast: 8 } },
  { family: "onnxruntime-node", each: { aim: 1 }, mean: { atLeast: 1 } },
];

/** Share of the plain peak by D. */
const shares: Readonly<Record<number, number>> = { 64: 0.55, 32: 0.45, 8: 0.27 };

/** Two threads pay from here on: pairs times D of (8, 1024, 32). */
const threadsFrom = 8 * 1024 * 1024 * 32;

/** 4 N² D of a size: a multiplication and an addition for each component of a distance and of a value. */
export function operations({ size }: Group): number {
  return 4 * size.slices * size.length ** 2 * size.dim;
}

/** Share of the peak round by round; `peak` in 10⁹ operations a second. */
export function sharesOf(group: Group, row: Row, peak: readonly number[]): number[] {
  return row.samples.map((time, round) => operations(group) / time / 1e6 / peak[round]).filter((x) => !Number.isNaN(x));
}

/** The timed row of a contestant. */
export function findRow(group: Group, contestant: string, direction: Direction = "forward", mask: Mask = "full") {
  return timed(group).find((row) => row.contestant === contestant && row.direction === direction && row.mask === mask);
}

function timed(group: Group): Row[] {
  return group.rows.filter((row) => row.failed === undefined && row.samples.length > 0);
}

/** Ratios to ours of a library's formulation whose median is the least: of its rows the one that is best for the library. */
function bestRatios(group: Group, family: string, subject: string, direction: Direction): number[] | undefined {
  const ours = findRow(group, subject, direction);
  if (ours === undefined) return undefined;
  return timed(group)
    .filter((row) => row.family === family && row.direction === direction && row.mask === "full")
    .map((row) => ratios(row.samples, ours.samples))
    .sort((a, b) => median(a) - median(b))[0];
}

function judge(what: string, where: string, estimate: Estimate, limit: Limit): Bar {
  const { atLeast, atMost } = limit;
  const bar = { what, where, ...estimate, ...limit };
  if (atLeast !== undefined) return { ...bar, met: estimate.value >= atLeast };
  return atMost === undefined ? bar : { ...bar, met: estimate.value <= atMost };
}

/** A ratio grows in proportion to our share of the peak, the peer's time being what it is. */
function withNeeds(bar: Bar, share: number): Bar {
  if (bar.met !== false || bar.atLeast === undefined || !Number.isFinite(share)) return bar;
  return { ...bar, needs: (share * bar.atLeast) / bar.value };
}

/** All bars that the groups have rows for. `subject` is the contestant that they are about. */
export function judgeBars(groups: readonly Group[], random: Random, subject = ourName): Bar[] {
  const multiscale = groups.filter(({ alpha }) => alpha === 1.2);
  const bars: Bar[] = [];
  /** One bar a group in which `ratio` finds what it needs; the sets of ratios. */
  function each(
    what: string,
    ratio: (group: Group) => number[] | undefined,
    limit: (group: Group) => Limit | undefined,
  ) {
    const sets: number[][] = [];
    for (const group of multiscale) {
      const wanted = limit(group);
      const found = wanted && ratio(group);
      if (!wanted || !found?.length) continue;
      sets.push(found);
      bars.push(judge(what, sizeName(group.size), medianEstimate(found, random), wanted));
    }
    return sets;
  }
  /** Our share of the plain peak at a size; for the mean, the mean of the shares at all sizes. */
  function shareOf(where: string): number {
    const found = multiscale.filter(({ size }) => where === "geometric mean" || sizeName(size) === where);
    const ours = found.map((group) => {
      const row = findRow(group, subject);
      return row ? median(sharesOf(group, row, group.peak.plain)) : Number.NaN;
    });
    return geometricMean(ours);
  }
  for (const { family, each: limit, mean } of peers) {
    const what = `forward: ${family} / ${subject}`;
    const first = bars.length;
    const sets = each(
      what,
      (group) => bestRatios(group, family, subject, "forward"),
      () => limit,
    );
    if (sets.length > 0) bars.push(judge(what, "geometric mean", geometricEstimate(sets, random), mean ?? {}));
    for (let at = first; at < bars.length; at++) bars[at] = withNeeds(bars[at], shareOf(bars[at].where));
  }
  each(
    `forward: share of the multiply-add peak, ${subject}`,
    (group) => {
      const ours = findRow(group, subject);
      return ours && sharesOf(group, ours, group.peak.plain);
    },
    ({ size }) => ({ atLeast: shares[size.dim] }),
  );
  each(
    `forward: ${subject} / relaxed`,
    (group) => {
      const [plain, relaxed] = [findRow(group, subject), findRow(group, "ours, relaxed")];
      return plain && relaxed && ratios(plain.samples, relaxed.samples);
    },
    ({ size }) => (size.dim === 64 ? { atLeast: 1.1 } : undefined),
  );
  each(
    `forward + backward / forward, ${subject}`,
    (group) => {
      const [both, forward] = [findRow(group, subject, "forward+backward"), findRow(group, subject)];
      return both && forward && ratios(both.samples, forward.samples);
    },
    () => ({ atMost: 3.6 }),
  );
  each(
    `forward + backward: jax-js / ${subject}`,
    (group) => bestRatios(group, "jax-js", subject, "forward+backward"),
    ({ size }) => (backwardSizes.includes(sizeName(size)) ? { atLeast: 3.5 } : undefined),
  );
  each(
    `forward: ${subject} / two threads`,
    (group) => {
      const [one, two] = [findRow(group, subject), findRow(group, "ours, 2 threads")];
      return one && two && ratios(one.samples, two.samples);
    },
    (group) => (operations(group) / 4 >= threadsFrom ? { atLeast: 1.7 } : undefined),
  );
  for (const [mask, limit] of [
    ["causal", () => ({ atMost: 0.6 })],
    ["window", ({ size }: Group) => (size.length === 4096 ? { atMost: 0.08 } : undefined)],
  ] as const) {
    each(
      `forward: ${mask} / full, ${subject}`,
      (group) => {
        const [masked, full] = [findRow(group, subject, "forward", mask), findRow(group, subject)];
        return masked && full && ratios(masked.samples, full.samples);
      },
      limit,
    );
  }
  return bars;
}
