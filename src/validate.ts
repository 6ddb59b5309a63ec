/**
 * Checks every argument of an attention call before anything is computed, and names the one that is wrong, its domain
 * and its value. What passes here, `plan.ts` resolves and a backend may rely on.
 */

import { flag, integer, isPositive, nonNegative, notNaN, oneOf, positive, record } from "../reference/check.js";
import { describe, InvalidArgumentError } from "./errors.js";
import { maskShapes } from "./plan.js";
import type { AttentionOptions, AttentionShape, Floats, GpuTensor, Tensor } from "./types.js";

type ArrayType = Float32ArrayConstructor | Float64ArrayConstructor | Uint8ArrayConstructor;

/** The options of a call. */
export const optionNames = [
  "alpha",
  "manifold",
  "intrinsicDim",
  "radius",
  "kappa",
  "bandwidth",
  "bandwidthExponent",
  "bandwidthPairs",
  "degreeNormalization",
  "causal",
  "window",
  "globalTokens",
  "excludeSelf",
  "keyLengths",
  "queryLengths",
  "mask",
  "distanceThreshold",
  "keyHeads",
  "out",
  "output",
  "signal",
] satisfies (keyof AttentionOptions)[];

/** Sizes that every call has, and the least of each. */
const leastSizes = { batch: 0, heads: 1, queries: 0, keys: 0, headDim: 1 };

/** Sizes of the call; a misspelt one must be an error too. */
export function checkShape(shape: AttentionShape): void {
  record("inputs", shape, ["q", "k", "v", ...Object.keys(leastSizes), "valueDim"]);
  for (const [name, least] of Object.entries(leastSizes)) integer(name, shape[name as keyof typeof leastSizes], least);
  if (shape.valueDim !== undefined) integer("valueDim", shape.valueDim, 1);
}

/** A tensor: one of the array types that may be read, of exactly the right length. */
export function checkTensor(
  argument: string,
  value: unknown,
  length: number,
  arrays: readonly ArrayType[],
  layout: string,
): void {
  if (!arrays.some((type) => value instanceof type) || (value as Floats).length !== length) {
    const types = arrays.map((type) => type.name).join(" or ");
    throw new InvalidArgumentError(argument, `a ${types} of length ${length} (${layout})`, value);
  }
}

/** Every option but `out`, which needs the plan (see `checkOut`), and `output`, which needs the device. */
export function checkOptions(options: AttentionOptions, shape: AttentionShape): void {
  record("options", options, optionNames);
  const { heads, batch, queries, keys } = shape;
  const { radius, kappa, bandwidth, signal } = options;
  /** An option has its check, and what that needs besides. */
  const given = <Rest extends unknown[]>(
    name: keyof AttentionOptions,
    check: (argument: string, value: unknown, ...rest: Rest) => unknown,
    ...rest: Rest
  ) => {
    if (options[name] !== undefined) check(name, options[name], ...rest);
  };
  given("alpha", perHead, heads, "a number in (0, 2]", (x) => x > 0 && x <= 2);
  given("manifold", oneOf, ["euclidean", "sphere"]);
  given("intrinsicDim", positive);
  if (radius !== "rescaled") given("radius", perHead, heads, `"rescaled" or a finite number above 0`, isPositive);
  if (kappa !== "paper" && kappa !== "dim" && kappa !== "none") {
    given("kappa", perHead, heads, `"paper", "dim", "none" or a finite number above 0`, isPositive);
  }
  if (bandwidth !== undefined && bandwidth !== "median" && bandwidth !== "mean" && !isPositive(bandwidth)) {
    throw new InvalidArgumentError("bandwidth", `a finite number above 0, "median" or "mean"`, bandwidth);
  }
  given("bandwidthExponent", oneOf, ["1/alpha", "1/2"]);
  given("bandwidthPairs", oneOf, ["unmasked", "all"]);
  given("degreeNormalization", nonNegative);
  // A factor of logarithms: with more, scores would leave float32.
  for (const name of ["intrinsicDim", "degreeNormalization"] as const) {
    if (options[name]! > 1e30) throw new InvalidArgumentError(name, "at most 1e30", options[name]);
  }
  given("window", integer, 0);
  given("globalTokens", integer, 0);
  given("causal", flag);
  given("excludeSelf", flag);
  given("keyLengths", lengths, batch, keys);
  given("queryLengths", lengths, batch, queries);
  given("mask", checkMask, shape);
  given("distanceThreshold", notNaN);
  const { keyHeads } = options;
  if (keyHeads !== undefined) {
    integer("keyHeads", keyHeads, 1);
    if (heads % keyHeads !== 0) throw new InvalidArgumentError("keyHeads", `a divisor of heads (${heads})`, keyHeads);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError("signal", "an AbortSignal", signal);
  }
}

function perHead(argument: string, value: unknown, heads: number, domain: string, holds: (x: number) => boolean): void {
  const each = value instanceof Float32Array || value instanceof Float64Array ? value : undefined;
  if (each ? each.length !== heads : typeof value !== "number" || !holds(value)) {
    throw new InvalidArgumentError(argument, `${domain}, or a Float32Array of one per head (${heads})`, value);
  }
  each?.forEach((x, h) => {
    if (!holds(x)) throw new InvalidArgumentError(`${argument}[${h}]`, domain, x);
  });
}

function lengths(argument: string, value: unknown, batch: number, maximum: number): void {
  if (!(value instanceof Int32Array) || value.length !== batch) {
    throw new InvalidArgumentError(argument, `an Int32Array of length ${batch} (one per batch entry)`, value);
  }
  value.forEach((length, b) => {
    integer(`${argument}[${b}]`, length, 0, maximum);
  });
}

function checkMask(argument: string, mask: unknown, shape: AttentionShape): void {
  const { batch, heads, queries, keys } = shape;
  const layout = `[${batch} or 1, ${heads} or 1, ${queries} or 1, ${keys}]`;
  const domain = `a Uint8Array of shape ${layout}, or { data, shape }`;
  if (mask instanceof Uint8Array) {
    const shapes = maskShapes(mask.length, shape);
    if (shapes.length === 0) throw new InvalidArgumentError(argument, domain, mask);
    if (shapes.length > 1) {
      const readings = shapes.map((s) => `[${s}]`).join(" or ");
      throw new InvalidArgumentError(argument, `{ data, shape } where a length fits ${readings}`, mask);
    }
    return;
  }
  const { data, shape: given } = record(argument, mask, ["data", "shape"], domain) as { data: unknown; shape: unknown };
  const extents = [batch, heads, queries, keys];
  const fits =
    Array.isArray(given) &&
    given.length === 4 &&
    extents.every((extent, axis) => given[axis] === extent || (given[axis] === 1 && axis < 3));
  if (!fits)
    throw new InvalidArgumentError(
      `${argument}.shape`,
      layout,
      Array.isArray(given) ? `[${given.map(describe)}]` : given,
    );
  const length = given.reduce((product: number, extent: number) => product * extent, 1);
  checkTensor(`${argument}.data`, data, length, [Uint8Array], "its shape");
}

/** Bytes [start, end) of a buffer, in memory or on a GPU. */
export interface Extent {
  readonly buffer: object;
  readonly start: number;
  readonly end: number;
}

/** Where a tensor of `length` numbers lies. */
export function extentOf(tensor: Tensor, length: number): Extent {
  // An array has its own of what is defaulted here.
  const { buffer, offset = 0, byteOffset: start = offset, byteLength = 4 * length } = tensor as Floats & GpuTensor;
  return { buffer, start, end: start + byteLength };
}

/**
 * The caller's places for results: known names, right type and length; those that the call produces overlap neither what
 * it reads nor each other, so that a result never destroys what a later pass needs.
 * @param lengths of every tensor that `out` may hold
 * @param results names of those that this call produces
 * @param check of one of them
 * @param read what the call reads
 */
export function checkOut(
  out: unknown,
  lengths: Readonly<Record<string, number>>,
  results: readonly string[],
  check: (argument: string, value: unknown, length: number) => void,
  read: readonly Extent[],
): void {
  if (out === undefined) return;
  record("out", out, Object.keys(lengths));
  const taken = [...read];
  for (const [name, tensor] of Object.entries(out as Record<string, Tensor | undefined>)) {
    if (tensor === undefined) continue;
    check(`out.${name}`, tensor, lengths[name]);
    if (!results.includes(name)) continue;
    const extent = extentOf(tensor, lengths[name]);
    if (taken.some((other) => overlap(other, extent))) {
      throw new InvalidArgumentError(`out.${name}`, "a tensor apart from inputs and other results", tensor);
    }
    taken.push(extent);
  }
}

function overlap(a: Extent, b: Extent): boolean {
  return a.buffer === b.buffer && a.start < b.end && b.start < a.end;
}
