/**
 * Domains of arguments as the documentation states them, written down a second time and independently of the checks that
 * they judge, and a pool of values that no caller means. A value of the pool outside the domain has to be refused.
 */

/** The documented domain of one argument. */
export interface Domain {
  /** Whether a value is in it, apart from how it fits to the other arguments. */
  readonly holds: (value: unknown) => boolean;
  /** Values worth a try beside the common pool: near misses. */
  readonly near?: readonly unknown[];
  /** Values inside the domain that contradict another argument; whichever of the two is named, they are refused. */
  readonly contradicts?: readonly unknown[];
}

/** Wrong for almost everything. Typed arrays have lengths that no row uses, so that each is wrong wherever it goes. */
export const pool: readonly unknown[] = [
  undefined,
  null,
  true,
  "",
  "1",
  "median ",
  3n,
  Symbol("s"),
  () => 1,
  {},
  { length: 4 },
  { misspelt: 1 },
  [],
  [1],
  new Date(0),
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  -1e308,
  -1,
  -0.5,
  0,
  0.5,
  1.5,
  2.5,
  2 ** 31,
  2 ** 53,
  1e308,
  new Float64Array(17),
  new Float32Array(17),
  new Int32Array(17),
  new Uint8Array(17),
  new Uint8ClampedArray(17),
  new BigInt64Array(17),
  new DataView(new ArrayBuffer(8)),
  new ArrayBuffer(8),
];

export const number = (holds: (x: number) => boolean): Domain => ({
  holds: (value) => typeof value === "number" && holds(value),
});

export const finite = number(Number.isFinite);
export const positive = number((x) => x > 0 && Number.isFinite(x));
export const nonNegative = number((x) => x >= 0 && Number.isFinite(x));
export const notNaN = number((x) => !Number.isNaN(x));
/** (0, maximum], or (0, maximum) when it is open. */
export const upTo = (maximum: number, open = false): Domain => ({
  ...number((x) => x > 0 && (open ? x < maximum : x <= maximum)),
  near: [maximum * (1 + 2 ** -52), -maximum, ...(open ? [maximum] : [])],
});
export const order = upTo(2);
export const integer = (minimum: number, maximum = 2 ** 31 - 1): Domain => ({
  ...number((x) => Number.isInteger(x) && x >= minimum && x <= maximum),
  near: [minimum - 1, minimum + 0.5, maximum + 1],
});
/** A size that arrays have to fit to. */
export const size = (minimum: number, actual: number): Domain => ({ ...integer(minimum), contradicts: [actual + 1] });
export const divisor = (of: number): Domain => ({
  holds: (value) => typeof value === "number" && Number.isInteger(value) && value > 0 && of % value === 0,
  near: [of + 1, of - 1, -of, of / 2 + 0.5],
});
export const boolean: Domain = { holds: (value) => typeof value === "boolean", near: [0, 1, "true", "false"] };
export const functions: Domain = { holds: (value) => typeof value === "function" };
export const oneOf = (...names: string[]): Domain => ({
  holds: (value) => names.includes(value as string),
  near: [names[0].toUpperCase(), `${names[0]} `, [names[0]]],
});
export const optional = (domain: Domain): Domain => ({
  ...domain,
  holds: (value) => value === undefined || domain.holds(value),
});
export const either = (...domains: Domain[]): Domain => ({
  holds: (value) => domains.some((domain) => domain.holds(value)),
  near: domains.flatMap((domain) => domain.near ?? []),
});

type TypedArray = Float64Array | Float32Array | Int32Array | Uint8Array;
type TypedArrayConstructor =
  | Float64ArrayConstructor
  | Float32ArrayConstructor
  | Int32ArrayConstructor
  | Uint8ArrayConstructor;

/** Arrays of given types and, unless undefined, length; `entries` is what each entry has to fulfil. */
export function arrays(
  types: readonly TypedArrayConstructor[],
  length: number | undefined,
  entries: (x: number) => boolean = () => true,
): Domain {
  const some = length ?? 4;
  const allowed = [...Array(some).keys()].map((n) => [1, 0.5, 0][n % 3]).filter(entries);
  const filled = (bad: number) => {
    const array = new types[0](some).fill(allowed[0] ?? 1);
    array[some - 1] = bad;
    return array;
  };
  return {
    holds: (value) =>
      types.some((type) => value instanceof type) &&
      (length === undefined || (value as TypedArray).length === length) &&
      [...(value as TypedArray)].every(entries),
    near: [
      ...(length === undefined
        ? []
        : [length + 1, Math.max(0, length - 1)].map((other) => new types[0](other).fill(allowed[0] ?? 1))),
      ...[Float64Array, Float32Array, Int32Array, Uint8Array, Uint16Array].map((type) => new type(some).fill(1)),
      Array(some).fill(1),
      ...(some > 0 ? [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 99, 1e308].map(filled) : []),
    ],
  };
}

export const floats = (length?: number, entries?: (x: number) => boolean): Domain =>
  arrays([Float64Array, Float32Array], length, entries);
export const int32s = (length: number, entries?: (x: number) => boolean): Domain =>
  arrays([Int32Array], length, entries);
export const bytes = (length?: number): Domain => arrays([Uint8Array], length);

/** One number, one for each of so many heads, or a name. */
export const perHead = (heads: number, scalar: Domain, entries: (x: number) => boolean, ...names: string[]): Domain =>
  optional(either(scalar, floats(heads, entries), ...(names.length > 0 ? [oneOf(...names)] : [])));

/** An object; with `names`, one that has no other properties. */
export function record(names?: readonly string[]): Domain {
  return {
    holds: (value) =>
      typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      !ArrayBuffer.isView(value) &&
      (names === undefined || Object.keys(value).every((name) => names.includes(name))),
    near: names === undefined ? [] : [{ [`${names[0]} `]: 1 }],
  };
}
