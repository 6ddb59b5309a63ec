/** The webgpu device through the public face: agreement with the reference, masks, bad numbers, shapes at the edges. */

import { afterAll, describe, expect, test } from "vitest";
import { createRandom } from "../reference/random.js";
import { Attention } from "../src/attention.js";
import { createReferenceBackend } from "../src/backends/reference.js";
import { createWasmBackend } from "../src/backends/wasm/index.js";
import { patchOf } from "../src/backends/webgpu/call.js";
import type { AttentionOptions, BackwardResult, Floats } from "../src/types.js";
import { inputKinds, type Problem, randomProblem } from "../src/verify/battery.js";
import type { Check } from "../src/verify/check.js";
import { loadGolden } from "../src/verify/golden-files.js";
import { checkGoldenOnDevice, deviceGroups } from "../src/verify/golden-problems.js";
import { judgeFloat32, wgslUnit } from "../src/verify/judge-float32.js";
import {
  judgeEmpty,
  judgeScales,
  judgeUniform,
  negativeThresholds,
  scalePairs,
  uniformOptions,
} from "./extreme-scales.js";
import { difference, inputsOf, normals } from "./float32-inputs.js";
import { openForTests, patience } from "./webgpu/open.js";

const u = 2 ** -24;
const backend = await openForTests();
const reference = new Attention<Float64Array>(createReferenceBackend());
const device = backend && new Attention<Float32Array>(backend);
afterAll(() => device?.dispose());

/** What IEEE arithmetic promises, which the CPU adapters have, is a quarter of what WGSL does. */
const strictness = backend?.gpu.isSoftware ? u / wgslUnit : 1;

async function judge(problem: Problem, id: string): Promise<void> {
  for (const check of await judgeFloat32(device!, problem, id)) {
    expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound * strictness);
  }
}

describe.runIf(device)("a-priori float32 bounds", { timeout: patience }, () => {
  test.each(inputKinds)("random problems with inputs of kind %s", async (kind) => {
    const random = createRandom(2026);
    for (let c = 0; c < 40; c++) await judge(randomProblem(random, kind, true), `${kind} ${c}`);
  });

  test("random problems of several tiles and blocks", async () => {
    const random = createRandom(5);
    for (let c = 0; c < 12; c++) {
      await judge(randomProblem(random, inputKinds[c % inputKinds.length], true, 100), `large ${c}`);
    }
  });

  test.each(deviceGroups)("golden group %s", async (group) => {
    const checks = await checkGoldenOnDevice(device!, group, loadGolden(group).cases);
    const ofRounding = (c: Check) => c.bound * (c.tensor.startsWith("golden") ? 1 : strictness);
    const failures = checks.filter((c) => !(c.error <= ofRounding(c)));
    expect(failures.map((c) => `${c.case} ${c.tensor}: ${c.error} > ${c.bound}`)).toEqual([]);
    expect(checks.length).toBeGreaterThan(0);
  });

  test("at alpha = 1.2, d = 64, N = 512 the forward error is at most 4 times that of the wasm device", async () => {
    const inputs = inputsOf({ queries: 512, headDim: 64 });
    const wasm = new Attention<Float32Array>(await createWasmBackend());
    const truth = await reference.forward(inputs);
    const own = difference((await device!.forward(inputs)).output, truth.output);
    const other = difference((await wasm.forward(inputs)).output, truth.output);
    wasm.dispose();
    expect(own).toBeLessThanOrEqual(4 * other);
  });
});

describe.runIf(device)("shapes at the edges", { timeout: patience }, () => {
  const shapes = [
    { queries: 1, keys: 1, headDim: 1 },
    { queries: 0, keys: 5 },
    { queries: 5, keys: 0 },
    { batch: 0 },
    { queries: 33, keys: 65, headDim: 3, valueDim: 1 },
    { queries: 31, keys: 3, headDim: 130, valueDim: 5 },
    { queries: 35, keys: 34, headDim: 5, valueDim: 150 },
    { batch: 2, heads: 6, keyHeads: 2, queries: 34, headDim: 5, valueDim: 7 },
  ];
  test.each(shapes)("%o agrees with the reference", async (shape) => {
    const inputs = inputsOf(shape);
    const options: AttentionOptions = shape.keyHeads ? { keyHeads: shape.keyHeads } : {};
    const found = await device!.forward(inputs, options);
    const truth = await reference.forward(inputs, options);
    // Weights carry at most 8u(1 + max|s|), max|s| < 5 here, and outputs are averages of values below 5.
    expect(difference(found.output, truth.output)).toBeLessThan(8 * 6 * 5 * u);
    expect(difference(found.logSumExp, truth.logSumExp)).toBeLessThan(8 * 6 * u);
    const dOutput = normals(found.output.length, 9);
    const gradient = await device!.backward(inputs, options, { ...found, dOutput });
    const slope = await reference.backward(inputs, options, { ...truth, dOutput });
    for (const name of ["dq", "dk", "dv"] as const) {
      // The same relative error on terms of size w |dO| (|V| + |O|) |ds/dq|, of which sums over at most 65 keys are taken.
      expect(difference(gradient[name], slope[name]), name).toBeLessThan(65 * 8 * 6 * 20 * u);
    }
  });

  test("on the sphere a gradient of more components than one workgroup sums is projected as a whole", async () => {
    const inputs = inputsOf({ queries: 5, headDim: 70, valueDim: 3 });
    const options: AttentionOptions = { manifold: "sphere" };
    const truth = await reference.forward(inputs, options);
    const found = await device!.forward(inputs, options);
    const dOutput = normals(15, 9);
    const gradient = await device!.backward(inputs, options, { ...found, dOutput });
    const slope = await reference.backward(inputs, options, { ...truth, dOutput });
    const size = slope.dq.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    // A gradient is a sum of 5 terms, each with the 70 + 16 roundings of a distance and its score, and of a projection.
    expect(difference(gradient.dq, slope.dq)).toBeLessThan(5 * 2 * (70 + 16) * u * size);
    expect(difference(gradient.dk, slope.dk)).toBeLessThan(5 * 2 * (70 + 16) * u * size);
  });

  test("the bits do not depend on the run", async () => {
    const inputs = inputsOf({ heads: 2, queries: 70, headDim: 5 });
    const options: AttentionOptions = { degreeNormalization: 0.5, bandwidth: "median", keyHeads: 2 };
    const found = await device!.forward(inputs, options);
    expect(await device!.forward(inputs, options)).toEqual(found);
    const saved = { ...found, dOutput: normals(found.output.length, 9) };
    expect(await device!.backward(inputs, options, saved)).toEqual(await device!.backward(inputs, options, saved));
  });
});

describe.runIf(device)("many rows, of which a thread takes eight instead of four", { timeout: patience }, () => {
  const shape = { batch: 8, heads: 8, keyHeads: 2, queries: 70, keys: 67, headDim: 5, valueDim: 35 };
  const mask = Uint8Array.from({ length: 8 * 70 * 67 }, (_, i) => Number(i % 3 === 0 || i % 67 > 60));
  const lengths = (most: number, step: number) => Int32Array.from({ length: 8 }, (_, b) => most - step * b);
  const cases: [string, AttentionOptions][] = [
    ["degree", { degreeNormalization: 1, causal: true }],
    ["mask", { mask: { data: mask, shape: [1, 8, 70, 67] } }],
    [
      "sphere",
      { manifold: "sphere", alpha: Float32Array.of(1.2, 2, 1, 1.5, 0.3, 2, 1.2, 1.9), distanceThreshold: 0.4 },
    ],
    ["lengths", { window: 9, globalTokens: 2, keyLengths: lengths(67, 3), queryLengths: lengths(70, 1) }],
  ];

  test.each(cases)("have the bits of each batch entry alone: %s", async (_, given) => {
    expect([patchOf(shape), patchOf({ ...shape, batch: 1 })]).toEqual([8, 4]);
    const all = inputsOf(shape, 6);
    // Rows that are spoiled in their weights or in their values only, and a zero vector.
    all.k[5 * (67 * 3 + 8)] = Number.NaN;
    all.v[35 * (67 * 4 + 66)] = Number.POSITIVE_INFINITY;
    all.q[5 * (70 * 9 + 61)] = Number.NaN;
    all.q.fill(0, 5 * 40, 5 * 41);
    const options = { ...given, keyHeads: 2 };
    const found = await device!.forward(all, options);
    for (let b = 0; b < 8; b++) {
      const part = (x: Float32Array) => x.slice((b * x.length) / 8, ((b + 1) * x.length) / 8);
      const inputs = { ...all, batch: 1, q: part(all.q), k: part(all.k), v: part(all.v) };
      const { keyLengths, queryLengths } = given;
      const ownLengths = keyLengths && {
        keyLengths: keyLengths.slice(b, b + 1),
        queryLengths: queryLengths?.slice(b, b + 1),
      };
      expect(await device!.forward(inputs, { ...options, ...ownLengths })).toEqual({
        output: part(found.output),
        logSumExp: part(found.logSumExp),
      });
    }
    expect(found.output.some(Number.isNaN)).toBe(true);
    expect(found.output.filter(Number.isFinite).length).toBeGreaterThan(found.output.length / 2);
  });
});

describe.runIf(device)("NaN and Infinity", { timeout: patience }, () => {
  const shape = { batch: 1, heads: 2, queries: 70, keys: 70, headDim: 5, valueDim: 3 };
  const variants: AttentionOptions[] = [
    {},
    { causal: true },
    { window: 3 },
    { manifold: "sphere", alpha: 2 },
    { degreeNormalization: 1, causal: true },
    { distanceThreshold: 0.3, window: 20 },
    { bandwidth: "median", window: 9 },
    { keyLengths: Int32Array.of(50) },
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
      const found = await device!.forward(inputs, options);
      const truth = await reference.forward(inputs, options);
      expect(nans(found.output)).toEqual(nans(truth.output));
      expect(nans(found.logSumExp)).toEqual(nans(truth.logSumExp));
      expect(nans(await device!.weights(inputs, options))).toEqual(nans(await reference.weights(inputs, options)));
      const gradient = await device!.backward(inputs, options, { ...found, ...saved });
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

  test("what stands beyond the lengths or behind masks does not change a bit", async () => {
    const inputs = inputsOf({ batch: 2, queries: 50, keys: 90, headDim: 4 }, 5);
    const options: AttentionOptions = {
      keyLengths: Int32Array.of(71, 30),
      queryLengths: Int32Array.of(33, 50),
      mask: Uint8Array.from({ length: 90 }, (_, j) => Number(j % 7 === 0 || (j >= 32 && j < 64))),
    };
    const before = await device!.forward(inputs, options);
    const dOutput = normals(2 * 50 * 4, 8);
    const slopes = await device!.backward(inputs, options, { ...before, dOutput });
    for (let b = 0; b < 2; b++) {
      inputs.q.fill(Number.NaN, (b * 50 + options.queryLengths![b]) * 4, (b + 1) * 50 * 4);
      dOutput.fill(Number.NaN, (b * 50 + options.queryLengths![b]) * 4, (b + 1) * 50 * 4);
      for (let j = 0; j < 90; j++) {
        if (j < options.keyLengths![b] && (options.mask as Uint8Array)[j] === 0) continue;
        inputs.k.fill(Number.NaN, (b * 90 + j) * 4, (b * 90 + j + 1) * 4);
        inputs.v.fill(Number.POSITIVE_INFINITY, (b * 90 + j) * 4, (b * 90 + j + 1) * 4);
      }
    }
    const after = await device!.forward(inputs, options);
    expect(after).toEqual(before);
    expect(await device!.backward(inputs, options, { ...after, dOutput })).toEqual(slopes);
  });
});

describe.runIf(device)("extreme numbers", { timeout: patience }, () => {
  test("zero vectors on the sphere are at pi/2 from everything, without a gradient", async () => {
    const inputs = inputsOf({ queries: 9, headDim: 3 });
    inputs.q.fill(0, 3, 6);
    inputs.k.fill(0, 3, 9);
    const options: AttentionOptions = { manifold: "sphere" };
    const found = await device!.forward(inputs, options);
    const truth = await reference.forward(inputs, options);
    expect(difference(found.output, truth.output)).toBeLessThan(8 * 8 * 5 * u);
    const dOutput = normals(27, 4);
    const gradient = await device!.backward(inputs, options, { ...found, dOutput });
    const slope = await reference.backward(inputs, options, { ...truth, dOutput });
    for (const x of [...gradient.dq.subarray(3, 6), ...gradient.dk.subarray(3, 9)]) expect(Math.abs(x)).toBe(0);
    expect(difference(gradient.dq, slope.dq)).toBeLessThan(1e-4);
  });

  test("a length scale that float32 cannot hold is refused, unless coordinates are as small", async () => {
    const inputs = inputsOf({ queries: 3, headDim: 2 });
    const call = device!.forward(inputs, { alpha: 2, kappa: 1e-19 });
    await expect(call).rejects.toThrow(/^kappa: expected .* >= 2.77\d*e-17 in float32, got 1e-19$/);
    await expect(device!.weights(inputs, { manifold: "sphere", kappa: 1e-19 })).rejects.toThrow(
      /^kappa: .* in float32/,
    );
    // A measured bandwidth of small alpha: its floor of 1e-3 to the power of 1/alpha is 1e-30.
    const near = { ...inputs, q: inputs.q.fill(1), k: inputs.k.fill(1) };
    await expect(device!.forward(near, { alpha: 0.1, bandwidth: "mean", kappa: 1 })).rejects.toThrow(
      /^kappa: .* in float32/,
    );
    // Coordinates below 2^-40 have their power of two taken out, and the smallest length scale follows it.
    for (const [size, least] of [
      [2 ** -40, 2 ** -55],
      [2 ** -41, 2 ** -96],
    ]) {
      const tiny = { ...inputs, q: inputs.q.fill(size), k: inputs.k.fill(size) };
      await device!.forward(tiny, { kappa: least });
      await expect(device!.forward(tiny, { kappa: least / 2 })).rejects.toThrow(
        `kappa: expected kappa eps^(1/alpha) >= ${least} in float32, got ${least / 2}`,
      );
    }
    const small = inputsOf({ queries: 3, headDim: 2 }, 2);
    for (const x of [small.q, small.k])
      x.forEach((value, e) => {
        x[e] = value * 1e-19;
      });
    const found = await device!.forward(small, { alpha: 2, kappa: 1e-19 });
    const truth = await reference.forward(small, { alpha: 2, kappa: 1e-19 });
    // Scores of up to 20 and a dozen roundings, on values of up to 3.
    expect(difference(found.output, truth.output)).toBeLessThan(8 * 20 * 3 * u * 4);
  });

  test.each([1e-30, 1e30])("coordinates of size %d keep all their digits", async (scale) => {
    const inputs = inputsOf({ batch: 2, queries: 40, headDim: 6 });
    // Any row may be the one that tells the size.
    inputs.q.fill(0, 0, 6);
    inputs.k.fill(0, 0, 12 * 40 - 18);
    const large = { ...inputs, q: inputs.q.map((x) => x * scale), k: inputs.k.map((x) => x * scale) };
    const options = { alpha: 1.2, kappa: 3 * scale };
    const found = await device!.forward(large, options);
    const truth = await reference.forward(large, options);
    expect(difference(found.output, truth.output)).toBeLessThan(8 * 20 * 5 * u);
    const dOutput = normals(480, 4);
    const gradient = await device!.backward(large, options, { ...found, dOutput });
    const slope = await reference.backward(large, options, { ...truth, dOutput });
    const unscaled = (x: Floats) => Float64Array.from(x, (e) => e * scale);
    expect(difference(unscaled(gradient.dq), unscaled(slope.dq))).toBeLessThan(1e-4);
  });

  test.each(scalePairs)(
    "coordinates of size 2^%d with kappa = 2^%d keep their gradients",
    async (coordinate, kappa) => {
      await judgeScales(device!, coordinate, kappa);
    },
  );

  test.each(uniformOptions)("scales beyond all distances give the average: %o", async (options) => {
    await judgeUniform(device!, options);
  });

  test.each(negativeThresholds)("a negative threshold leaves nothing: %o", async (options) => {
    await judgeEmpty(device!, options);
  });
});
