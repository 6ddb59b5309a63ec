/**
 * The kernels of the layers by themselves against float64, each under a bound from its own arithmetic, u = 2^-24.
 *
 * A sum of K products in float32, in any order, is within K u of the sum of their magnitudes (to first order); a division,
 * root or product adds u of its result. Where a bound has a factor, the factor counts the roundings on the way and is
 * stated there. All sizes are odd ones as well as those that fill whole tiles.
 */

import { describe, expect, test } from "vitest";
import { geluBackward, geluForward, reluBackward } from "../reference/activation.js";
import { adamStep } from "../reference/adam.js";
import { softmaxCrossEntropy } from "../reference/cross-entropy.js";
import { dropout, dropoutKey } from "../reference/dropout.js";
import { layerNormBackward, layerNormForward } from "../reference/layer-norm.js";
import { linearBackward, linearForward } from "../reference/linear.js";
import { orthogonalWeight, orthogonalWeightBackward } from "../reference/orthogonal.js";
import { poolBackward, poolForward } from "../reference/pooling.js";
import { createRandom } from "../reference/random.js";
import { type Engine, openEngine } from "../src/models/engine.js";
import { Addresses } from "../src/models/layout.js";
import { roundUp8 } from "../src/models/linear.js";

const u = 2 ** -24;
const random = createRandom(6);
const normals = (length: number, scale = 1) => Float32Array.from({ length }, () => scale * random.normal());
const wide = (x: ArrayLike<number>) => Float64Array.from(x);

/** A memory of 16 MiB with the kernels open. */
async function bench() {
  const engine = await openEngine(false);
  engine.memory.grow(256);
  const at = new Addresses();
  engine.kernels.layers_open(at.bytes(engine.kernels.layers_scratch_bytes(512)), 512);
  return new Bench(engine, at);
}

class Bench {
  constructor(
    readonly engine: Engine,
    readonly at: Addresses,
  ) {}

  get kernels() {
    return this.engine.kernels;
  }

  put(data: Float32Array | Int32Array): number {
    const address = this.at.floats(data.length);
    new (data.constructor as typeof Float32Array)(this.engine.memory.buffer, address, data.length).set(data);
    return address;
  }

  zeros(length: number): number {
    return this.put(new Float32Array(length));
  }

  read(address: number, length: number): Float32Array {
    return new Float32Array(this.engine.memory.buffer, address, length).slice();
  }
}

/** Every number within its own bound, and some number there at all. */
function expectWithin(actual: ArrayLike<number>, truth: ArrayLike<number>, bound: (e: number) => number): void {
  expect(actual.length).toBe(truth.length);
  expect(Array.from(truth).some((x) => x !== 0)).toBe(true);
  for (let e = 0; e < truth.length; e++) {
    const difference = Math.abs(actual[e] - truth[e]);
    // Not "greater than", so that a NaN fails.
    if (!(difference <= bound(e))) expect.fail(`entry ${e}: ${actual[e]} against ${truth[e]}, bound ${bound(e)}`);
  }
}

const sizes = [
  [1, 1, 1],
  [3, 5, 2],
  [4, 8, 8],
  [37, 9, 17],
  [130, 64, 24],
  [70, 300, 12],
] as const;

describe.each(sizes)("products of %i rows, %i inputs, %i outputs", (rows, inputs, outputs) => {
  const x = normals(rows * inputs);
  const weight = normals(outputs * inputs);
  const bias = normals(outputs);
  const dy = normals(rows * outputs);
  const magnitudes = (values: Float32Array) => wide(values).map(Math.abs);

  test("Y = X Wᵀ + b, within (I + 1) u of the sum of magnitudes", async () => {
    const b = await bench();
    const panels = b.zeros(roundUp8(outputs) * inputs);
    const y = b.zeros(rows * outputs);
    b.kernels.pack_rows(b.put(weight), panels, outputs, inputs);
    b.kernels.product(b.put(x), 4 * inputs, panels, b.put(bias), y, rows, inputs, outputs, 0);
    const truth = linearForward(wide(x), { weight, bias }, rows, inputs, outputs);
    const sums = linearForward(
      magnitudes(x),
      { weight: magnitudes(weight), bias: magnitudes(bias) },
      rows,
      inputs,
      outputs,
    );
    expectWithin(b.read(y, rows * outputs), truth, (e) => (inputs + 1) * u * sums[e]);
    b.kernels.product(b.put(x), 4 * inputs, panels, b.put(bias), y, rows, inputs, outputs, 2);
    for (const value of b.read(y, rows * outputs)) expect(value).toBeGreaterThanOrEqual(0);
  });

  test("dX, dW and db, within the number of terms and of the sum added to, times u", async () => {
    const b = await bench();
    const panels = b.zeros(roundUp8(inputs) * outputs);
    // Gradients are added to what is there.
    const [dx0, dw0, db0] = [normals(rows * inputs), normals(outputs * inputs), normals(outputs)];
    const [dx, dw, db] = [dx0, dw0, db0].map((data) => b.put(data));
    b.kernels.pack_columns(b.put(weight), panels, outputs, inputs);
    b.kernels.product(b.put(dy), 4 * outputs, panels, 0, dx, rows, outputs, inputs, 1);
    b.kernels.product_weight(b.put(dy), 4 * outputs, b.put(x), dw, rows, outputs, inputs);
    b.kernels.column_sums(b.put(dy), db, rows, outputs);
    const truth = linearBackward(wide(x), { weight }, wide(dy), rows, inputs, outputs);
    const sums = linearBackward(magnitudes(x), { weight: magnitudes(weight) }, magnitudes(dy), rows, inputs, outputs);
    const check = (address: number, start: Float32Array, gradient: Float64Array, sum: Float64Array, terms: number) =>
      expectWithin(
        b.read(address, start.length),
        gradient.map((g, e) => g + start[e]),
        (e) => (terms + 1) * u * (sum[e] + Math.abs(start[e])),
      );
    check(dx, dx0, truth.dx, sums.dx, outputs);
    check(dw, dw0, truth.weight, sums.weight, rows);
    check(db, db0, truth.bias, sums.bias, rows);
  });
});

test.each([
  [5, 1],
  [3, 6],
  [67, 64],
  [4, 130],
])("layer normalisation of %i rows of %i", async (rows, width) => {
  const b = await bench();
  const x = normals(rows * width, 3);
  const [weight, bias, dy] = [normals(width), normals(width), normals(rows * width)];
  const [y, stats, dx] = [rows * width, 2 * rows, rows * width].map((n) => b.zeros(n));
  const [dWeight, dBias] = [b.zeros(width), b.zeros(width)];
  const norm = { weight, bias, epsilon: 1e-6 };
  const addresses = { x: b.put(x), weight: b.put(weight), bias: b.put(bias), dy: b.put(dy) };
  b.kernels.norm_forward(addresses.x, addresses.weight, addresses.bias, y, stats, rows, width, 1e-6);
  b.kernels.norm_backward(addresses.x, addresses.weight, addresses.dy, stats, dx, dWeight, dBias, rows, width);
  const truth = layerNormForward(wide(x), norm, rows, width);
  const gradient = layerNormBackward(wide(x), norm, wide(dy), rows, width);
  // x - mean loses (width/4 + 4) u of the largest |x| of a row; divided by the deviation that is the error of x^, and the
  // deviation itself is off by half as much again relative to x^. Each row has its own factor.
  const error = Array.from({ length: rows }, (_, r) => {
    const row = wide(x.subarray(r * width, (r + 1) * width));
    const mean = row.reduce((sum, value) => sum + value / width, 0);
    const deviation = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2 / width, 0) + 1e-6);
    const most = Math.max(...row.map(Math.abs));
    return (
      (width / 4 + 8) *
      u *
      (most / deviation + 1) *
      Math.max(1, Math.max(...row.map((v) => Math.abs(v - mean))) / deviation)
    );
  });
  const row = (e: number) => Math.floor(e / width);
  const most = (values: ArrayLike<number>) => Math.max(...Array.from(values, Math.abs));
  const scale = most(weight) + most(bias);
  if (width > 1) {
    expectWithin(b.read(y, rows * width), truth, (e) => 2 * error[row(e)] * scale);
    // g - mean g - x^ mean(g x^), divided by the deviation: three terms of at most |g| (1 + x^2), each with that error.
    const inverse = (r: number) => Math.abs(b.read(stats, 2 * rows)[2 * r + 1]);
    const g = most(weight) * most(dy) * (1 + width);
    expectWithin(b.read(dx, rows * width), gradient.dx, (e) => 4 * error[row(e)] * inverse(row(e)) * g);
    expectWithin(
      b.read(dWeight, width),
      gradient.weight,
      () => (2 * most(error) + rows * u) * rows * most(dy) * Math.sqrt(width),
    );
  }
  expectWithin(b.read(dBias, width), gradient.bias, () => (rows + 1) * u * rows * most(dy));
});

test("gelu and its slope, within 16 u of |x| and 64 u of |dy| (1 + |x|)", async () => {
  // e^2u is off by 2.7 (1 + |2u|) u and turns s = e/(1 + e) by |2u| s (1 - s) <= 1 of that at most; 64 covers the slope,
  // in which the same error is multiplied by 2 u' x <= 3.2.
  const b = await bench();
  const x = Float32Array.from({ length: 4000 }, (_, i) => (i - 2000) / 150);
  const dy = normals(4000);
  const y = b.zeros(4000);
  const [address, gradient] = [b.put(x), b.put(dy)];
  b.kernels.gelu_forward(address, y, 4000);
  b.kernels.gelu_backward(address, gradient, 4000);
  expectWithin(b.read(y, 4000), geluForward(wide(x)), (e) => 16 * u * Math.abs(x[e]));
  const truth = geluBackward(wide(x), wide(dy));
  expectWithin(b.read(gradient, 4000), truth, (e) => 64 * u * Math.abs(dy[e]) * (1 + Math.abs(x[e])));
});

test("relu passes gradients where its output is above 0, and only there", async () => {
  const b = await bench();
  const [y, dy] = [normals(103).map((x) => Math.max(0, x)), normals(103)];
  const gradient = b.put(dy);
  b.kernels.relu_backward(b.put(y), gradient, 103);
  expect(wide(b.read(gradient, 103))).toEqual(reluBackward(wide(y), wide(dy)));
});

test.each([1, 7, 64])("dropout of %i columns is the twin's to the bit of its mask", async (width) => {
  const b = await bench();
  const x = normals(40 * width).map((value) => (value === 0 ? 1 : value));
  const ids = Int32Array.from({ length: 40 }, (_, r) => 1000 * r + 3);
  const key = dropoutKey(77, 5, 1);
  const y = b.zeros(40 * width);
  b.kernels.drop(b.put(x), y, b.put(ids), 40, width, key, Math.round(0.3 * 2 ** 24), 1 / 0.7);
  const truth = dropout(wide(x), ids, width, 0.3, key);
  const actual = b.read(y, 40 * width);
  expect(actual.map((value) => Number(value === 0))).toEqual(Float32Array.from(truth, (value) => Number(value === 0)));
  expectWithin(actual, truth, (e) => 2 * u * Math.abs(truth[e]));
});

test.each(["max", "mean"] as const)("%s pooling of texts of 1, 5 and 12 rows", async (kind) => {
  const b = await bench();
  const starts = [0, 1, 6, 18];
  const width = 6;
  const x = normals(18 * width);
  const dy = normals(3 * width);
  const [y, where, dx] = [b.zeros(3 * width), b.zeros(3 * width), b.put(normals(18 * width))];
  const table = b.put(Int32Array.from(starts));
  b.kernels.pool_forward(b.put(x), table, y, where, 3, width, Number(kind === "mean"));
  b.kernels.pool_backward(b.put(dy), table, dx, where, 3, width, Number(kind === "mean"));
  for (let t = 0; t < 3; t++) {
    const rows = starts[t + 1] - starts[t];
    const part = wide(x.subarray(starts[t] * width, starts[t + 1] * width));
    const d = wide(dy.subarray(t * width, (t + 1) * width));
    // Means are formed in float64, and rounded once; the share of a gradient is rounded, then the product.
    const near = (e: number, truth: Float64Array) => 2 * u * Math.abs(truth[e]);
    const truth = poolForward(kind, part, rows, width);
    expectWithin(b.read(y, 3 * width).subarray(t * width, (t + 1) * width), truth, (e) => near(e, truth));
    const back = poolBackward(kind, part, d, rows, width);
    const slice = b.read(dx, 18 * width).subarray(starts[t] * width, starts[t + 1] * width);
    expectWithin(slice, back, (e) => near(e, back));
  }
});

test.each([false, true])("cross-entropy, softmax twice: %s, within a rounding of float64", async (twice) => {
  const b = await bench();
  const [texts, classes] = [9, 5];
  const logits = normals(texts * classes, 8);
  const labels = Int32Array.from({ length: texts }, (_, t) => t % classes);
  const [p, d, result, work] = [texts * classes, texts * classes, 4, 6 * classes].map((n) => b.zeros(n));
  b.kernels.cross_entropy(b.put(logits), b.put(labels), p, d, result, work, texts, classes, texts, Number(twice));
  const truth = softmaxCrossEntropy(wide(logits), labels, classes, twice);
  const loss = new Float64Array(b.engine.memory.buffer, result, 1)[0];
  expect(Math.abs(loss - truth.loss)).toBeLessThan(1e-13 * (1 + truth.loss));
  expectWithin(b.read(p, texts * classes), truth.probabilities, (e) => 1.01 * u * truth.probabilities[e] + 1e-40);
  // 1 - p of a sure answer is formed in float64, so what it loses is of that size.
  expectWithin(b.read(d, texts * classes), truth.dLogits, (e) => 1.01 * u * Math.abs(truth.dLogits[e]) + 1e-14);
});

test("Adam over three steps, within 16 u of each number a step", async () => {
  const b = await bench();
  const length = 64;
  const start = normals(length);
  const state = { parameter: wide(start), first: new Float64Array(length), second: new Float64Array(length) };
  const [parameter, first, second] = [b.put(start), b.zeros(length), b.zeros(length)];
  const options = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
  for (let step = 1; step <= 3; step++) {
    // One sign, so that no mean of gradients cancels.
    const gradient = normals(length).map(Math.abs);
    const corrections = [1 / (1 - 0.9 ** step), 1 / (1 - 0.999 ** step)];
    b.kernels.adam(parameter, b.put(gradient), first, second, length, 0.01, 0.9, 0.999, 1e-8, ...corrections);
    adamStep(state, wide(gradient), step, options);
    // 1 - beta2 = 0.001 is itself rounded, and the step is a quotient of two numbers with some roundings each.
    expectWithin(b.read(first, length), state.first, (e) => 8 * step * u * state.first[e]);
    expectWithin(b.read(second, length), state.second, (e) => 8 * step * u * state.second[e]);
    const most = (e: number) => step * u * (Math.abs(state.parameter[e]) + 16 * 0.01 * Math.SQRT2);
    expectWithin(b.read(parameter, length), state.parameter, most);
  }
});

test.each([
  [1, 1],
  [5, 0.1],
  [8, 3],
  [13, 40],
])("orthogonal weights of size %i, parameters of size %d", async (n, scale) => {
  const b = await bench();
  const original = normals(n * n, scale);
  const identity = Float32Array.from({ length: n * n }, (_, p) => Number(Math.floor(p / n) === p % n));
  const base = Float32Array.from(orthogonalWeight({ original: normals(n * n), base: wide(identity) }, n));
  const dWeight = normals(n * n);
  const [at, baseAt] = [b.put(original), b.put(base)];
  const squarings = b.kernels.orthogonal_squarings(at, n);
  const [w, d] = [b.zeros(n * n), b.zeros(n * n)];
  const work = b.at.bytes(b.kernels.orthogonal_bytes(n, squarings));
  b.kernels.orthogonal_forward(at, baseAt, w, n, squarings, work);
  b.kernels.orthogonal_backward(baseAt, b.put(dWeight), d, n, squarings, work);
  const parameter = { original: wide(original), base: wide(base) };
  const truth = orthogonalWeight(parameter, n);
  // Entries are at most 1: one rounding to float32, float64 before it.
  expectWithin(b.read(w, n * n), truth, () => 1.01 * u);
  if (n === 1) return;
  const gradient = orthogonalWeightBackward(parameter, wide(dWeight), n);
  const largest = Math.max(...gradient.map(Math.abs));
  expectWithin(b.read(d, n * n), gradient, () => 1.01 * u * largest);
});

test("a tile that reaches beyond its matrix changes nothing around it", async () => {
  const b = await bench();
  const [rows, inputs, outputs] = [5, 6, 3];
  const panels = b.zeros(roundUp8(outputs) * inputs);
  const frame = b.put(new Float32Array(rows * outputs + 32).fill(7));
  b.kernels.pack_rows(b.put(normals(outputs * inputs)), panels, outputs, inputs);
  b.kernels.product(b.put(normals(rows * inputs)), 4 * inputs, panels, 0, frame + 64, rows, inputs, outputs, 0);
  const around = b.read(frame, rows * outputs + 32);
  expect([...around.subarray(0, 16), ...around.subarray(16 + rows * outputs)]).toEqual(new Array(32).fill(7));
});
