/** Medians, bootstrap intervals and geometric means. Samples are indexed by round; NaN marks a round that a row sat out. */

import type { Random } from "../../reference/random.js";

/** A value with the bounds of its 90 % bootstrap interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const resamples = 2000;

/** The median of the numbers that are not NaN; NaN when there are none. */
export function median(samples: readonly number[]): number {
  const sorted = samples.filter((x) => !Number.isNaN(x)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The geometric mean. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);
}

/** Round by round a / b, where both took part. */
export function ratios(a: readonly number[], b: readonly number[]): number[] {
  return a.map((x, round) => x / b[round]).filter((x) => !Number.isNaN(x));
}

function resampledMedian(samples: readonly number[], random: Random): number {
  return median(samples.map(() => samples[random.integer(samples.length)]));
}

function interval(value: number, draw: () => number): Estimate {
  const drawn = Array.from({ length: resamples }, draw).sort((a, b) => a - b);
  return { value, low: drawn[Math.floor(0.05 * resamples)], high: drawn[Math.ceil(0.95 * resamples) - 1] };
}

/** The median of samples (at least one, none NaN) and its interval. */
export function medianEstimate(samples: readonly number[], random: Random): Estimate {
  return interval(median(samples), () => resampledMedian(samples, random));
}

/** The ratio of the medians of two sets of samples that were not taken together, each resampled by itself. */
export function ratioEstimate(a: readonly number[], b: readonly number[], random: Random): Estimate {
  return interval(median(a) / median(b), () => resampledMedian(a, random) / resampledMedian(b, random));
}

/** The least sample that at least this share of the samples does not exceed; NaN when there are none. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The geometric mean of the medians of several sets of samples, each resampled by itself. */
export function geometricEstimate(sets: readonly (readonly number[])[], random: Random): Estimate {
  return interval(geometricMean(sets.map(median)), () =>
    geometricMean(sets.map((samples) => resampledMedian(samples, random))),
  );
}
