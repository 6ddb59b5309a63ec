/** The configuration of a model: every value checked, every default filled in, once. */

import { flag, integer, nonNegative, oneOf, positive, record, share, stabilityIndex } from "../../reference/check.js";
import { InvalidArgumentError } from "../errors.js";
import type { ClassifierConfig, ResolvedConfig } from "./types.js";

const names = [
  "attention",
  "alpha",
  "learnAlpha",
  "kappa",
  "learnKappa",
  "intrinsicDim",
  "radius",
  "degreeNormalization",
  "iterations",
  "layers",
  "heads",
  "width",
  "ffnWidth",
  "vocabulary",
  "maxLength",
  "classes",
  "orthogonal",
  "qkShare",
  "projectionBias",
  "dropout",
  "pooling",
  "positions",
  "residualScale",
  "compatibility",
] satisfies (keyof ClassifierConfig)[];

/** Threads that may share a batch. */
export const mostThreads = 64;

/** Sizes beyond this are mistakes, and products of a few of them stay exact. */
const mostPerAxis = 2 ** 20;

/**
 * The configuration with its defaults.
 * @throws InvalidArgumentError naming the option, its domain and the value
 */
export function resolveConfig(config: ClassifierConfig): ResolvedConfig {
  record("config", config, names);
  const attention = oneOf("attention", config.attention ?? "fna-euclidean", [
    "fna-euclidean",
    "fna-sphere",
    "dot-product",
    "sinkhorn",
  ]);
  const width = integer("width", config.width, 1, mostPerAxis);
  const heads = integer("heads", config.heads ?? 1, 1, width);
  if (width % heads !== 0) throw new InvalidArgumentError("heads", `a divisor of the width (${width})`, heads);
  const headDim = width / heads;
  const sphere = attention === "fna-sphere";
  const alpha = stabilityIndex("alpha", config.alpha ?? 1.2);
  const learnAlpha = flag("learnAlpha", config.learnAlpha);
  if (learnAlpha && alpha === 2) {
    // At 2 the kernel is another one, and the order a constant.
    throw new InvalidArgumentError("alpha", "a number in (0, 2) where it is learned", alpha);
  }
  const learnKappa = flag("learnKappa", config.learnKappa);
  if (!attention.startsWith("fna") && (learnAlpha || learnKappa)) {
    throw new InvalidArgumentError(learnAlpha ? "learnAlpha" : "learnKappa", `false for ${attention} attention`, true);
  }
  const iterations = integer("iterations", config.iterations ?? 3, 1, 99);
  if (iterations % 2 === 0) throw new InvalidArgumentError("iterations", "an odd integer", iterations);
  const dropout = share("dropout", config.dropout ?? 0);
  const { poolPadding, softmaxTwice } = record("compatibility", config.compatibility ?? {}, [
    "poolPadding",
    "softmaxTwice",
  ]);
  return {
    attention,
    alpha,
    learnAlpha,
    kappa: scale("kappa", config.kappa ?? "paper", ["paper", "none"]),
    learnKappa,
    intrinsicDim: positive("intrinsicDim", config.intrinsicDim ?? (sphere ? Math.max(1, headDim - 1) : headDim)),
    radius: scale("radius", config.radius ?? (alpha < 2 ? "rescaled" : 1), ["rescaled"]),
    degreeNormalization: nonNegative("degreeNormalization", config.degreeNormalization ?? 0),
    iterations,
    layers: integer("layers", config.layers ?? 1, 1, 1000),
    heads,
    width,
    ffnWidth: integer("ffnWidth", config.ffnWidth ?? 4 * width, 1, mostPerAxis),
    vocabulary: integer("vocabulary", config.vocabulary, 1, 2 ** 24),
    maxLength: integer("maxLength", config.maxLength, 1, mostPerAxis),
    classes: integer("classes", config.classes ?? 2, 2, mostPerAxis),
    orthogonal: flag("orthogonal", config.orthogonal),
    qkShare: flag("qkShare", config.qkShare),
    projectionBias: flag("projectionBias", config.projectionBias),
    dropout,
    pooling: oneOf("pooling", config.pooling ?? "max", ["max", "mean"]),
    positions: oneOf("positions", config.positions ?? "sinusoidal", ["sinusoidal", "none"]),
    residualScale: flag("residualScale", config.residualScale),
    compatibility: {
      poolPadding: flag("compatibility.poolPadding", poolPadding),
      softmaxTwice: flag("compatibility.softmaxTwice", softmaxTwice),
    },
  };
}

function scale<Name extends string>(argument: string, value: unknown, allowed: readonly Name[]): Name | number {
  if (allowed.includes(value as Name)) return value as Name;
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError(
    argument,
    `${allowed.map((a) => `"${a}"`).join(", ")} or a finite number above 0`,
    value,
  );
}
