/**
 * What the encoder classifier can be called with: every part of a configuration and of a batch is checked before the first
 * text is read. Parameters are checked where their layers read them, by name and shape.
 */

import { flag, int32s, integer, nonNegative, oneOf, positive, record, share, stabilityIndex } from "./check.js";
import type { EncoderBatch } from "./encoder.js";
import type { EncoderConfig, EncoderStep, NamedFloats } from "./encoder-text.js";
import { InvalidArgumentError } from "./errors.js";

const flags = ["learnAlpha", "learnKappa", "orthogonal", "qkShare", "residualScale", "projectionBias"] as const;
const sizes = ["layers", "heads", "width", "ffnWidth", "vocabulary", "maxLength"] as const;
const others = [
  ...["attention", "alpha", "kappa", "intrinsicDim", "radius", "degreeNormalization", "iterations", "classes"],
  ...["dropout", "pooling", "positions", "compatibility"],
];

/** @throws InvalidArgumentError */
export function checkEncoderConfig(config: EncoderConfig): void {
  record("config", config, [...flags, ...sizes, ...others]);
  for (const name of flags) flag(`config.${name}`, config[name]);
  for (const name of sizes) integer(`config.${name}`, config[name], 1);
  integer("config.classes", config.classes, 2);
  if (config.width % config.heads !== 0) {
    throw new InvalidArgumentError("config.heads", `a divisor of the width ${config.width}`, config.heads);
  }
  oneOf("config.attention", config.attention, ["fna-euclidean", "fna-sphere", "dot-product", "sinkhorn"]);
  oneOf("config.pooling", config.pooling, ["max", "mean"]);
  oneOf("config.positions", config.positions, ["sinusoidal", "none"]);
  stabilityIndex("config.alpha", config.alpha);
  positive("config.intrinsicDim", config.intrinsicDim);
  nonNegative("config.degreeNormalization", config.degreeNormalization);
  checkScale("config.kappa", config.kappa, ["paper", "none"]);
  checkScale("config.radius", config.radius, ["rescaled"]);
  const { iterations, dropout } = config;
  if (!Number.isInteger(iterations) || iterations < 1 || iterations % 2 === 0) {
    throw new InvalidArgumentError("config.iterations", "an odd integer of at least 1", iterations);
  }
  share("config.dropout", dropout);
  const { poolPadding, softmaxTwice } = record("config.compatibility", config.compatibility, [
    "poolPadding",
    "softmaxTwice",
  ]);
  flag("config.compatibility.poolPadding", poolPadding);
  flag("config.compatibility.softmaxTwice", softmaxTwice);
}

/** @throws InvalidArgumentError */
export function checkEncoderCall(
  config: EncoderConfig,
  parameters: NamedFloats,
  batch: EncoderBatch,
  dropoutAt: EncoderStep | undefined,
): void {
  checkEncoderConfig(config);
  record("parameters", parameters);
  const { tokens, lengths, labels } = record("batch", batch, ["tokens", "lengths", "labels"]);
  const texts = int32s("batch.labels", labels).length;
  for (const label of labels) integer("batch.labels", label, 0, config.classes - 1);
  if (int32s("batch.lengths", lengths).length !== texts) {
    throw new InvalidArgumentError("batch.lengths", `an Int32Array of length ${texts}`, lengths);
  }
  const padded = int32s("batch.tokens", tokens).length / Math.max(1, texts);
  if (!Number.isInteger(padded) || padded > config.maxLength || (texts === 0 && padded > 0)) {
    const domain = `an Int32Array of ${texts} texts of equal length, at most ${config.maxLength}`;
    throw new InvalidArgumentError("batch.tokens", domain, tokens);
  }
  for (const token of tokens) integer("batch.tokens", token, 0, config.vocabulary - 1);
  for (const length of lengths) integer("batch.lengths", length, 1, padded);
  if (dropoutAt === undefined) return;
  const { seed, step } = record("dropoutAt", dropoutAt, ["seed", "step"]);
  integer("dropoutAt.seed", seed, 0, 2 ** 32 - 1);
  integer("dropoutAt.step", step, 0);
}

function checkScale(argument: string, value: unknown, names: readonly string[]): void {
  if (names.includes(value as string)) return;
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return;
  const domain = `${names.map((name) => `"${name}"`).join(" or ")} or a finite number above 0`;
  throw new InvalidArgumentError(argument, domain, value);
}
