/**
 * The errors that both the reference and the backends throw. They stand here because the reference depends on nothing
 * else in the repository; `src/errors.ts` hands them on and adds those that only devices know.
 */

/** Base class of every error that this package throws on its own account. */
export class FractionalAttentionError extends Error {
  override name = "FractionalAttentionError";
}

/**
 * An argument outside its domain. `argument` is its name as the caller wrote it (`options.alpha`, `q`), `domain` the
 * values that are allowed, `value` what was given. Thrown before anything is computed or written.
 */
export class InvalidArgumentError extends FractionalAttentionError {
  override name = "InvalidArgumentError";
  readonly argument: string;
  readonly domain: string;
  readonly value: unknown;

  constructor(argument: string, domain: string, value: unknown) {
    super(`${argument}: expected ${domain}, got ${describe(value)}`);
    this.argument = argument;
    this.domain = domain;
    this.value = value;
  }
}

/** A short, safe picture of any value for an error message: type and length of arrays, never their whole content. */
export function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === "boolean") return String(value);
  if (typeof value === "string") return value.length > 60 ? `"${value.slice(0, 57)}..."` : JSON.stringify(value);
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol" || typeof value === "function") return `a ${typeof value}`;
  if (ArrayBuffer.isView(value)) {
    // A DataView counts bytes only.
    return `${value.constructor.name} of length ${(value as { length?: number }).length ?? value.byteLength}`;
  }
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  // A property named constructor may hold anything.
  const name: unknown = (value as object).constructor?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? `an instance of ${name}` : "an object";
}
