/**
 * Words of the command line to values, and values to JSON. Each parser throws commander's `InvalidArgumentError`, to whose message commander
 * adds the option and the word, so that a person reads option, domain and value.
 */

import { InvalidArgumentError } from "commander";

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A decimal number that `accepts` takes; no "0x10", no "", no "Infinity". */
export function numberIn(domain: string, accepts: (value: number) => boolean): (word: string) => number {
  return (word) => {
    const value = decimal.test(word.trim()) ? Number(word) : Number.NaN;
    if (!Number.isFinite(value) || !accepts(value)) throw new InvalidArgumentError(`Expected ${domain}.`);
    return value;
  };
}

/** What `read` makes of a word; undefined is a mistake. */
export function valueIn<T>(domain: string, read: (word: string) => T | undefined): (word: string) => T {
  return (word) => {
    const value = read(word);
    if (value === undefined) throw new InvalidArgumentError(`Expected ${domain}.`);
    return value;
  };
}

/** A whole number in [minimum, maximum]. */
export function integerIn(minimum: number, maximum: number): (word: string) => number {
  return numberIn(
    `an integer in [${minimum}, ${maximum}]`,
    (value) => Number.isInteger(value) && value >= minimum && value <= maximum,
  );
}

/** A number above 0, or one of the names. */
export function positiveOr<T extends string>(...names: T[]): (word: string) => number | T {
  const domain = `${names.map((name) => `"${name}"`).join(", ")} or a number above 0`;
  const number = numberIn(domain, (value) => value > 0);
  return (word) => (names.includes(word as T) ? (word as T) : number(word));
}

/** One of the names. */
export function oneOf<T extends string>(names: readonly T[]): (word: string) => T {
  return (word) => {
    if (!names.includes(word as T)) {
      throw new InvalidArgumentError(`Expected ${names.map((name) => `"${name}"`).join(", ")}.`);
    }
    return word as T;
  };
}

/** One or more of the names: repeat the option, or separate with commas. */
export function listOf<T extends string>(names: readonly T[]): (word: string, before?: readonly T[]) => readonly T[] {
  return manyOf(oneOf(names));
}

/** One or more values: repeat the option, or separate with commas. Equal ones count once. */
export function manyOf<T extends string | number>(
  single: (word: string) => T,
): (word: string, before?: readonly T[]) => readonly T[] {
  return (word, before) => [...new Set([...(before ?? []), ...word.split(",").map((part) => single(part.trim()))])];
}

/** For `JSON.parse` of what was written with `plainNumbers`. */
export function readNumbers(_key: string, value: unknown): unknown {
  return value === "Infinity" || value === "-Infinity" || value === "NaN" ? Number(value) : value;
}

/** For `JSON.stringify`: it has no infinities and no NaN; they become the strings that `Number` reads back. */
export function plainNumbers(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** One or more numbers that `single` takes, separated by commas; each once. */
export function listOfNumbers(single: (word: string) => number): (word: string) => readonly number[] {
  return (word) => [...new Set(word.split(",").map((part) => single(part)))];
}
