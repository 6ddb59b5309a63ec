/** What the wasm device computes, through the public face: agreement with the reference, edges of shapes and masks, bad numbers. */

import { afterAll, describe, expect, test } from "vitest";
import { attentionForward } from "../reference/attention.js";
import { createRandom } from "../reference/random.js";
import { Attention } from "../src/attention.js";
import { createReferenceBackend } from "../src/backends/reference.js";
import { createWasmBackend } from "../src/backends/wasm/index.js";
import type { AttentionOptions, BackwardResult, Floats } from "../src/types.js";
import { inputKinds, randomProblem } from "../src/verify/battery.js";
import { loadGolden } from "../src/verify/golden-files.js";
import { checkGoldenOnDevice, deviceGroups } from "../src/verify/golden-problems.js";
import { judgeFloat32 } from "../src/verify/judge-float32.js";
import {
  judgeEmpty,
  judgeScales,
  judgeUniform,
  negativeThresholds,
  scalePairs,
  uniformOptions,
} from "./extreme-scales.js";
import { difference, inputsOf, normals } from "./float32-inputs.js";

const u = 2 ** -24;
const device = new Attention<Float32Array>(await createWasmBackend());
const reference = new Attention<Float64Array>(createReferenceBackend());
const threaded = await createWasmBackend({ threads: 2 });
afterAll(() => {
  threaded.dispose();
  device.dispose();
});

describe("a-priori float32 bounds", () => {
  test.each(inputKinds)("random problems with inputs of kind %s", async (kind) => {
    const random = createRandom(2026);
    for (let c = 0; c < 60; c++) {
      for (const check of await judgeFloat32(device, randomProblem(random, kind, true), `${kind} ${c}`)) {
        expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
      }
    }
  });

  test.each([1, 2])("random problems of several tiles and blocks, %d threads", async (threads) => {
    const random = createRandom(5);
    const judged = threads === 1 ? device : new Attention<Float32Array>(threaded);
    for (let c = 0; c < 12; c++) {
      const problem = randomProblem(random, inputKinds[c % inputKinds.length], true, 150);
      for (const check of await judgeFloat32(judged, problem, `large ${c}`)) {
        expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
      }
    }
  });

  // Each tile of 64 keys is so much nearer than the one before that its scores pass the reference of the exponents by more
  // than 28, and what has been summed up shrinks to nothing. A rise that is large but leaves the reference where it is would
  // hide sums that did not shrink: what comes after it outweighs everything before, shrunk or not.
  test.each([2, 1.2])("keys that come nearer from tile to tile, alpha = %d", async (alpha) => {
    const random = createRandom(8);
    const shape = { batch: 1, heads: 1, queries: 34, keys: 200, headDim: 4, valueDim: 5 };
    const numbers = (length: number) => Float64Array.from({ length }, () => Math.fround(random.normal()));
    const far = [48, 20, 7, 0];
    const k = numbers(800).map((x, e) => Math.fround(x + far[Math.floor(e / 4 / 64)]));
    const problem = {
      inputs: { ...shape, q: numbers(136), k, v: numbers(1000) },
      // Below 2 it takes a large dimension for a score to rise by 28.
      options: alpha === 2 ? { alpha, kappa: 1.5 } : { alpha, kappa: 0.5, intrinsicDim: 60 },
      dOutput: numbers(170),
      kind: "far" as const,
    };
    const { logKernel } = attentionForward(problem.inputs, problem.options);
    for (let row = 0; row < 34; row++) {
      const tops = far.map((_, tile) =>
        Math.max(...logKernel.subarray(row * 200 + tile * 64, row * 200 + Math.min(200, tile * 64 + 64))),
      );
      for (let tile = 1; tile < 4; tile++) expect(tops[tile] - tops[tile - 1]).toBeGreaterThan(28);
    }
    for (const check of await judgeFloat32(device, problem, `alpha ${alpha}`)) {
      expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
    }
  });

  // Each point is a common centre and a component of its own, so that 2 q.k is about 0.6 (|q|^2 + |k|^2) of every pair: no
  // group of pairs is close, and the whole tile takes the expanded form of the distance. Where one side is longer than the
  // other, so is its part in the sum, and a wrong one cannot pass for a close pair, which is summed again.
  test.each([
    [1, 1],
    [4, 1],
    [1, 4],
  ])(
    "points of many components that are neither close nor at right angles, of length %d and %d",
    async (long, wide) => {
      const random = createRandom(14);
      const numbers = (length: number) => Float64Array.from({ length }, () => Math.fround(random.normal()));
      const points = (rows: number, own: number, size: number) =>
        Float64Array.from({ length: rows * 64 }, (_, e) =>
          Math.fround(size * (0.15 + (e % 64 === own + Math.floor(e / 64) ? 1 + 0.1 * random.uniform() : 0))),
        );
      const shape = { batch: 1, heads: 1, queries: 32, keys: 32, headDim: 64, valueDim: 2 };
      const inputs = { ...shape, q: points(32, 0, long), k: points(32, 32, wide), v: numbers(64) };
      const options = { alpha: 2, kappa: Math.max(long, wide) };
      const problem = { inputs, options, dOutput: numbers(64), kind: "normal" as const };
      for (const check of await judgeFloat32(device, problem, "expanded")) {
        expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
      }
    },
  );

  // One long chain of additions in an inner product rounds more than the distance of two points beside a common centre allows.
  test.each([64, 65, 128, 512])("points of %d components around a common centre", async (headDim) => {
    const random = createRandom(headDim);
    const numbers = (length: number, centre: number) =>
      Float64Array.from({ length }, () => Math.fround(centre + random.normal()));
    const shape = { batch: 1, heads: 1, queries: 32, keys: 64, headDim, valueDim: 2 };
    const inputs = { ...shape, q: numbers(32 * headDim, 1.26), k: numbers(64 * headDim, 1.26), v: numbers(128, 0) };
    const options = { alpha: 2, kappa: Math.sqrt(headDim / 2) };
    const problem = { inputs, options, dOutput: numbers(64, 0), kind: "normal" as const };
    for (const check of await judgeFloat32(device, problem, "centre")) {
      expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
    }
  });

  // Blocks are 32 queries and tiles 64 keys: the only pair that is left of a tile may be its first or last one.
  test.each([1, 33])("a window of %d, which ends at the edge of a tile", async (window) => {
    const random = createRandom(window);
    const shape = { batch: 1, heads: 1, queries: 130, keys: 130, headDim: 2, valueDim: 2 };
    const numbers = () => Float64Array.from({ length: 260 }, () => Math.fround(random.normal()));
    for (const degreeNormalization of [0, 1]) {
      const inputs = { ...shape, q: numbers(), k: numbers(), v: numbers() };
      const problem = { inputs, options: { window, degreeNormalization }, dOutput: numbers(), kind: "normal" as const };
      for (const check of await judgeFloat32(device, problem, `a = ${degreeNormalization}`)) {
        expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
      }
    }
  });

  test.each(deviceGroups)("golden group %s", async (group) => {
    const checks = await checkGoldenOnDevice(device, group, loadGolden(group).cases);
    const failures = checks.filter((c) => !(c.error <= c.bound));
    expect(failures.map((c) => `${c.case} ${c.tensor}: ${c.error} > ${c.bound}`)).toEqual([]);
    expect(checks.length).toBeGreaterThan(0);
  });
});

describe("shapes at the edges", () => {
  const shapes = [
    { queries: 1, keys: 1, headDim: 1 },
    { queries: 0, keys: 5 },
    { queries: 5, keys: 0 },
    { batch: 0 },
    { queries: 33, keys: 65, headDim: 3, valueDim: 1 },
    { queries: 31, keys: 3, headDim: 130, valueDim: 5 },
    { queries: 40, keys: 5, headDim: 3, valueDim: 70 },
    { queries: 65, keys: 64, headDim: 17, valueDim: 17 },
    { batch: 2, heads: 6, keyHeads: 2, queries: 34, headDim: 5, valueDim: 7 },
  ];
  test.each(shapes)("%o agrees with the reference", async (shape) => {
    const inputs = inputsOf(shape);
    const options: AttentionOptions = shape.keyHeads ? { keyHeads: shape.keyHeads } : {};
    const found = await device.forward(inputs, options);
    const truth = await reference.forward(inputs, options);
    // Weights carry at most 8u(1 + max|s|), max|s| < 5 here, and outputs are averages of values below 5.
    expect(difference(found.output, truth.output)).toBeLessThan(8 * 6 * 5 * u);
    expect(difference(found.logSumExp, truth.logSumExp)).toBeLessThan(8 * 6 * u);
    const dOutput = normals(found.output.length, 9);
    const gradient = await device.backward(inputs, options, { ...found, dOutput });
    const slope = await reference.backward(inputs, options, { ...truth, dOutput });
    for (const name of ["dq", "dk", "dv"] as const) {
      // The same relative error on terms of size w |dO| (|V| + |O|) |ds/dq|, of which sums over at most 65 keys are taken.
      expect(difference(gradient[name], slope[name]), name).toBeLessThan(65 * 8 * 6 * 20 * u);
    }
  });
});

describe("masks at the edges", () => {
  // Positions are 31 behind the indices, so that of the first block only the last query is global: it alone sees far keys.
  test("a global query may be the last one of a block", async () => {
    const inputs = inputsOf({ queries: 101, keys: 70, headDim: 2 });
    const options: AttentionOptions = { window: 3, globalTokens: 1 };
    const found = await device.weights(inputs, options);
    const truth = await reference.weights(inputs, options);
    expect(Math.min(...truth.subarray(31 * 70, 32 * 70))).toBeGreaterThan(0);
    // As above: 8u(1 + max|s|), max|s| < 5, of a weight of at most 1.
    expect(difference(found, truth)).toBeLessThan(8 * 6 * u);
  });

  // The mask is read 16 bytes at a time, and the rest of a row one by one.
  test.each([16, 17])("a mask may leave out the keys from %d on, and no others", async (first) => {
    const inputs = inputsOf({ queries: 5, keys: 20, headDim: 2 });
    const mask = Uint8Array.from({ length: 20 }, (_, j) => Number(j >= first));
    const found = await device.weights(inputs, { mask });
    const truth = await reference.weights(inputs, { mask });
    // As above: 8u(1 + max|s|), max|s| < 5, of a weight of at most 1.
    expect(difference(found, truth)).toBeLessThan(8 * 6 * u);
  });

  test("a distance threshold holds for all of many queries", async () => {
    const inputs = inputsOf({ queries: 1100, keys: 4, headDim: 1 });
    const near = (x: Floats) => Array.from(x, (weight) => weight > 0);
    const options = { distanceThreshold: 0.7 };
    expect(near(await device.weights(inputs, options))).toEqual(near(await reference.weights(inputs, options)));
  });
});

describe("NaN and Infinity", () => {
  const shape = { batch: 1, heads: 2, queries: 70, keys: 70, headDim: 5, valueDim: 3 };
  const variants: AttentionOptions[] = [
    {},
    { causal: true },
    { window: 3 },
    { manifold: "sphere", alpha: 2 },
    { degreeNormalization: 1, causal: true },
    { degreeNormalization: 1, window: 3 },
    { distanceThreshold: 0.3, window: 20 },
    { bandwidth: "median", window: 9 },
    { keyLengths: Int32Array.of(50) },
    // The bandwidth is measured on all pairs, so that what is bad beyond the lengths spoils every row that attends to any.
    { bandwidth: "mean", bandwidthPairs: "all", keyLengths: Int32Array.of(50), queryLengths: Int32Array.of(60) },
  ];
  for (const options of variants) {
    test.each([
      ["q", Number.NaN],
      ["k", Number.POSITIVE_INFINITY],
      ["v", Number.NaN],
      ["dOutput", Number.NEGATIVE_INFINITY],
    ] as const)(`spread as in the reference: ${JSON.stringify(options)}, %s %d`, async (name, bad) => {
      const inputs = inputsOf(shape, 3);
      const saved = { dOutput: normals(2 * 70 * 3, 7) };
      const target = name === "dOutput" ? saved.dOutput : inputs[name];
      const width = name === "v" || name === "dOutput" ? 3 : 5;
      target[45 * width + 1] = bad;
      target[(70 + 66) * width] = bad;
      const found = await device.forward(inputs, options);
      const truth = await reference.forward(inputs, options);
      expect(nans(found.output)).toEqual(nans(truth.output));
      expect(nans(found.logSumExp)).toEqual(nans(truth.logSumExp));
      expect(nans(await device.weights(inputs, options))).toEqual(nans(await reference.weights(inputs, options)));
      const gradient = await device.backward(inputs, options, { ...found, ...saved });
      const slope = await reference.backward(inputs, options, { ...truth, ...saved });
      for (const tensor of ["dq", "dk", "dv", "dAlpha", "dKappa"] as const) {
        expect(rowNans(gradient[tensor], tensor), tensor).toEqual(rowNans(slope[tensor], tensor));
      }
    });
  }

  function nans(x: Floats): number[] {
    return Array.from(x.keys()).filter((e) => !Number.isFinite(x[e]) && x[e] !== Number.NEGATIVE_INFINITY);
  }

  /** Rows with a number that is not finite: where one is, all of the row is of no use. */
  function rowNans(x: Floats, name: keyof BackwardResult): number[] {
    const width = { dq: 5, dk: 5, dv: 3, dAlpha: 1, dKappa: 1 }[name];
    const bad = Array.from(x.keys()).filter((e) => !Number.isFinite(x[e]));
    return [...new Set(bad.map((e) => Math.floor(e / width)))];
  }

  test.each(["mean", "median"] as const)("a bad value does not touch the %s of many distances", (bandwidth) => {
    const inputs = inputsOf({ keys: 2000, headDim: 2 });
    const before = device.forwardSync(inputs, { bandwidth });
    inputs.v[99] = Number.NaN;
    expect(device.forwardSync(inputs, { bandwidth }).logSumExp).toEqual(before.logSumExp);
  });

  test("what stands beyond the lengths or behind masks does not change a bit", async () => {
    const inputs = inputsOf({ batch: 2, queries: 50, keys: 90, headDim: 4 }, 5);
    const options: AttentionOptions = {
      keyLengths: Int32Array.of(71, 30),
      queryLengths: Int32Array.of(33, 50),
      mask: Uint8Array.from({ length: 90 }, (_, j) => Number(j % 7 === 0)),
    };
    const before = await device.forward(inputs, options);
    const dOutput = normals(2 * 50 * 4, 8);
    const slopes = await device.backward(inputs, options, { ...before, dOutput });
    for (let b = 0; b < 2; b++) {
      inputs.q.fill(Number.NaN, (b * 50 + options.queryLengths![b]) * 4, (b + 1) * 50 * 4);
      dOutput.fill(Number.NaN, (b * 50 + options.queryLengths![b]) * 4, (b + 1) * 50 * 4);
      for (let j = 0; j < 90; j++) {
        if (j < options.keyLengths![b] && j % 7 !== 0) continue;
        inputs.k.fill(Number.NaN, (b * 90 + j) * 4, (b * 90 + j + 1) * 4);
        inputs.v.fill(Number.POSITIVE_INFINITY, (b * 90 + j) * 4, (b * 90 + j + 1) * 4);
      }
    }
    const after = await device.forward(inputs, options);
    expect(after).toEqual(before);
    expect(await device.backward(inputs, options, { ...after, dOutput })).toEqual(slopes);
  });
});

describe("extreme numbers", () => {
  test("zero vectors on the sphere are at pi/2 from everything, without a gradient", async () => {
    const inputs = inputsOf({ queries: 9, headDim: 3 });
    inputs.q.fill(0, 3, 6);
    inputs.k.fill(0, 3, 9);
    const options: AttentionOptions = { manifold: "sphere" };
    const found = await device.forward(inputs, options);
    const truth = await reference.forward(inputs, options);
    expect(difference(found.output, truth.output)).toBeLessThan(8 * 8 * 5 * u);
    const dOutput = normals(27, 4);
    const gradient = await device.backward(inputs, options, { ...found, dOutput });
    const slope = await reference.backward(inputs, options, { ...truth, dOutput });
    for (const x of [...gradient.dq.subarray(3, 6), ...gradient.dk.subarray(3, 9)]) expect(Math.abs(x)).toBe(0);
    expect(difference(gradient.dq, slope.dq)).toBeLessThan(1e-4);
  });

  test.each([1e-30, 1e30])("coordinates of size %d keep all their digits", async (scale) => {
    const inputs = inputsOf({ queries: 40, headDim: 6 });
    const large = { ...inputs, q: inputs.q.map((x) => x * scale), k: inputs.k.map((x) => x * scale) };
    const options = { alpha: 1.2, kappa: 3 * scale };
    const found = await device.forward(large, options);
    const truth = await reference.forward(large, options);
    expect(difference(found.output, truth.output)).toBeLessThan(8 * 20 * 5 * u);
    const dOutput = normals(240, 4);
    const gradient = await device.backward(large, options, { ...found, dOutput });
    const slope = await reference.backward(large, options, { ...truth, dOutput });
    expect(
      difference(
        gradient.dq.map((x) => x * scale),
        slope.dq.map((x) => x * scale),
      ),
    ).toBeLessThan(1e-4);
  });

  test("dKappa keeps the digits of a pair so far that dS/(z (1 + z)) is subnormal", async () => {
    const numbers = { batch: 1, heads: 1, queries: 1, keys: 2, headDim: 1 };
    const inputs = { ...numbers, q: Float32Array.of(0), k: Float32Array.of(0, 2 ** 32), v: Float32Array.of(-0.5, 3) };
    const options: AttentionOptions = { alpha: 2 ** -10, intrinsicDim: 2.5 };
    const dOutput = Float32Array.of(-0.5);
    const found = await device.forward(inputs, options);
    const truth = await reference.forward(inputs, options);
    const gradient = await device.backward(inputs, options, { ...found, dOutput });
    const slope = await reference.backward(inputs, options, { ...truth, dOutput });
    // The nearest key, at z = 0, has no part in it; what arrives at the far one adds up without cancelling.
    const score = (2.5 + 2 ** -10) * Math.log1p(2 ** 32);
    const relative = u * (8 * (1 + score) + 14);
    expect(Math.abs(gradient.dKappa[0] / slope.dKappa[0] - 1)).toBeLessThan(relative);
  });

  test("coordinates of 2^-100 have their whole gradient beside a length scale of 1", async () => {
    // z is 2^-100 and its square is no number of float32, but the slope is -(d_M + alpha).
    const size = 2 ** -100;
    const inputs = {
      ...{ batch: 1, heads: 1, queries: 2, keys: 2, headDim: 1 },
      q: Float32Array.of(size, 3 * size),
      k: Float32Array.of(-size, 2 * size),
      v: Float32Array.of(1, -2),
    };
    const dOutput = Float32Array.of(1, 0.5);
    const options = { alpha: 1.5, kappa: 1 };
    const gradient = await device.backward(inputs, options, { ...(await device.forward(inputs, options)), dOutput });
    const truth = await reference.forward(inputs, options);
    const slope = await reference.backward(inputs, options, { ...truth, dOutput });
    // A weight has 8u, dS and the slope as many again; two pairs of weight 1/2 times (d_M + alpha) times |v - O| = 1.5.
    for (const name of ["dq", "dk"] as const) {
      for (const [e, x] of gradient[name].entries()) {
        expect(Math.abs(x - slope[name][e])).toBeLessThanOrEqual(16 * u * 2.5 * 1.5);
      }
    }
    expect(Math.max(...slope.dq.map(Math.abs))).toBeGreaterThan(1);
  });

  test("angles of long vectors do not gather the same rounding again and again", async () => {
    const shape = { batch: 1, heads: 1, queries: 4, keys: 2, headDim: 65 };
    const steps = (rows: number) => Float64Array.from({ length: rows * 65 }, (_, e) => ((e * 7 + 3) % 11) / 2 - 2);
    const problem = {
      inputs: { ...shape, q: steps(4), k: steps(2), v: steps(2) },
      options: { alpha: 2, manifold: "sphere", kappa: 0.5 },
      dOutput: steps(4),
      kind: "normal",
    } as const;
    for (const { tensor, error, bound } of await judgeFloat32(device, problem, "")) {
      expect(error, tensor).toBeLessThanOrEqual(bound);
    }
  });
});

describe("length scales", () => {
  // Squares of z would leave float32; that all points coincide is no exception. Beyond 2^40 what counts is the coordinates' size.
  test.each([
    [0, 2 ** -55],
    [1, 2 ** -55],
    [2 ** 40, 2 ** -55],
    [2 ** 41, 2 ** -14],
    [2 ** -40, 2 ** -55],
    [2 ** -41, 2 ** -96],
  ])("with coordinates of size %d below %d are refused", async (size, least) => {
    const inputs = inputsOf({ queries: 3 });
    for (const x of [inputs.q, inputs.k]) x.fill(size);
    await device.forward(inputs, { kappa: least });
    await expect(device.forward(inputs, { kappa: least / 2 })).rejects.toThrow(
      `kappa: expected kappa eps^(1/alpha) >= ${least} in float32, got ${least / 2}`,
    );
  });

  test.each(scalePairs)(
    "coordinates of size 2^%d with kappa = 2^%d keep their gradients",
    async (coordinate, kappa) => {
      await judgeScales(device, coordinate, kappa);
    },
  );

  test.each(uniformOptions)("scales beyond all distances give the average: %o", async (options) => {
    await judgeUniform(device, options);
  });

  test.each(negativeThresholds)("a negative threshold leaves nothing: %o", async (options) => {
    await judgeEmpty(device, options);
  });
});
