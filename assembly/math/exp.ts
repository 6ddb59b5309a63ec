/**
 * e^x for x <= 88, lane by lane.
 *
 *   y = x log2 e,  n = round(y),  f = y - n in [-1/2, 1/2],  e^x = 2^n (1 + f Q(f))
 *
 * Q has degree 4 and is a minimax fit of the relative error of 2^f (1.5 units of 2^-24 before rounding). The rounding
 * of y adds a relative error of |x| units of 2^-24: callers subtract the largest score first, so that what counts has a
 * small x.
 * Where y <= -127 the result is exactly 0, which is how masked pairs vanish, and for which the constant term is exactly
 * 1; in [-127, -126.5) it is a subnormal of no accuracy. Rounding by adding 1.5 * 2^23 is one addition where
 * f32x4.nearest may be a call.
 * Largest relative error: 3.5 units of 2^-24 on [-1, 0] and 2.7 (1 + |x|) on [-87, 28], over every float32 there by
 * scripts/accuracy/scan.mjs.
 */
import { constant } from "../table";
import { madd } from "./madd";

/** First entry of the table used here; 9 entries. */
export const EXP: usize = 48;

export function exp_constants(table: usize): void {
  constant(table, EXP, -127);
  constant(table, EXP + 1, 12582912);
  constant(table, EXP + 2, 1);
  constant(table, EXP + 3, 0.6931469775981044);
  constant(table, EXP + 4, 0.24022242083811804);
  constant(table, EXP + 5, 0.05550733744158231);
  constant(table, EXP + 6, 0.009671512739898117);
  constant(table, EXP + 7, 0.0013264727208854503);
  constant(table, EXP + 8, 1.4426950408889634);
}

export function exp(table: usize, x: v128): v128 {
  const y = f32x4.pmax(v128.load(table, EXP * 16), f32x4.mul(x, v128.load(table, (EXP + 8) * 16)));
  const magic = v128.load(table, (EXP + 1) * 16);
  const shifted = f32x4.add(y, magic);
  const f = f32x4.sub(y, f32x4.sub(shifted, magic));
  let p = madd(f, v128.load(table, (EXP + 7) * 16), v128.load(table, (EXP + 6) * 16));
  p = madd(p, f, v128.load(table, (EXP + 5) * 16));
  p = madd(p, f, v128.load(table, (EXP + 4) * 16));
  p = madd(p, f, v128.load(table, (EXP + 3) * 16));
  p = madd(p, f, v128.load(table, (EXP + 2) * 16));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}
