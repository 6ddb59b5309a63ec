/** Rows of the reference: the other layers of a transformer, Adam, and the encoder classifier; see `walk.ts`. */

import * as reference from "../../reference/index.js";
import {
  arrays,
  boolean,
  bytes,
  type Domain,
  divisor,
  either,
  finite,
  floats,
  int32s,
  integer,
  nonNegative,
  oneOf,
  optional,
  order,
  positive,
  record,
  size,
} from "./domains.js";
import { f64, head, headArguments, odd } from "./shared.js";
import { type Argument, at, type Row } from "./walk.js";

/** [0, 1) */
const share: Domain = {
  holds: (x) => typeof x === "number" && x >= 0 && x < 1,
  near: [1, -(2 ** -52), "0.5"],
};
const below = (end: number) => (x: number) => Number.isInteger(x) && x >= 0 && x < end;
/** An Int32Array of whole numbers below `end`, of which others say how many there have to be. */
const whole = (end: number): Domain => arrays([Int32Array], undefined, below(end));
/** The same as an ordinary array. */
const wholeNumbers: Domain = {
  holds: (x) => Array.isArray(x) && [...x].every(below(2 ** 31)),
  near: [
    [0, 0.5],
    [0, -1],
    ["0", "1"],
    [0, 2 ** 31],
  ],
};
const seed = integer(0, 2 ** 32 - 1);
const pooling = oneOf("max", "mean");

const backward = (name: string, call: Row["call"]): Row => ({
  name,
  call,
  args: () => [f64(-1, 0, 0.5), f64(1, 2, 3)],
  arguments: [at("0", { ...floats(), contradicts: [f64(1)] }, "x"), at("1", floats(3), "dy")],
});
const forward = (name: string, call: Row["call"]): Row => ({
  name,
  call,
  args: () => [f64(-1, 0, 0.5)],
  arguments: [at("0", floats(), "x")],
});

const normArguments: Argument[] = [
  at("0", floats(4), "x"),
  at("1", record(["weight", "bias", "epsilon"]), "norm"),
  at("1.weight", floats(2), "norm.weight"),
  at("1.bias", floats(2), "norm.bias"),
  at("1.epsilon", optional(nonNegative), "norm.epsilon"),
];
const norm = () => ({ weight: f64(1, 2), bias: f64(0, 0.5), epsilon: 1e-6 });

const layers: Row[] = [
  forward("reluForward", reference.reluForward),
  forward("geluForward", reference.geluForward),
  backward("reluBackward", reference.reluBackward),
  backward("geluBackward", reference.geluBackward),
  {
    name: "layerNormForward",
    call: reference.layerNormForward,
    args: () => [f64(1, 2, 3, 5), norm(), 2, 2],
    arguments: [...normArguments, at("2", size(0, 2), "rows"), at("3", size(1, 2), "width")],
  },
  {
    name: "layerNormBackward",
    call: reference.layerNormBackward,
    args: () => [f64(1, 2, 3, 5), norm(), f64(1, 0, 0, 1), 2, 2],
    arguments: [...normArguments, at("2", floats(4), "dy"), at("3", size(0, 2), "rows"), at("4", size(1, 2), "width")],
  },
  {
    name: "poolForward",
    call: reference.poolForward,
    args: () => ["max", f64(1, 2, 3, 4), 2, 2],
    arguments: [
      at("0", pooling, "kind"),
      at("1", floats(4), "x"),
      at("2", size(1, 2), "rows"),
      at("3", size(1, 2), "width"),
    ],
  },
  {
    name: "poolBackward",
    call: reference.poolBackward,
    args: () => ["mean", f64(1, 2, 3, 4), f64(1, 2), 2, 2],
    arguments: [
      at("0", pooling, "kind"),
      at("1", floats(4), "x"),
      at("2", floats(2), "dy"),
      at("3", size(1, 2), "rows"),
      at("4", size(1, 2), "width"),
    ],
  },
  {
    name: "embeddingForward",
    call: reference.embeddingForward,
    args: () => [Int32Array.of(2, 0), f64(1, 2, 3, 4, 5, 6), 3, 2],
    arguments: [
      at("0", whole(3), "tokens"),
      at("1", floats(6), "table"),
      at("2", size(1, 3), "vocabulary"),
      at("3", size(1, 2), "width"),
    ],
  },
  {
    name: "embeddingBackward",
    call: reference.embeddingBackward,
    args: () => [Int32Array.of(2, 0), f64(1, 2, 3, 4), 3, 2],
    arguments: [
      at("0", whole(3), "tokens"),
      at("1", floats(4), "dy"),
      at("2", integer(1), "vocabulary"),
      at("3", size(1, 2), "width"),
    ],
  },
  {
    name: "sinusoidalTable",
    call: reference.sinusoidalTable,
    args: () => [3, 2],
    arguments: [at("0", integer(0, 2 ** 30 - 1), "positions"), at("1", integer(1), "width")],
  },
  {
    name: "dropoutKey",
    call: reference.dropoutKey,
    args: () => [1, 2, 3],
    arguments: [at("0", seed, "seed"), at("1", integer(0), "step"), at("2", integer(0), "site")],
  },
  {
    name: "dropout",
    call: reference.dropout,
    args: () => [f64(1, 2, 3, 4), Int32Array.of(0, 7), 2, 0.5, 9],
    arguments: [
      at("0", floats(4), "x"),
      at("1", { ...either(whole(2 ** 31), wholeNumbers), contradicts: [[1]] }, "rowIds"),
      at("2", size(1, 2), "width"),
      at("3", share, "probability"),
      at("4", seed, "key"),
    ],
  },
];

const losses: Row[] = [
  {
    name: "softmax",
    call: reference.softmax,
    args: () => [f64(1, 2, 3, 4), 2, 2],
    arguments: [at("0", floats(4), "logits"), at("1", size(0, 2), "rows"), at("2", size(1, 2), "classes")],
  },
  {
    name: "softmaxCrossEntropy",
    call: reference.softmaxCrossEntropy,
    args: () => [f64(1, 2, 3, 4, 5, 6), Int32Array.of(0, 2), 3, true],
    arguments: [
      at("0", floats(6), "logits"),
      at("1", { ...whole(3), contradicts: [Int32Array.of(0)] }, "labels"),
      at("2", size(1, 3), "classes"),
      at("3", optional(boolean), "twice"),
    ],
  },
  {
    name: "adamStep",
    call: reference.adamStep,
    args: () => [
      { parameter: f64(1, 2), first: f64(0, 0), second: f64(0, 0) },
      f64(1, -1),
      1,
      { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8 },
    ],
    arguments: [
      at("0", record(["parameter", "first", "second"]), "state"),
      at("0.parameter", { ...floats(), contradicts: [f64(1)] }),
      at("0.first", floats(2)),
      at("0.second", floats(2)),
      at("1", floats(2), "gradient"),
      at("2", integer(1), "step"),
      at("3", record(["learningRate", "beta1", "beta2", "epsilon"]), "options"),
      at("3.learningRate", positive),
      at("3.beta1", optional(share)),
      at("3.beta2", optional(share)),
      at("3.epsilon", optional(nonNegative)),
    ],
  },
  {
    name: "sinkhornAttentionBackward",
    call: reference.sinkhornAttentionBackward,
    args: () => [head(), { iterations: 3, scale: 1, mask: new Uint8Array(6) }, f64(1, 2)],
    arguments: [
      ...headArguments("inputs"),
      at("1", record(["iterations", "scale", "mask"]), "options"),
      at("1.iterations", optional(odd), "options.iterations"),
      at("1.scale", optional(finite), "options.scale"),
      at("1.mask", optional(bytes(6)), "options.mask"),
      at("2", floats(2), "dOutput"),
    ],
  },
];

const width = 2;
const config = (): reference.EncoderConfig => ({
  attention: "fna-euclidean",
  alpha: 1.2,
  learnAlpha: false,
  kappa: "paper",
  learnKappa: false,
  intrinsicDim: 2,
  radius: "rescaled",
  degreeNormalization: 0,
  iterations: 3,
  layers: 1,
  heads: 1,
  width,
  ffnWidth: 3,
  vocabulary: 3,
  maxLength: 2,
  classes: 2,
  orthogonal: false,
  qkShare: false,
  dropout: 0.5,
  pooling: "max",
  positions: "sinusoidal",
  residualScale: false,
  compatibility: { poolPadding: false, softmaxTwice: false },
});
const parameters = () => {
  const some = (length: number) => Float64Array.from({ length }, (_, n) => Math.cos(n));
  const sizes = { WQ: 4, WK: 4, WV: 4, linear: 4 };
  return {
    "embedding.weight": some(6),
    ...Object.fromEntries(Object.entries(sizes).map(([name, length]) => [`layers.0.mha.${name}.weight`, some(length)])),
    "layers.0.mha.linear.bias": some(2),
    "layers.0.layernorm1.weight": some(2),
    "layers.0.layernorm1.bias": some(2),
    "layers.0.ffn.linear1.weight": some(6),
    "layers.0.ffn.linear1.bias": some(3),
    "layers.0.ffn.linear2.weight": some(6),
    "layers.0.ffn.linear2.bias": some(2),
    "layers.0.layernorm2.weight": some(2),
    "layers.0.layernorm2.bias": some(2),
    "linear.weight": some(4),
    "linear.bias": some(2),
  };
};
const named = (name: string, domain: Domain) => at(`0.${name}`, domain, `config.${name}`);
const configArguments: Argument[] = [
  at("0", record(Object.keys(config())), "config"),
  named("attention", oneOf("fna-euclidean", "fna-sphere", "dot-product", "sinkhorn")),
  named("alpha", order),
  ...["learnAlpha", "learnKappa", "orthogonal", "qkShare", "residualScale"].map((name) =>
    named(name, optional(boolean)),
  ),
  named("kappa", either(positive, oneOf("paper", "none"))),
  named("intrinsicDim", positive),
  named("radius", either(positive, oneOf("rescaled"))),
  named("degreeNormalization", nonNegative),
  named("iterations", odd),
  named("layers", size(1, 1)),
  named("heads", divisor(width)),
  named("width", size(1, width)),
  named("ffnWidth", size(1, 3)),
  named("vocabulary", size(1, 3)),
  named("maxLength", { ...integer(1), contradicts: [1] }),
  named("classes", size(2, 2)),
  named("dropout", share),
  named("pooling", pooling),
  named("positions", oneOf("sinusoidal", "none")),
  named("projectionBias", optional(boolean)),
  named("compatibility", record(["poolPadding", "softmaxTwice"])),
  named("compatibility.poolPadding", optional(boolean)),
  named("compatibility.softmaxTwice", optional(boolean)),
];

const models: Row[] = [
  {
    name: "encoderForward",
    call: reference.encoderForward,
    args: () => [
      config(),
      parameters(),
      { tokens: Int32Array.of(1, 2, 2, 0), lengths: Int32Array.of(2, 1), labels: Int32Array.of(0, 1) },
      { seed: 1, step: 0 },
    ],
    arguments: [
      ...configArguments,
      at("1", record(), "parameters"),
      at("2", record(["tokens", "lengths", "labels"]), "batch"),
      at("2.tokens", int32s(4, below(3)), "batch.tokens"),
      at(
        "2.lengths",
        int32s(2, (x) => x === 1 || x === 2),
        "batch.lengths",
      ),
      at("2.labels", { ...whole(2), contradicts: [Int32Array.of(0)] }, "batch.labels"),
      at("3", optional(record(["seed", "step"])), "dropoutAt"),
      at("3.seed", seed, "dropoutAt.seed"),
      at("3.step", integer(0), "dropoutAt.step"),
    ],
  },
];

export const modelRows: readonly Row[] = [...layers, ...losses, ...models];
