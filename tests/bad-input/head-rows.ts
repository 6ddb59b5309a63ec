/** Rows of the reference: attention of one head, kernel, distance, scale and masks; see `walk.ts`. */

import * as reference from "../../reference/index.js";
import {
  bytes,
  type Domain,
  finite,
  floats,
  integer,
  nonNegative,
  notNaN,
  oneOf,
  optional,
  positive,
  record,
  size,
  upTo,
} from "./domains.js";
import { atLeast0, exponent, f64, head, headArguments, headOptionArguments, headOptions } from "./shared.js";
import { type Argument, at, type Row } from "./walk.js";

const attention: Row[] = [
  {
    name: "attentionForward",
    call: reference.attentionForward,
    args: () => [head(), headOptions()],
    arguments: [...headArguments("head"), ...headOptionArguments],
  },
  {
    name: "attentionBackward",
    call: reference.attentionBackward,
    args: () => [head(), headOptions(), { output: f64(1, 2), logSumExp: f64(0, 0), dOutput: f64(1, 1) }],
    arguments: [
      ...headArguments("head"),
      ...headOptionArguments,
      at("2", record(), "saved"),
      at("2.output", floats(2)),
      at("2.logSumExp", floats(2)),
      at("2.dOutput", floats(2)),
    ],
  },
];

const points = (): unknown[] => [f64(0.5, 1, -0.25, 2), f64(0, 1, 1, 0.5, -1, -1), 2, 3, 2];
const pointArguments: Argument[] = [
  at("0", floats(4), "q"),
  at("1", floats(6), "k"),
  at("2", size(0, 2), "queries"),
  at("3", size(0, 3), "keys"),
  at("4", size(1, 2), "headDim"),
];
const zArguments = (z: Domain): Argument[] => [
  at("0", z, "z"),
  at("1", positive, "alpha"),
  at("2", positive, "intrinsicDim"),
];

const kernelAndDistance: Row[] = [
  { name: "euclideanDistances", call: reference.euclideanDistances, args: points, arguments: pointArguments },
  { name: "sphereAngles", call: reference.sphereAngles, args: points, arguments: pointArguments },
  {
    name: "rawArccosAngles",
    call: reference.rawArccosAngles,
    args: () => [...points(), 0.5],
    arguments: [...pointArguments, at("5", optional(upTo(1)), "limit")],
  },
  {
    name: "unitRows",
    call: reference.unitRows,
    args: () => [f64(3, 4, 0, 0), 2, 2],
    arguments: [at("0", floats(4), "x"), at("1", size(0, 2), "rows"), at("2", size(1, 2), "headDim")],
  },
  {
    name: "logKernel",
    call: reference.logKernel,
    args: () => [1, 1.2, 3],
    arguments: zArguments({ ...nonNegative, holds: (z) => typeof z === "number" && z >= 0 }),
  },
  {
    name: "kernel",
    call: reference.kernel,
    args: () => [1, 1.2, 3],
    arguments: zArguments({ ...nonNegative, holds: (z) => typeof z === "number" && z >= 0 }),
  },
  { name: "logKernelSlope", call: reference.logKernelSlope, args: () => [1, 2, 3], arguments: zArguments(nonNegative) },
  {
    name: "logKernelOrderSlope",
    call: reference.logKernelOrderSlope,
    args: () => [1, 1.2, 3, 0.5],
    arguments: [...zArguments(nonNegative), at("3", optional(finite), "logBandwidth")],
  },
  {
    name: "distanceToScore",
    call: reference.distanceToScore,
    args: () => [f64(0, 1, 2), 1.2, 3, 1, "1/2"],
    arguments: [
      at("0", floats(undefined, atLeast0), "distance"),
      at("1", positive, "alpha"),
      at("2", positive, "intrinsicDim"),
      at("3", optional(positive), "bandwidth"),
      at("4", optional(exponent), "exponent"),
    ],
  },
  {
    name: "markovMatrix",
    call: reference.markovMatrix,
    args: () => [f64(0, 1, 1, 0), 2, 1.2, 3, 0.5, 1, "1/2"],
    arguments: [
      at("0", floats(4, atLeast0), "distance"),
      at("1", size(0, 2), "size"),
      at("2", positive, "alpha"),
      at("3", positive, "intrinsicDim"),
      at("4", nonNegative, "degreeNormalization"),
      at("5", optional(positive), "bandwidth"),
      at("6", optional(exponent), "exponent"),
    ],
  },
  {
    name: "scaleKappa",
    call: reference.scaleKappa,
    args: () => ["paper", 8, 1.2],
    arguments: [
      at("0", oneOf("paper", "dim", "none"), "name"),
      at("1", integer(1), "headDim"),
      at("2", positive, "alpha"),
    ],
  },
  {
    name: "rescaledRadius",
    call: reference.rescaledRadius,
    args: () => [3],
    arguments: [at("0", positive, "intrinsicDim")],
  },
  {
    name: "bandwidthFactor",
    call: reference.bandwidthFactor,
    args: () => [2, 1.2, "1/alpha"],
    arguments: [at("0", positive, "bandwidth"), at("1", positive, "alpha"), at("2", optional(exponent), "exponent")],
  },
  {
    name: "measuredBandwidth",
    call: reference.measuredBandwidth,
    args: () => ["mean", f64(0, 1, 2, 3), 1, 1.2, Uint8Array.of(0, 0, 0, 0)],
    arguments: [
      at("0", oneOf("median", "mean"), "rule"),
      at("1", { ...floats(undefined, (d) => Number.isNaN(d) || d >= 0), contradicts: [f64(1, 2)] }, "distance"),
      at("2", positive, "kappa"),
      at("3", positive, "alpha"),
      at("4", optional(bytes(4)), "mask"),
    ],
  },
];

const sizes = [at("0", integer(0), "queries"), at("1", integer(0), "keys")];
const offset = (position: number) => at(String(position), optional(integer(-2)), "offset");
const masks: Row[] = [
  {
    name: "paddingMask",
    call: reference.paddingMask,
    args: () => [2, 3, 1, 2],
    arguments: [...sizes, at("2", integer(0, 3), "keyLength"), at("3", optional(integer(0, 2)), "queryLength")],
  },
  { name: "causalMask", call: reference.causalMask, args: () => [2, 3, 1], arguments: [...sizes, offset(2)] },
  { name: "selfMask", call: reference.selfMask, args: () => [2, 3, 1], arguments: [...sizes, offset(2)] },
  {
    name: "windowMask",
    call: reference.windowMask,
    args: () => [2, 3, 1, 0, 1],
    arguments: [...sizes, at("2", integer(0), "width"), at("3", optional(integer(0)), "globalTokens"), offset(4)],
  },
  {
    name: "authorsLongformerMask",
    call: reference.authorsLongformerMask,
    args: () => [9],
    arguments: [at("0", integer(0, 46_340), "size")],
  },
  {
    name: "thresholdMask",
    call: reference.thresholdMask,
    args: () => [f64(0, 1, 2), 1],
    arguments: [at("0", floats(), "distance"), at("1", notNaN, "threshold")],
  },
  {
    name: "orMasks",
    call: reference.orMasks,
    args: () => [2, Uint8Array.of(0, 1), Uint8Array.of(1, 0)],
    arguments: [
      at("0", size(0, 2), "length"),
      at("1", optional(bytes(2)), "mask"),
      at("2", optional(bytes(2)), "mask"),
    ],
  },
  {
    name: "bernoulliMask",
    call: reference.bernoulliMask,
    args: () => [2, 3, 0.5, 1],
    arguments: [
      ...sizes,
      at("2", { ...nonNegative, holds: (p) => typeof p === "number" && p >= 0 && p <= 1 }, "probability"),
      at("3", integer(0, 2 ** 32 - 1), "seed"),
    ],
  },
  {
    name: "maskedFraction",
    call: reference.maskedFraction,
    args: () => [Uint8Array.of(0, 1)],
    arguments: [at("0", bytes(), "mask")],
  },
];

/** Attention of one head and what it is made of. */
export const headRows: readonly Row[] = [...attention, ...kernelAndDistance, ...masks];
