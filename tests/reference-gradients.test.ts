/**
 * The reference's gradients against central differences of its own forward pass, component by component: q, k, v, alpha,
 * kappa and the radius.
 *
 * A Richardson table of steps h, h/2, h/4 has a truncation error of order (h/l)^6; every length l over which the loss
 * changes is above 0.3 here (the distances are checked), so h = 5e-3 leaves 2e-11. The loss of some tens of terms of
 * order 1 is rounded to about 1e-15, divided by the smallest step 1.25e-3: 1e-12. Both are far below 1e-7.
 */

import { describe, expect, test } from "vitest";
import { attentionForward, type Head, type HeadOptions } from "../reference/attention.js";
import { attentionBackward } from "../reference/attention-gradient.js";
import { euclideanDistances, sphereAngles } from "../reference/distance.js";
import { causalMask, orMasks, selfMask, windowMask } from "../reference/masks.js";
import { createRandom } from "../reference/random.js";
import { scaleKappa } from "../reference/scale.js";

const step = 5e-3;

/** d f/dt at 0 from f at ±h, ±h/2, ±h/4. */
function slope(f: (t: number) => number): number {
  const central = [1, 2, 4].map((part) => (f(step / part) - f(-step / part)) / ((2 * step) / part));
  const once = [(4 * central[1] - central[0]) / 3, (4 * central[2] - central[1]) / 3];
  return (16 * once[1] - once[0]) / 15;
}

/** A head whose points are all at least 0.3 apart, and away from antipodes on the sphere. */
function randomHead(seed: number, queries: number, keys: number, headDim: number, valueDim: number): Head {
  const random = createRandom(seed);
  const normals = (length: number) => Float64Array.from({ length }, () => random.normal());
  for (;;) {
    const head = { q: normals(queries * headDim), k: normals(keys * headDim), v: normals(keys * valueDim) };
    const distance = euclideanDistances(head.q, head.k, queries, keys, headDim);
    const angle = sphereAngles(head.q, head.k, queries, keys, headDim);
    if (distance.every((d) => d > 0.3) && angle.every((a) => a > 0.3 && a < Math.PI - 0.3)) {
      return { ...head, queries, keys, headDim, valueDim };
    }
  }
}

const mask = orMasks(5 * 6, causalMask(5, 6), selfMask(5, 6), windowMask(5, 6, 3, 1));
const cases: [string, HeadOptions][] = [
  ["euclidean, paper", {}],
  ["euclidean, alpha 2", { alpha: 2 }],
  ["euclidean, alpha 1, no scale", { alpha: 1, kappa: 1 }],
  ["euclidean, alpha 0.3, d_M 1", { alpha: 0.3, intrinsicDim: 1, kappa: 2 }],
  ["euclidean, bandwidth 0.3", { alpha: 1.5, bandwidth: 0.3 }],
  ["euclidean, bandwidth 4 by its root", { alpha: 1.5, bandwidth: 4, bandwidthExponent: "1/2" }],
  ["euclidean, a = 1/2", { kappa: 1.5, degreeNormalization: 0.5 }],
  ["euclidean, a = 1, alpha 2", { alpha: 2, degreeNormalization: 1 }],
  ["euclidean, a = 1/2, every row below the floor", { degreeNormalization: 0.5, compatibility: { rowSumFloor: 9 } }],
  ["euclidean, masked", { kappa: 1.5, mask }],
  ["euclidean, masked, a = 1.7", { kappa: 1.5, mask, degreeNormalization: 1.7 }],
  ["sphere, paper", { manifold: "sphere" }],
  ["sphere, alpha 2", { manifold: "sphere", alpha: 2 }],
  ["sphere, radius 2, kappa 0.8", { manifold: "sphere", alpha: 1.4, radius: 2, kappa: 0.8 }],
  ["sphere, a = 1, masked", { manifold: "sphere", alpha: 1.1, radius: 1, degreeNormalization: 1, mask }],
  ["sphere, bandwidth 0.5, alpha 2", { manifold: "sphere", alpha: 2, bandwidth: 0.5 }],
];

describe.each(cases)("%s", (_, options) => {
  const head = randomHead(11, 5, 6, 4, 3);
  const random = createRandom(5);
  const dOutput = Float64Array.from({ length: 15 }, () => random.normal());
  // Named scales, so that they can be moved.
  const alpha = options.alpha ?? 1.2;
  const resolved = {
    ...options,
    alpha,
    kappa: options.kappa ?? (options.manifold === "sphere" ? 1 : scaleKappa("paper", 4, alpha)),
    radius: options.radius ?? 1,
  };
  const loss = (moved: Partial<Head>, changed: HeadOptions = {}): number => {
    const { output } = attentionForward({ ...head, ...moved }, { ...resolved, ...changed });
    return output.reduce((sum, o, e) => sum + o * dOutput[e], 0);
  };
  const forward = attentionForward(head, resolved);
  const gradient = attentionBackward(head, resolved, { ...forward, dOutput });

  test.each(["q", "k", "v"] as const)("d%s to 1e-7", (name) => {
    const numeric = head[name].map((_, e) =>
      slope((t) => {
        const moved = Float64Array.from(head[name]);
        moved[e] += t;
        return loss({ [name]: moved });
      }),
    );
    const analytic = gradient[`d${name}`];
    const largest = Math.max(...analytic.map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    for (let e = 0; e < analytic.length; e++) {
      expect(Math.abs(analytic[e] - numeric[e])).toBeLessThan(1e-7 * largest);
    }
  });

  test("dAlpha, dKappa and dRadius to 1e-7", () => {
    const relative = (analytic: number, numeric: number) => Math.abs(analytic - numeric) / Math.abs(numeric);
    if (alpha === 2) expect(gradient.dAlpha).toBe(0);
    else
      expect(
        relative(
          gradient.dAlpha,
          slope((t) => loss({}, { alpha: alpha + t })),
        ),
      ).toBeLessThan(1e-7);
    // Scales are moved by factors, so that the step suits their size.
    const kappa = slope((t) => loss({}, { kappa: resolved.kappa * (1 + t) })) / resolved.kappa;
    expect(relative(gradient.dKappa, kappa)).toBeLessThan(1e-7);
    if (options.manifold !== "sphere") return expect(gradient.dRadius).toBe(0);
    const radius = slope((t) => loss({}, { radius: resolved.radius * (1 + t) })) / resolved.radius;
    return expect(relative(gradient.dRadius, radius)).toBeLessThan(1e-7);
  });
});

describe("where the distance has no derivative", () => {
  const tie: Head = {
    q: new Float64Array([1, 2]),
    k: new Float64Array([1, 2, 3, 1]),
    v: new Float64Array([1, 5]),
    queries: 1,
    keys: 2,
    headDim: 2,
    valueDim: 1,
  };
  const dOutput = new Float64Array([1]);

  test.each([1.2, 2])("coincident points add nothing in euclidean space, alpha %s", (alpha) => {
    const forward = attentionForward(tie, { alpha });
    const { dq, dk } = attentionBackward(tie, { alpha }, { ...forward, dOutput });
    expect([...dk.subarray(0, 2)]).toEqual([0, 0]);
    // All of dq comes from the other key, and the pair pulls on both alike.
    expect([...dq]).toEqual([-dk[2], -dk[3]]);
    expect(dq[0]).not.toBe(0);
  });

  test("equal and opposite directions and zero vectors add nothing on the sphere", () => {
    const head: Head = { ...tie, k: new Float64Array([2, 4, -3, -6]) };
    const options: HeadOptions = { manifold: "sphere" };
    const forward = attentionForward(head, options);
    expect(forward.distance[1] / forward.distance[0]).toBe(Number.POSITIVE_INFINITY);
    const opposite = attentionBackward(head, options, { ...forward, dOutput });
    expect([...opposite.dq, ...opposite.dk].every((g) => g === 0)).toBe(true);

    const zero: Head = { ...tie, q: new Float64Array([0, 0]) };
    const equal = attentionForward(zero, { ...options, radius: 1 });
    expect([...equal.distance]).toEqual([Math.PI / 2, Math.PI / 2]);
    const none = attentionBackward(zero, options, { ...equal, dOutput });
    expect([...none.dq, ...none.dk].every((g) => g === 0)).toBe(true);
  });

  test("gradients on the sphere are orthogonal to the vectors and shrink with their length", () => {
    const head = randomHead(3, 4, 5, 3, 2);
    const options: HeadOptions = { manifold: "sphere", radius: 1 };
    const cotangent = Float64Array.from({ length: 8 }, (_, e) => e - 3);
    const gradientOf = (h: Head) =>
      attentionBackward(h, options, { ...attentionForward(h, options), dOutput: cotangent });
    const { dq } = gradientOf(head);
    const longer = gradientOf({ ...head, q: Float64Array.from(head.q, (x) => 4 * x) });
    for (let i = 0; i < 4; i++) {
      let along = 0;
      let size = 0;
      for (let c = 0; c < 3; c++) {
        along += dq[i * 3 + c] * head.q[i * 3 + c];
        size += Math.abs(dq[i * 3 + c] * head.q[i * 3 + c]);
        // Powers of two scale without rounding.
        expect(longer.dq[i * 3 + c]).toBe(dq[i * 3 + c] / 4);
      }
      // Three products of numbers with some ten roundings each.
      expect(Math.abs(along)).toBeLessThan(32 * 2 ** -53 * (size + Math.abs(dq[i * 3]) + 1));
    }
  });
});
