/**
 * The elementary functions of math/ over consecutive float32 bit patterns, for scripts/accuracy/scan.mjs: no part of
 * the product.
 */
import { angle, asin_constants } from "./math/asin";
import { exp, exp_constants } from "./math/exp";
import { log1p_constants, log1p_general, log1p_medium, log1p_small } from "./math/log1p";

const table: usize = 1024;

export function open(): void {
  exp_constants(table);
  log1p_constants(table, 1);
  asin_constants(table);
}

/** Values of function `kind` at the floats with the bits first, first + 1, ...; count is a multiple of 4. */
export function evaluate(kind: i32, first: u32, count: i32, to: usize): void {
  let bits = i32x4.add(i32x4.splat(first), i32x4(0, 1, 2, 3));
  for (let i = 0; i < count; i += 4) {
    let y: v128;
    if (kind == 0) y = exp(table, bits);
    else if (kind == 1) y = log1p_small(table, bits);
    else if (kind == 2) y = log1p_medium(table, bits);
    else if (kind == 3) y = log1p_general(table, bits);
    else y = angle(table, bits);
    v128.store(to, y);
    to += 16;
    bits = i32x4.add(bits, i32x4.splat(4));
  }
}
