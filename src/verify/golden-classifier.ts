/**
 * The golden groups classifier and checkpoint: the authors' text classifiers against the reference, from tokens to
 * probabilities, loss, the gradients of every parameter, and five steps of Adam. Theirs pool over padding and feed
 * probabilities to a cross-entropy that takes logits, so both switches are on.
 */

import { adamStep } from "../../reference/adam.js";
import { sinusoidalTable } from "../../reference/embedding.js";
import { type EncoderConfig, encoderForward } from "../../reference/encoder.js";
import { InvalidArgumentError } from "../errors.js";
import type { Check } from "./check.js";
import { compare, compareWithin } from "./compare.js";
import { type GoldenCase, type GoldenTensor, type GoldenValue, isTensor, tensor } from "./golden.js";

/** Gradients that are zero in theory are rounding noise in the file: its README asks for these absolute tolerances. */
const gradientTolerance = 1e-12;
const parameterTolerance = 1e-9;

/** Their table of positions: a constant, rounded to float32, that ours has to be equal to. */
const positions = "pos_embedding.weight";

const steps = 5;

/** Checks classifier.json. */
export function checkClassifier(cases: readonly GoldenCase[]): Check[] {
  return cases.flatMap((c) => {
    const { config, parameters, batch } = readClassifier(c);
    const result = encoderForward(config, parameters, batch);
    const checks = [
      ...checkOutputs(c, config, result),
      within(c, "pooled", result.pooled, tensor(c.outputs, "pooled"), gradientTolerance),
      within(c, "loss", [result.loss], scalar(c.outputs.loss), gradientTolerance),
    ];
    const table = sinusoidalTable(config.maxLength + 1, config.width).map(Math.fround);
    checks.push(compare(c.id, positions, table, tensor(c.state_dict, positions).data, 0));
    const expected = c.grads?.params as { readonly [name: string]: GoldenValue } | undefined;
    if (expected !== undefined) {
      const gradients = result.backward();
      for (const name of Object.keys(expected)) {
        checks.push(within(c, `d ${name}`, gradients[name] ?? [], tensor(expected, name), gradientTolerance));
      }
    }
    return isRecord(c.adam) ? [...checks, ...checkAdam(c, config, parameters, batch, c.adam)] : checks;
  });
}

/** Checks checkpoint.json; its cases have the weights of their file as `state_dict`. */
export function checkCheckpoint(cases: readonly GoldenCase[]): Check[] {
  return cases.flatMap((c) => {
    const { config, parameters, batch } = readClassifier(c);
    const result = encoderForward(config, parameters, batch);
    const predicted = batch.labels.map((_, b) => {
      const row = [...result.logits.subarray(b * config.classes, (b + 1) * config.classes)];
      return row.indexOf(Math.max(...row));
    });
    return [
      ...checkOutputs(c, config, result),
      compare(c.id, "predicted", predicted, tensor(c.outputs, "predicted").data, 0),
    ];
  });
}

function checkOutputs(c: GoldenCase, config: EncoderConfig, result: ReturnType<typeof encoderForward>): Check[] {
  const checks = [
    within(c, "logits", result.logits, tensor(c.outputs, "logits"), gradientTolerance),
    within(c, "probabilities", result.probabilities, tensor(c.outputs, "probabilities"), gradientTolerance),
  ];
  const expected = c.outputs.attn_weights as readonly GoldenTensor[];
  for (let l = 0; l < config.layers; l++) {
    const weights = result.weights[l].flat().flatMap((head) => [...head]);
    checks.push(within(c, `weights of layer ${l}`, weights, expected[l], gradientTolerance));
  }
  return checks;
}

function checkAdam(
  c: GoldenCase,
  config: EncoderConfig,
  start: Record<string, Float64Array>,
  batch: ReturnType<typeof readClassifier>["batch"],
  adam: { readonly [name: string]: GoldenValue },
): Check[] {
  const parameters = Object.fromEntries(Object.entries(start).map(([name, data]) => [name, data.slice()]));
  const moments = Object.fromEntries(
    Object.entries(start).map(([name, data]) => [
      name,
      { first: new Float64Array(data.length), second: new Float64Array(data.length) },
    ]),
  );
  const [beta1, beta2] = adam.betas as readonly number[];
  const options = { learningRate: adam.lr as number, beta1, beta2, epsilon: adam.eps as number };
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const { loss, backward } = encoderForward(config, parameters, batch);
    losses.push(loss);
    for (const [name, gradient] of Object.entries(backward())) {
      adamStep({ parameter: parameters[name], ...moments[name] }, gradient, step, options);
    }
  }
  losses.push(encoderForward(config, parameters, batch).loss);
  const expected = adam.final_params as { readonly [name: string]: GoldenValue };
  const reference = Float64Array.from(adam.losses as readonly number[]);
  return [
    within(c, "losses", losses, { shape: [steps + 1], data: reference }, parameterTolerance),
    ...Object.keys(expected).map((name) =>
      within(c, `${name} after Adam`, parameters[name] ?? [], tensor(expected, name), parameterTolerance),
    ),
  ];
}

function within(
  c: GoldenCase,
  name: string,
  actual: ArrayLike<number>,
  expected: GoldenTensor,
  absolute: number,
): Check {
  return compareWithin(c.id, name, actual, expected.data, c.expect.rtol as number, absolute);
}

/** The reference's configuration, parameters and batch of a case. */
export function readClassifier(c: GoldenCase) {
  const tokens = tensor(c.inputs, "tokens");
  const [texts, padded] = tokens.shape;
  const lengths = Int32Array.from({ length: texts }, (_, b) => {
    const row = tokens.data.subarray(b * padded, (b + 1) * padded);
    return padded - row.filter((token) => token === c.config.pad_id).length;
  });
  const labels = isTensor(c.inputs.labels) ? Int32Array.from(c.inputs.labels.data) : new Int32Array(texts);
  const parameters: Record<string, Float64Array> = {};
  for (const [name, value] of Object.entries(c.state_dict ?? {})) {
    if (isTensor(value) && name !== positions) parameters[name] = value.data;
  }
  return { config: configOf(c), parameters, batch: { tokens: Int32Array.from(tokens.data), lengths, labels } };
}

function configOf({ id, config }: GoldenCase): EncoderConfig {
  const number = (name: string) => config[name] as number;
  const on = (name: string) => config[name] === true;
  const kinds: Readonly<Record<string, EncoderConfig["attention"]>> = {
    rdfnsformer: "fna-euclidean",
    v2_rdfnsformer: "fna-euclidean",
    spfnsformer: "fna-sphere",
    dpformer: "dot-product",
  };
  const attention = kinds[config.model_name as string];
  if (attention === undefined) throw new InvalidArgumentError(id, "a model that is known here", config.model_name);
  return {
    attention,
    alpha: (config.alpha as number | undefined) ?? 2,
    learnAlpha: false,
    // On the sphere the length scale is the radius.
    kappa: on("is_rescale_dist") && attention !== "fna-sphere" ? "paper" : "none",
    learnKappa: false,
    intrinsicDim: (config.d_intrinsic as number | undefined) ?? number("head_dim"),
    radius: (config.sphere_radius as number | undefined) ?? 1,
    degreeNormalization: (config.a as number | undefined) ?? 0,
    iterations: 3,
    layers: number("n_layers"),
    heads: number("n_heads"),
    width: number("hidden"),
    ffnWidth: number("d_ff"),
    vocabulary: number("vocab_size"),
    maxLength: number("seq_len"),
    classes: number("num_classes"),
    orthogonal: on("is_op"),
    qkShare: on("qk_share"),
    dropout: number("p_drop"),
    pooling: "max",
    positions: "sinusoidal",
    residualScale: on("is_resnet_scale"),
    compatibility: { poolPadding: true, softmaxTwice: true },
  };
}

function scalar(value: GoldenValue): GoldenTensor {
  return { shape: [1], data: Float64Array.of(value as number) };
}

function isRecord(value: GoldenValue | undefined): value is { readonly [name: string]: GoldenValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isTensor(value);
}
