/** One row for each function of the reference; see `walk.ts`. Sizes are tiny, so that thousands of calls take seconds. */

import * as reference from "../../reference/index.js";
import {
  boolean,
  bytes,
  type Domain,
  divisor,
  either,
  finite,
  floats,
  functions,
  integer,
  nonNegative,
  notNaN,
  oneOf,
  optional,
  order,
  positive,
  record,
  size,
  upTo,
} from "./domains.js";
import { type Argument, at, type Row } from "./walk.js";

const f64 = (...x: number[]) => Float64Array.of(...x);
const random = () => reference.createRandom(1);
const anyFinite = Number.isFinite;
const atLeast0 = (x: number) => x >= 0;
const finiteAtLeast0 = (x: number) => x >= 0 && x < Number.POSITIVE_INFINITY;
const exponent = oneOf("1/alpha", "1/2");

/** Two queries and three keys in the plane, values of one component. */
const head = () => ({
  q: f64(0.5, 1, -0.25, 2),
  k: f64(0, 1, 1, 0.5, -1, -1),
  v: f64(1, 2, 3),
  queries: 2,
  keys: 3,
  headDim: 2,
  valueDim: 1,
});
const headArguments = (name: string): Argument[] => [
  at("0", record(), name),
  at("0.q", floats(4)),
  at("0.k", floats(6)),
  at("0.v", floats(3)),
  at("0.queries", size(0, 2)),
  at("0.keys", size(0, 3)),
  at("0.headDim", size(1, 2)),
  at("0.valueDim", { ...optional(size(1, 1)), contradicts: [undefined, 2] }),
];

const headOptions = (): reference.HeadOptions => ({
  alpha: 1.5,
  manifold: "sphere",
  intrinsicDim: 2,
  kappa: 1,
  radius: 1,
  bandwidth: 0.5,
  bandwidthExponent: "1/2",
  bandwidthPairs: "all",
  degreeNormalization: 0.5,
  mask: Uint8Array.of(0, 0, 1, 0, 0, 0),
  distanceThreshold: 3,
  compatibility: { rowSumFloor: 1e-12, arccosLimit: 1, freeSphereGradient: false, localOrderGradient: false },
});
const headOptionArguments: Argument[] = [
  at("1", optional(record(Object.keys(headOptions()))), "options"),
  at("1.alpha", optional(order)),
  at("1.manifold", optional(oneOf("euclidean", "sphere"))),
  at("1.intrinsicDim", optional(positive)),
  at("1.kappa", optional(positive)),
  at("1.radius", optional(positive)),
  at("1.bandwidth", optional(either(positive, oneOf("median", "mean")))),
  at("1.bandwidthExponent", optional(exponent)),
  at("1.bandwidthPairs", optional(oneOf("unmasked", "all"))),
  at("1.degreeNormalization", optional(nonNegative)),
  at("1.mask", optional(bytes(6))),
  at("1.distanceThreshold", optional(notNaN)),
  at("1.compatibility", optional(record(["rowSumFloor", "arccosLimit", "freeSphereGradient", "localOrderGradient"]))),
  at("1.compatibility.rowSumFloor", optional(positive), "compatibility.rowSumFloor"),
  at("1.compatibility.arccosLimit", optional(upTo(1)), "compatibility.arccosLimit"),
  at("1.compatibility.freeSphereGradient", optional(boolean), "compatibility.freeSphereGradient"),
  at("1.compatibility.localOrderGradient", optional(boolean), "compatibility.localOrderGradient"),
];

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

const affine = { map: () => ({ weight: f64(1, 2, 3, 4, 5, 6), bias: f64(1, 2, 3) }), x: () => f64(1, 2, 3, 4) };
const affineArguments = (first: number): Argument[] => [
  at("0", floats(4), "x"),
  at("1", record(["weight", "bias"]), "map"),
  at("1.weight", floats(6), "map.weight"),
  at("1.bias", optional(floats(3)), "map.bias"),
  at(String(first), size(0, 2), "rows"),
  at(String(first + 1), size(1, 2), "inputs"),
  at(String(first + 2), size(1, 3), "outputs"),
];
const parameterArguments: Argument[] = [
  at("0", record(["original", "base"]), "parameter"),
  at("0.original", floats(4), "original"),
  at("0.base", floats(4, anyFinite), "base"),
];
const parameter = () => ({ original: f64(0, 0, 0.5, 0), base: f64(1, 0, 0, 1) });
const square2 = size(1, 2);

const algebra: Row[] = [
  {
    name: "linearForward",
    call: reference.linearForward,
    args: () => [affine.x(), affine.map(), 2, 2, 3],
    arguments: affineArguments(2),
  },
  {
    name: "linearBackward",
    call: reference.linearBackward,
    args: () => [affine.x(), affine.map(), f64(1, 2, 3, 4, 5, 6), 2, 2, 3],
    arguments: [...affineArguments(3), at("2", floats(6), "dy")],
  },
  {
    name: "orthogonalWeight",
    call: reference.orthogonalWeight,
    args: () => [parameter(), 2],
    arguments: [...parameterArguments, at("1", square2, "size")],
  },
  {
    name: "orthogonalWeightBackward",
    call: reference.orthogonalWeightBackward,
    args: () => [parameter(), f64(1, 2, 3, 4), 2],
    arguments: [...parameterArguments, at("1", floats(4, anyFinite), "dWeight"), at("2", square2, "size")],
  },
  {
    name: "matrixExponential",
    call: reference.matrixExponential,
    args: () => [f64(0, 1, -1, 0), 2],
    arguments: [
      at(
        "0",
        floats(4, (x) => Math.abs(x) <= 2 ** 52),
        "x",
      ),
      at("1", square2, "size"),
    ],
  },
];

const dotOptionArguments: Argument[] = [
  at("1", optional(record(["scale", "mask", "maskFill"])), "options"),
  at("1.scale", optional(finite), "options.scale"),
  at("1.mask", optional(bytes(6)), "options.mask"),
  at(
    "1.maskFill",
    optional({ ...finite, holds: (x) => typeof x === "number" && x < Number.POSITIVE_INFINITY }),
    "options.maskFill",
  ),
];
const odd: Domain = {
  ...integer(1),
  holds: (n) => Number.isInteger(n) && (n as number) > 0 && (n as number) % 2 === 1,
};
const dotOptions = () => ({ scale: 0.5, mask: Uint8Array.of(0, 0, 1, 0, 0, 0), maskFill: -1 });

const baselines: Row[] = [
  {
    name: "dotProductAttention",
    call: reference.dotProductAttention,
    args: () => [head(), dotOptions()],
    arguments: [...headArguments("inputs"), ...dotOptionArguments],
  },
  {
    name: "dotProductAttentionBackward",
    call: reference.dotProductAttentionBackward,
    args: () => [head(), dotOptions(), f64(1, 2)],
    arguments: [
      ...headArguments("inputs"),
      { ...dotOptionArguments[0], domain: record(["scale", "mask", "maskFill"]) },
      ...dotOptionArguments.slice(1),
      at("2", floats(2), "dOutput"),
    ],
  },
  {
    name: "sinkhornNormalize",
    call: reference.sinkhornNormalize,
    args: () => [f64(0, 1, 2, 3, 4, 5), 2, 3, 3],
    arguments: [
      at("0", floats(6), "scores"),
      at("1", size(0, 2), "rows"),
      at("2", size(0, 3), "columns"),
      at("3", optional(odd), "iterations"),
    ],
  },
  {
    name: "sinkhornAttention",
    call: reference.sinkhornAttention,
    args: () => [head(), { iterations: 3, scale: 1, mask: new Uint8Array(6) }],
    arguments: [
      ...headArguments("inputs"),
      at("1", optional(record(["iterations", "scale", "mask"])), "options"),
      at("1.iterations", optional(odd), "options.iterations"),
      at("1.scale", optional(finite), "options.scale"),
      at("1.mask", optional(bytes(6)), "options.mask"),
    ],
  },
];

const map2 = () => ({ weight: f64(1, 0.5, -0.5, 1), bias: f64(0, 0.1) });
const multiHead = (sharedKey = false) => ({
  x: f64(1, 2, 3, 4),
  context: sharedKey ? undefined : f64(1, 0, 0, 1, 1, 1),
  queries: 2,
  keys: sharedKey ? undefined : 3,
  modelDim: 2,
  heads: 2,
  parameters: { query: map2(), key: sharedKey ? undefined : map2(), value: map2(), output: map2() },
  attention: reference.fractionalHeads(),
  mask: new Uint8Array(sharedKey ? 4 : 6),
});
const projection = (name: string, domain: (d: Domain) => Domain): Argument[] => [
  at(`0.parameters.${name}`, domain(record(["weight", "bias"])), `parameters.${name}`),
  at(`0.parameters.${name}.weight`, floats(4), `parameters.${name}.weight`),
  at(`0.parameters.${name}.bias`, optional(floats(2)), `parameters.${name}.bias`),
];
const multiHeadArguments: Argument[] = [
  at("0", record(), "call"),
  at("0.x", floats(4)),
  at("0.context", { ...optional(floats(6)), contradicts: [undefined] }),
  at("0.queries", size(0, 2)),
  at("0.keys", { ...optional(size(0, 3)), contradicts: [undefined, 2, 4] }),
  at("0.modelDim", size(1, 2)),
  at("0.heads", divisor(2)),
  at("0.parameters", record(["query", "key", "value", "output"])),
  ...projection("query", optional),
  ...projection("key", (d) => d),
  ...projection("value", (d) => d),
  ...projection("output", (d) => d),
  at("0.attention", functions),
  at("0.mask", optional(bytes(6))),
];
const callHeads = (heads: reference.HeadAttention) =>
  reference.multiHeadForward({ ...multiHead(), attention: heads } as reference.MultiHead);
const withoutMask = (given: readonly Argument[]): Argument[] =>
  given
    .filter(({ path }) => path !== "1.mask")
    .map((argument) => ({ ...argument, path: `0${argument.path.slice(1)}` }))
    .map((argument) =>
      argument.path === "0" ? { ...argument, domain: optional(record(["no option at all"])) } : argument,
    );

const multi: Row[] = [
  {
    name: "multiHeadForward",
    call: reference.multiHeadForward,
    args: () => [multiHead()],
    arguments: multiHeadArguments,
  },
  {
    name: "multiHeadForward",
    call: reference.multiHeadForward,
    args: () => [{ ...multiHead(), attention: () => ({ output: f64(1, 2), weights: new Float64Array(6) }) }],
    arguments: [
      at(
        "0.attention",
        { holds: (f) => typeof f === "function" && f.length > 0, near: [() => ({ output: f64(1) }), () => null] },
        "attention",
      ),
    ],
  },
  {
    name: "multiHeadBackward",
    call: reference.multiHeadBackward,
    args: () => [multiHead(), reference.multiHeadForward(multiHead() as reference.MultiHead), f64(1, 2, 3, 4)],
    arguments: [
      ...multiHeadArguments,
      at("1", record(), "result"),
      at(
        "1.heads",
        {
          holds: (heads) => Array.isArray(heads) && heads.length === 2,
          contradicts: [
            [null, null],
            [{}, {}],
          ],
        },
        "result.heads",
      ),
      at("1.concatenated", floats(4), "result.concatenated"),
      at("2", floats(4), "dOutput"),
    ],
  },
  {
    name: "fractionalHeads",
    call: (options) => callHeads(reference.fractionalHeads(options)),
    args: () => {
      const { mask: _, ...options } = headOptions();
      return [options];
    },
    arguments: withoutMask(headOptionArguments),
  },
  {
    name: "dotProductHeads",
    call: (options) => callHeads(reference.dotProductHeads(options)),
    args: () => [{ scale: 1, maskFill: -1 }],
    arguments: withoutMask(dotOptionArguments),
  },
  {
    name: "sinkhornHeads",
    call: (options) => callHeads(reference.sinkhornHeads(options)),
    args: () => [{ scale: 1, iterations: 3 }],
    arguments: [
      at("0", optional(record(["no option at all"])), "options"),
      at("0.iterations", optional(odd), "options.iterations"),
      at("0.scale", optional(finite), "options.scale"),
    ],
  },
];

const unitInterval = (x: number) => x >= 0 && x <= 1 + 1e-5;
const isSymmetric = (m: Float64Array) => Math.abs(m[1] - m[2]) <= 1e-12 * Math.max(...m.map(Math.abs));
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
      at("0", { ...symmetric }, "re"),
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

const stable = (x: number[], first: Argument): Pick<Row, "args" | "arguments"> => ({
  args: () => [...x],
  arguments: [first, at("1", order, "alpha"), at("2", optional(positive), "scale")],
});
const farthest = at("0", { holds: (x) => typeof x === "number" && Math.abs(x) <= 2e200 }, "x");
const pathArguments: Argument[] = [
  at("0", record(), "random"),
  at("0.uniform", functions, "random.uniform"),
  at("0.normal", functions, "random.normal"),
  at("0.integer", functions, "random.integer"),
];
const walkArguments: Argument[] = [
  ...pathArguments,
  at("1", record(["alpha", "steps", "dt"]), "options"),
  at("1.alpha", order, "options.alpha"),
  at("1.steps", integer(1), "options.steps"),
  at("1.dt", optional(positive), "options.dt"),
];
const walkArgs = () => [random(), { alpha: 1.2, steps: 3, dt: 0.5 }];
const openOrder = upTo(2, true);
const grid = () => [f64(0, 1, 0, -1), 6];
const gridArguments = (name: string, least: number): Argument[] => [
  at(
    "0",
    { ...floats(), holds: (v) => floats().holds(v) && (v as Float64Array).length >= least, near: [f64(), [1, 2]] },
    name,
  ),
  at("1", positive, "period"),
];

const levy: Row[] = [
  {
    name: "gamma",
    call: reference.gamma,
    args: () => [0.5],
    arguments: [
      at("0", { ...finite, holds: (x) => finite.holds(x) && !(Number.isInteger(x) && (x as number) <= 0) }, "x"),
    ],
  },
  { name: "stableDensity", call: reference.stableDensity, ...stable([0.5, 1.2, 2], farthest) },
  { name: "stableSurvival", call: reference.stableSurvival, ...stable([0.5, 1.2, 2], farthest) },
  { name: "stableDistribution", call: reference.stableDistribution, ...stable([0.5, 1.2, 2], farthest) },
  {
    name: "stableTailConstant",
    call: reference.stableTailConstant,
    args: () => [1.2],
    arguments: [at("0", openOrder, "alpha")],
  },
  {
    name: "createRandom",
    call: reference.createRandom,
    args: () => [7],
    arguments: [at("0", integer(0, 2 ** 32 - 1), "seed")],
  },
  {
    name: "createRandom().integer",
    call: (below) => random().integer(below),
    args: () => [7],
    arguments: [at("0", integer(1, 2 ** 32), "below")],
  },
  {
    name: "stableIncrement",
    call: reference.stableIncrement,
    args: () => [random(), 1.2, 0.5],
    arguments: [...pathArguments, at("1", order, "alpha"), at("2", optional(positive), "dt")],
  },
  {
    name: "positiveStable",
    call: reference.positiveStable,
    args: () => [random(), 0.5],
    arguments: [...pathArguments, at("1", upTo(1), "beta")],
  },
  { name: "levyPath", call: reference.levyPath, args: walkArgs, arguments: walkArguments },
  { name: "isotropicPath2d", call: reference.isotropicPath2d, args: walkArgs, arguments: walkArguments },
  { name: "radialPath2d", call: reference.radialPath2d, args: walkArgs, arguments: walkArguments },
  {
    name: "hillEstimate",
    call: reference.hillEstimate,
    args: () => [f64(1, -2, 3, 4), 2],
    arguments: [
      at("0", { ...floats(undefined, anyFinite), contradicts: [f64(1, 2), f64(1, 1, 1, 1)] }, "samples"),
      at("1", integer(1, 3), "top"),
    ],
  },
  {
    name: "meanSquareDisplacement",
    call: reference.meanSquareDisplacement,
    args: () => [f64(0, 0, 1, 1, 2, 0), 2, 2],
    arguments: [
      at("0", { ...floats(), contradicts: [f64(0, 0, 1, 1, 2), f64(0, 0, 1, 1)] }, "path"),
      at("1", { ...integer(1), contradicts: [4, 6] }, "dimension"),
      at("2", integer(1, 2), "maxLag"),
    ],
  },
  {
    name: "fractionalLaplacianConstant",
    call: reference.fractionalLaplacianConstant,
    args: () => [3, 1.2],
    arguments: [at("0", integer(1), "dimension"), at("1", openOrder, "alpha")],
  },
  {
    name: "fractionalLaplacianFourier",
    call: reference.fractionalLaplacianFourier,
    args: () => [...grid(), 2],
    arguments: [...gridArguments("values", 1), at("2", order, "alpha")],
  },
  {
    name: "fractionalDiffusion",
    call: reference.fractionalDiffusion,
    args: () => [...grid(), 2, 0.5],
    arguments: [...gridArguments("density", 1), at("2", order, "alpha"), at("3", nonNegative, "time")],
  },
  {
    name: "fractionalLaplacianSingular",
    call: reference.fractionalLaplacianSingular,
    args: () => [...grid(), 1.2],
    arguments: [...gridArguments("values", 3), at("2", openOrder, "alpha")],
  },
  {
    name: "fractionalLaplacianAt",
    call: reference.fractionalLaplacianAt,
    args: () => [(x: number) => Math.exp(-x * x), 0.5, 1.2, { step: 0.1, reach: 20 }],
    arguments: [
      at("0", functions, "f"),
      at("1", finite, "x"),
      at("2", openOrder, "alpha"),
      at("3", record(["step", "reach"]), "options"),
      at("3.step", positive, "options.step"),
      at("3.reach", integer(1), "options.reach"),
    ],
  },
];

/** Every function of the reference. */
export const referenceRows: readonly Row[] = [
  ...attention,
  ...kernelAndDistance,
  ...masks,
  ...algebra,
  ...baselines,
  ...multi,
  ...spectra,
  ...analysis,
  ...levy,
];
