/** Theory of the attention graph: hops, ties, missing edges, most likely paths (eq. section 14). */
import { describe, expect, test } from "vitest";
import { hopGraph, mostLikelyPath, shortestPath, shortestPaths } from "../reference/attention-graph.js";
import { createRandom } from "../reference/random.js";

const none = Number.POSITIVE_INFINITY;

/**
 * The same question by Floyd and Warshall's recursion on pairs (length, hops), an algorithm that has nothing in common
 * with the one under test. Lengths must be dyadic numbers, so that sums are exact in any order and ties are true ties.
 */
function floydWarshall(lengths: Float64Array, size: number): { length: Float64Array; hops: Float64Array } {
  const length = lengths.slice();
  const hops = lengths.map((x) => (x === none ? none : 1));
  for (let i = 0; i < size; i++) {
    length[i * size + i] = 0;
    hops[i * size + i] = 0;
  }
  for (let k = 0; k < size; k++) {
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        const through = length[i * size + k] + length[k * size + j];
        const count = hops[i * size + k] + hops[k * size + j];
        const here = i * size + j;
        if (through < length[here] || (through === length[here] && count < hops[here])) {
          length[here] = through;
          hops[here] = count;
        }
      }
    }
  }
  return { length, hops };
}

describe("hops", () => {
  test("a detour of two strong edges beats one weak edge", () => {
    // 0 → 2 directly costs 10, by way of 1 it costs 2 + 2; back, 2 → 0 directly costs 2.
    const a = Float64Array.of(0.4, 0.5, 0.1, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25);
    const { hops, length, meanHops, maxHops, unreachable } = hopGraph(a, 3);
    expect([...hops]).toEqual([0, 1, 2, 1, 0, 1, 1, 1, 0]);
    expect([...length]).toEqual([0, 2, 4, 4, 0, 2, 2, 4, 0]);
    expect([meanHops, maxHops, unreachable]).toEqual([7 / 6, 2, 0]);
  });

  test("of equally cheap paths the one with the fewest edges counts, wherever it is found", () => {
    // 0 → 2 directly costs 4, by way of 1 it costs 2 + 2. The same with the roles of the tokens exchanged.
    const a = Float64Array.of(0.25, 0.5, 0.25, 0, 0.5, 0.5, 0, 0, 1);
    expect(hopGraph(a, 3).hops[2]).toBe(1);
    for (const order of [
      [0, 1, 2],
      [1, 2, 0],
      [2, 1, 0],
      [1, 0, 2],
    ]) {
      const b = new Float64Array(9);
      for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) b[order[i] * 3 + order[j]] = a[i * 3 + j];
      expect(hopGraph(b, 3).hops[order[0] * 3 + order[2]]).toBe(1);
    }
    // Four edges of length 1 against two of length 2: the tie is decided half-way as well.
    const lengths = new Float64Array(25).fill(none);
    for (const [i, j, x] of [
      [0, 1, 1],
      [1, 2, 1],
      [0, 2, 2],
      [2, 3, 1],
      [3, 4, 1],
      [2, 4, 2],
    ]) {
      lengths[i * 5 + j] = x;
    }
    expect(shortestPath(lengths, 5, 0, 4)).toEqual({ length: 4, path: [0, 2, 4] });
  });

  test("a zero weight is no edge", () => {
    // 0 → 1 → 2, nothing back: 2 and 1 are dead ends.
    const a = Float64Array.of(0.5, 0.5, 0, 0, 0.5, 0.5, 0, 0, 1);
    const { hops, length, meanHops, maxHops, unreachable } = hopGraph(a, 3);
    expect([...hops]).toEqual([0, 1, 2, none, 0, 1, none, none, 0]);
    expect([...length]).toEqual([0, 2, 4, none, 0, 2, none, none, 0]);
    expect([meanHops, maxHops, unreachable]).toEqual([4 / 3, 2, 3]);
    // Nor is a weight whose reciprocal overflows.
    expect(hopGraph(Float64Array.of(1, 1e-310, 0.5, 0.5), 2).hops[1]).toBe(none);
  });

  test("the diagonal is not looked at", () => {
    const a = Float64Array.of(0.9, 0.1, 0.1, 0.9);
    expect([...hopGraph(a, 2).length]).toEqual([0, 10, 10, 0]);
  });

  test("uniform attention joins everything in one hop; no edges at all join nothing", () => {
    expect(hopGraph(new Float64Array(49).fill(1 / 7), 7).meanHops).toBe(1);
    const alone = hopGraph(Float64Array.of(1, 0, 0, 1), 2);
    expect([alone.meanHops, alone.maxHops, alone.unreachable]).toEqual([Number.NaN, 0, 2]);
    expect(hopGraph(Float64Array.of(1), 1).meanHops).toBeNaN();
  });

  test.each([1, 2, 3, 4, 5])("random graphs full of ties agree with Floyd and Warshall, seed %i", (seed) => {
    const size = 12;
    const { integer } = createRandom(seed);
    // Weights 1, 1/2, 1/4, 1/8 and 0: lengths 1, 2, 4, 8 and none.
    const weights = Float64Array.from({ length: size * size }, () => [0, 0, 0, 0.125, 0.125, 0.25, 0.5, 1][integer(8)]);
    const expected = floydWarshall(
      weights.map((w) => 1 / w),
      size,
    );
    const { hops, length, unreachable } = hopGraph(weights, size);
    expect([...length]).toEqual([...expected.length]);
    expect([...hops]).toEqual([...expected.hops]);
    expect(unreachable).toBe(expected.hops.filter((h) => h === none).length);
  });

  test("the path that is given has the length and the hops that are reported", () => {
    const size = 15;
    const { uniform } = createRandom(6);
    const lengths = Float64Array.from({ length: size * size }, () => (uniform() < 0.7 ? none : uniform()));
    const { length, hops, previous } = shortestPaths(lengths, size, 3);
    expect(previous[3]).toBe(-1);
    for (let end = 0; end < size; end++) {
      const found = shortestPath(lengths, size, 3, end);
      expect(found.length).toBe(length[end]);
      if (length[end] === none) {
        expect(found.path).toEqual([]);
        continue;
      }
      expect(found.path.length - 1).toBe(hops[end]);
      expect([found.path[0], found.path.at(-1)]).toEqual([3, end]);
      // Added in the order of the path, as the search did: the same to the last bit.
      let sum = 0;
      for (let s = 1; s < found.path.length; s++) sum += lengths[found.path[s - 1] * size + found.path[s]];
      expect(sum).toBe(length[end]);
    }
  });

  test.each([1, 2, 3, 4, 5])("also with edges of length 0, seed %i", (seed) => {
    const size = 12;
    const { integer } = createRandom(seed);
    const lengths = Float64Array.from({ length: size * size }, () => [0, 0, 1, 2, none, none, none, none][integer(8)]);
    const expected = floydWarshall(lengths, size);
    for (let source = 0; source < size; source++) {
      const { length, hops } = shortestPaths(lengths, size, source);
      expect([...length]).toEqual([...expected.length.subarray(source * size, (source + 1) * size)]);
      expect([...hops]).toEqual([...expected.hops.subarray(source * size, (source + 1) * size)]);
    }
  });

  test("edges of length 0 are edges", () => {
    const lengths = Float64Array.of(none, 0, 0, none, none, 0, none, none, none);
    expect(shortestPath(lengths, 3, 0, 2)).toEqual({ length: 0, path: [0, 2] });
  });
});

describe("most likely path", () => {
  test("the largest product of weights", () => {
    // 0 → 1 → 2 has 0.6 · 0.7 = 0.42 against 0.4 directly.
    const a = Float64Array.of(0, 0.6, 0.4, 0.3, 0, 0.7, 0.5, 0.5, 0);
    const { path, probability, length } = mostLikelyPath(a, 3, 0, 2);
    expect(path).toEqual([0, 1, 2]);
    // Two logarithms, their sum and an exponential: a handful of half ulp.
    expect(Math.abs(probability / 0.42 - 1)).toBeLessThanOrEqual(2 ** -50);
    expect(Math.abs(length + Math.log(0.42))).toBeLessThanOrEqual(2 ** -51);
  });

  test("it may be another path than the cheapest one by 1/A", () => {
    // Products: 0.9 · 0.9 = 0.81 against 0.5. Reciprocals: 1/0.9 + 1/0.9 = 2.2 against 2.
    const a = Float64Array.of(0, 0.9, 0.5, 0, 0, 0.9, 0, 0, 0);
    expect(mostLikelyPath(a, 3, 0, 2).path).toEqual([0, 1, 2]);
    expect(hopGraph(a, 3).hops[2]).toBe(1);
  });

  test("from a token to itself, and to one that cannot be reached", () => {
    const a = Float64Array.of(1, 0, 0.5, 0.5);
    expect(mostLikelyPath(a, 2, 0, 0)).toEqual({ length: 0, path: [0], probability: 1 });
    expect(mostLikelyPath(a, 2, 0, 1)).toEqual({ length: none, path: [], probability: 0 });
  });

  test("a weight that rounding has put above 1 is certain, not more", () => {
    const a = Float64Array.of(0, 1 + 2 ** -52, 1, 0);
    expect(mostLikelyPath(a, 2, 0, 1)).toEqual({ length: 0, path: [0, 1], probability: 1 });
  });
});

test.each<[string, () => unknown]>([
  ["weights: expected numbers in [0, 1], got -0.1", () => hopGraph(Float64Array.of(-0.1), 1)],
  ["weights: expected numbers in [0, 1], got 1.5", () => mostLikelyPath(Float64Array.of(1.5), 1, 0, 0)],
  ["weights: expected numbers in [0, 1], got NaN", () => hopGraph(Float64Array.of(Number.NaN), 1)],
  ["weights: expected a Float64Array or Float32Array of length 4", () => hopGraph(new Float64Array(3), 2)],
  ["size: expected an integer of at least 1, got 0", () => hopGraph(new Float64Array(0), 0)],
  ["lengths: expected numbers of at least 0", () => shortestPath(Float64Array.of(-1), 1, 0, 0)],
  ["source: expected an integer in [0, 1], got 2", () => shortestPaths(new Float64Array(4), 2, 2)],
  ["end: expected an integer in [0, 1], got -1", () => shortestPath(new Float64Array(4), 2, 0, -1)],
])("%s", (message, call) => {
  expect(call).toThrow(message);
});
