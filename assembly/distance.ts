/**
 * Scaled distances of a tile of 32 queries and up to 64 keys (equations sections 2 and 3), by direct differences:
 *
 *   z_ij = zs sqrt(sum_d (q_id - k_jd)^2)          multiscale kernel
 *   z_ij^2 = zs^2 sum_d (q_id - k_jd)^2            Gaussian kernel, which needs no root
 *
 * |q|^2 + |k|^2 - 2 q.k would be a third cheaper in the inner loop and loses every digit of nearly coincident points.
 * Shapes: queries [4 pairs][D][8 lanes], keys [16 groups][D][4], result [64 keys][32 lanes].
 * Lanes are queries: 2 query vectors times 4 keys make 8 accumulators, and no sum across lanes is ever needed.
 * Error: u (D/2 + 2) in the worst case, of the order of u sqrt(D)/4 in practice, as all terms are positive.
 */

import { madd } from "./math/madd";

/** Bytes from one key to the next in a tile of pairs. */
export const ROW: usize = 128;

/** Writes z, or with `gauss` z^2, and returns the largest z of each lane; 0 with `gauss`. */
export function distance_forward(
  q: usize, k: usize, z: usize, groups: i32, dim: i32, zs: f64, gauss: bool,
): v128 {
  const scale = f32x4.splat(<f32>(gauss ? zs * zs : zs));
  let largest = f32x4.splat(0);
  const bytes = <usize>dim << 4;
  for (let pair = 0; pair < 4; pair++) {
    let key = k;
    let out = z;
    const outEnd = z + (<usize>groups << 9);
    do {
      let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
      let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
      let query = q;
      const end = key + bytes;
      do {
        const x = v128.load(query);
        const y = v128.load(query, 16);
        const k0 = v128.load32_splat(key);
        const s0 = f32x4.sub(x, k0), t0 = f32x4.sub(y, k0);
        a0 = madd(s0, s0, a0);
        b0 = madd(t0, t0, b0);
        const k1 = v128.load32_splat(key, 4);
        const s1 = f32x4.sub(x, k1), t1 = f32x4.sub(y, k1);
        a1 = madd(s1, s1, a1);
        b1 = madd(t1, t1, b1);
        const k2 = v128.load32_splat(key, 8);
        const s2 = f32x4.sub(x, k2), t2 = f32x4.sub(y, k2);
        a2 = madd(s2, s2, a2);
        b2 = madd(t2, t2, b2);
        const k3 = v128.load32_splat(key, 12);
        const s3 = f32x4.sub(x, k3), t3 = f32x4.sub(y, k3);
        a3 = madd(s3, s3, a3);
        b3 = madd(t3, t3, b3);
        query += 32;
        key += 16;
      } while (key != end);
      if (!gauss) {
        a0 = f32x4.sqrt(a0);
        b0 = f32x4.sqrt(b0);
        a1 = f32x4.sqrt(a1);
        b1 = f32x4.sqrt(b1);
        a2 = f32x4.sqrt(a2);
        b2 = f32x4.sqrt(b2);
        a3 = f32x4.sqrt(a3);
        b3 = f32x4.sqrt(b3);
      }
      a0 = f32x4.mul(a0, scale);
      b0 = f32x4.mul(b0, scale);
      a1 = f32x4.mul(a1, scale);
      b1 = f32x4.mul(b1, scale);
      a2 = f32x4.mul(a2, scale);
      b2 = f32x4.mul(b2, scale);
      a3 = f32x4.mul(a3, scale);
      b3 = f32x4.mul(b3, scale);
      v128.store(out, a0);
      v128.store(out, b0, 16);
      v128.store(out, a1, 128);
      v128.store(out, b1, 144);
      v128.store(out, a2, 256);
      v128.store(out, b2, 272);
      v128.store(out, a3, 384);
      v128.store(out, b3, 400);
      if (!gauss) {
        a0 = f32x4.pmax(f32x4.pmax(a0, b0), f32x4.pmax(a1, b1));
        a2 = f32x4.pmax(f32x4.pmax(a2, b2), f32x4.pmax(a3, b3));
        largest = f32x4.pmax(largest, f32x4.pmax(a0, a2));
      }
      out += 512;
    } while (out != outEnd);
    q += bytes << 1;
    z += 32;
  }
  return largest;
}
