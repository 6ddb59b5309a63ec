/** Rows of the reference: projections, baselines and multi-head attention; see `walk.ts`. */

import * as reference from "../../reference/index.js";
import { bytes, type Domain, divisor, finite, floats, functions, optional, record, size } from "./domains.js";
import { anyFinite, f64, head, headArguments, headOptionArguments, headOptions, odd, square2 } from "./shared.js";
import { type Argument, at, type Row } from "./walk.js";

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
const multiHead = () => ({
  x: f64(1, 2, 3, 4),
  context: f64(1, 0, 0, 1, 1, 1),
  queries: 2,
  keys: 3,
  modelDim: 2,
  heads: 2,
  parameters: { query: map2(), key: map2(), value: map2(), output: map2() },
  attention: reference.fractionalHeads(),
  mask: new Uint8Array(6),
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

/** What surrounds a head, and what it is compared with. */
export const layerRows: readonly Row[] = [...algebra, ...baselines, ...multi];
