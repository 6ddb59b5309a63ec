/**
 * Checks every argument of an attention call before anything is computed, and names the one that is wrong, its domain
 * and its value. What passes here, `plan.ts` resolves and a backend may rely on.
 */

import { flag, integer, nonNegative, notNaN, oneOf, positive, record } from "../reference/check.js";
import { describe, InvalidArgumentError } from "./errors.js";
import { maskShapes } from "./plan.js";
import type { AttentionOptions, AttentionShape, Floats, PerHead } from "./types.js";

type FloatsConstructor = Float32ArrayConstructor | Float64ArrayConstructor;

const optionNames = [
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
  "signal",
] satisfies (keyof AttentionOptions)[];

/** Sizes of the call. */
export function checkShape(shape: AttentionShape): void {
  record("inputs", shape);
  integer("batch", shape.batch, 0);
  integer("heads", shape.heads, 1);
  integer("queries", shape.queries, 0);
  integer("keys", shape.keys, 0);
  integer("headDim", shape.headDim, 1);
  if (shape.valueDim !== undefined) integer("valueDim", shape.valueDim, 1);
}

/** A tensor: one of the array types that the device reads, of exactly the right length. */
export function checkTensor(
  argument: string,
  value: unknown,
  length: number,
  arrays: readonly FloatsConstructor[],
  layout: string,
): asserts value is Floats {
  if (!arrays.some((type) => value instanceof type) || (value as Floats).length !== length) {
    const types = arrays.map((type) => type.name).join(" or ");
    throw new InvalidArgumentError(argument, `a ${types} of length ${length} (${layout})`, value);
  }
}

/** Every option but `out`, which needs the plan: see `checkOut`. */
export function checkOptions(options: AttentionOptions, shape: AttentionShape): void {
  record("options", options, optionNames);
  const { heads, batch, queries, keys } = shape;
  const { alpha, manifold, intrinsicDim, radius, kappa, bandwidth, signal } = options;
  if (alpha !== undefined) perHead("alpha", alpha, heads, "a number in (0, 2]", (x) => x > 0 && x <= 2);
  if (manifold !== undefined) oneOf("manifold", manifold, ["euclidean", "sphere"]);
  if (intrinsicDim !== undefined) positive("intrinsicDim", intrinsicDim);
  if (radius !== undefined && radius !== "rescaled") {
    perHead("radius", radius, heads, `"rescaled" or a finite number above 0`, isPositive);
  }
  if (kappa !== undefined && kappa !== "paper" && kappa !== "dim" && kappa !== "none") {
    perHead("kappa", kappa, heads, `"paper", "dim", "none" or a finite number above 0`, isPositive);
  }
  if (bandwidth !== undefined && bandwidth !== "median" && bandwidth !== "mean" && !isPositive(bandwidth)) {
    throw new InvalidArgumentError("bandwidth", `a finite number above 0, "median" or "mean"`, bandwidth);
  }
  if (options.bandwidthExponent !== undefined) {
    oneOf("bandwidthExponent", options.bandwidthExponent, ["1/alpha", "1/2"]);
  }
  if (options.bandwidthPairs !== undefined) oneOf("bandwidthPairs", options.bandwidthPairs, ["unmasked", "all"]);
  if (options.degreeNormalization !== undefined) nonNegative("degreeNormalization", options.degreeNormalization);
  if (options.window !== undefined) integer("window", options.window, 0);
  if (options.globalTokens !== undefined) integer("globalTokens", options.globalTokens, 0);
  flag("causal", options.causal);
  flag("excludeSelf", options.excludeSelf);
  lengths("keyLengths", options.keyLengths, batch, keys);
  lengths("queryLengths", options.queryLengths, batch, queries);
  if (options.mask !== undefined) checkMask(options.mask, shape);
  if (options.distanceThreshold !== undefined) notNaN("distanceThreshold", options.distanceThreshold);
  const { keyHeads } = options;
  if (keyHeads !== undefined) {
    integer("keyHeads", keyHeads, 1);
    if (heads % keyHeads !== 0) throw new InvalidArgumentError("keyHeads", `a divisor of heads (${heads})`, keyHeads);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError("signal", "an AbortSignal", signal);
  }
}

function isPositive(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

function perHead(argument: string, value: PerHead, heads: number, domain: string, holds: (x: number) => boolean): void {
  if (value instanceof Float32Array || value instanceof Float64Array) {
    if (value.length !== heads) {
      throw new InvalidArgumentError(argument, `one number per head, a Float32Array of length ${heads}`, value);
    }
    const bad = value.findIndex((x) => !holds(x));
    if (bad >= 0) throw new InvalidArgumentError(`${argument}[${bad}]`, domain, value[bad]);
  } else if (typeof value !== "number" || !holds(value)) {
    throw new InvalidArgumentError(argument, `${domain}, or a Float32Array of one per head`, value);
  }
}

function lengths(argument: string, value: unknown, batch: number, maximum: number): void {
  if (value === undefined) return;
  if (!(value instanceof Int32Array) || value.length !== batch) {
    throw new InvalidArgumentError(argument, `an Int32Array of length ${batch} (one per batch entry)`, value);
  }
  value.forEach((length, b) => {
    integer(`${argument}[${b}]`, length, 0, maximum);
  });
}

function checkMask(mask: unknown, shape: AttentionShape): void {
  const { batch, heads, queries, keys } = shape;
  const layout = `[${batch} or 1, ${heads} or 1, ${queries} or 1, ${keys}]`;
  if (mask instanceof Uint8Array) {
    const shapes = maskShapes(mask.length, shape);
    if (shapes.length === 0) throw new InvalidArgumentError("mask", `a Uint8Array of shape ${layout}`, mask);
    if (shapes.length > 1) {
      const readings = shapes.map((s) => `[${s}]`).join(" or ");
      throw new InvalidArgumentError("mask", `{ data, shape } where a length fits ${readings}`, mask);
    }
    return;
  }
  const { data, shape: given } = record("mask", mask) as { data: unknown; shape: unknown };
  const extents = [batch, heads, queries, keys];
  const fits =
    Array.isArray(given) &&
    given.length === 4 &&
    extents.every((extent, axis) => given[axis] === extent || (given[axis] === 1 && axis < 3));
  if (!fits)
    throw new InvalidArgumentError("mask.shape", layout, Array.isArray(given) ? `[${given.map(describe)}]` : given);
  const length = given.reduce((product: number, extent: number) => product * extent, 1);
  if (!(data instanceof Uint8Array) || data.length !== length) {
    throw new InvalidArgumentError("mask.data", `a Uint8Array of length ${length}`, data);
  }
}

/**
 * The caller's result arrays: known names, right type and length; those that the call produces overlap neither what it
 * reads nor each other, so that a result never destroys what a later pass needs.
 * @param lengths of every array that `out` may hold
 * @param results names of those that this call produces
 */
export function checkOut(
  out: unknown,
  lengths: Readonly<Record<string, number>>,
  results: readonly string[],
  type: FloatsConstructor,
  inputs: readonly (Floats | undefined)[],
): void {
  if (out === undefined) return;
  record("out", out, Object.keys(lengths));
  const taken: { name: string; array: Floats }[] = [];
  for (const [name, array] of Object.entries(out as object)) {
    if (array === undefined) continue;
    checkTensor(`out.${name}`, array, lengths[name], [type], "exactly");
    if (!results.includes(name)) continue;
    if (inputs.some((input) => input !== undefined && overlap(input, array))) {
      throw new InvalidArgumentError(`out.${name}`, "an array that does not overlap the inputs", array);
    }
    const other = taken.find((t) => overlap(t.array, array));
    if (other) throw new InvalidArgumentError(`out.${name}`, `an array that does not overlap out.${other.name}`, array);
    taken.push({ name, array });
  }
}

function overlap(a: Floats, b: Floats): boolean {
  return (
    a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength
  );
}
