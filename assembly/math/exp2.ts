/**
 * 2^x for x <= 127, lane by lane.
 *
 *   n = round(x),  f = x - n in [-1/2, 1/2],  2^x = 2^n (1 + f Q(f))
 *
 * Q has degree 4 and is a minimax fit of the relative error of 2^f. Where x <= -127 the result is exactly 0, which is how
 * masked pairs vanish; in [-127, -126.5) it is a subnormal of no accuracy. The constant term is exactly 1 for that reason.
 * Largest relative error on [-126, 127]: see scripts/accuracy/scan.mjs, which visits every float32 of the range.
 * Rounding by adding 1.5 * 2^23 is one addition where f32x4.nearest may be a call.
 */
import { constant } from "../table";
import { madd } from "./madd";

/** First entry of the table used here; 8 entries. */
export const EXP2: usize = 0;

export function exp2_constants(table: usize): void {
  constant(table, EXP2, -127);
  constant(table, EXP2 + 1, 12582912);
  constant(table, EXP2 + 2, 1);
  constant(table, EXP2 + 3, 0.6931469775981044);
  constant(table, EXP2 + 4, 0.24022242083811804);
  constant(table, EXP2 + 5, 0.05550733744158231);
  constant(table, EXP2 + 6, 0.009671512739898117);
  constant(table, EXP2 + 7, 0.0013264727208854503);
}

// @ts-ignore: decorator
@inline
export function exp2(table: usize, x: v128): v128 {
  const clamped = f32x4.pmax(v128.load(table, EXP2 * 16), x);
  const magic = v128.load(table, (EXP2 + 1) * 16);
  const shifted = f32x4.add(clamped, magic);
  const f = f32x4.sub(clamped, f32x4.sub(shifted, magic));
  let p = madd(f, v128.load(table, (EXP2 + 7) * 16), v128.load(table, (EXP2 + 6) * 16));
  p = madd(p, f, v128.load(table, (EXP2 + 5) * 16));
  p = madd(p, f, v128.load(table, (EXP2 + 4) * 16));
  p = madd(p, f, v128.load(table, (EXP2 + 3) * 16));
  p = madd(p, f, v128.load(table, (EXP2 + 2) * 16));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}
