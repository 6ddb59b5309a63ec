/** The a-priori bounds for float32 devices: naive float32 meets them on every kind of problem, small bugs do not. */

import { describe, expect, test } from "vitest";
import { createRandom } from "../reference/random.js";
import { Attention } from "../src/attention.js";
import type { Backend } from "../src/backends/backend.js";
import { createAttention } from "../src/index.js";
import type { Plan } from "../src/plan.js";
import type { BackwardResult } from "../src/types.js";
import { inputKinds, randomProblem } from "../src/verify/battery.js";
import { largestDifference, relativeError } from "../src/verify/compare.js";
import { loadGolden } from "../src/verify/golden-files.js";
import { checkGoldenOnDevice, deviceGroups } from "../src/verify/golden-problems.js";
import { judgeFloat32, nearestToBound } from "../src/verify/judge-float32.js";
import { naiveBackward, naiveForward } from "../src/verify/naive-float32.js";

type Gradient = BackwardResult<Float32Array>;

/** A device that computes naively in float32, on a plan and with gradients that may be tampered with. */
function naiveDevice(tamper = (plan: Plan) => plan, spoil = (gradient: Gradient) => gradient): Attention {
  const backend: Backend = {
    device: "wasm",
    arrays: [Float32Array],
    forward: async (plan, tensors) => naiveForward(tamper(plan), tensors),
    backward: async (plan, tensors, saved) => spoil(naiveBackward(tamper(plan), tensors, saved)),
    weights: async (plan, { q, k }) =>
      naiveForward(tamper(plan), { q, k, v: new Float32Array((k.length / plan.headDim) * plan.valueDim) }).weights,
    dispose() {},
  };
  return new Attention(backend);
}

describe.each(inputKinds)("inputs of kind %s", (kind) => {
  test("naive float32 is within every bound", async () => {
    const random = createRandom(99);
    const device = naiveDevice();
    for (let c = 0; c < 60; c++) {
      for (const check of await judgeFloat32(device, randomProblem(random, kind, true), `${kind} ${c}`)) {
        expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
      }
    }
  });
});

test.each(deviceGroups)("naive float32 is within every bound on the golden group %s", async (group) => {
  const checks = await checkGoldenOnDevice(naiveDevice(), group, loadGolden(group).cases);
  const failures = checks
    .filter((c) => !(c.error <= c.bound))
    .map((c) => `${c.case} ${c.tensor}: ${c.error} > ${c.bound}`);
  expect(failures).toEqual([]);
  expect(new Set(checks.map((c) => c.case)).size).toBe(
    { attention_euclidean: 80, attention_spherical: 56 }[group] ?? 10,
  );
});

// All in nearly one direction: angles of 1e-4, of which their absolute error is a thousandth.
test.each([1.2, 2])("small angles keep their absolute error, alpha = %d", async (alpha) => {
  const random = createRandom(28);
  const shape = { batch: 1, heads: 1, queries: 8, keys: 8, headDim: 3 };
  const heap = () => Float64Array.from({ length: 24 }, () => Math.fround(8192 + random.normal()));
  const values = () => Float64Array.from({ length: 24 }, () => Math.fround(random.normal()));
  for (const device of [naiveDevice(), await createAttention({ device: "wasm" })]) {
    for (let c = 0; c < 20; c++) {
      const problem = {
        inputs: { ...shape, q: heap(), k: heap(), v: values() },
        options: { alpha, manifold: "sphere", radius: 1, bandwidth: 0.3 } as const,
        dOutput: values(),
        kind: "far" as const,
      };
      for (const check of await judgeFloat32(device, problem, `${device.device} ${c}`)) {
        expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
      }
    }
  }
});

test("vectors without a direction are within every bound on the sphere", async () => {
  const random = createRandom(30);
  const device = naiveDevice();
  for (const alpha of [1.2, 2]) {
    const problem = randomProblem(random, "normal", true);
    const { queries, keys, headDim } = problem.inputs;
    const q = problem.inputs.q.map((x, e) => (Math.floor(e / headDim) % queries === 0 ? 0 : x));
    const k = problem.inputs.k.map((x, e) => (Math.floor(e / headDim) % keys === 1 ? 0 : x));
    const options = { alpha, manifold: "sphere", keyHeads: problem.options.keyHeads } as const;
    const zeros = { ...problem, inputs: { ...problem.inputs, q, k }, options };
    for (const check of await judgeFloat32(device, zeros, `alpha ${alpha}`)) {
      expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
    }
  }
});

test("a number is judged by the bound of its own row, however large those of others are", async () => {
  const random = createRandom(31);
  const shape = { batch: 1, heads: 1, queries: 6, keys: 6, headDim: 3, valueDim: 3 };
  const numbers = () => Float64Array.from({ length: 18 }, () => Math.fround(random.normal()));
  const inputs = { ...shape, q: numbers(), k: numbers(), v: numbers() };
  // What arrives at the first query, and with it dq there, is below the rounding of the others.
  const dOutput = numbers().map((x, e) => (e < 3 ? x * 2 ** -30 : x));
  const problem = { inputs, options: { alpha: 1.5 }, dOutput, kind: "normal" as const };
  const judged = async (device: Attention) =>
    (await judgeFloat32(device, problem, "")).filter(({ error, bound }) => !(error <= bound)).map((c) => c.tensor);
  expect(await judged(naiveDevice())).toEqual([]);
  const spoil = (gradient: Gradient) => ({ ...gradient, dq: gradient.dq.map((x, e) => (e < 3 ? 1.01 * x : x)) });
  expect(await judged(naiveDevice(undefined, spoil))).toEqual(["dq"]);
});

test("of several numbers that are off the one nearest to its bound is reported, and NaN before all", () => {
  const bounds = Float64Array.of(4, 0.5);
  expect(nearestToBound(Float64Array.of(1, 3, 0.25, 0), new Float64Array(4), bounds)).toEqual({ error: 3, bound: 4 });
  expect(nearestToBound(Float64Array.of(1, 1, 0.4, 0), new Float64Array(4), bounds)).toEqual({
    error: 0.4,
    bound: 0.5,
  });
  expect(nearestToBound(Float64Array.of(0, 0), new Float64Array(2), bounds)).toEqual({ error: 0, bound: 4 });
  expect(nearestToBound(Float64Array.of(9, Number.NaN), new Float64Array(2), bounds)).toEqual({
    error: Number.NaN,
    bound: 0.5,
  });
  const infinite = Float64Array.of(Number.NEGATIVE_INFINITY, 0);
  expect(nearestToBound(infinite, infinite, bounds).error).toBe(0);
  expect(nearestToBound(Float64Array.of(0, 0), infinite, bounds).error).toBe(Number.POSITIVE_INFINITY);
});

test("one NaN among finite errors is an error that no bound accepts", () => {
  const truth = new Float64Array([1, 2, 3]);
  for (const at of [0, 1, 2]) {
    const found = Float32Array.from(truth, (x, e) => (e === at ? Number.NaN : x + 0.25));
    expect(largestDifference(found, truth)).toBeNaN();
    expect(relativeError(found, truth)).toBeNaN();
  }
  expect(largestDifference([1, Number.POSITIVE_INFINITY], [1.5, Number.POSITIVE_INFINITY])).toBe(0.5);
});

const bugs: [string, (plan: Plan) => Plan][] = [
  ["kappa off by 1e-4", (plan) => ({ ...plan, kappa: plan.kappa.map((kappa) => kappa * 1.0001) })],
  ["d_M off by 1e-3", (plan) => ({ ...plan, intrinsicDim: plan.intrinsicDim * 1.001 })],
  ["window wider by one", (plan) => ({ ...plan, window: plan.window < 0 ? -1 : plan.window + 1 })],
  ["causal off by one", (plan) => ({ ...plan, queryLengths: plan.queryLengths.map((n) => (plan.causal ? n - 1 : n)) })],
];

test.each(bugs)("a bug is seen: %s", async (_, tamper) => {
  const random = createRandom(7);
  const device = naiveDevice(tamper);
  const caught = new Set<string>();
  for (let c = 0; c < 60; c++) {
    for (const check of await judgeFloat32(device, randomProblem(random, "normal"), `${c}`)) {
      if (!(check.error <= check.bound)) caught.add(check.tensor);
    }
  }
  expect([...caught]).toEqual(expect.arrayContaining(["weights", "output", "dq", "dk"]));
});
