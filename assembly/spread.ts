/**
 * The sums over pairs that are gradients, one tile of 32 queries and up to 64 keys (equations section 9):
 *
 *   dV_j += sum_i w_ij dO_i                                        value_backward
 *   dq_i += sum_j c_ij (q_i - k_j),  dk_j -= the same terms        point_backward
 *   dq_i += sum_j g c_ij (q_i - g k_j),  dk_j -= sum_i c_ij (q_i - g k_j),  g = +-1       sphere_backward
 *
 * c (q - k) is formed pair by pair: (sum c) q - sum c k would cancel for close points. Both sums use the one difference, which
 * makes lanes of components the cheaper choice here. 4 keys and their gradients stay in registers while the queries pass by.
 * Shapes: weights and c [64 keys][32 queries]; rows of points [.][P], of values [.][W].
 */
import { ROW } from "./distance";
import { madd } from "./math/madd";
import { BLOCK } from "./state";

/** w [keys][32], dO [32][W] -> dV [keys][W], added. */
export function value_backward(w: usize, dO: usize, dV: usize, keys: i32, width: i32): void {
  const pitch = <usize>width << 2;
  for (let j = 0; j < keys; j += 4) {
    for (let c: usize = 0; c < pitch; c += 16) {
      let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
      let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
      let row = dO + c, weight = w;
      const end = w + ROW;
      do {
        const x = v128.load(row);
        a0 = madd(x, v128.load32_splat(weight), a0);
        a1 = madd(x, v128.load32_splat(weight, 128), a1);
        a2 = madd(x, v128.load32_splat(weight, 256), a2);
        a3 = madd(x, v128.load32_splat(weight, 384), a3);
        const y = v128.load(row + pitch);
        b0 = madd(y, v128.load32_splat(weight, 4), b0);
        b1 = madd(y, v128.load32_splat(weight, 132), b1);
        b2 = madd(y, v128.load32_splat(weight, 260), b2);
        b3 = madd(y, v128.load32_splat(weight, 388), b3);
        row += pitch << 1;
        weight += 8;
      } while (weight != end);
      const to = dV + c;
      v128.store(to, f32x4.add(v128.load(to), f32x4.add(a0, b0)));
      v128.store(to + pitch, f32x4.add(v128.load(to + pitch), f32x4.add(a1, b1)));
      v128.store(to + 2 * pitch, f32x4.add(v128.load(to + 2 * pitch), f32x4.add(a2, b2)));
      v128.store(to + 3 * pitch, f32x4.add(v128.load(to + 3 * pitch), f32x4.add(a3, b3)));
    }
    w += 4 * ROW;
    dV += pitch << 2;
  }
}

/** c [keys][32], q [32][P], k [keys][P] -> dq [32][P], dk [keys][P], added. */
export function point_backward(c: usize, q: usize, k: usize, dq: usize, dk: usize, keys: i32, width: i32): void {
  const pitch = <usize>width << 2;
  for (let j = 0; j < keys; j += 4) {
    for (let at: usize = 0; at < pitch; at += 16) {
      const key = k + at, dKey = dk + at;
      const k0 = v128.load(key), k1 = v128.load(key + pitch);
      const k2 = v128.load(key + 2 * pitch), k3 = v128.load(key + 3 * pitch);
      let d0 = f32x4.splat(0), d1 = f32x4.splat(0), d2 = f32x4.splat(0), d3 = f32x4.splat(0);
      let row = q + at, dRow = dq + at, slope = c;
      const end = c + ROW;
      do {
        const x = v128.load(row);
        const t0 = f32x4.mul(v128.load32_splat(slope), f32x4.sub(x, k0));
        d0 = f32x4.add(d0, t0);
        const t1 = f32x4.mul(v128.load32_splat(slope, 128), f32x4.sub(x, k1));
        d1 = f32x4.add(d1, t1);
        const t2 = f32x4.mul(v128.load32_splat(slope, 256), f32x4.sub(x, k2));
        d2 = f32x4.add(d2, t2);
        const t3 = f32x4.mul(v128.load32_splat(slope, 384), f32x4.sub(x, k3));
        d3 = f32x4.add(d3, t3);
        v128.store(dRow, f32x4.add(v128.load(dRow), f32x4.add(f32x4.add(t0, t1), f32x4.add(t2, t3))));
        row += pitch;
        dRow += pitch;
        slope += 4;
      } while (slope != end);
      v128.store(dKey, f32x4.sub(v128.load(dKey), d0));
      v128.store(dKey + pitch, f32x4.sub(v128.load(dKey + pitch), d1));
      v128.store(dKey + 2 * pitch, f32x4.sub(v128.load(dKey + 2 * pitch), d2));
      v128.store(dKey + 3 * pitch, f32x4.sub(v128.load(dKey + 3 * pitch), d3));
    }
    c += 4 * ROW;
    k += pitch << 2;
    dk += pitch << 2;
  }
}

/** As `point_backward`, with g [keys][32] of 1 for acute pairs and -1 for obtuse ones. */
export function sphere_backward(
  c: usize, g: usize, q: usize, k: usize, dq: usize, dk: usize, keys: i32, width: i32,
): void {
  const pitch = <usize>width << 2;
  for (let j = 0; j < keys; j++) {
    for (let at: usize = 0; at < pitch; at += 16) {
      const key = v128.load(k + at);
      let sum = f32x4.splat(0);
      for (let i: usize = 0; i < <usize>BLOCK; i++) {
        const sign = v128.load32_splat(g + (i << 2));
        const difference = f32x4.sub(v128.load(q + i * pitch + at), f32x4.mul(sign, key));
        const t = f32x4.mul(v128.load32_splat(c + (i << 2)), difference);
        sum = f32x4.add(sum, t);
        const dRow = dq + i * pitch + at;
        v128.store(dRow, madd(sign, t, v128.load(dRow)));
      }
      v128.store(dk + at, f32x4.sub(v128.load(dk + at), sum));
    }
    c += ROW;
    g += ROW;
    k += pitch;
    dk += pitch;
  }
}
