/**
 * The angle between unit vectors from a squared chord (equations section 2), lane by lane. Its argument is coded with a
 * sign:
 *
 *   +c^2, c = |q - k|, c^2 <= 2    theta = 2 asin(c/2)            acute
 *   -c^2, c = |q + k|, c^2 <  2    theta = pi - 2 asin(c/2)       obtuse
 *   asin(x) = x (1 + y A(y)),  y = x^2 in [0, 1/2]
 *
 * A has degree 6 and is a minimax fit of the relative error (0.26 units of 2^-24 before rounding).
 * Largest relative error: 2.3 units acute, 2.9 obtuse, over every float32 by scripts/accuracy/scan.mjs.
 */
import { constant, constant_bits } from "../table";
import { madd } from "./madd";

/** First entry of the table used here; 13 entries. */
export const ASIN: usize = 36;

export function asin_constants(table: usize): void {
  constant(table, ASIN, 0.16666904955328482);
  constant(table, ASIN + 1, 0.07488510993925608);
  constant(table, ASIN + 2, 0.046498493068962025);
  constant(table, ASIN + 3, 0.01641331982507319);
  constant(table, ASIN + 4, 0.07689485270620096);
  constant(table, ASIN + 5, -0.09249711298029714);
  constant(table, ASIN + 6, 0.11124150248205081);
  constant(table, ASIN + 7, 0.25);
  constant(table, ASIN + 8, <f32>Math.PI);
  constant_bits(table, ASIN + 9, 0x7fffffff);
  constant(table, ASIN + 10, 0.5);
}

// @ts-ignore: decorator
@inline
export function angle(t: usize, coded: v128): v128 {
  const square = v128.and(coded, v128.load(t, (ASIN + 9) * 16));
  const y = f32x4.pmin(v128.load(t, (ASIN + 10) * 16), f32x4.mul(square, v128.load(t, (ASIN + 7) * 16)));
  let p = madd(y, v128.load(t, (ASIN + 6) * 16), v128.load(t, (ASIN + 5) * 16));
  p = madd(p, y, v128.load(t, (ASIN + 4) * 16));
  p = madd(p, y, v128.load(t, (ASIN + 3) * 16));
  p = madd(p, y, v128.load(t, (ASIN + 2) * 16));
  p = madd(p, y, v128.load(t, (ASIN + 1) * 16));
  p = madd(p, y, v128.load(t, ASIN * 16));
  const chord = f32x4.sqrt(square);
  const acute = madd(f32x4.mul(p, y), chord, chord);
  return v128.bitselect(f32x4.sub(v128.load(t, (ASIN + 8) * 16), acute), acute, i32x4.shr_s(coded, 31));
}
