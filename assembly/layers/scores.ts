/**
 * Attention by dot products, and Sinkhorn attention, of one head (equations section 10):
 *
 *   S_ij = c q_i.k_j,  c = 1/sqrt(D);   updates n = 1, 2, ..., the odd ones on rows, the even ones on columns
 *   u_i <- -log sum_j exp(S_ij + v_j),   v_j <- -log sum_i exp(S_ij + u_i),   W_n = exp(S_ij + u_i + v_j)
 *   O = W V;   one update is the softmax of dot-product attention, three are the authors' Sinkhorn attention
 *
 * Gradients go back through the updates, each with its W_n, which is formed again:
 *
 *   G = W (dO V^T) at the last;   G <- G - W_n (sums of G along the lines of update n);   dS = G
 *   dQ = c G K,   dK = c G^T Q,   dV = W^T dO
 *
 * With one update rows are independent and go in blocks of 64, so that no N x M matrix is kept, and W takes the place of
 * S; with more, one head's matrices are kept.
 * Shapes: Q, O [N, D], K, V [M, D], S and G [64 or N, pitch], pitch = M rounded up to 8. A masked pair has the score
 * MASKED, whose exponential is 0, and a line without any other keeps its u or v at 0.
 */
import { exp } from "../math/exp";
import { log } from "../math/log";
import { pack_columns, pack_rows, product, product_weight } from "./product";
import { roundUp, table } from "./state";

const MASKED: f32 = -1e30;
const BLOCK: i32 = 64;

let N: i32 = 0;
let M: i32 = 0;
let D: i32 = 0;
let pitch: i32 = 0;
let updates: i32 = 0;
/** Rows that are worked on together. */
let block: i32 = 0;
/** Bytes from the vector of one update to that of the next. */
let line: usize = 0;
let s: usize = 0;
let g: usize = 0;
let vectors: usize = 0;
/** K as rows; V as columns, or in the backward pass K; and there V as rows. */
let packedKeys: usize = 0;
let packedColumns: usize = 0;
let packedValues: usize = 0;
let end: usize = 0;

function lay_out(n: i32, m: i32, d: i32, count: i32, work: usize): void {
  N = n;
  M = m;
  D = d;
  updates = count;
  pitch = roundUp(m, 8);
  block = count == 1 ? min(BLOCK, n) : n;
  line = <usize>roundUp(max(n, m), 8) << 2;
  const matrix = <usize>block * <usize>pitch << 2;
  s = work;
  g = s + matrix;
  // The first vector is v before any update, zeros.
  vectors = g + matrix;
  packedKeys = vectors + <usize>(count + 1) * line;
  packedValues = packedKeys + (<usize>pitch * <usize>d << 2);
  packedColumns = packedValues + (<usize>pitch * <usize>d << 2);
  end = packedColumns + (<usize>roundUp(d, 8) * <usize>m << 2);
}

/** Bytes of work memory. */
export function scores_bytes(n: i32, m: i32, d: i32, count: i32): usize {
  lay_out(n, m, d, count, 0);
  return end;
}

/** The vector that update n made; n = 0 is v before any. */
// @ts-ignore: decorator
@inline
function vector(n: i32): usize {
  return vectors + <usize>n * line;
}

/** Scores of `rows` rows, masked: `mask` has a byte for each pair, `maskPitch` apart from row to row, or is 0. */
function score(q: usize, rows: i32, mask: usize, maskPitch: usize): void {
  product(q, <usize>D << 2, packedKeys, 0, s, rows, D, pitch, 0);
  const c = f32x4.splat(<f32>(1 / Math.sqrt(<f64>D)));
  const bytes = <usize>pitch << 2;
  for (let r = 0; r < rows; r++) {
    const row = s + <usize>r * bytes;
    for (let at: usize = 0; at < bytes; at += 16) v128.store(row + at, f32x4.mul(v128.load(row + at), c));
    for (let j = M; j < pitch; j++) store<f32>(row + (<usize>j << 2), MASKED);
    if (!mask) continue;
    for (let j: usize = 0; j < <usize>M; j++) {
      if (load<u8>(mask + <usize>r * maskPitch + j)) store<f32>(row + (j << 2), MASKED);
    }
  }
}

// @ts-ignore: decorator
@inline
function largest_lane(x: v128): f32 {
  return max(max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)), max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)));
}

// @ts-ignore: decorator
@inline
function sum_lanes(x: v128): f32 {
  return (f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1)) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

// @ts-ignore: decorator
@inline
function level(largest: f32, sum: f32): f32 {
  return largest > MASKED / 2 ? <f32>-(<f64>largest + log(sum)) : largest == largest ? 0 : largest;
}

function update_rows(rows: i32, v: usize, u: usize): void {
  const bytes = <usize>pitch << 2;
  for (let r = 0; r < rows; r++) {
    const row = s + <usize>r * bytes;
    let top = f32x4.splat(MASKED);
    for (let at: usize = 0; at < bytes; at += 16) {
      top = f32x4.max(top, f32x4.add(v128.load(row + at), v128.load(v + at)));
    }
    const largest = largest_lane(top);
    top = f32x4.splat(largest);
    let sum = f32x4.splat(0);
    for (let at: usize = 0; at < bytes; at += 16) {
      sum = f32x4.add(sum, exp(table, f32x4.sub(f32x4.add(v128.load(row + at), v128.load(v + at)), top)));
    }
    store<f32>(u + (<usize>r << 2), level(largest, sum_lanes(sum)));
  }
}

function update_columns(rows: i32, u: usize, v: usize): void {
  const bytes = <usize>pitch << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    let top = f32x4.splat(MASKED), sum = f32x4.splat(0);
    for (let r: usize = 0; r < <usize>rows; r++) {
      top = f32x4.max(top, f32x4.add(v128.load(s + r * bytes + at), v128.load32_splat(u + (r << 2))));
    }
    for (let r: usize = 0; r < <usize>rows; r++) {
      const x = f32x4.add(v128.load(s + r * bytes + at), v128.load32_splat(u + (r << 2)));
      sum = f32x4.add(sum, exp(table, f32x4.sub(x, top)));
    }
    store<f32>(v + at, level(f32x4.extract_lane(top, 0), f32x4.extract_lane(sum, 0)));
    store<f32>(v + at, level(f32x4.extract_lane(top, 1), f32x4.extract_lane(sum, 1)), 4);
    store<f32>(v + at, level(f32x4.extract_lane(top, 2), f32x4.extract_lane(sum, 2)), 8);
    store<f32>(v + at, level(f32x4.extract_lane(top, 3), f32x4.extract_lane(sum, 3)), 12);
  }
}

/** All updates on the scores at hand. */
function normalize(rows: i32): void {
  memory.fill(vectors, 0, <usize>(updates + 1) * line);
  for (let n = 1; n <= updates; n++) {
    if (n & 1) update_rows(rows, vector(n - 1), vector(n));
    else update_columns(rows, vector(n - 1), vector(n));
  }
}

/** W_n of one row and four columns. */
// @ts-ignore: decorator
@inline
function weight(x: v128, u: v128, v: usize): v128 {
  return exp(table, f32x4.add(f32x4.add(x, v128.load(v)), u));
}

/** The vectors u and v that W_n is made of. */
// @ts-ignore: decorator
@inline
function row_vector(n: i32): usize {
  return vector(n & 1 ? n : n - 1);
}

// @ts-ignore: decorator
@inline
function column_vector(n: i32): usize {
  return vector(n & 1 ? n - 1 : n);
}

/** W of the last update over the scores, or at another place with rows of `toBytes` bytes. */
function write_weights(rows: i32, to: usize, toBytes: usize, columns: i32): void {
  const bytes = <usize>pitch << 2, u = row_vector(updates), v = column_vector(updates);
  for (let r: usize = 0; r < <usize>rows; r++) {
    const base = v128.load32_splat(u + (r << 2)), row = s + r * bytes, out = to + r * toBytes;
    for (let j = 0; j < columns; j += 4) {
      const at = <usize>j << 2, w = weight(v128.load(row + at), base, v + at);
      if (columns - j >= 4) v128.store(out + at, w);
      else for (let c = 0; c < columns - j; c++) lane_store(out + at, w, c);
    }
  }
}

function lane_store(to: usize, x: v128, lane: i32): void {
  if (lane == 0) store<f32>(to, f32x4.extract_lane(x, 0));
  else if (lane == 1) store<f32>(to, f32x4.extract_lane(x, 1), 4);
  else store<f32>(to, f32x4.extract_lane(x, 2), 8);
}

/** O of one head. */
export function scores_forward(
  q: usize, k: usize, v: usize, o: usize, n: i32, m: i32, d: i32, count: i32, mask: usize, maskPitch: usize, work: usize,
): void {
  lay_out(n, m, d, count, work);
  pack_rows(k, packedKeys, M, D);
  pack_columns(v, packedColumns, M, D);
  const bytes = <usize>D << 2;
  for (let r = 0; r < N; r += block) {
    const rows = min(block, N - r), from = <usize>r;
    score(q + from * bytes, rows, mask ? mask + from * maskPitch : 0, maskPitch);
    if (updates == 1) softmax_rows(rows);
    else {
      normalize(rows);
      write_weights(rows, s, <usize>pitch << 2, pitch);
    }
    product(s, <usize>pitch << 2, packedColumns, 0, o + from * bytes, rows, M, D, 0);
  }
}

/** W of one head, rows of `toBytes` bytes. */
export function scores_weights(
  q: usize, k: usize, to: usize, toBytes: usize, n: i32, m: i32, d: i32, count: i32, mask: usize, maskPitch: usize,
  work: usize,
): void {
  lay_out(n, m, d, count, work);
  pack_rows(k, packedKeys, M, D);
  for (let r = 0; r < N; r += block) {
    const rows = min(block, N - r), from = <usize>r;
    score(q + from * (<usize>D << 2), rows, mask ? mask + from * maskPitch : 0, maskPitch);
    normalize(rows);
    write_weights(rows, to + from * toBytes, toBytes, M);
  }
}

/** dQ, dK and dV of one head. */
export function scores_backward(
  q: usize, k: usize, v: usize, dO: usize, dq: usize, dk: usize, dv: usize,
  n: i32, m: i32, d: i32, count: i32, mask: usize, maskPitch: usize, work: usize,
): void {
  lay_out(n, m, d, count, work);
  const bytes = <usize>D << 2, matrixBytes = <usize>pitch << 2;
  memory.fill(dk, 0, <usize>M * bytes);
  memory.fill(dv, 0, <usize>M * bytes);
  pack_rows(k, packedKeys, M, D);
  pack_rows(v, packedValues, M, D);
  pack_columns(k, packedColumns, M, D);
  for (let r = 0; r < N; r += block) {
    const rows = min(block, N - r), from = <usize>r * bytes;
    score(q + from, rows, mask ? mask + <usize>r * maskPitch : 0, maskPitch);
    product(dO + from, bytes, packedValues, 0, g, rows, D, pitch, 0);
    if (updates == 1) {
      softmax_rows(rows);
      softmax_slopes(rows);
    } else {
      normalize(rows);
      begin_slopes(rows);
      for (let step = updates; step >= 1; step--) {
        if (step & 1) slope_rows(rows, step);
        else slope_columns(rows, step);
      }
      finish_slopes(rows);
      write_weights(rows, s, matrixBytes, pitch);
    }
    product(g, matrixBytes, packedColumns, 0, dq + from, rows, M, D, 0);
    product_weight(g, matrixBytes, q + from, dk, rows, M, D);
    product_weight(s, matrixBytes, dO + from, dv, rows, M, D);
  }
}

/** One update in place: S becomes W. */
function softmax_rows(rows: i32): void {
  const bytes = <usize>pitch << 2;
  for (let r = 0; r < rows; r++) {
    const row = s + <usize>r * bytes;
    let top = f32x4.splat(MASKED);
    for (let at: usize = 0; at < bytes; at += 16) top = f32x4.max(top, v128.load(row + at));
    const largest = largest_lane(top);
    // Of a row that is masked throughout every difference is 0; so far down, every weight is.
    top = f32x4.splat(largest > MASKED / 2 || largest != largest ? largest : 0);
    let sum = f32x4.splat(0);
    for (let at: usize = 0; at < bytes; at += 16) {
      const w = exp(table, f32x4.sub(v128.load(row + at), top));
      v128.store(row + at, w);
      sum = f32x4.add(sum, w);
    }
    const total = sum_lanes(sum), inverse = f32x4.splat(total == 0 ? 0 : 1 / total);
    for (let at: usize = 0; at < bytes; at += 16) v128.store(row + at, f32x4.mul(v128.load(row + at), inverse));
  }
}

/** G = c W (dP - sum W dP) from dP. */
function softmax_slopes(rows: i32): void {
  const bytes = <usize>pitch << 2, c = f32x4.splat(<f32>(1 / Math.sqrt(<f64>D)));
  for (let r: usize = 0; r < <usize>rows; r++) {
    const row = r * bytes;
    let total = f32x4.splat(0);
    for (let at: usize = 0; at < bytes; at += 16) {
      total = f32x4.add(total, f32x4.mul(v128.load(s + row + at), v128.load(g + row + at)));
    }
    total = f32x4.splat(sum_lanes(total));
    for (let at: usize = 0; at < bytes; at += 16) {
      const w = f32x4.mul(c, v128.load(s + row + at));
      v128.store(g + row + at, f32x4.mul(w, f32x4.sub(v128.load(g + row + at), total)));
    }
  }
}

/** G = W dP of the last update. */
function begin_slopes(rows: i32): void {
  const bytes = <usize>pitch << 2, u = row_vector(updates), v = column_vector(updates);
  for (let r: usize = 0; r < <usize>rows; r++) {
    const base = v128.load32_splat(u + (r << 2)), row = r * bytes;
    for (let at: usize = 0; at < bytes; at += 16) {
      const w = weight(v128.load(s + row + at), base, v + at);
      v128.store(g + row + at, f32x4.mul(w, v128.load(g + row + at)));
    }
  }
}

function slope_rows(rows: i32, n: i32): void {
  const bytes = <usize>pitch << 2, u = row_vector(n), v = column_vector(n);
  for (let r: usize = 0; r < <usize>rows; r++) {
    const base = v128.load32_splat(u + (r << 2)), row = r * bytes;
    let total = f32x4.splat(0);
    for (let at: usize = 0; at < bytes; at += 16) total = f32x4.add(total, v128.load(g + row + at));
    total = f32x4.splat(sum_lanes(total));
    for (let at: usize = 0; at < bytes; at += 16) {
      const w = weight(v128.load(s + row + at), base, v + at);
      v128.store(g + row + at, f32x4.sub(v128.load(g + row + at), f32x4.mul(w, total)));
    }
  }
}

function slope_columns(rows: i32, n: i32): void {
  const bytes = <usize>pitch << 2, u = row_vector(n), v = column_vector(n);
  for (let at: usize = 0; at < bytes; at += 16) {
    let total = f32x4.splat(0);
    for (let r: usize = 0; r < <usize>rows; r++) total = f32x4.add(total, v128.load(g + r * bytes + at));
    for (let r: usize = 0; r < <usize>rows; r++) {
      const w = weight(v128.load(s + r * bytes + at), v128.load32_splat(u + (r << 2)), v + at);
      v128.store(g + r * bytes + at, f32x4.sub(v128.load(g + r * bytes + at), f32x4.mul(w, total)));
    }
  }
}

/** The factor c of the scores. */
function finish_slopes(rows: i32): void {
  const c = f32x4.splat(<f32>(1 / Math.sqrt(<f64>D)));
  for (let at: usize = 0; at < <usize>rows * (<usize>pitch << 2); at += 16) {
    v128.store(g + at, f32x4.mul(v128.load(g + at), c));
  }
}
