/**
 * Matrix products, all of them by one inner loop: a tile of 4 rows and 8 columns,
 *
 *   C_rc = sum_k a_kr b_kc      strips a [K][4] of the left factor, panels b [K][8] of the right one
 *
 *   Y = X W^T + b    strips are rows of X, panels rows of W                    (equations section 1)
 *   dX = dY W        strips are rows of dY, panels columns of W
 *   dW = dY^T X      strips are columns of dY, panels columns of X, K runs over the rows
 *
 * Eight accumulators, two loads and four broadcasts for eight multiplications and additions: nothing is summed across
 * lanes. Shapes: X [R, I], W [O, I], Y [R, O], row-major. Error of a sum of K terms: K units of 2^-24 of the sum of
 * magnitudes at worst; dW and db are sums of partial sums over CHUNK rows.
 */
import { madd } from "../math/madd";
import { CHUNK, panels, roundUp, STRIP_FLOATS, strips, tile } from "./state";

/** What happens to a tile: it is stored, or added; with a bias, and cut off below 0. */
const ADD: i32 = 1;
const RELU: i32 = 2;

// @ts-ignore: decorator
@inline
function put(c: usize, x: v128, y: v128, bias: usize, mode: i32): void {
  let p = x, q = y;
  if (bias) {
    p = f32x4.add(p, v128.load(bias));
    q = f32x4.add(q, v128.load(bias, 16));
  }
  if (mode & ADD) {
    p = f32x4.add(p, v128.load(c));
    q = f32x4.add(q, v128.load(c, 16));
  }
  if (mode & RELU) {
    // The first operand where it is NaN: a NaN stays one.
    p = f32x4.pmax(p, f32x4.splat(0));
    q = f32x4.pmax(q, f32x4.splat(0));
  }
  v128.store(c, p);
  v128.store(c, q, 16);
}

/** One tile of 4 x 8 at c, rows `stride` bytes apart. */
function multiply(a: usize, b: usize, count: i32, c: usize, stride: usize, bias: usize, mode: i32): void {
  let p0 = f32x4.splat(0), p1 = f32x4.splat(0), p2 = f32x4.splat(0), p3 = f32x4.splat(0);
  let q0 = f32x4.splat(0), q1 = f32x4.splat(0), q2 = f32x4.splat(0), q3 = f32x4.splat(0);
  const end = b + (<usize>count << 5);
  do {
    const x = v128.load(b), y = v128.load(b, 16);
    const a0 = v128.load32_splat(a);
    p0 = madd(x, a0, p0);
    q0 = madd(y, a0, q0);
    const a1 = v128.load32_splat(a, 4);
    p1 = madd(x, a1, p1);
    q1 = madd(y, a1, q1);
    const a2 = v128.load32_splat(a, 8);
    p2 = madd(x, a2, p2);
    q2 = madd(y, a2, q2);
    const a3 = v128.load32_splat(a, 12);
    p3 = madd(x, a3, p3);
    q3 = madd(y, a3, q3);
    a += 16;
    b += 32;
  } while (b != end);
  put(c, p0, q0, bias, mode);
  put(c + stride, p1, q1, bias, mode);
  put(c + 2 * stride, p2, q2, bias, mode);
  put(c + 3 * stride, p3, q3, bias, mode);
}

/** The tile at (row, column) of C [.., width], of which `rows` and `columns` are inside. */
function place(
  a: usize, b: usize, count: i32, c: usize, width: i32, rows: i32, columns: i32, bias: usize, mode: i32,
): void {
  const stride = <usize>width << 2;
  if (rows >= 4 && columns >= 8) return multiply(a, b, count, c, stride, bias, mode);
  rows = min(rows, 4);
  columns = min(columns, 8);
  if (mode & ADD) copy_block(c, stride, tile, 32, rows, columns);
  multiply(a, b, count, tile, 32, bias, mode);
  copy_block(tile, 32, c, stride, rows, columns);
}

function copy_block(from: usize, fromStride: usize, to: usize, toStride: usize, rows: i32, columns: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let c: usize = 0; c < <usize>columns << 2; c += 4) store<f32>(to + c, load<f32>(from + c));
    from += fromStride;
    to += toStride;
  }
}

/** Panels of W [O, I] for Y = X W^T: [O/8][I][8]; what is beyond O is some row or 0, and never stored. */
export function pack_rows(w: usize, to: usize, outputs: i32, inputs: i32): void {
  const stride = <usize>inputs << 2;
  for (let o = 0; o < outputs; o += 8) {
    const from = w + <usize>o * stride;
    strip(from, stride, outputs - o, inputs, to, 32);
    if (outputs - o > 4) strip(from + 4 * stride, stride, outputs - o - 4, inputs, to + 16, 32);
    else for (let i: usize = 0; i < <usize>inputs; i++) v128.store(to + (i << 5), f32x4.splat(0), 16);
    to += stride << 3;
  }
}

/** Panels of W [O, I] for dX = dY W: [I/8][O][8], zeros beyond I. */
export function pack_columns(w: usize, to: usize, outputs: i32, inputs: i32): void {
  for (let i = 0; i < inputs; i += 8) {
    gather(w + (<usize>i << 2), <usize>inputs << 2, to, outputs, inputs - i);
    to += <usize>outputs << 5;
  }
}

/** `rows` rows of 8 floats, of which `columns` are there. */
function gather(from: usize, stride: usize, to: usize, rows: i32, columns: i32): void {
  const end = to + (<usize>rows << 5);
  if (columns >= 8) {
    for (; to != end; to += 32) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      from += stride;
    }
    return;
  }
  for (; to != end; to += 32) {
    for (let c = 0; c < 8; c++) {
      store<f32>(to + (<usize>c << 2), c < columns ? load<f32>(from + (<usize>c << 2)) : 0);
    }
    from += stride;
  }
}

/** Four rows of X, of which `rows` are there and the first stands for the others, as [K][4], `pitch` bytes apart. */
function strip(x: usize, stride: usize, rows: i32, count: i32, to: usize, pitch: usize): void {
  const x1 = rows > 1 ? x + stride : x, x2 = rows > 2 ? x + 2 * stride : x, x3 = rows > 3 ? x + 3 * stride : x;
  let at: usize = 0;
  const bytes = <usize>count << 2;
  for (; at + 16 <= bytes; at += 16) {
    const a = v128.load(x + at), b = v128.load(x1 + at), c = v128.load(x2 + at), d = v128.load(x3 + at);
    const ab = i32x4.shuffle(a, b, 0, 4, 1, 5), cd = i32x4.shuffle(c, d, 0, 4, 1, 5);
    const AB = i32x4.shuffle(a, b, 2, 6, 3, 7), CD = i32x4.shuffle(c, d, 2, 6, 3, 7);
    v128.store(to, i64x2.shuffle(ab, cd, 0, 2));
    v128.store(to + pitch, i64x2.shuffle(ab, cd, 1, 3));
    v128.store(to + 2 * pitch, i64x2.shuffle(AB, CD, 0, 2));
    v128.store(to + 3 * pitch, i64x2.shuffle(AB, CD, 1, 3));
    to += 4 * pitch;
  }
  for (; at < bytes; at += 4) {
    store<f32>(to, load<f32>(x + at));
    store<f32>(to, load<f32>(x1 + at), 4);
    store<f32>(to, load<f32>(x2 + at), 8);
    store<f32>(to, load<f32>(x3 + at), 12);
    to += pitch;
  }
}

/**
 * C [rows, columns] = X times packed panels, plus a bias of `columns` floats unless it is 0. Rows of X are `xStride` bytes
 * apart and have `inner` floats. `mode`: 1 adds to C, 2 cuts off below 0.
 */
export function product(
  x: usize, xStride: usize, packed: usize, bias: usize, c: usize, rows: i32, inner: i32, columns: i32, mode: i32,
): void {
  const bytes = <usize>inner << 2;
  const block = max(4, min(32, (STRIP_FLOATS / inner) & -4));
  for (let r = 0; r < rows; r += block) {
    const here = min(block, rows - r);
    for (let s = 0; s < here; s += 4) {
      strip(x + <usize>(r + s) * xStride, xStride, here - s, inner, strips + <usize>s * bytes, 16);
    }
    for (let o = 0; o < columns; o += 8) {
      const panel = packed + <usize>o * bytes;
      const b = bias ? bias + (<usize>o << 2) : 0;
      for (let s = 0; s < here; s += 4) {
        const to = c + (<usize>(r + s) * <usize>columns + <usize>o << 2);
        place(strips + <usize>s * bytes, panel, inner, to, columns, here - s, columns - o, b, mode);
      }
    }
  }
}

/** dW [O, I] += dY^T X over `rows` rows of dY, `dyStride` bytes apart and of O floats, and X [rows, I]. */
export function product_weight(
  dy: usize, dyStride: usize, x: usize, dw: usize, rows: i32, outputs: i32, inputs: i32,
): void {
  const xStride = <usize>inputs << 2;
  for (let r = 0; r < rows; r += CHUNK) {
    const here = min(CHUNK, rows - r);
    const dyRow = dy + <usize>r * dyStride, xRow = x + <usize>r * xStride;
    for (let i = 0; i < inputs; i += 8) {
      gather(xRow + (<usize>i << 2), xStride, panels + (<usize>(i * CHUNK) << 2), here, inputs - i);
    }
    for (let o = 0; o < outputs; o += 4) {
      columns4(dyRow + (<usize>o << 2), dyStride, here, outputs - o);
      for (let i = 0; i < inputs; i += 8) {
        const to = dw + (<usize>o * <usize>inputs + <usize>i << 2);
        place(strips, panels + (<usize>(i * CHUNK) << 2), here, to, inputs, outputs - o, inputs - i, 0, ADD);
      }
    }
  }
}

/** Four columns of dY, of which `columns` are there, as [rows][4] in `strips`. */
function columns4(from: usize, stride: usize, rows: i32, columns: i32): void {
  let to = strips;
  for (let r = 0; r < rows; r++) {
    if (columns >= 4) v128.store(to, v128.load(from));
    else {
      for (let c = 0; c < 4; c++) {
        store<f32>(to + (<usize>c << 2), c < columns ? load<f32>(from + (<usize>c << 2)) : 0);
      }
    }
    from += stride;
    to += 16;
  }
}

/** db [O] += sums over the rows of dY [rows, O]. */
export function column_sums(dy: usize, db: usize, rows: i32, outputs: i32): void {
  const stride = <usize>outputs << 2;
  for (let r = 0; r < rows; r += CHUNK) {
    const end = min(rows, r + CHUNK);
    let at: usize = 0;
    for (; at + 16 <= stride; at += 16) {
      let sum = f32x4.splat(0);
      for (let i = r; i < end; i++) sum = f32x4.add(sum, v128.load(dy + <usize>i * stride + at));
      v128.store(db + at, f32x4.add(v128.load(db + at), sum));
    }
    for (; at < stride; at += 4) {
      let sum: f32 = 0;
      for (let i = r; i < end; i++) sum += load<f32>(dy + <usize>i * stride + at);
      store<f32>(db + at, load<f32>(db + at) + sum);
    }
  }
}
