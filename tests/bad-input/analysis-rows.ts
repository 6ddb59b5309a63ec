/** Rows of the reference: spectra, diffusion maps and the attention graph; see `walk.ts`. */

import * as reference from "../../reference/index.js";
import { headWeights, reversibleKernel, summarizeAttention } from "../../src/analysis/index.js";
import {
  boolean,
  bytes,
  type Domain,
  floats,
  integer,
  nonNegative,
  oneOf,
  optional,
  order,
  positive,
  record,
  size,
} from "./domains.js";
import { anyFinite, atLeast0, f64, finiteAtLeast0, square2 } from "./shared.js";
import { type Argument, at, type Row } from "./walk.js";

const unitInterval = (x: number) => x >= 0 && x <= 1 + 1e-5;
/** To rounding of its largest entry, or of `beside` where another matrix counts as well. */
const isSymmetric = (m: Float64Array, beside = 0) =>
  Math.abs(m[1] - m[2]) <= 1e-12 * Math.max(beside, ...m.map(Math.abs));
const symmetric: Domain = {
  ...floats(4),
  holds: (m) => floats(4, anyFinite).holds(m) && isSymmetric(m as Float64Array),
  near: [...(floats(4).near ?? []), f64(1, 0.5, 0.4, 1)],
};
const symmetricKernel: Domain = {
  ...symmetric,
  holds: (m) => symmetric.holds(m) && floats(4, finiteAtLeast0).holds(m),
};
const stochastic: Domain = {
  ...floats(4),
  holds: (m) =>
    floats(4, finiteAtLeast0).holds(m) && [0, 2].every((i) => [0, 1].includes(rowSum(m as Float64Array, i))),
  near: [...(floats(4).near ?? []), f64(0.5, 0.5, 0.5, 0.4)],
};
const stochasticIn1: Domain = {
  ...stochastic,
  holds: (m) => stochastic.holds(m) && floats(4, unitInterval).holds(m),
};
const rowSum = (m: Float64Array, i: number) => m[i] + m[i + 1];
const spectrumArguments = (least: number): Argument[] => [
  at(
    "0",
    {
      holds: (s) =>
        (floats().holds(s) && (s as Float64Array).length >= least) ||
        (record().holds(s) && floats().holds((s as reference.ComplexValues).re)),
      near: [f64(), { re: f64(1, 2) }, { im: f64(1, 2) }],
    },
    "spectrum",
  ),
  at("0.re", { ...floats(2), contradicts: [f64(1), f64(1, 2, 3)] }, "spectrum"),
  at("0.im", floats(2), "spectrum.im"),
];
const complex = () => ({ re: f64(1, 0.5), im: f64(0, 0) });

const circle = () => ({ points: 12, alpha: 1.2, bandwidth: 0.1 });
const circleArguments = (points: Domain): Argument[] => [
  at("0", record(["points", "alpha", "bandwidth"]), "options"),
  at("0.points", points),
  at("0.alpha", order),
  at("0.bandwidth", positive),
];
const layout = at("1", optional(oneOf("periodic", "doubled")), "layout");

const spectra: Row[] = [
  {
    name: "attentionEigenvalues",
    call: reference.attentionEigenvalues,
    args: () => [f64(0.5, 0.5, 0, 1), 2, "modulus"],
    arguments: [
      at("0", stochastic, "weights"),
      at("1", square2, "size"),
      at("2", optional(oneOf("real", "modulus")), "order"),
    ],
  },
  {
    name: "sharedEigenvalues",
    call: reference.sharedEigenvalues,
    args: () => [f64(1, 0.5, 0.5, 1), 2],
    arguments: [at("0", symmetricKernel, "phi"), at("1", square2, "size")],
  },
  {
    name: "symmetricEigen",
    call: reference.symmetricEigen,
    args: () => [f64(1, -0.5, -0.5, 1), 2],
    arguments: [at("0", symmetric, "matrix"), at("1", square2, "size")],
  },
  { name: "spectralGap", call: reference.spectralGap, args: () => [complex()], arguments: spectrumArguments(2) },
  {
    name: "generatorEigenvalues",
    call: reference.generatorEigenvalues,
    args: () => [complex(), 0.5],
    arguments: [...spectrumArguments(0), at("1", positive, "time")],
  },
  {
    name: "circleTime",
    call: reference.circleTime,
    args: () => [1.2, 0.1],
    arguments: [at("0", order, "alpha"), at("1", positive, "bandwidth")],
  },
  {
    name: "modeRange",
    call: reference.modeRange,
    args: () => [1, 5],
    arguments: [at("0", integer(0), "first"), at("1", integer(1), "last")],
  },
  {
    name: "circleSpectrum",
    call: reference.circleSpectrum,
    args: () => [circle(), f64(1, 2)],
    arguments: [
      ...circleArguments(integer(2)),
      at(
        "1",
        {
          ...optional(floats(undefined, (k) => Number.isInteger(k) && k >= 0 && k <= 6)),
          contradicts: [undefined],
        },
        "modes",
      ),
    ],
  },
  {
    name: "circleKernelMatrix",
    call: reference.circleKernelMatrix,
    args: () => [circle(), "periodic"],
    arguments: [...circleArguments(integer(2, 46_340)), layout],
  },
  {
    name: "circleDenseSpectrum",
    call: reference.circleDenseSpectrum,
    args: () => [circle(), "doubled"],
    arguments: [...circleArguments(integer(3, 46_340)), layout],
  },
  {
    name: "fitExponent",
    call: reference.fitExponent,
    args: () => [f64(1, 2), f64(3, 4)],
    arguments: [
      at("0", { ...floats(undefined, (x) => x > 0 && anyFinite(x)), contradicts: [f64(1, 2, 3), f64(2, 2)] }, "modes"),
      at(
        "1",
        floats(2, (x) => x > 0 && anyFinite(x)),
        "values",
      ),
    ],
  },
  {
    name: "magneticTransform",
    call: reference.magneticTransform,
    args: () => [f64(1, 0.5, 0.25, 1), 2],
    arguments: [at("0", floats(4, finiteAtLeast0), "phi"), at("1", square2, "size")],
  },
  {
    name: "hermitianEigenvalues",
    call: reference.hermitianEigenvalues,
    args: () => [f64(1, 0.5, 0.5, 1), f64(0, 0.25, -0.25, 0), 2],
    arguments: [
      at(
        "0",
        { ...symmetric, holds: (m) => floats(4, anyFinite).holds(m) && isSymmetric(m as Float64Array, 0.25) },
        "re",
      ),
      at("1", { ...floats(4, anyFinite), contradicts: [f64(0, 1, 1, 0), f64(1, 0, 0, 0)] }, "im"),
      at("2", square2, "size"),
    ],
  },
];

const chainArguments = (options: string): Argument[] => [
  at("0", symmetricKernel, "phi"),
  at("1", size(2, 2), "size"),
  at(`${options}.degreeNormalization`, optional(nonNegative), "options.degreeNormalization"),
  at(`${options}.mask`, { ...optional(bytes(4)), contradicts: [Uint8Array.of(0, 1, 0, 0)] }, "options.mask"),
];
const lengthsOrNone = floats(4, atLeast0);
const token = (position: number, name: string) => at(String(position), integer(0, 1), name);

const analysis: Row[] = [
  {
    name: "diffusionMap",
    call: reference.diffusionMap,
    args: () => [f64(1, 0.5, 0.5, 1), 2, { tau: 1, components: 1, degreeNormalization: 1, mask: new Uint8Array(4) }],
    arguments: [
      ...chainArguments("2"),
      at("2", optional(record(["degreeNormalization", "mask", "tau", "components"])), "options"),
      at("2.tau", optional(integer(0)), "options.tau"),
      at("2.components", optional(integer(1, 1)), "options.components"),
    ],
  },
  {
    name: "diffusionDistances",
    call: reference.diffusionDistances,
    args: () => [f64(1, 0.5, 0.5, 1), 2, 2, { degreeNormalization: 1, mask: new Uint8Array(4) }],
    arguments: [
      ...chainArguments("3"),
      at("2", optional(integer(0)), "tau"),
      at("3", optional(record(["degreeNormalization", "mask"])), "options"),
    ],
  },
  {
    name: "shortestPaths",
    call: reference.shortestPaths,
    args: () => [f64(0, 1, 2, 0), 2, 0],
    arguments: [at("0", lengthsOrNone, "lengths"), at("1", square2, "size"), token(2, "source")],
  },
  {
    name: "shortestPath",
    call: reference.shortestPath,
    args: () => [f64(0, 1, 2, 0), 2, 0, 1],
    arguments: [at("0", lengthsOrNone, "lengths"), at("1", square2, "size"), token(2, "start"), token(3, "end")],
  },
  {
    name: "hopGraph",
    call: reference.hopGraph,
    args: () => [f64(0.5, 0.5, 1, 0), 2],
    arguments: [at("0", floats(4, unitInterval), "weights"), at("1", square2, "size")],
  },
  {
    name: "mostLikelyPath",
    call: reference.mostLikelyPath,
    args: () => [f64(0.5, 0.5, 1, 0), 2, 0, 1],
    arguments: [
      at("0", floats(4, unitInterval), "weights"),
      at("1", square2, "size"),
      token(2, "start"),
      token(3, "end"),
    ],
  },
];

const shape = () => ({ batch: 2, heads: 1, queries: 1, keys: 2 });
const fromWeights: readonly Row[] = [
  {
    name: "headWeights",
    call: headWeights,
    args: () => [f64(0.5, 0.5, 1, 0), shape(), 0, 1],
    arguments: [
      at("0", floats(4), "weights"),
      at("1", record(), "shape"),
      at("1.batch", size(1, 2)),
      at("1.heads", size(1, 1)),
      at("1.queries", size(1, 1)),
      at("1.keys", size(1, 2)),
      at("2", optional(integer(0, 0)), "head"),
      at("3", optional(integer(0, 1)), "batch"),
    ].map((argument) => (argument.path.startsWith("1.") ? { ...argument, name: `shape.${argument.name}` } : argument)),
  },
  {
    name: "summarizeAttention",
    call: summarizeAttention,
    args: () => [f64(0.5, 0.5, 1, 0), 2, { reversible: true }],
    arguments: [
      at("0", stochasticIn1, "weights"),
      at("1", size(2, 2), "size"),
      at("2", optional(record(["reversible"])), "options"),
      at("2.reversible", optional(boolean), "options.reversible"),
    ],
  },
  {
    name: "reversibleKernel",
    call: reversibleKernel,
    args: () => [f64(0.5, 0.5, 1, 0), 2],
    arguments: [
      at("0", { ...floats(4, finiteAtLeast0), near: [f64(1, 0, 0.5, 0.5)] }, "weights"),
      at("1", size(2, 2), "size"),
    ],
  },
];

/** What is made of an attention matrix. */
export const analysisRows: readonly Row[] = [...spectra, ...analysis, ...fromWeights];
