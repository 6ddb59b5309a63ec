/** Masks by hand, and what attention of one head does by default and with numbers that are not finite (eq. sections 2-6). */

import { describe, expect, test } from "vitest";
import { attentionForward, type Head, type HeadOptions } from "../reference/attention.js";
import { authorsLongformerMask, causalMask, selfMask, windowMask } from "../reference/masks.js";
import { createRandom } from "../reference/random.js";
import { rescaledRadius, scaleKappa } from "../reference/scale.js";

describe("masks", () => {
  test("the last query stands at the last key unless an offset is given", () => {
    expect([...causalMask(2, 3)]).toEqual([0, 0, 1, 0, 0, 0]);
    expect([...selfMask(2, 3)]).toEqual([0, 1, 0, 0, 0, 1]);
    expect([...windowMask(2, 4, 0)]).toEqual([1, 1, 0, 1, 1, 1, 1, 0]);
    expect([...causalMask(2, 3, 0)]).toEqual([0, 1, 1, 0, 0, 1]);
  });

  test("a query that stands before the first key is not global", () => {
    // Positions −1, 0, 1: key 0 is global for every query, and the query at 0 for every key.
    expect([...windowMask(3, 3, 0, 1, -1)]).toEqual([0, 1, 1, 0, 0, 0, 0, 0, 1]);
  });

  test("what the authors' window really masks: half width N/8 about the diagonal, and tokens 0 and 1", () => {
    const mask = authorsLongformerMask(16);
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 16; j++) {
        expect(mask[i * 16 + j]).toBe(Math.abs(i - j) <= 2 || i < 2 || j < 2 ? 1 : 0);
      }
    }
  });
});

function head(headDim: number): Head {
  const { normal } = createRandom(5);
  const normals = (length: number) => Float64Array.from({ length }, normal);
  return { q: normals(3 * headDim), k: normals(4 * headDim), v: normals(4 * headDim), queries: 3, keys: 4, headDim };
}

describe("defaults", () => {
  test.each<[string, number, HeadOptions, HeadOptions]>([
    ["the plane", 3, {}, { alpha: 1.2, manifold: "euclidean", intrinsicDim: 3, kappa: scaleKappa("paper", 3, 1.2) }],
    ["the plane, alpha 2", 3, { alpha: 2 }, { alpha: 2, kappa: Math.sqrt(3) }],
    [
      "the sphere",
      3,
      { manifold: "sphere" },
      { alpha: 1.2, manifold: "sphere", intrinsicDim: 2, kappa: 1, radius: rescaledRadius(2) },
    ],
    ["the sphere, alpha 2", 3, { manifold: "sphere", alpha: 2 }, { manifold: "sphere", alpha: 2, kappa: 1, radius: 1 }],
    ["two points", 1, { manifold: "sphere" }, { manifold: "sphere", intrinsicDim: 1, radius: rescaledRadius(1) }],
  ])("%s", (_, headDim, given, spelt) => {
    expect(attentionForward(head(headDim), given)).toEqual(attentionForward(head(headDim), spelt));
  });
});

describe("numbers that are not finite", () => {
  const spoiled = () => {
    const call = head(2);
    call.q[0] = Number.NaN;
    return call;
  };

  test("one query spoils a measured bandwidth and with it every row, and nothing is thrown", () => {
    const { bandwidth, output } = attentionForward(spoiled(), { bandwidth: "median" });
    expect(bandwidth).toBeNaN();
    expect(output.every(Number.isNaN)).toBe(true);
  });

  test("without degree normalisation its column sums are not looked at", () => {
    const clean = attentionForward(head(2));
    const { output, logSumExp } = attentionForward(spoiled());
    expect([...output.subarray(0, 2), logSumExp[0]].every(Number.isNaN)).toBe(true);
    expect(output.subarray(2)).toEqual(clean.output.subarray(2));
    expect(logSumExp.subarray(1)).toEqual(clean.logSumExp.subarray(1));
  });

  test("a column that underflows even as a logarithm has no weight under degree normalisation", () => {
    // z above 1e154 squares to Infinity: log Φ = −∞ for every query of the second key.
    const head: Head = {
      q: new Float64Array([0, 1]),
      k: new Float64Array([0, 1e160]),
      v: new Float64Array([3, 5]),
      queries: 2,
      keys: 2,
      headDim: 1,
    };
    const { weights, output } = attentionForward(head, { alpha: 2, degreeNormalization: 1 });
    expect([...weights]).toEqual([1, 0, 1, 0]);
    expect([...output]).toEqual([3, 3]);
  });

  test("keys so far that the kernel is 0 to the last bit have no weight", () => {
    const far = { q: Float64Array.of(0), k: Float64Array.of(1e160, 1), v: Float64Array.of(7, 5), queries: 1, keys: 2 };
    expect([...attentionForward({ ...far, headDim: 1 }, { alpha: 2 }).weights]).toEqual([0, 1]);
    const none = attentionForward({ ...far, k: Float64Array.of(1e160, -1e160), headDim: 1 }, { alpha: 2 });
    expect([...none.weights, ...none.output, ...none.logSumExp]).toEqual([0, 0, 0, Number.NEGATIVE_INFINITY]);
  });
});
