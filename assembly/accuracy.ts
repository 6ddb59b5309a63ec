/**
 * The elementary functions of math/ over consecutive float32 bit patterns, for scripts/accuracy/scan.mjs: no part of
 * the product. Those that exist only for a tile are asked through its passes, and e^x through both its forms.
 */
import { ROW } from "./distance";
import { angle, asin_constants } from "./math/asin";
import { exp, exp_constants } from "./math/exp";
import { ANY_RANGE, log1p_constants, MEDIUM_RANGE, SMALL_RANGE } from "./math/log1p";
import { score_forward, weight_forward } from "./score";
import { TILE } from "./state";

const table: usize = 1024;
/** [32] each, and two tiles. */
const zeros: usize = 8192;
const unused: usize = 8320;
const arguments: usize = 16384;
const values: usize = 32768;

export function open(): void {
  exp_constants(table);
  log1p_constants(table, 1);
  asin_constants(table);
}

/** Values of function `kind` at the floats with the bits first, first + 1, ...; count is a multiple of 2048. */
export function evaluate(kind: i32, first: u32, count: i32, to: usize): void {
  const bytes = <usize>TILE * ROW;
  let bits = i32x4.add(i32x4.splat(first), i32x4(0, 1, 2, 3));
  for (let i: usize = 0; i < <usize>count << 2; i += bytes) {
    for (let at: usize = 0; at < bytes; at += 16) {
      v128.store(arguments + at, bits);
      bits = i32x4.add(bits, i32x4.splat(4));
    }
    if (kind == 0) weight_forward(table, arguments, values, zeros, unused, TILE, TILE);
    else if (kind < 4) {
      const range = kind == 1 ? SMALL_RANGE : kind == 2 ? MEDIUM_RANGE : ANY_RANGE;
      score_forward(table, arguments, values, unused, TILE, TILE, false, 1, range);
    }
    for (let at: usize = 0; at < bytes; at += 16) {
      let y = v128.load(values + at);
      const x = v128.load(arguments + at);
      if (kind == 0) y = v128.or(y, i32x4.ne(y, exp(table, x))); // NaN where the two forms differ
      else if (kind == 4) y = angle(table, x);
      v128.store(to + i + at, y);
    }
  }
}
