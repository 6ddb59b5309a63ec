/** What the number types of a file round to, and the precisions that a program may compute in. */

import type { Dtype } from "../files/safetensors.js";

/** Rounding to a type: |rounded − x| ≤ unit |x| + least. */
export interface Rounding {
  /** u, half the spacing of the numbers in [1, 2). */
  readonly unit: number;
  /**
   * What may be lost near zero: half the spacing of the subnormal numbers; for F32 and BF16, whose subnormals many GPUs
   * take for 0, the least normal number.
   */
  readonly least: number;
}

/** Float types that verification reads. */
export const roundings: Readonly<Partial<Record<Dtype, Rounding>>> = {
  F64: { unit: 2 ** -53, least: 2 ** -1022 },
  F32: { unit: 2 ** -24, least: 2 ** -126 },
  F16: { unit: 2 ** -11, least: 2 ** -25 },
  BF16: { unit: 2 ** -8, least: 2 ** -126 },
  F8_E4M3: { unit: 2 ** -4, least: 2 ** -10 },
  F8_E5M2: { unit: 2 ** -3, least: 2 ** -17 },
  F8_E4M3FNUZ: { unit: 2 ** -4, least: 2 ** -11 },
  F8_E5M2FNUZ: { unit: 2 ** -3, least: 2 ** -18 },
};

/** Unit roundoff of the operations by the name of the precision. */
export const precisions = {
  f64: 2 ** -53,
  f32: 2 ** -24,
  /** What WGSL promises and what GPU compilers make of float32 by default: see `wgslUnit`. */
  "f32-fast": 2 ** -22,
  f16: 2 ** -11,
  bf16: 2 ** -8,
} as const;

/** Name of a precision. */
export type Precision = keyof typeof precisions;
