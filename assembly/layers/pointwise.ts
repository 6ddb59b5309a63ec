/**
 * What is done number by number: activations, the residual sum with dropout, splitting and merging heads, embedding
 * (equations sections 1 and 11).
 *
 *   relu'  dy where y > 0, else 0            (relu itself is the end of a product)
 *   gelu   x/2 (1 + tanh u) = x - x/(1 + e^2u),  u = sqrt(2/pi) (x + 0.044715 x^3)
 *   drop   m x,  m = 0 where (h >> 8) < threshold, else `scale`;  h = mix(mix(key + row) + 0x9e3779b9 column)
 *
 * Dropout depends on nothing but where a number stands, so threads and the float64 twin draw the same mask.
 */
import { exp } from "../math/exp";
import { madd } from "../math/madd";
import { table } from "./state";

/** dy becomes 0 where y is not above 0; in place. */
export function relu_backward(y: usize, dy: usize, count: i32): void {
  const bytes = <usize>count << 2;
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    v128.store(dy + at, v128.and(v128.load(dy + at), f32x4.gt(v128.load(y + at), f32x4.splat(0))));
  }
  for (; at < bytes; at += 4) if (!(load<f32>(y + at) > 0)) store<f32>(dy + at, 0);
}

/** 2u, bounded so that e^2u stays finite; beyond, tanh u is 1 or -1 to all its bits. */
// @ts-ignore: decorator
@inline
function gelu_exponent(x: v128): v128 {
  const inner = madd(f32x4.mul(f32x4.mul(x, x), x), f32x4.splat(<f32>0.044715), x);
  const u = f32x4.mul(inner, f32x4.splat(<f32>(2 * 0.7978845608028654)));
  return f32x4.pmin(f32x4.splat(80), f32x4.pmax(f32x4.splat(-80), u));
}

/** y = gelu(x); `count` a multiple of 4. */
export function gelu_forward(x: usize, y: usize, count: i32): void {
  for (let at: usize = 0; at < <usize>count << 2; at += 16) {
    const v = v128.load(x + at), one = f32x4.splat(1);
    const e = exp(table, gelu_exponent(v));
    // x e/(1 + e), without the cancellation of 1 - 1/(1 + e) where e is small.
    v128.store(y + at, f32x4.mul(v, f32x4.div(e, f32x4.add(one, e))));
  }
}

/** dy becomes dx; `count` a multiple of 4. */
export function gelu_backward(x: usize, dy: usize, count: i32): void {
  for (let at: usize = 0; at < <usize>count << 2; at += 16) {
    const v = v128.load(x + at), one = f32x4.splat(1);
    const e = exp(table, gelu_exponent(v));
    const s = f32x4.div(e, f32x4.add(one, e)), rest = f32x4.div(one, f32x4.add(one, e));
    // With s = (1 + tanh u)/2 the slope is s + x s (1 - s) 2u'.
    const slope = madd(f32x4.mul(v, v), f32x4.splat(<f32>(6 * 0.044715 * 0.7978845608028654)),
      f32x4.splat(<f32>(2 * 0.7978845608028654)));
    const g = madd(f32x4.mul(f32x4.mul(v, s), rest), slope, s);
    v128.store(dy + at, f32x4.mul(v128.load(dy + at), g));
  }
}

// @ts-ignore: decorator
@inline
function mix(x: u32): u32 {
  let h = x ^ (x >>> 16);
  h *= 0x7feb352d;
  h ^= h >>> 15;
  h *= 0x846ca68b;
  return h ^ (h >>> 16);
}

// @ts-ignore: decorator
@inline
function mix4(x: v128): v128 {
  let h = v128.xor(x, i32x4.shr_u(x, 16));
  h = i32x4.mul(h, i32x4.splat(0x7feb352d));
  h = v128.xor(h, i32x4.shr_u(h, 15));
  h = i32x4.mul(h, i32x4.splat(0x846ca68b));
  return v128.xor(h, i32x4.shr_u(h, 16));
}

/** y = scale drop(x), `width` floats; `y` may be `x`. */
// @ts-ignore: decorator
@inline
function drop_row(x: usize, y: usize, width: i32, row: u32, threshold: u32, scale: f32): void {
  const step = i32x4.splat(0x9e3779b9 * 4), limit = i32x4.splat(threshold), factor = f32x4.splat(scale);
  let counter = i32x4.add(i32x4.splat(row), i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(0x9e3779b9)));
  const bytes = <usize>width << 2;
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const dropped = i32x4.lt_s(i32x4.shr_u(mix4(counter), 8), limit);
    v128.store(y + at, v128.andnot(f32x4.mul(v128.load(x + at), factor), dropped));
    counter = i32x4.add(counter, step);
  }
  for (let c = <u32>(at >> 2); at < bytes; at += 4, c++) {
    const isDropped = mix(row + 0x9e3779b9 * c) >>> 8 < threshold;
    store<f32>(y + at, isDropped ? 0 : load<f32>(x + at) * scale);
  }
}

/** y = factor drop(x) over rows that are called `ids`; `factor` has the scale of what is kept in it. */
export function drop(
  x: usize, y: usize, ids: usize, rows: i32, width: i32, key: u32, threshold: u32, factor: f32,
): void {
  const bytes = <usize>width << 2;
  for (let r: usize = 0; r < <usize>rows; r++) {
    drop_row(x + r * bytes, y + r * bytes, width, mix(key + load<u32>(ids + (r << 2))), threshold, factor);
  }
}

/** Rows of [R, H D] to [H, R, D]; a copy with one head. */
export function split_heads(from: usize, to: usize, rows: i32, heads: i32, headDim: i32): void {
  const bytes = <usize>headDim << 2;
  for (let r: usize = 0; r < <usize>rows; r++) {
    for (let h: usize = 0; h < <usize>heads; h++) {
      copy_floats(to + (h * <usize>rows + r) * bytes, from, bytes);
      from += bytes;
    }
  }
}

/** [H, R, D] to rows of [R, H D]. */
export function merge_heads(from: usize, to: usize, rows: i32, heads: i32, headDim: i32): void {
  const bytes = <usize>headDim << 2;
  for (let r: usize = 0; r < <usize>rows; r++) {
    for (let h: usize = 0; h < <usize>heads; h++) {
      copy_floats(to, from + (h * <usize>rows + r) * bytes, bytes);
      to += bytes;
    }
  }
}

// @ts-ignore: decorator
@inline
function copy_floats(to: usize, from: usize, bytes: usize): void {
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at));
  for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(from + at));
}

/** Positions of a text's rows, 1 and up and 0 at padding, and what dropout calls them. */
export function number_rows(positions: usize, ids: usize, rows: i32, keys: i32, firstId: i32): void {
  for (let r = 0; r < rows; r++) {
    store<i32>(positions + (<usize>r << 2), r < keys ? r + 1 : 0);
    store<i32>(ids + (<usize>r << 2), firstId + r);
  }
}

/** y = E[token] + P[position] for each row; no table of positions where `positions` is 0. */
export function embed_forward(
  tokens: usize, embedding: usize, positions: usize, positionTable: usize, y: usize, rows: i32, width: i32,
): void {
  const bytes = <usize>width << 2;
  for (let r: usize = 0; r < <usize>rows; r++) {
    const e = embedding + <usize>load<i32>(tokens + (r << 2)) * bytes;
    const p = positions ? positionTable + <usize>load<i32>(positions + (r << 2)) * bytes : 0;
    for (let at: usize = 0; at < bytes; at += 4) {
      store<f32>(y + at, load<f32>(e + at) + (p ? load<f32>(p + at) : 0));
    }
    y += bytes;
  }
}

/** dE[token] += dy, row after row. */
export function embed_backward(tokens: usize, dy: usize, dEmbedding: usize, rows: i32, width: i32): void {
  const bytes = <usize>width << 2;
  for (let r: usize = 0; r < <usize>rows; r++) {
    const e = dEmbedding + <usize>load<i32>(tokens + (r << 2)) * bytes;
    let at: usize = 0;
    for (; at + 16 <= bytes; at += 16) v128.store(e + at, f32x4.add(v128.load(e + at), v128.load(dy + at)));
    for (; at < bytes; at += 4) store<f32>(e + at, load<f32>(e + at) + load<f32>(dy + at));
    dy += bytes;
  }
}
