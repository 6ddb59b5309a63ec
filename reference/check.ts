/**
 * Argument checks with one voice. Each throws `InvalidArgumentError` (argument, domain, value) and gives the value back,
 * so that a function reads its arguments and checks them in one line, before it computes anything.
 */

import { InvalidArgumentError } from "./errors.js";

/** Any float array that the reference reads. It always computes and answers in float64. */
export type Floats = Float64Array | Float32Array;

/** The most entries that an array may have. Engines hold as many, and the product of two such counts is exact. */
export const mostEntries = 2 ** 31 - 1;

/**
 * An object with properties, and with `names` none but these: a misspelt option must be an error, not a default. What
 * the properties hold is for the caller to check.
 * @param domain what the argument may be, where that is more than an object
 */
export function record<T>(argument: string, value: T, names?: readonly string[], domain = "an object"): T {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw new InvalidArgumentError(argument, domain, value);
  }
  const unknown = names && Object.keys(value).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(argument, `one of ${names?.join(", ")}`, unknown);
  return value;
}

/** A whole number in [minimum, 2^31). Sizes are counted in it, so the product of a few stays exact. */
export function integer(argument: string, value: unknown, minimum: number, maximum = mostEntries): number {
  const isTooLarge = isFiniteNumber(value) && value > maximum;
  if (!Number.isInteger(value) || (value as number) < minimum || isTooLarge) {
    const domain =
      maximum !== mostEntries || isTooLarge
        ? `an integer in [${minimum}, ${maximum}]`
        : `an integer of at least ${minimum}`;
    throw new InvalidArgumentError(argument, domain, value);
  }
  return value as number;
}

const isFiniteNumber = Number.isFinite as (value: unknown) => value is number;

/** Whether a value is a finite number above 0. */
export function isPositive(value: unknown): value is number {
  return isFiniteNumber(value) && value > 0;
}

/** A finite number. */
export function finite(argument: string, value: unknown): number {
  if (!isFiniteNumber(value)) {
    throw new InvalidArgumentError(argument, "a finite number", value);
  }
  return value;
}

/** A finite number above 0. */
export function positive(argument: string, value: unknown): number {
  if (!isPositive(value)) {
    throw new InvalidArgumentError(argument, "a finite number above 0", value);
  }
  return value;
}

/** A finite number of at least 0. */
export function nonNegative(argument: string, value: unknown): number {
  if (!isFiniteNumber(value) || value < 0) {
    throw new InvalidArgumentError(argument, "a finite number of at least 0", value);
  }
  return value;
}

/** The stability index of the attention functions, 0 < alpha <= 2. The kernel by itself also takes alpha > 2. */
export function stabilityIndex(argument: string, value: unknown): number {
  if (typeof value !== "number" || !(value > 0 && value <= 2)) {
    throw new InvalidArgumentError(argument, "a number in (0, 2]", value);
  }
  return value;
}

/** A number, Infinity included. */
export function notNaN(argument: string, value: unknown): number {
  if (typeof value !== "number" || Number.isNaN(value)) throw new InvalidArgumentError(argument, "a number", value);
  return value;
}

/** A number in [0, 1): a probability, or how much of a running mean is kept. */
export function share(argument: string, value: unknown): number {
  if (typeof value !== "number" || !(value >= 0 && value < 1)) {
    throw new InvalidArgumentError(argument, "a number in [0, 1)", value);
  }
  return value;
}

/** An Int32Array. */
export function int32s(argument: string, value: unknown): Int32Array {
  if (!(value instanceof Int32Array)) throw new InvalidArgumentError(argument, "an Int32Array", value);
  return value;
}

/** true or false; false unless given. */
export function flag(argument: string, value: unknown = false): boolean {
  if (typeof value !== "boolean") throw new InvalidArgumentError(argument, "a boolean", value);
  return value;
}

/** One of a closed list of names. */
export function oneOf<T extends string>(argument: string, value: unknown, allowed: readonly T[]): T {
  if (!allowed.includes(value as T)) {
    throw new InvalidArgumentError(argument, allowed.map((a) => `"${a}"`).join(" or "), value);
  }
  return value as T;
}

/** A Float64Array or Float32Array, of exactly `length` numbers when a length is given. */
export function floats<T extends Floats = Floats>(argument: string, value: unknown, length?: number): T {
  const isFloats = value instanceof Float64Array || value instanceof Float32Array;
  if (!isFloats || (length !== undefined && value.length !== length)) {
    const domain = `a Float64Array or Float32Array${length === undefined ? "" : ` of length ${length}`}`;
    throw new InvalidArgumentError(argument, domain, value);
  }
  return value as T;
}

/** A Uint8Array of 0 and 1 (1 = may not attend) of exactly `length` entries, or undefined. */
export function optionalMask(argument: string, value: unknown, length: number): Uint8Array | undefined {
  if (value === undefined) return undefined;
  if (!(value instanceof Uint8Array) || value.length !== length) {
    throw new InvalidArgumentError(argument, `a Uint8Array of length ${length}`, value);
  }
  return value;
}
