/**
 * The measure that golden vectors are judged by: the largest deviation of a tensor, in units of its largest entry.
 *
 *   error = max|x − ref| / max|ref|
 */

import type { Check } from "./check.js";

/**
 * The error of `actual` against `reference`. 0 when both are all zeros, Infinity when only the reference is. Infinities
 * of the reference must be met exactly. NaN anywhere gives NaN, which no bound accepts.
 * @throws Error when the lengths differ, because then something else was compared than was meant
 */
export function relativeError(actual: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (actual.length !== reference.length) {
    throw new Error(`compared ${actual.length} numbers with ${reference.length}`);
  }
  let deviation = 0;
  let largest = 0;
  for (let i = 0; i < reference.length; i++) {
    if (Number.isNaN(actual[i]) || Number.isNaN(reference[i])) return Number.NaN;
    if (actual[i] === reference[i]) {
      if (Number.isFinite(reference[i])) largest = Math.max(largest, Math.abs(reference[i]));
      continue;
    }
    deviation = Math.max(deviation, Math.abs(actual[i] - reference[i]));
    largest = Math.max(largest, Math.abs(reference[i]));
  }
  if (deviation === 0) return 0;
  // An infinite reference that was missed: Infinity/Infinity would be NaN, and both fail.
  return deviation === Number.POSITIVE_INFINITY ? deviation : deviation / largest;
}

/**
 * The largest |x − ref|; numbers that are equal, infinities among them, do not count. NaN anywhere gives NaN.
 */
export function largestDifference(x: ArrayLike<number>, reference: ArrayLike<number>): number {
  let largest = 0;
  for (let e = 0; e < reference.length; e++) {
    // Math.max keeps a NaN once it has met one; a comparison would forget it at the next number.
    if (x[e] !== reference[e]) largest = Math.max(largest, Math.abs(x[e] - reference[e]));
  }
  return largest;
}

/** `relativeError` as a check. */
export function compare(
  id: string,
  tensor: string,
  actual: ArrayLike<number>,
  reference: ArrayLike<number>,
  bound: number,
): Check {
  return { case: id, tensor, error: relativeError(actual, reference), bound };
}

/** Something that either holds or does not, as a check: error 0 or Infinity against the bound 0. */
export function holds(id: string, what: string, truth: boolean): Check {
  return { case: id, tensor: what, error: truth ? 0 : Number.POSITIVE_INFINITY, bound: 0 };
}

/**
 * max|x - ref| <= bound max|ref| + absolute as a check, divided by what makes the bound the first: for tensors that are
 * zero in theory, and rounding noise in the file. Another number of entries is NaN, which fails.
 */
export function compareWithin(
  id: string,
  tensor: string,
  actual: ArrayLike<number>,
  reference: ArrayLike<number>,
  bound: number,
  absolute: number,
): Check {
  let largest = 0;
  for (let e = 0; e < reference.length; e++) largest = Math.max(largest, Math.abs(reference[e]));
  const difference = actual.length === reference.length ? largestDifference(actual, reference) : Number.NaN;
  return { case: id, tensor, error: difference / (largest + absolute / bound), bound };
}
