/**
 * Squared distances of a tile of 32 queries and up to 64 keys (equations section 2):
 *
 *   d_ij^2 = sum_d (q_id - k_jd)^2                      direct
 *   d_ij^2 = (|q_i|^2 + |k_j|^2) - 2 q_i.k_j            expanded: a third cheaper in the inner loop
 *
 * The expanded form loses every digit of nearly coincident points. It is kept for a group of 8 queries and 4 keys only
 * if all their d^2 are at least a quarter of |q|^2 + |k|^2, where no more than two bits cancel; otherwise the group is
 * summed again directly, and after a second such group the rest of the tile is too. Tiles with a mask are
 * always direct, so that what stands behind the mask has no say.
 * Shapes: queries [4 pairs][D][8 lanes], keys [16 groups][D][4], squares [32] and [64], result [64 keys][32 lanes].
 * Lanes are queries: 2 query vectors times 4 keys make 8 accumulators, and no sum across lanes is ever needed.
 * Error of d^2: (16 + D/16)/2 + 3 units of 2^-24 in the worst case of the direct form, about 1 in practice.
 */

import { madd } from "./math/madd";
import { product_forward } from "./product";

/** Bytes from one key to the next in a tile of pairs. */
export const ROW: usize = 128;

/**
 * Rows of a tile that the pair of lane vectors at byte `lane` needs: under a causal mask the later lanes see more keys,
 * `stair` of them the first pair and 8 more each next one. At least 4, a multiple of 4 like `rows` and `stair`.
 */
// @ts-ignore: decorator
@inline
export function rowsOf(lane: usize, rows: i32, stair: i32): i32 {
  return min(rows, max(4, stair + (<i32>(lane >> 5) << 3)));
}

/** Components from which on the expanded form is worth a try: with fewer, random points are close too often. */
export const EXPANDED_FROM: i32 = 16;

/**
 * And up to which: the inner product is one chain of additions, whose rounding grows with its length; with more components
 * points around a common centre, whose squares are large beside their distance, would leave the bound of the weights.
 */
export const EXPANDED_TO: i32 = 64;

/**
 * Bytes of 16 components of a group of keys: direct sums are sums of partial sums of so many, as one long chain of
 * terms of equal size rounds the same way again and again.
 */
export const CHUNK: usize = 16 * 16;

/** Whether all distances of the tile at hand are expanded: no two points of it are close for their size. */
export let apart: bool = false;

/**
 * Writes d^2 of `rows` keys, or fewer (see `rowsOf`), and returns the largest of each lane. `qq` and `kk` have the squares
 * |q|^2 and |k|^2 and are read only if `expanded`.
 */
export function distance_forward(
  q: usize, k: usize, z: usize, rows: i32, stair: i32, dim: i32, expanded: bool, qq: usize, kk: usize,
): v128 {
  let largest = f32x4.splat(0);
  apart = expanded;
  const bytes = <usize>dim << 4;
  let chances = expanded ? 2 : 0;
  for (let pair = 0; pair < 4; pair++) {
    const groups = rowsOf(pair << 5, rows, stair) >> 2;
    if (chances) product_forward(q, k, z, groups, dim, 1);
    let key = k;
    let out = z;
    const outEnd = z + (<usize>groups << 9);
    do {
      const end = key + bytes;
      let done = false;
      if (chances) {
        const x = v128.load(qq), y = v128.load(qq, 16);
        let close = f32x4.splat(0), most = close;
        let square = kk + ((out - z) >> 5);
        for (let row: usize = 0; row < 4 * ROW; row += ROW) {
          const kSquare = v128.load32_splat(square);
          const s0 = f32x4.add(x, kSquare), p0 = v128.load(out + row);
          const d0 = f32x4.sub(s0, f32x4.add(p0, p0));
          const s1 = f32x4.add(y, kSquare), p1 = v128.load(out + row, 16);
          const d1 = f32x4.sub(s1, f32x4.add(p1, p1));
          v128.store(out + row, d0);
          v128.store(out + row, d1, 16);
          most = f32x4.pmax(most, f32x4.pmax(d0, d1));
          const four = f32x4.splat(4);
          close = v128.or(close, v128.or(f32x4.lt(f32x4.mul(d0, four), s0), f32x4.lt(f32x4.mul(d1, four), s1)));
          square += 4;
        }
        done = !v128.any_true(close);
        if (done) largest = f32x4.pmax(largest, most);
        else {
          chances--;
          apart = false;
        }
      }
      if (done) key = end;
      else {
        let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
        let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
        let query = q;
        do {
          const stop = min(end, key + CHUNK);
          let c0 = f32x4.splat(0), c1 = f32x4.splat(0), c2 = f32x4.splat(0), c3 = f32x4.splat(0);
          let e0 = f32x4.splat(0), e1 = f32x4.splat(0), e2 = f32x4.splat(0), e3 = f32x4.splat(0);
          do {
            const x = v128.load(query);
            const y = v128.load(query, 16);
            const k0 = v128.load32_splat(key);
            const s0 = f32x4.sub(x, k0), t0 = f32x4.sub(y, k0);
            c0 = madd(s0, s0, c0);
            e0 = madd(t0, t0, e0);
            const k1 = v128.load32_splat(key, 4);
            const s1 = f32x4.sub(x, k1), t1 = f32x4.sub(y, k1);
            c1 = madd(s1, s1, c1);
            e1 = madd(t1, t1, e1);
            const k2 = v128.load32_splat(key, 8);
            const s2 = f32x4.sub(x, k2), t2 = f32x4.sub(y, k2);
            c2 = madd(s2, s2, c2);
            e2 = madd(t2, t2, e2);
            const k3 = v128.load32_splat(key, 12);
            const s3 = f32x4.sub(x, k3), t3 = f32x4.sub(y, k3);
            c3 = madd(s3, s3, c3);
            e3 = madd(t3, t3, e3);
            query += 32;
            key += 16;
          } while (key != stop);
          a0 = f32x4.add(a0, c0);
          b0 = f32x4.add(b0, e0);
          a1 = f32x4.add(a1, c1);
          b1 = f32x4.add(b1, e1);
          a2 = f32x4.add(a2, c2);
          b2 = f32x4.add(b2, e2);
          a3 = f32x4.add(a3, c3);
          b3 = f32x4.add(b3, e3);
        } while (key != end);
        v128.store(out, a0);
        v128.store(out, b0, 16);
        v128.store(out, a1, 128);
        v128.store(out, b1, 144);
        v128.store(out, a2, 256);
        v128.store(out, b2, 272);
        v128.store(out, a3, 384);
        v128.store(out, b3, 400);
        a0 = f32x4.pmax(f32x4.pmax(a0, b0), f32x4.pmax(a1, b1));
        a2 = f32x4.pmax(f32x4.pmax(a2, b2), f32x4.pmax(a3, b3));
        largest = f32x4.pmax(largest, f32x4.pmax(a0, a2));
      }
      out += 512;
    } while (out != outEnd);
    q += bytes << 1;
    qq += 32;
    z += 32;
  }
  return largest;
}
