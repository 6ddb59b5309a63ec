/** What benches are made of: problems, the check before timing, the multiply-add loops, and the comparison of two runs. No time is asserted. */

import { describe, expect, it } from "vitest";
import { createRandom } from "../reference/random.js";
import { errorOverAllowed, makeOracle, verifyNaive } from "../src/bench/accuracy.js";
import { keyRange, makeProblem, parseSize, sizeName, unmaskedPairs } from "../src/bench/problem.js";
import { peakLoops } from "../src/bench/roofline.js";
import { medianEstimate } from "../src/bench/statistics.js";

describe("the multiply-add loops", () => {
  const loops = peakLoops();

  it("are valid modules, whatever else the runtime has", () => {
    expect(loops.filter(({ relaxed }) => !relaxed).map(({ name }) => name)).toEqual([
      ...["plain chain 8", "plain chain 10", "plain chain 12"],
      ...["plain tile 1×8", "plain tile 2×4", "plain tile 4×2", "plain tile 2×5"],
    ]);
  });

  it("compute what they say, with the operations that they say", () => {
    for (const { name, text, operations, run } of loops) {
      const count = Number(/chain (\d+)/.exec(name)?.[1] ?? 0);
      // Each accumulator of a chain tends to 0.1/(1 − 0.9); where a rounding of 0.9 stops it is within ten of these.
      expect(Math.abs(run() - count)).toBeLessThanOrEqual(count * 10 * 2 ** -22);
      const inner = text.split("loop")[2].split("end")[0];
      const sums = inner.match(/f32x4\.(add|relaxed_madd)/g)!.length;
      expect(operations).toBe(20_000 * 64 * sums * 8);
      expect(inner.match(/f32x4\.(mul|relaxed_madd)/g)).toHaveLength(sums);
    }
  });
});

describe("problems", () => {
  it("are named by their sizes", () => {
    expect(parseSize("8x512x64")).toEqual({ slices: 8, length: 512, dim: 64 });
    expect(sizeName(parseSize(" 1x4x2 ")!)).toBe("1x4x2");
    for (const word of [
      "8x512",
      "0x1x1",
      "1x0x1",
      "1x1x0",
      "-1x2x3",
      "1x2x3x4",
      "1.5x2x3",
      "",
      "1x2xNaN",
      "9999999x1x1",
    ]) {
      expect(parseSize(word)).toBeUndefined();
    }
  });

  it("have as many pairs as their masks leave", () => {
    const size = { slices: 2, length: 100, dim: 4 };
    expect(unmaskedPairs({ ...size, alpha: 1, mask: "full" })).toBe(20_000);
    expect(unmaskedPairs({ ...size, alpha: 1, mask: "causal" })).toBe(2 * 5050);
    const window = { ...size, alpha: 1, mask: "window" } as const;
    expect([keyRange(window, 0), keyRange(window, 70), keyRange(window, 99)]).toEqual([
      [0, 65],
      [6, 100],
      [35, 100],
    ]);
    // 64 pairs to each side of the diagonal, less a triangle at either end.
    expect(unmaskedPairs(window)).toBe(2 * (100 * 129 - 64 * 65));
  });
});

describe("the check before timing", () => {
  it("has an oracle that agrees with the reference", () => verifyNaive());

  it.each(["output", "dq", "dk", "dv"] as const)("fails for one wrong number or a NaN in %s", (name) => {
    const problem = makeProblem({ slices: 1, length: 20, dim: 4 }, 1.2);
    const oracle = makeOracle(problem, "forward+backward");
    const { output, dq, dk, dv } = oracle.values as Record<string, Float64Array>;
    expect(errorOverAllowed({ output, dq, dk, dv }, oracle)).toBe(0);
    const wrong = oracle.values[name]!.slice();
    wrong[7] += 1e-2;
    expect(errorOverAllowed({ output, dq, dk, dv, [name]: wrong }, oracle)).toBeGreaterThan(1);
    wrong[7] = Number.NaN;
    expect(errorOverAllowed({ output, dq, dk, dv, [name]: wrong }, oracle)).toBeNaN();
  });
});

it("an interval has its median inside", () => {
  const { value, low, high } = medianEstimate([1, 2, 3, 4, 100], createRandom(1));
  expect(value).toBe(3);
  expect(low).toBeLessThanOrEqual(3);
  expect(high).toBeGreaterThanOrEqual(3);
});
