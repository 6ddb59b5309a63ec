/** The fast forms of the analyses against the reference: hops bit for bit, eigenvalues under the bound that both state. */

import { describe, expect, test } from "vitest";
import { hopGraph } from "../reference/attention-graph.js";
import { createRandom } from "../reference/random.js";
import { symmetricEigen } from "../reference/spectrum.js";
import { countHops } from "../src/analysis/hops.js";
import { symmetricEigenvalues } from "../src/analysis/symmetric-eigenvalues.js";

/** A matrix [N, N] with its rows summing to 1 where they have any weight. */
function rowNormalized(size: number, entry: (i: number, j: number) => number): Float64Array {
  const matrix = Float64Array.from({ length: size * size }, (_, p) => entry(Math.floor(p / size), p % size));
  for (let i = 0; i < size; i++) {
    const row = matrix.subarray(i * size, (i + 1) * size);
    const sum = row.reduce((a, b) => a + b, 0);
    if (sum > 0) row.set(row.map((x) => x / sum));
  }
  return matrix;
}

describe("countHops", () => {
  const { uniform, normal, integer } = createRandom(1);
  const kinds: [string, number, (i: number, j: number) => number][] = [
    ["two tokens", 2, () => 0.5],
    ["weights over 30 decades, so that detours pay", 40, () => Math.exp(20 * normal())],
    ["equal weights: all paths of one length tie", 17, () => 1],
    [
      "few weights of few values: ties, and pairs that no path joins",
      30,
      () => (uniform() < 0.07 ? integer(2) + 1 : 0),
    ],
    ["a line", 25, (i, j) => (Math.abs(i - j) === 1 ? 1 : 0)],
    ["groups apart, and a row of zeros", 24, (i, j) => (i === 5 || i % 3 !== j % 3 ? 0 : uniform())],
    ["weights whose reciprocal is no number", 6, (i, j) => (i === j ? 1 : j === 3 ? 1e-309 : uniform())],
    ["no weight at all", 4, () => 0],
  ];
  test.each(kinds)("%s: the hops of the reference", (_name, size, entry) => {
    const weights = rowNormalized(size, entry);
    const { hops, meanHops, maxHops, unreachable } = hopGraph(weights, size);
    const counts = new Array(maxHops + 1).fill(0);
    for (const count of hops) if (count > 0 && count < Number.POSITIVE_INFINITY) counts[count]++;
    expect(countHops(weights, size)).toEqual({ mean: meanHops, max: maxHops, unreachable, counts });
  });

  test("of equally long paths the one with the fewest edges", () => {
    // 0 → 2 costs 4 directly and over 1; 0 → 3 costs 6 over 2 alone and over 1 and 2.
    const weights = Float64Array.of(0, 1 / 2, 1 / 4, 0, 0, 0, 1 / 2, 0, 0, 0, 0, 1 / 2, 0, 0, 0, 0);
    expect(countHops(weights, 4).counts).toEqual([0, 4, 2]);
  });

  test("also where a length is so large that an edge more does not change it", () => {
    // 6 → 5 → 4 → 3 → 2 by edges of length 1, then 2 → 0 and 5 → 1 of 10²⁰ tie, and 1 → 0 of length 1 is lost in rounding.
    const size = 7;
    const weights = new Float64Array(size * size);
    const edges: [from: number, to: number, weight: number][] = [
      ...([6, 5, 4, 3] as const).map((i) => [i, i - 1, 1] as [number, number, number]),
      [2, 0, 1e-20],
      [5, 1, 1e-20],
      [1, 0, 1],
    ];
    for (const [from, to, weight] of edges) weights[from * size + to] = weight;
    const { hops, meanHops, maxHops } = hopGraph(weights, size);
    expect(hops[6 * size]).toBe(3);
    expect(countHops(weights, size)).toMatchObject({ mean: meanHops, max: maxHops });
  });
});

describe("symmetricEigenvalues", () => {
  const { uniform, normal } = createRandom(2);
  const kinds: [string, number, (i: number, j: number) => number][] = [
    ["one entry", 1, () => -3],
    ["two by two", 2, (i, j) => (i === j ? 1 : 2)],
    ["random signs", 60, () => normal()],
    ["positive, as of attention", 80, () => uniform()],
    ["graded over 40 decades", 30, (i, j) => normal() * 10 ** (-(i + j) * 0.7)],
    ["rows whose squares vanish", 12, (i, j) => (i === j ? 1 / (1 + (i % 4)) : 1e-170 * (1 + uniform()))],
    ["the identity", 20, (i, j) => Number(i === j)],
    ["zeros", 9, () => 0],
    ["rank one", 33, (i, j) => (1 + (i % 5)) * (1 + (j % 5))],
    ["blocks", 24, (i, j) => (i % 3 === j % 3 ? uniform() : 0)],
  ];
  test.each(kinds)("%s: those of the reference within 8 N ulp of the norm", (_name, size, entry) => {
    const matrix = new Float64Array(size * size);
    for (let i = 0; i < size; i++)
      for (let j = 0; j <= i; j++) matrix[i * size + j] = matrix[j * size + i] = entry(i, j);
    const wanted = symmetricEigen(matrix, size).values;
    const norm = Math.max(Math.abs(wanted[0]), Math.abs(wanted[size - 1]));
    const found = symmetricEigenvalues(matrix.slice(), size);
    // Each of the two is off by a few N ulp of the norm: N reflections and N rotations, a few roundings each.
    found.forEach((value, l) => {
      expect(Math.abs(value - wanted[l])).toBeLessThanOrEqual(8 * size * 2 ** -52 * norm);
    });
    expect(found).toHaveLength(size);
  });

  test("a path of N tokens has the eigenvalues 2 cos(πk/(N + 1)), and only the lower triangle is read", () => {
    const size = 50;
    const matrix = Float64Array.from({ length: size * size }, (_, p) => {
      const [i, j] = [Math.floor(p / size), p % size];
      return j > i ? Number.NaN : Number(i - j === 1);
    });
    symmetricEigenvalues(matrix, size).forEach((value, l) => {
      const wanted = 2 * Math.cos((Math.PI * (size - l)) / (size + 1));
      expect(Math.abs(value - wanted)).toBeLessThanOrEqual(8 * size * 2 ** -52 * 2);
    });
  });
});
