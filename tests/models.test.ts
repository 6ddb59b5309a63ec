/**
 * The float32 classifier against its float64 twin on the same float32 parameters.
 *
 * The bound. A rounding error of a number inside the model acts like a relative change, of the same size, of the parameters
 * that made it; what such changes do is measured on the twin: every parameter is changed by a random relative amount of
 * up to 2^-20, three times, and the largest change of a tensor, in units of its largest number and of 2^-20, is its
 * amplification. The number of roundings from the tokens to a tensor and back is at most the sum of the lengths of all sums
 * on the way (width, feed-forward width and positions for each layer, thrice for forward, back and gradient), counted by
 * `depth`. Amplification times depth times 2^-24 bounds the difference; tensors that are zero in theory (the gradient of
 * the bias of keys) are compared with the largest gradient instead.
 */

import { describe, expect, test } from "vitest";
import { type EncoderStep, encoderForward } from "../reference/encoder.js";
import { multiHeadForward } from "../reference/multi-head.js";
import { createRandom } from "../reference/random.js";
import { createClassifier, NonFiniteError } from "../src/models/index.js";
import type { Classifier, ClassifierConfig, LabelledBatch, ModelState, NamedTensor } from "../src/models/types.js";
import { tensor } from "../src/verify/golden.js";
import { readClassifier } from "../src/verify/golden-classifier.js";
import { loadGolden } from "../src/verify/golden-files.js";
import { readMultiHead } from "../src/verify/golden-multi-head.js";

const base: ClassifierConfig = { width: 6, ffnWidth: 8, vocabulary: 9, maxLength: 7, classes: 3 };
const sphereWithBiases = {
  attention: "fna-sphere",
  radius: 0.8,
  kappa: 0.9,
  orthogonal: true,
  projectionBias: true,
} as const;
const cases: [string, Partial<ClassifierConfig>][] = [
  ["one head", {}],
  ["two heads, two layers, learned alpha and kappa", { heads: 2, layers: 2, learnAlpha: true, learnKappa: true }],
  ["sphere, learned alpha and kappa", { attention: "fna-sphere", heads: 2, learnAlpha: true, learnKappa: true }],
  ["alpha 2, shared, biases", { alpha: 2, qkShare: true, learnKappa: true, projectionBias: true }],
  ["orthogonal, one head, a = 1/2", { orthogonal: true, degreeNormalization: 0.5 }],
  ["orthogonal, shared, two heads", { orthogonal: true, qkShare: true, heads: 2 }],
  ["sinkhorn", { attention: "sinkhorn", heads: 2 }],
  ["sinkhorn, five updates", { attention: "sinkhorn", iterations: 5 }],
  ["dot-product, mean, no positions", { attention: "dot-product", pooling: "mean", positions: "none" }],
  ["a scale of its own, learned alpha", { kappa: 1.3, learnAlpha: true }],
  ["sphere of another radius, orthogonal with biases", sphereWithBiases],
  ["residual scale", { residualScale: true, layers: 2 }],
  ["odd sizes", { width: 9, heads: 3, ffnWidth: 7, classes: 2, attention: "dot-product" }],
  ["padding pooled, softmax twice", { compatibility: { poolPadding: true, softmaxTwice: true } }],
  ["padding pooled, shared", { compatibility: { poolPadding: true }, qkShare: true, pooling: "mean" }],
  ["padding pooled, dot-product", { compatibility: { poolPadding: true }, attention: "dot-product", heads: 2 }],
];

const batch: LabelledBatch = {
  tokens: Int32Array.of(1, 2, 3, 4, 5, 0, 0, 8, 7, 6, 1, 1, 2, 3, 1, 2, 3, 0, 0, 0, 0),
  lengths: Int32Array.of(5, 7, 3),
  labels: Int32Array.of(1, 0, 1),
};

/** Parameters off their start, where normalisations and orthogonal weights are the identity. */
function stir(classifier: Classifier): Record<string, Float64Array> {
  const random = createRandom(8);
  const state = classifier.state();
  for (const [name, { data }] of Object.entries(state.parameters)) {
    if (name.endsWith(".base")) continue;
    for (let e = 0; e < data.length; e++) data[e] += 0.2 * random.normal();
  }
  classifier.load(state);
  return widen(state.parameters);
}

function widen(tensors: Readonly<Record<string, NamedTensor>>): Record<string, Float64Array> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, Float64Array.from(data)]));
}

const largest = (x: ArrayLike<number>) => Array.from(x).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Every tensor that is compared, of the twin. */
function twin(
  config: Classifier["config"],
  parameters: Record<string, Float64Array>,
  texts: LabelledBatch,
  dropoutAt?: EncoderStep,
): Record<string, Float64Array> {
  const result = encoderForward(config, parameters, texts, dropoutAt);
  const { loss, logits, probabilities } = result;
  const gradients = Object.entries(result.backward()).map(([name, g]) => [`d ${name}`, g]);
  return { loss: Float64Array.of(loss), logits, probabilities, ...Object.fromEntries(gradients) };
}

async function measured(classifier: Classifier, texts: LabelledBatch): Promise<Record<string, Float32Array>> {
  const { loss, logits, probabilities } = await classifier.evaluate(texts);
  const gradients = Object.entries(await classifier.gradients(texts)).map(([name, { data }]) => [`d ${name}`, data]);
  return { loss: Float32Array.of(loss), logits, probabilities, ...Object.fromEntries(gradients) };
}

/** Differences of all tensors over their bounds; the largest must be at most 1. */
async function excess(classifier: Classifier, parameters: Record<string, Float64Array>, texts: LabelledBatch) {
  const ours = await measured(classifier, texts);
  expect(Object.keys(ours).sort()).toEqual(Object.keys(twin(classifier.config, parameters, texts)).sort());
  return excessOf(classifier.config, parameters, texts, ours);
}

/** The same for those tensors that are at hand, under the dropout of a step. */
function excessOf(
  config: Classifier["config"],
  parameters: Record<string, Float64Array>,
  texts: LabelledBatch,
  ours: Record<string, Float32Array>,
  dropoutAt?: EncoderStep,
) {
  const truth = twin(config, parameters, texts, dropoutAt);
  const random = createRandom(1);
  const amplification: Record<string, number> = {};
  const gradientScale = largest(Object.entries(truth).flatMap(([n, g]) => (n.startsWith("d ") ? [largest(g)] : [])));
  const scale = (name: string) => Math.max(largest(truth[name]), name.startsWith("d ") ? 1e-3 * gradientScale : 0);
  for (let round = 0; round < 3; round++) {
    const moved = Object.fromEntries(
      Object.entries(parameters).map(([name, data]) => [
        name,
        data.map((x) => (name.endsWith(".base") ? x : x * (1 + 2 ** -20 * (2 * random.uniform() - 1)))),
      ]),
    );
    for (const [name, there] of Object.entries(twin(config, moved, texts, dropoutAt))) {
      const change = largest(there.map((x, e) => x - truth[name][e])) / scale(name) / 2 ** -20;
      amplification[name] = Math.max(amplification[name] ?? 1, change);
    }
  }
  const positions = texts.tokens.length / texts.lengths.length;
  const depth = 3 * config.layers * (4 * config.width + 2 * config.ffnWidth + 2 * positions);
  return Object.fromEntries(
    Object.keys(ours).map((name) => {
      const difference = largest(truth[name].map((x, e) => x - ours[name][e])) / scale(name);
      return [name, difference / (amplification[name] * depth * 2 ** -24)];
    }),
  );
}

describe.each(cases)("%s", (_, options) => {
  test.each([1, 2])(
    "on %i threads: loss, predictions and every gradient within rounding of the twin",
    async (threads) => {
      using classifier = await createClassifier({ ...base, ...options }, { seed: 3, batch: 4, threads });
      const parameters = stir(classifier);
      const texts = { ...batch, labels: batch.labels.map((label) => Math.min(label, classifier.config.classes - 1)) };
      for (const [name, over] of Object.entries(await excess(classifier, parameters, texts))) {
        expect(over, name).toBeLessThanOrEqual(1);
      }
    },
  );

  test("its attention is the twin's, and zero at padding", async () => {
    using classifier = await createClassifier({ ...base, ...options }, { seed: 3, batch: 4 });
    const { config } = classifier;
    const { weights } = encoderForward(config, stir(classifier), batch);
    const layers = await classifier.attention(batch);
    weights.forEach((texts, l) => {
      const padded = new Float64Array(layers[l].weights.length);
      texts.forEach((heads, b) => {
        heads.forEach((w, h) => {
          const n = Math.sqrt(w.length);
          for (let i = 0; i < n; i++) padded.set(w.subarray(i * n, i * n + n), ((b * config.heads + h) * 7 + i) * 7);
        });
      });
      // Weights are at most 1; a layer below passes its rounding on.
      expect(largest(padded.map((x, e) => x - layers[l].weights[e]))).toBeLessThan(2e-6);
    });
  });
});

const golden = ["classifier", "checkpoint"].flatMap((group) => loadGolden(group).cases);

test.each(golden)("golden case $id in float32", async (c) => {
  const { config, parameters, batch: texts } = readClassifier(c);
  const { width, classes, ...rest } = config;
  const options = { ...rest, width, classes, projectionBias: c.config.qkv_bias === true };
  using classifier = await createClassifier(options, { batch: texts.lengths.length });
  const rounded = Object.fromEntries(
    Object.entries(classifier.state().parameters).map(([name, { shape }]) => [
      name,
      { shape, data: Float32Array.from(parameters[name]) },
    ]),
  );
  classifier.load({ seed: 1, step: 0, parameters: rounded });
  for (const [name, over] of Object.entries(await excess(classifier, widen(rounded), texts))) {
    expect(over, name).toBeLessThanOrEqual(1);
  }
});

/** Of multihead those classes that the encoder has: on the sphere the authors' own normalise otherwise. */
const multiHead = loadGolden("multihead").cases.filter(({ config }) => config.geometry !== "sp");

test.each(multiHead)("golden multi-head case $id: the weights in float32", async (c) => {
  const { calls } = readMultiHead(c);
  const [{ modelDim: width, queries: tokens, heads }] = calls;
  const alpha = (c.config.alpha as number | undefined) ?? 1.2;
  const isFractional = c.config.geometry === "rd";
  const fractional = {
    alpha,
    kappa: (c.config.dist_scale as number) * (c.config.bandwidth as number) ** (1 / alpha),
    intrinsicDim: c.config.d_intrinsic as number,
  };
  using classifier = await createClassifier({
    ...(isFractional && fractional),
    attention: isFractional ? "fna-euclidean" : "dot-product",
    ...{ width, heads, vocabulary: calls.length * tokens, maxLength: tokens, positions: "none" },
    orthogonal: (c.config.class_name as string).startsWith("OP"),
    qkShare: c.config.qk_share as boolean,
    projectionBias: c.config.qkv_bias as boolean,
  });
  // The points are the embeddings of tokens of which each comes once.
  const x = tensor(c.inputs, "x").data;
  const parameters: Record<string, NamedTensor> = {
    ...classifier.state().parameters,
    "embedding.weight": { shape: [x.length / width, width], data: Float32Array.from(x) },
  };
  for (const [name, { shape }] of Object.entries(classifier.state().parameters)) {
    const stored = name.startsWith("layers.0.mha.") && tensor(c.state_dict, name.slice("layers.0.mha.".length)).data;
    if (stored) parameters[name] = { shape, data: Float32Array.from(stored) };
  }
  classifier.load({ seed: 1, step: 0, parameters });
  const batchOf = {
    tokens: Int32Array.from({ length: x.length / width }, (_, i) => i),
    lengths: new Int32Array(calls.length).fill(tokens),
  };
  const mask = Uint8Array.from(tensor(c.inputs, "attn_mask").data);
  const [{ weights }] = await classifier.attention(batchOf, { mask });
  const golden = tensor(c.outputs, "attn_weights").data;

  // As at the top of this file, with the points for parameters: what a change of 2^-20 of them does to the weights, times the
  // sums on the way (projection, distance, row) and the rounding of what is read.
  const random = createRandom(1);
  const truth = calls.flatMap((call) => multiHeadForward(call).heads.map((head) => head.weights));
  let amplification = 1;
  for (let round = 0; round < 3; round++) {
    const moved = calls.flatMap((call) =>
      multiHeadForward({
        ...call,
        x: call.x.map((value) => value * (1 + 2 ** -20 * (2 * random.uniform() - 1))),
      }).heads.map((head) => head.weights),
    );
    const change = Math.max(...moved.map((w, i) => largest(w.map((value, p) => value - truth[i][p]))));
    amplification = Math.max(amplification, change / 2 ** -20);
  }
  const depth = 2 * width + tokens + 8;
  expect(weights).toHaveLength(golden.length);
  expect(largest(golden.map((w, p) => w - weights[p]))).toBeLessThanOrEqual(amplification * depth * 2 ** -24);
  expect(largest(golden)).toBeGreaterThan(0.1);
});

/** Two classes that differ by one word: a model that learns anything learns this. */
function wordTask(texts: number, seed: number): LabelledBatch {
  const random = createRandom(seed);
  const tokens = new Int32Array(texts * 12);
  const lengths = new Int32Array(texts);
  const labels = new Int32Array(texts);
  for (let b = 0; b < texts; b++) {
    lengths[b] = 5 + random.integer(8);
    labels[b] = b % 2;
    for (let i = 0; i < lengths[b]; i++) tokens[b * 12 + i] = 3 + random.integer(20);
    tokens[b * 12 + random.integer(lengths[b])] = 1 + labels[b];
  }
  return { tokens, lengths, labels };
}

const task: ClassifierConfig = { width: 8, heads: 2, vocabulary: 23, maxLength: 12, dropout: 0.1 };

async function train(classifier: Classifier, from: number, to: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = from; step < to; step++) {
    losses.push((await classifier.step(wordTask(16, 100 + step), { learningRate: 0.01 })).loss);
  }
  return losses;
}

const bits = ({ parameters, firstMoments, secondMoments, step }: ModelState) => ({
  step,
  tensors: [parameters, firstMoments, secondMoments].map((tensors) =>
    Object.entries(tensors ?? {}).map(([name, { data }]) => [name, Buffer.from(data.buffer).toString("base64")]),
  ),
});

describe("training", () => {
  test.each(["fna-euclidean", "fna-sphere", "dot-product", "sinkhorn"] as const)(
    "%s learns one word",
    async (attention) => {
      using classifier = await createClassifier({ ...task, attention }, { seed: 4 });
      await train(classifier, 0, 150);
      const { accuracy, loss } = await classifier.evaluate(wordTask(32, 1));
      expect({ accuracy, isSure: loss < 0.3 }).toEqual({ accuracy: 1, isSure: true });
    },
  );

  test.each([1, 2])("resumed on %i threads it has the bits of a run that never stopped", async (threads) => {
    const options = { seed: 4, batch: 16, threads };
    const config = { ...task, learnAlpha: true, learnKappa: true, orthogonal: true };
    using whole = await createClassifier(config, options);
    const losses = await train(whole, 0, 8);
    using first = await createClassifier(config, options);
    await train(first, 0, 4);
    using second = await createClassifier(config, { ...options, seed: 99 });
    second.load(first.state());
    expect(await train(second, 4, 8)).toEqual(losses.slice(4));
    expect(bits(second.state())).toEqual(bits(whole.state()));
    // Otherwise equal bits would say nothing.
    expect(bits(first.state())).not.toEqual(bits(whole.state()));
  });

  test("orthogonal weights stay orthogonal, orders inside (0, 2) and scales positive", async () => {
    const config: ClassifierConfig = { ...task, orthogonal: true, learnAlpha: true, learnKappa: true };
    using classifier = await createClassifier(config, { seed: 4 });
    const before = classifier.state().parameters;
    for (let step = 0; step < 200; step++) await classifier.step(wordTask(16, step), { learningRate: 0.1 });
    const { parameters } = classifier.state();
    const name = "layers.0.mha.WQ.parametrizations.weight";
    expect(largest(parameters[`${name}.original`].data)).toBeGreaterThan(0.5);
    expect(parameters[`${name}.0.base`]).toEqual(before[`${name}.0.base`]);
    const [{ alpha, kappa, queries }] = await classifier.attention(wordTask(1, 1));
    expect(Math.min(...alpha)).toBeGreaterThan(0);
    expect(Math.max(...alpha)).toBeLessThan(2);
    expect(Math.min(...kappa)).toBeGreaterThan(0);
    expect(queries.every(Number.isFinite)).toBe(true);
    // Isometry: with one token and no positions a query is W e, as long as e, to the 1e-5 that is asked for.
    using plain = await createClassifier({ ...config, positions: "none" }, { seed: 4 });
    plain.load({ seed: 4, step: 0, parameters });
    const embedding = parameters["embedding.weight"].data;
    for (let token = 0; token < 23; token++) {
      const one = { tokens: Int32Array.of(token), lengths: Int32Array.of(1) };
      const [layer] = await plain.attention(one);
      const ratio = Math.hypot(...layer.queries) / Math.hypot(...embedding.subarray(token * 8, token * 8 + 8));
      expect(Math.abs(ratio - 1)).toBeLessThan(1e-5);
    }
  });

  test("NaN stops the step, names the tensor and changes nothing", async () => {
    using classifier = await createClassifier(task, { seed: 4 });
    const state = classifier.state();
    state.parameters["layers.0.ffn.linear2.bias"].data[3] = Number.NaN;
    classifier.load(state);
    const step = classifier.step(wordTask(16, 1), { learningRate: 0.01 });
    await expect(step).rejects.toThrow(NonFiniteError);
    await expect(step).rejects.toThrow(/step 0: the gradient of .* is not finite/);
    expect(bits(classifier.state())).toEqual(bits(state));
  });

  test.each([1, 2])(
    "with dropout, on %i threads, a step has the loss and gradients of the twin under its mask",
    async (threads) => {
      const config = { ...base, dropout: 0.3, residualScale: true, layers: 2 };
      using classifier = await createClassifier(config, { seed: 9, batch: 4, threads });
      const parameters = stir(classifier);
      const { loss } = await classifier.step(batch, { learningRate: 1e-3, beta1: 0.5 });
      // The first mean of gradients is half the first gradient, exactly.
      const means = Object.entries(classifier.state().firstMoments ?? {});
      const gradients = means.map(([name, { data }]) => [`d ${name}`, data.map((m) => 2 * m)]);
      const ours = { loss: Float32Array.of(loss), ...Object.fromEntries(gradients) };
      const over = excessOf(classifier.config, parameters, batch, ours, { seed: 9, step: 0 });
      expect(Object.keys(over).length).toBe(1 + means.length);
      for (const [name, value] of Object.entries(over)) expect(value, name).toBeLessThanOrEqual(1);
    },
  );

  test("threads without a text of the batch change nothing", async () => {
    const one = await createClassifier(base, { seed: 4, batch: 4 });
    const many = await createClassifier(base, { seed: 4, batch: 4, threads: 3 });
    const short = { tokens: batch.tokens.slice(0, 7), lengths: batch.lengths.slice(0, 1), labels: Int32Array.of(1) };
    for (const classifier of [one, many]) await classifier.step(short, { learningRate: 0.01 });
    expect(bits(many.state())).toEqual(bits(one.state()));
    expect((await many.predict(short)).logits).toEqual((await one.predict(short)).logits);
    one.dispose();
    many.dispose();
  });

  test("is refused by a classifier without memory for it, which predicts the same in less", async () => {
    using whole = await createClassifier(base, { seed: 4, batch: 4 });
    using small = await createClassifier(base, { seed: 4, batch: 4, training: false });
    expect((await small.predict(batch)).logits).toEqual((await whole.predict(batch)).logits);
    expect(Object.keys(small.state()).sort()).toEqual(["parameters", "seed", "step"]);
    await expect(small.step(batch, { learningRate: 0.1 })).rejects.toThrow("created with training: false");
    await expect(createClassifier(base, { training: 1 as unknown as boolean })).rejects.toThrow(
      "training: expected a boolean, got 1",
    );
  });

  test("dropout is drawn anew at each step, and not in evaluation", async () => {
    using classifier = await createClassifier({ ...task, dropout: 0.5 }, { seed: 4 });
    const texts = wordTask(8, 1);
    const first = await classifier.evaluate(texts);
    expect((await classifier.evaluate(texts)).loss).toBe(first.loss);
    const step = () => classifier.step(texts, { learningRate: 1e-12 });
    const losses = [await step(), await step()].map(({ loss }) => loss);
    expect(new Set([first.loss, ...losses]).size).toBe(3);
  });
});

describe("masks of a call", () => {
  test.each(["fna-euclidean", "dot-product", "sinkhorn"] as const)(
    "%s: masked pairs have no weight",
    async (attention) => {
      using classifier = await createClassifier({ ...base, attention });
      const mask = Uint8Array.from({ length: 49 }, (_, p) => Number((p % 7) % 2 === 1 && p >= 7));
      const [{ weights }] = await classifier.attention(batch, { mask });
      for (let p = 0; p < weights.length; p++) if (mask[p % 49]) expect(weights[p]).toBe(0);
      for (let i = 0; i < 7; i++) {
        const row = weights.subarray(49 + 7 * i, 56 + 7 * i).reduce((sum, w) => sum + w, 0);
        expect(Math.abs(row - 1)).toBeLessThan(1e-6);
      }
      const all = await classifier.attention(batch, { mask: new Uint8Array(49).fill(1) });
      expect(largest(all[0].weights)).toBe(0);
      const none = await classifier.predict(batch, { mask: new Uint8Array(3 * 49) });
      const plain = await classifier.predict(batch);
      expect(largest(plain.logits.map((x, e) => x - none.logits[e]))).toBeLessThan(1e-5);
    },
  );

  test("a threshold masks pairs that are at least so far apart", async () => {
    using classifier = await createClassifier({ ...base, kappa: 0.5 });
    const [{ queries, keys, kappa }] = await classifier.attention(batch);
    const distanceThreshold = 3;
    const [{ weights }] = await classifier.attention(batch, { distanceThreshold });
    let masked = 0;
    for (let i = 0; i < 7; i++) {
      for (let j = 0; j < 7; j++) {
        const at = (x: Float32Array, row: number) => x.subarray((7 + row) * 6, (8 + row) * 6);
        const d = Math.hypot(...at(queries, i).map((x, c) => x - at(keys, j)[c])) / kappa[0];
        masked += Number(d >= distanceThreshold);
        expect(weights[49 + 7 * i + j] > 0).toBe(d < distanceThreshold);
      }
    }
    expect(masked).toBeGreaterThan(0);
    expect(masked).toBeLessThan(49);
  });
});

describe("wrong arguments", () => {
  test.each<[string, Partial<LabelledBatch>, string]>([
    ["a token", { tokens: batch.tokens.with(2, 9) }, "tokens[2]: expected an id in [0, 9), got 9"],
    ["a length", { lengths: Int32Array.of(5, 8, 3) }, "lengths[1]: expected an integer in [1, 7], got 8"],
    ["an empty text", { lengths: Int32Array.of(5, 0, 3) }, "lengths[1]: expected an integer in [1, 7], got 0"],
    ["a label", { labels: Int32Array.of(0, 3, 0) }, "labels[1]: expected an integer in [0, 2], got 3"],
    ["labels of another batch", { labels: Int32Array.of(0) }, "labels: expected an Int32Array of length 3"],
    ["a ragged batch", { tokens: batch.tokens.slice(1) }, "tokens: expected an Int32Array of length 3 times"],
  ])("%s", async (_, wrong, message) => {
    using classifier = await createClassifier(base, { batch: 4 });
    await expect(classifier.step({ ...batch, ...wrong }, { learningRate: 0.1 })).rejects.toThrow(message);
  });

  test.each<[string, Partial<ClassifierConfig>, string]>([
    ["heads", { heads: 4 }, "heads: expected a divisor of the width (6), got 4"],
    ["an order that is learned at 2", { alpha: 2, learnAlpha: true }, "alpha: expected a number in (0, 2) where it is"],
    [
      "an order to learn of no kernel",
      { attention: "dot-product", learnAlpha: true },
      "learnAlpha: expected false for",
    ],
    ["a scale to learn of no kernel", { attention: "sinkhorn", learnKappa: true }, "learnKappa: expected false for"],
    ["iterations", { attention: "sinkhorn", iterations: 4 }, "iterations: expected an odd integer, got 4"],
    ["dropout", { dropout: 1 }, "dropout: expected a number in [0, 1), got 1"],
    ["kappa", { kappa: 0 }, 'kappa: expected "paper", "none" or a finite number above 0, got 0'],
    [
      "a radius",
      { radius: "unit" as "rescaled" },
      'radius: expected "rescaled" or a finite number above 0, got "unit"',
    ],
  ])("of a configuration: %s", async (_, wrong, message) => {
    await expect(createClassifier({ ...base, ...wrong })).rejects.toThrow(message);
  });

  test("of a step, a mask, a state, a finished object", async () => {
    const classifier = await createClassifier({ ...base, attention: "dot-product" }, { batch: 2 });
    await expect(classifier.predict(batch)).rejects.toThrow("lengths.length: expected an integer in [1, 2], got 3");
    const two = {
      tokens: batch.tokens.slice(0, 14),
      lengths: batch.lengths.slice(0, 2),
      labels: batch.labels.slice(0, 2),
    };
    await expect(classifier.step(two, { learningRate: 0 })).rejects.toThrow("learningRate");
    await expect(classifier.predict(two, { mask: new Uint8Array(3) })).rejects.toThrow("mask: expected");
    await expect(classifier.predict(two, { distanceThreshold: 1 })).rejects.toThrow("distanceThreshold: expected none");
    const { labels: _labels, ...unlabelled } = two;
    await expect(classifier.step(unlabelled as LabelledBatch, { learningRate: 0.1 })).rejects.toThrow(
      "labels: expected an Int32Array of length 2, got undefined",
    );
    using distances = await createClassifier(base, { batch: 2 });
    await expect(distances.predict(two, { distanceThreshold: Number.NaN })).rejects.toThrow(
      "distanceThreshold: expected a number, got NaN",
    );
    using padded = await createClassifier({ ...base, compatibility: { poolPadding: true } }, { batch: 2 });
    await expect(padded.predict(two, { mask: new Uint8Array(49) })).rejects.toThrow("mask: expected none for a model");
    const state = classifier.state();
    const { "linear.bias": _, ...missing } = state.parameters;
    expect(() => classifier.load({ ...state, parameters: missing })).toThrow(
      "state.parameters.linear.bias: expected a tensor of shape [3], got undefined",
    );
    const misshapen = { ...state.parameters, "linear.bias": { shape: [2], data: new Float32Array(2) } };
    expect(() => classifier.load({ ...state, parameters: misshapen })).toThrow("shape [3]");
    const more = { ...state.parameters, extra: { shape: [1], data: new Float32Array(1) } };
    expect(() => classifier.load({ ...state, parameters: more })).toThrow('"extra"');
    const overlapping = [classifier.predict(two), classifier.predict(two)];
    await expect(overlapping[1]).rejects.toThrow("must wait for each other");
    await overlapping[0];
    expect(classifier.memoryBytes).toBeGreaterThan(0);
    classifier.dispose();
    classifier.dispose();
    expect(classifier.memoryBytes).toBe(0);
    await expect(classifier.predict(two)).rejects.toThrow("disposed");
    await expect(createClassifier(base, { threads: 0 })).rejects.toThrow("threads");
    await expect(createClassifier({ ...base, vocabulary: 0 })).rejects.toThrow("vocabulary");
  });
});
