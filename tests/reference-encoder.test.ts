/**
 * The reference's encoder classifier and its parts against central differences of its own loss, where no golden vector
 * reaches: learned orders and scales, Sinkhorn attention, mean pooling, dropout, the activation of the vision models.
 *
 * Steps are small, h = 1e-5, because the loss has kinks, where a relu or a maximum changes sides, and a slope across one is
 * not that of either side. Richardson's table of h, h/2, h/4 makes the truncation nothing; the loss, of order 1 after some
 * hundred operations, is rounded to 1e-14, divided by the smallest step 2.5e-6: 4e-9, below the bound of 1e-7.
 */

import { describe, expect, test } from "vitest";
import {
  adamStep,
  dropout,
  dropoutKey,
  encoderForward,
  geluBackward,
  geluForward,
  InvalidArgumentError,
  softmaxCrossEntropy,
} from "../reference/index.js";
import { createRandom } from "../reference/random.js";
import { resolveConfig } from "../src/models/config.js";
import { initialParameters, parameterSpecs } from "../src/models/parameters.js";
import { learningRateAt } from "../src/models/schedule.js";
import type { ClassifierConfig } from "../src/models/types.js";

const h = 1e-5;

/** d f/dt at 0 from f at ±h, ±h/2, ±h/4. */
function slope(f: (t: number) => number): number {
  const central = [1, 2, 4].map((part) => (f(h / part) - f(-h / part)) / ((2 * h) / part));
  const once = [(4 * central[1] - central[0]) / 3, (4 * central[2] - central[1]) / 3];
  return (16 * once[1] - once[0]) / 15;
}

const base: ClassifierConfig = { width: 6, ffnWidth: 8, vocabulary: 9, maxLength: 7, classes: 3 };
const cases: [string, Partial<ClassifierConfig>][] = [
  ["one head", {}],
  ["two heads, two layers, learned alpha and kappa", { heads: 2, layers: 2, learnAlpha: true, learnKappa: true }],
  ["sphere, learned alpha and kappa", { attention: "fna-sphere", heads: 2, learnAlpha: true, learnKappa: true }],
  ["alpha 2, learned kappa, shared", { alpha: 2, qkShare: true, learnKappa: true, projectionBias: true }],
  ["orthogonal, one head", { orthogonal: true, degreeNormalization: 0.5 }],
  ["orthogonal, shared, two heads", { orthogonal: true, qkShare: true, heads: 2 }],
  ["sinkhorn", { attention: "sinkhorn", heads: 2 }],
  ["sinkhorn, five updates", { attention: "sinkhorn", iterations: 5 }],
  ["dot-product, mean, no positions", { attention: "dot-product", pooling: "mean", positions: "none" }],
  ["dropout", { dropout: 0.3, residualScale: true, layers: 2 }],
  ["padding pooled, softmax twice", { compatibility: { poolPadding: true, softmaxTwice: true }, pooling: "mean" }],
];

describe.each(cases)("%s", (_, options) => {
  const config = resolveConfig({ ...base, ...options });
  const specs = parameterSpecs(config);
  const start = initialParameters(specs, 3);
  const random = createRandom(8);
  // Off the start values, so that normalisations and orthogonal weights are not the identity.
  const parameters = Object.fromEntries(
    specs.map(({ name, trained }) => [
      name,
      Float64Array.from(start[name].data, (x) => (trained ? x + 0.2 * random.normal() : x)),
    ]),
  );
  const batch = {
    tokens: Int32Array.of(1, 2, 3, 4, 5, 0, 0, 8, 7, 6, 1, 1, 2, 3),
    lengths: Int32Array.of(5, 7),
    labels: Int32Array.of(2, 0),
  };
  const at = { seed: 5, step: 2 };

  test("gradients of every parameter along a random direction", () => {
    const gradients = encoderForward(config, parameters, batch, at).backward();
    expect(Object.keys(gradients).sort()).toEqual(
      specs
        .filter((s) => s.trained)
        .map((s) => s.name)
        .sort(),
    );
    for (const [name, gradient] of Object.entries(gradients)) {
      const direction = gradient.map(() => random.normal());
      const loss = (t: number) => {
        const moved = parameters[name].map((x, e) => x + t * direction[e]);
        return encoderForward(config, { ...parameters, [name]: moved }, batch, at).loss;
      };
      const along = gradient.reduce((sum, g, e) => sum + g * direction[e], 0);
      expect(Math.abs(slope(loss) - along), name).toBeLessThan(1e-7);
    }
    // Otherwise zeros would agree with zeros.
    expect(Math.max(...Object.values(gradients).map((g) => Math.max(...g.map(Math.abs))))).toBeGreaterThan(1e-3);
  });
});

test("the slope of gelu", () => {
  for (const x of [-3, -0.7, 0, 0.1, 1.9]) {
    const numeric = slope((t) => geluForward(Float64Array.of(x + t))[0]);
    expect(geluBackward(Float64Array.of(x), Float64Array.of(1))[0]).toBeCloseTo(numeric, 9);
  }
});

test("dropout keeps a share of 1 - p, scaled, as its key says, and the same for any split of the rows", () => {
  const ones = new Float64Array(200 * 50).fill(1);
  const ids = Array.from({ length: 200 }, (_, r) => r);
  const y = dropout(ones, ids, 50, 0.25, dropoutKey(1, 2, 3));
  const kept = y.filter((value) => value !== 0);
  expect(new Set(kept)).toEqual(new Set([4 / 3]));
  // Five standard deviations of a share of 10,000 draws.
  expect(Math.abs(kept.length / y.length - 0.75)).toBeLessThan((5 * Math.sqrt(0.75 * 0.25)) / 100);
  const part = dropout(ones.subarray(0, 100 * 50), ids.slice(100), 50, 0.25, dropoutKey(1, 2, 3));
  expect(part).toEqual(y.subarray(100 * 50));
  for (const other of [dropoutKey(2, 2, 3), dropoutKey(1, 3, 3), dropoutKey(1, 2, 4)]) {
    expect(dropout(ones, ids, 50, 0.25, other)).not.toEqual(y);
  }
});

test("the first step of Adam is the learning rate, whatever the gradient's size", () => {
  const state = { parameter: Float64Array.of(1, 1), first: new Float64Array(2), second: new Float64Array(2) };
  adamStep(state, Float64Array.of(3, -5e-3), 1, { learningRate: 0.1, epsilon: 0 });
  expect(state.parameter[0]).toBeCloseTo(0.9, 14);
  expect(state.parameter[1]).toBeCloseTo(1.1, 14);
});

test("the binary schedule divides the rate after three quarters", () => {
  const rates = Array.from({ length: 8 }, (_, step) => learningRateAt("binary", 1, step, 8));
  expect(rates).toEqual([1, 1, 1, 1, 1, 1, 0.1, 0.1]);
});

test("wrong arguments are named", () => {
  expect(() => softmaxCrossEntropy(new Float64Array(4), Int32Array.of(0, 2), 2)).toThrow(
    new InvalidArgumentError("labels", "an integer in [0, 1]", 2),
  );
  expect(() => resolveConfig({ ...base, heads: 4 })).toThrow("heads: expected a divisor of the width (6), got 4");
  expect(() => resolveConfig({ ...base, learnAlpha: true, alpha: 2 })).toThrow("alpha");
  expect(() => resolveConfig({ ...base, atention: "fna" } as never)).toThrow("atention");
});
