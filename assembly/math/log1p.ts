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
 * A tile that has small z throughout takes a short polynomial, and the result does not depend on that by more than
 * those errors.
 * Four vectors go in step: a polynomial is a chain of operations that wait for each other, and the window in which a
 * core reorders holds too few of them for chains one after the other.
 */
import { ROW } from "../distance";
import { constant, constant_bits } from "../table";
import { madd } from "./madd";

export const LOG1P: usize = 8;
const SMALL = LOG1P;
const MEDIUM = LOG1P + 5;
const GENERAL = LOG1P + 12;
const MINUS = GENERAL + 9;

/** Largest z of the two short polynomials. */
export const SMALL_Z: f32 = 0.125;
export const MEDIUM_Z: f32 = 0.35;

/** What to make of z: factor log(1 + z) up to SMALL_Z, up to MEDIUM_Z, anywhere; -z. */
export const SMALL_RANGE: i32 = 0;
export const MEDIUM_RANGE: i32 = 1;
export const ANY_RANGE: i32 = 2;
export const NEGATION: i32 = 3;

/** Coefficients of factor * log(1 + z), lowest degree first. */
export function log1p_constants(table: usize, factor: f64): void {
  const ln2 = factor * 0.6931471805599453;
  constant(table, SMALL, <f32>(factor * 0.9999999924726473));
  constant(table, SMALL + 1, <f32>(factor * -0.49999695941155825));
  constant(table, SMALL + 2, <f32>(factor * 0.3331355674548025));
  constant(table, SMALL + 3, <f32>(factor * -0.24544370566826113));
  constant(table, SMALL + 4, <f32>(factor * 0.15588881927594656));
  constant(table, MEDIUM, <f32>(factor * 0.999999996491058));
  constant(table, MEDIUM + 1, <f32>(factor * -0.49999899846528684));
  constant(table, MEDIUM + 2, <f32>(factor * 0.3332862670426956));
  constant(table, MEDIUM + 3, <f32>(factor * -0.24915967228390504));
  constant(table, MEDIUM + 4, <f32>(factor * 0.1926922381803664));
  constant(table, MEDIUM + 5, <f32>(factor * -0.13255032399903582));
  constant(table, MEDIUM + 6, <f32>(factor * 0.054993786781790066));
  constant(table, GENERAL, <f32>(ln2 * 1.4426950036522268));
  constant(table, GENERAL + 1, <f32>(ln2 * -0.7213473468015811));
  constant(table, GENERAL + 2, <f32>(ln2 * 0.48091064299343284));
  constant(table, GENERAL + 3, <f32>(ln2 * -0.3607036829986242));
  constant(table, GENERAL + 4, <f32>(ln2 * 0.2879162464368481));
  constant(table, GENERAL + 5, <f32>(ln2 * -0.2389448157968479));
  constant(table, GENERAL + 6, <f32>(ln2 * 0.21571561840780426));
  constant(table, GENERAL + 7, <f32>(ln2 * -0.2072697938838299));
  constant(table, GENERAL + 8, <f32>(ln2 * 0.12583704412809554));
  constant(table, GENERAL + 10, 1);
  constant_bits(table, GENERAL + 11, 0x3f3504f3); // sqrt(1/2)
  constant_bits(table, GENERAL + 12, 0x7f800000);
  constant(table, GENERAL + 13, 1e37); // keeps 2^-e a normal number, and -z above the score of a masked pair
  constant(table, GENERAL + 14, <f32>ln2);
  constant(table, MINUS, -1);
}

// @ts-ignore: decorator
@inline
function at(table: usize, index: usize): v128 {
  return v128.load(table + index * 16);
}

/** The shortest polynomial for z up to `largest`. */
export function range_of(largest: v128): i32 {
  if (!v128.any_true(f32x4.gt(largest, f32x4.splat(SMALL_Z)))) return SMALL_RANGE;
  return v128.any_true(f32x4.gt(largest, f32x4.splat(MEDIUM_Z))) ? ANY_RANGE : MEDIUM_RANGE;
}

/** Table address of the lowest coefficient: 5, 7, 9 and 1 of them follow each other. */
export function lowest_of(t: usize, range: i32): usize {
  return t + ((<usize>LOG1P + range * (range + 4)) << 4);
}

/** Table address of the highest coefficient. */
export function highest_of(t: usize, range: i32): usize {
  return lowest_of(t, range) + (range == NEGATION ? 0 : (4 + 2 * range) << 4);
}

/**
 * factor log(1 + z), or -z, of four vectors, to four rows of a tile at `s`; returns their largest.
 * `lowest` and `highest` belong to `range`.
 */
// @ts-ignore: decorator
@inline
export function log1p_rows(
  t: usize, range: i32, lowest: usize, highest: usize, z0: v128, z1: v128, z2: v128, z3: v128, s: usize,
): v128 {
  if (range >= ANY_RANGE) {
    const limit = at(t, GENERAL + 13);
    z0 = f32x4.pmin(limit, z0);
    z1 = f32x4.pmin(limit, z1);
    z2 = f32x4.pmin(limit, z2);
    z3 = f32x4.pmin(limit, z3);
  }
  if (range == ANY_RANGE) {
    const one = at(t, GENERAL + 10), half = at(t, GENERAL + 11), bits = at(t, GENERAL + 12), ln2 = at(t, GENERAL + 14);
    const e0 = v128.and(i32x4.sub(f32x4.add(z0, one), half), bits), c0 = i32x4.sub(one, e0);
    const e1 = v128.and(i32x4.sub(f32x4.add(z1, one), half), bits), c1 = i32x4.sub(one, e1);
    const e2 = v128.and(i32x4.sub(f32x4.add(z2, one), half), bits), c2 = i32x4.sub(one, e2);
    const e3 = v128.and(i32x4.sub(f32x4.add(z3, one), half), bits), c3 = i32x4.sub(one, e3);
    z0 = madd(z0, c0, f32x4.sub(c0, one));
    z1 = madd(z1, c1, f32x4.sub(c1, one));
    z2 = madd(z2, c2, f32x4.sub(c2, one));
    z3 = madd(z3, c3, f32x4.sub(c3, one));
    v128.store(s, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(e0, 23)), ln2));
    v128.store(s, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(e1, 23)), ln2), ROW);
    v128.store(s, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(e2, 23)), ln2), 2 * ROW);
    v128.store(s, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(e3, 23)), ln2), 3 * ROW);
  }
  let p0 = v128.load(highest), p1 = p0, p2 = p0, p3 = p0;
  for (let c = highest; c != lowest; ) {
    c -= 16;
    const next = v128.load(c);
    p0 = madd(p0, z0, next);
    p1 = madd(p1, z1, next);
    p2 = madd(p2, z2, next);
    p3 = madd(p3, z3, next);
  }
  p0 = f32x4.mul(p0, z0);
  p1 = f32x4.mul(p1, z1);
  p2 = f32x4.mul(p2, z2);
  p3 = f32x4.mul(p3, z3);
  if (range == ANY_RANGE) {
    p0 = f32x4.add(v128.load(s), p0);
    p1 = f32x4.add(v128.load(s, ROW), p1);
    p2 = f32x4.add(v128.load(s, 2 * ROW), p2);
    p3 = f32x4.add(v128.load(s, 3 * ROW), p3);
  }
  v128.store(s, p0);
  v128.store(s, p1, ROW);
  v128.store(s, p2, 2 * ROW);
  v128.store(s, p3, 3 * ROW);
  return f32x4.pmax(f32x4.pmax(p0, p1), f32x4.pmax(p2, p3));
}
