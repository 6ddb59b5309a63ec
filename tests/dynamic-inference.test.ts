/** Masks for dynamic inference (eq. section 16). */
import { expect, test } from "vitest";
import { attentionForward } from "../reference/attention.js";
import { euclideanDistances } from "../reference/distance.js";
import { bernoulliMask, maskedFraction } from "../reference/dynamic-inference.js";
import { thresholdMask } from "../reference/masks.js";
import { createRandom } from "../reference/random.js";

test("the ends: p = 0 masks nothing, p = 1 everything", () => {
  expect(maskedFraction(bernoulliMask(20, 30, 0, 1))).toBe(0);
  expect(maskedFraction(bernoulliMask(20, 30, 1, 1))).toBe(1);
  expect(bernoulliMask(20, 30, 1, 1).length).toBe(600);
  expect(maskedFraction(bernoulliMask(0, 3, 0.5, 1))).toBeNaN();
});

test.each([0.1, 0.3, 0.5, 0.9])("a share of p = %f is masked, in every row and column alike", (p) => {
  const [rows, columns] = [300, 200];
  const mask = bernoulliMask(rows, columns, p, 7);
  // Five standard deviations of a binomial share; the seed is fixed, so this is decided once and for all.
  const allowance = (n: number) => 5 * Math.sqrt((p * (1 - p)) / n);
  expect(Math.abs(maskedFraction(mask) - p)).toBeLessThanOrEqual(allowance(rows * columns));
  for (let i = 0; i < rows; i++) {
    const row = mask.subarray(i * columns, (i + 1) * columns);
    expect(Math.abs(maskedFraction(row) - p)).toBeLessThanOrEqual(allowance(columns));
  }
  for (let j = 0; j < columns; j++) {
    const column = mask.filter((_, position) => position % columns === j);
    expect(Math.abs(maskedFraction(column) - p)).toBeLessThanOrEqual(allowance(rows));
  }
});

test("the same seed gives the same mask, another one another", () => {
  expect(bernoulliMask(9, 9, 0.4, 3)).toEqual(bernoulliMask(9, 9, 0.4, 3));
  expect(bernoulliMask(9, 9, 0.4, 3)).not.toEqual(bernoulliMask(9, 9, 0.4, 4));
});

test("masks of one seed are nested", () => {
  const masks = Array.from({ length: 11 }, (_, step) => bernoulliMask(40, 40, step / 10, 5));
  for (let step = 1; step < masks.length; step++) {
    expect(masks[step - 1].every((m, p) => m <= masks[step][p])).toBe(true);
    expect(maskedFraction(masks[step])).toBeGreaterThan(maskedFraction(masks[step - 1]));
  }
});

test("a threshold masks the pairs at least that far apart, the threshold itself included", () => {
  const distances = Float64Array.of(0, 0.5, 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY);
  expect([...thresholdMask(distances, 1)]).toEqual([0, 0, 1, 1, 0, 1]);
  expect([...thresholdMask(distances, 0)]).toEqual([1, 1, 1, 1, 0, 1]);
  expect([...thresholdMask(distances.subarray(0, 4), Number.POSITIVE_INFINITY)]).toEqual([0, 0, 0, 0]);
  expect([...thresholdMask(new Float32Array([0, 2]), 1)]).toEqual([0, 1]);
});

test("as a mask or as the option of attention, a threshold is the same", () => {
  const { normal } = createRandom(11);
  const q = Float64Array.from({ length: 24 }, normal);
  const head = { q, k: q, v: q, queries: 8, keys: 8, headDim: 3 };
  const kappa = 2;
  const rescaled = euclideanDistances(q, q, 8, 8, 3).map((d) => d / kappa);
  const mask = thresholdMask(rescaled, 0.8);
  expect(maskedFraction(mask)).toBeGreaterThan(0.1);
  expect(maskedFraction(mask)).toBeLessThan(0.9);
  const byMask = attentionForward(head, { alpha: 1.5, kappa, mask });
  expect(byMask.output).toEqual(attentionForward(head, { alpha: 1.5, kappa, distanceThreshold: 0.8 }).output);
});

test.each<[string, () => unknown]>([
  ["probability: expected a number in [0, 1], got 1.1", () => bernoulliMask(1, 1, 1.1, 0)],
  ["probability: expected a number in [0, 1], got NaN", () => bernoulliMask(1, 1, Number.NaN, 0)],
  ["queries: expected an integer of at least 0, got -1", () => bernoulliMask(-1, 1, 0.5, 0)],
  ["seed: expected an integer in [0, 4294967295], got -1", () => bernoulliMask(1, 1, 0.5, -1)],
  ["threshold: expected a number, got NaN", () => thresholdMask(new Float64Array(2), Number.NaN)],
  ["mask: expected a Uint8Array, got an array of length 1", () => maskedFraction([1] as unknown as Uint8Array)],
])("%s", (message, call) => {
  expect(call).toThrow(message);
});
