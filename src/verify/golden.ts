/**
 * The golden vectors: `<group>.json.gz` of fixtures/golden is one gzipped JSON document whose tensors are
 * `{ shape, data }`, row-major, in decimals that give back the same float64. Decoding turns every such object into a
 * `GoldenTensor` and the strings "NaN", "Infinity" and "-Infinity" into the numbers they stand for; everything else is
 * handed on as it is written. Reading the files is the business of `golden-files.ts`, in Node.
 */

import { parseSafetensors } from "../files/safetensors.js";
import { decodeFloat64 } from "../files/tensor-values.js";

/** A tensor of the file: row-major, booleans as 0 and 1. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Anything a case can hold. */
export type GoldenValue =
  | GoldenTensor
  | number
  | string
  | boolean
  | null
  | readonly GoldenValue[]
  | { readonly [name: string]: GoldenValue };

/** One case. Which of the optional parts there are depends on the group. */
export interface GoldenCase {
  readonly id: string;
  readonly config: { readonly [name: string]: GoldenValue };
  readonly expect: { readonly [name: string]: GoldenValue };
  readonly inputs: { readonly [name: string]: GoldenValue };
  readonly outputs: { readonly [name: string]: GoldenValue };
  readonly grads?: { readonly [name: string]: GoldenValue };
  readonly state_dict?: { readonly [name: string]: GoldenValue };
  readonly tags?: readonly string[];
  readonly [part: string]: GoldenValue | undefined;
}

/** One file. */
export interface GoldenGroup {
  readonly group: string;
  readonly description: string;
  readonly repo: string;
  readonly commit: string;
  readonly cases: readonly GoldenCase[];
}

const nonFinite: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};

/** What stands in the file before decoding. */
type Json = number | string | boolean | null | Json[] | { [name: string]: Json };

function decode(value: Json): GoldenValue {
  if (typeof value === "string") return Object.hasOwn(nonFinite, value) ? nonFinite[value] : value;
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value.shape) && Array.isArray(value.data)) {
    const shape = value.shape as number[];
    const data = Float64Array.from(value.data, (x) => decode(x) as number);
    const length = shape.reduce((product, extent) => product * extent, 1);
    if (data.length !== length) throw new Error(`golden tensor of shape [${shape}] has ${data.length} numbers`);
    return { shape, data };
  }
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, decode(part)]));
}

/** Where groups come from: a folder in Node, a server in a browser. */
export type GoldenLoader = (group: string) => GoldenGroup | Promise<GoldenGroup>;

/**
 * A group with the weights of its cases, which one group keeps in safetensors files (`config.file`), as `state_dict`.
 * @param files the bytes of those files by name
 */
export function withWeights(group: GoldenGroup, files: Readonly<Record<string, Uint8Array>>): GoldenGroup {
  const cases = group.cases.map((c) => {
    if (typeof c.config.file !== "string") return c;
    const { tensors } = parseSafetensors(files[c.config.file], c.config.file);
    const decoded = [...tensors].map(([name, t]) => [name, { shape: t.shape, data: decodeFloat64(t, name) }]);
    return { ...c, state_dict: Object.fromEntries(decoded) };
  });
  return { ...group, cases };
}

/** Names of the safetensors files that `withWeights` needs. */
export function weightFiles(group: GoldenGroup): string[] {
  return group.cases.map((c) => c.config.file).filter((file) => typeof file === "string");
}

/** A group from the text of its file, unzipped. */
export function decodeGolden(text: string): GoldenGroup {
  return decode(JSON.parse(text) as Json) as unknown as GoldenGroup;
}

/** Whether a value of a case is a tensor. */
export function isTensor(value: GoldenValue | undefined): value is GoldenTensor {
  return typeof value === "object" && value !== null && "data" in value && value.data instanceof Float64Array;
}

/**
 * The tensor of that name, which must be there.
 * @throws Error naming the missing tensor
 */
export function tensor(part: { readonly [name: string]: GoldenValue } | undefined, name: string): GoldenTensor {
  const value = part?.[name];
  if (!isTensor(value)) throw new Error(`golden case has no tensor "${name}"`);
  return value;
}
