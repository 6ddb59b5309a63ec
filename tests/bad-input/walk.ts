/**
 * Walks a table of public functions: the valid call succeeds; every value outside the domain of an argument is refused
 * with an `InvalidArgumentError` that names the argument, its domain and the value; nothing is written on the way.
 */

import fc from "fast-check";
import { expect } from "vitest";
import { FractionalAttentionError, InvalidArgumentError, describe as picture } from "../../reference/errors.js";
import { type Domain, pool } from "./domains.js";

/** An argument: where it stands among the arguments of the call, and under which name the error has to speak of it. */
export interface Argument {
  /** `"0"` is the first argument, `"1.alpha"` a property of the second. */
  readonly path: string;
  readonly name: string;
  readonly domain: Domain;
}

/** One public function. */
export interface Row {
  /** Its exported name. */
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: the point of the table is to call functions with anything.
  readonly call: (...args: any[]) => unknown;
  /** Fresh valid arguments. */
  readonly args: () => unknown[];
  readonly arguments: readonly Argument[];
}

/** `at("1.tau", integer(0), "options.tau")`; the name is the last part of the path unless given. */
export const at = (path: string, domain: Domain, name = path.split(".").at(-1) as string): Argument => ({
  path,
  name,
  domain,
});

type Tree = Record<string, unknown>;

/** The arguments with another value at a path. */
export function withValue(args: unknown[], path: string, value: unknown): unknown[] {
  const parts = path.split(".");
  let place = args as unknown as Tree;
  for (const part of parts.slice(0, -1)) place = place[part] as Tree;
  place[parts.at(-1) as string] = value;
  return args;
}

/** Every typed array that can be reached from the arguments, with a copy of its bytes. */
function reach(value: unknown, seen = new Map<object, Uint8Array>()): Map<object, Uint8Array> {
  if (typeof value !== "object" || value === null || seen.has(value)) return seen;
  if (ArrayBuffer.isView(value)) {
    seen.set(value, Uint8Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)));
    return seen;
  }
  seen.set(value, new Uint8Array(0));
  for (const inner of Object.values(value)) reach(inner, seen);
  return seen;
}

function isUntouched(before: Map<object, Uint8Array>): boolean {
  for (const [array, bytes] of before) {
    if (!ArrayBuffer.isView(array)) continue;
    const now = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    if (now.length !== bytes.length || now.some((byte, n) => byte !== bytes[n])) return false;
  }
  return true;
}

/** Calls with some arguments: what was thrown, and whether every array is as it was. */
export async function attempt(
  row: Pick<Row, "call">,
  args: unknown[],
): Promise<{ error?: unknown; untouched: boolean }> {
  const before = reach(args);
  try {
    await row.call(...args);
    return { untouched: true };
  } catch (error) {
    return { error: error ?? "nothing thrown", untouched: isUntouched(before) };
  }
}

/** What is wrong with how a value outside the domain was refused; empty when nothing is. */
export function complaint(argument: Argument, value: unknown, error: unknown, untouched: boolean): string {
  if (error === undefined) return "accepted";
  if (!(error instanceof InvalidArgumentError)) return `threw ${String(error)}`;
  // Or a part of it: alpha[1], mask.shape, attention().output.
  const rest = error.argument.startsWith(argument.name) ? error.argument.slice(argument.name.length) : "?";
  if (!/^([.[(]|$)/.test(rest)) return `named ${error.argument}`;
  if (error.domain.length < 4) return `domain "${error.domain}"`;
  if (error.message !== `${error.argument}: expected ${error.domain}, got ${picture(error.value)}`)
    return error.message;
  // Of an array, an object or the answer of a function, a part may be what is wrong.
  if (typeof value !== "object" && typeof value !== "function" && !Object.is(error.value, value))
    return `reported ${picture(error.value)}`;
  return untouched ? "" : "wrote before it refused";
}

/** The valid call, and every wrong value of every argument. */
export async function walk(row: Row): Promise<void> {
  const valid = await attempt(row, row.args());
  expect(valid.error, "the valid call").toBeUndefined();
  const complaints: string[] = [];
  for (const argument of row.arguments) {
    let tried = 0;
    for (const value of [...pool, ...(argument.domain.near ?? [])]) {
      if (argument.domain.holds(value)) continue;
      tried++;
      const { error, untouched } = await attempt(row, withValue(row.args(), argument.path, value));
      const said = complaint(argument, value, error, untouched);
      if (said) complaints.push(`${argument.path} = ${picture(value)}: ${said}`);
    }
    expect(tried, `wrong values of ${argument.path}`).toBeGreaterThan(5);
    for (const value of argument.domain.contradicts ?? []) {
      const { error } = await attempt(row, withValue(row.args(), argument.path, value));
      if (!(error instanceof InvalidArgumentError)) complaints.push(`${argument.path} = ${picture(value)}: ${error}`);
    }
  }
  expect(complaints).toEqual([]);
}

/** Every positional argument has a domain, and so has every option that the function itself lists when one is unknown. */
export async function expectComplete(row: Row): Promise<void> {
  const given = row.args();
  expect(given.length, "valid arguments").toBeGreaterThanOrEqual(row.call.length);
  for (const position of given.keys()) {
    const covered = row.arguments.some(({ path }) => path.split(".")[0] === String(position));
    expect(covered, `argument ${position} of ${row.name}`).toBe(true);
  }
  for (const { path } of row.arguments) {
    const { error } = await attempt(row, withValue(row.args(), path, { "no such option": 1 }));
    if (!(error instanceof InvalidArgumentError) || error.value !== "no such option") continue;
    for (const option of error.domain.replace("one of ", "").split(", ")) {
      const covered = row.arguments.some((other) => other.path === `${path}.${option}`);
      expect(covered, `option ${option} of ${row.name}`).toBe(true);
    }
  }
}

const numbers = fc.oneof(
  fc.double(),
  fc.integer({ min: -5, max: 70 }),
  fc.constantFrom(2 ** 31, 2 ** 53, 1e-320, 1e-300, 1e300, 1.7976931348623157e308, -0),
);

const typedArrays = fc
  .tuple(
    fc.constantFrom(Float64Array, Float32Array, Int32Array, Uint8Array, Int8Array, Uint16Array, Uint32Array),
    fc.array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, 0.25, 0.5, 1) }, numbers), { maxLength: 13 }),
  )
  .map(([type, entries]) => type.from(entries));

/** What no caller means, and now and then what some caller does. */
export const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...pool),
  numbers,
  typedArrays,
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withSparseArray: true }),
  fc.anything({ withNullPrototype: true, withObjectString: true, withTypedArray: true, withBoxedValues: true }),
);

/** Random values in the place of one argument: outside its domain they are refused, inside it nothing else is thrown. */
export async function fuzz(row: Row, seed: number, numRuns: number): Promise<void> {
  const property = fc.asyncProperty(fc.constantFrom(...row.arguments), junk, async (argument, value) => {
    const { error, untouched } = await attempt(row, withValue(row.args(), argument.path, value));
    if (!argument.domain.holds(value)) {
      // Random arrays are often wrong in length and in content, about which two arguments may speak.
      const isRefused = ArrayBuffer.isView(value) && error instanceof InvalidArgumentError && untouched;
      const said = isRefused ? "" : complaint(argument, value, error, untouched);
      if (said) throw new Error(`${argument.path} = ${picture(value)}: ${said}`);
    } else if (error !== undefined && !(error instanceof FractionalAttentionError)) {
      // Inside its domain a value may contradict another argument, or be out of reach of a quadrature that says so.
      throw new Error(`${argument.path} = ${picture(value)}: threw ${String(error)}`);
    }
  });
  await fc.assert(property, { seed, numRuns, endOnFailure: true });
}
