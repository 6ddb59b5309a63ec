/**
 * log(1 + z) for z >= 0, lane by lane, in three ranges of z.
 *
 *   z <= 1/8     z P(z), degree 4          z <= 0.35    z P(z), degree 6
 *   any z        y = 1 + z = 2^e m, m in [1/sqrt 2, sqrt 2);  f = z 2^-e + (2^-e - 1) = m - 1;
 *                e log 2 + f R(f), degree 8
 *
 * Never log of a rounded 1 + z: only the exponent is taken from it. z 2^-e and 2^-e - 1 are exact, so f carries one
 * rounding. The callers want a multiple C log(1 + z); the factor is folded into the coefficients once per head, which
 * saves an operation and a rounding. P and R are minimax fits of the relative error (0.13, 0.06 and 0.44 units of 2^-24
 * before rounding). Largest relative errors with rounding: 1.8, 2.0 and 3.2 units, over every float32 of the range by
 * scripts/accuracy/scan.mjs.
 * A caller whose tile has small z throughout takes the short polynomial, and the result does not depend on that by more
 * than those errors.
 */
import { constant, constant_bits } from "../table";
import { madd } from "./madd";

export const LOG1P: usize = 8;
const SMALL = LOG1P;
const MEDIUM = LOG1P + 5;
const GENERAL = LOG1P + 12;

/** Largest z of the two short polynomials. */
export const SMALL_Z: f32 = 0.125;
export const MEDIUM_Z: f32 = 0.35;

/** Coefficients of factor * log(1 + z). */
export function log1p_constants(table: usize, factor: f64): void {
  const ln2 = factor * 0.6931471805599453;
  constant(table, SMALL, factor * 0.9999999924726473);
  constant(table, SMALL + 1, factor * -0.49999695941155825);
  constant(table, SMALL + 2, factor * 0.3331355674548025);
  constant(table, SMALL + 3, factor * -0.24544370566826113);
  constant(table, SMALL + 4, factor * 0.15588881927594656);
  constant(table, MEDIUM, factor * 0.999999996491058);
  constant(table, MEDIUM + 1, factor * -0.49999899846528684);
  constant(table, MEDIUM + 2, factor * 0.3332862670426956);
  constant(table, MEDIUM + 3, factor * -0.24915967228390504);
  constant(table, MEDIUM + 4, factor * 0.1926922381803664);
  constant(table, MEDIUM + 5, factor * -0.13255032399903582);
  constant(table, MEDIUM + 6, factor * 0.054993786781790066);
  constant(table, GENERAL, ln2 * 1.4426950036522268);
  constant(table, GENERAL + 1, ln2 * -0.7213473468015811);
  constant(table, GENERAL + 2, ln2 * 0.48091064299343284);
  constant(table, GENERAL + 3, ln2 * -0.3607036829986242);
  constant(table, GENERAL + 4, ln2 * 0.2879162464368481);
  constant(table, GENERAL + 5, ln2 * -0.2389448157968479);
  constant(table, GENERAL + 6, ln2 * 0.21571561840780426);
  constant(table, GENERAL + 7, ln2 * -0.2072697938838299);
  constant(table, GENERAL + 8, ln2 * 0.12583704412809554);
  constant(table, GENERAL + 9, 1);
  constant_bits(table, GENERAL + 10, 0x3f3504f3); // sqrt(1/2)
  constant_bits(table, GENERAL + 11, 0x7f800000);
  constant(table, GENERAL + 12, 1e37); // keeps 2^-e a normal number
  constant(table, GENERAL + 13, ln2);
}

// @ts-ignore: decorator
@inline
function at(table: usize, index: usize): v128 {
  return v128.load(table + index * 16);
}

/** factor log(1 + z), 0 <= z <= 1/8. */
// @ts-ignore: decorator
@inline
export function log1p_small(t: usize, z: v128): v128 {
  let p = madd(z, at(t, SMALL + 4), at(t, SMALL + 3));
  p = madd(p, z, at(t, SMALL + 2));
  p = madd(p, z, at(t, SMALL + 1));
  p = madd(p, z, at(t, SMALL));
  return f32x4.mul(p, z);
}

/** factor log(1 + z), 0 <= z <= 0.35. */
// @ts-ignore: decorator
@inline
export function log1p_medium(t: usize, z: v128): v128 {
  let p = madd(z, at(t, MEDIUM + 6), at(t, MEDIUM + 5));
  p = madd(p, z, at(t, MEDIUM + 4));
  p = madd(p, z, at(t, MEDIUM + 3));
  p = madd(p, z, at(t, MEDIUM + 2));
  p = madd(p, z, at(t, MEDIUM + 1));
  p = madd(p, z, at(t, MEDIUM));
  return f32x4.mul(p, z);
}

/** factor log(1 + z), z >= 0. */
// @ts-ignore: decorator
@inline
export function log1p_general(t: usize, x: v128): v128 {
  const one = at(t, GENERAL + 9);
  const z = f32x4.pmin(at(t, GENERAL + 12), x);
  const exponent = v128.and(i32x4.sub(f32x4.add(z, one), at(t, GENERAL + 10)), at(t, GENERAL + 11));
  const scale = i32x4.sub(one, exponent);
  const f = madd(z, scale, f32x4.sub(scale, one));
  let p = madd(f, at(t, GENERAL + 8), at(t, GENERAL + 7));
  p = madd(p, f, at(t, GENERAL + 6));
  p = madd(p, f, at(t, GENERAL + 5));
  p = madd(p, f, at(t, GENERAL + 4));
  p = madd(p, f, at(t, GENERAL + 3));
  p = madd(p, f, at(t, GENERAL + 2));
  p = madd(p, f, at(t, GENERAL + 1));
  p = madd(p, f, at(t, GENERAL));
  const e = f32x4.convert_i32x4_s(i32x4.shr_s(exponent, 23));
  return madd(e, at(t, GENERAL + 13), f32x4.mul(p, f));
}
