/**
 * The sums over pairs that are gradients, one tile of 32 queries and up to 64 keys (equations section 9):
 *
 *   dV_j += sum_i w_ij dO_i                                        value_backward
 *   dq_i += sum_j c_ij (q_i - k_j),  dk_j -= the same terms        point_backward
 *   dq_i += sum_j g c_ij (q_i - g k_j),  dk_j -= sum_i c_ij (q_i - g k_j),  g = +-1       sphere_backward
 *
 * c (q - k) is formed pair by pair where points are close, as (sum c) q - sum c k would cancel. Both sums use the one
 * difference, which makes lanes of components the cheaper choice here. 4 keys and their gradients stay in registers
 * while the queries pass by. In a tile whose points are apart nothing cancels, and two products are cheaper:
 *
 *   g = -c:  dq_i += sum_j g_ij k_j - (sum_j g_ij) q_i,  dk_j += sum_i g_ij q_i - (sum_i g_ij) k_j      apart_backward
 *
 * Shapes: weights and c [64 keys][32 queries]; of the block [P/4 or W/4][32 rows][4], of the tile [P/4 or W/4][64
 * keys][4], so that the inner loop runs through memory in order.
 */
import { ROW } from "./distance";
import { madd } from "./math/madd";
import { total } from "./slope";
import { value_forward } from "./value";

/** Bytes of a group of 4 components of a block and of a tile. */
const BLOCK_GROUP: usize = 512;
const TILE_GROUP: usize = 1024;

/** w [keys][32], dO -> dV, added. Two groups of components at a time; where one is left over it goes with itself. */
export function value_backward(w: usize, dO: usize, dV: usize, keys: i32, groups: i32): void {
  const bytes = <usize>keys << 4;
  for (let g = 0; g < groups; g += 2) {
    const paired = g + 1 < groups;
    const other = paired ? BLOCK_GROUP : 0;
    let weight = w;
    for (let at: usize = 0; at < bytes; at += 64) {
      let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
      let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
      let row = dO;
      const end = dO + BLOCK_GROUP;
      do {
        const x = v128.load(row);
        const y = v128.load(row + other);
        const w0 = v128.load32_splat(weight);
        a0 = madd(x, w0, a0);
        b0 = madd(y, w0, b0);
        const w1 = v128.load32_splat(weight, 128);
        a1 = madd(x, w1, a1);
        b1 = madd(y, w1, b1);
        const w2 = v128.load32_splat(weight, 256);
        a2 = madd(x, w2, a2);
        b2 = madd(y, w2, b2);
        const w3 = v128.load32_splat(weight, 384);
        a3 = madd(x, w3, a3);
        b3 = madd(y, w3, b3);
        row += 16;
        weight += 4;
      } while (row != end);
      const to = dV + at;
      v128.store(to, f32x4.add(v128.load(to), a0));
      v128.store(to, f32x4.add(v128.load(to, 16), a1), 16);
      v128.store(to, f32x4.add(v128.load(to, 32), a2), 32);
      v128.store(to, f32x4.add(v128.load(to, 48), a3), 48);
      if (paired) {
        v128.store(to, f32x4.add(v128.load(to, 1024), b0), 1024);
        v128.store(to, f32x4.add(v128.load(to, 1040), b1), 1040);
        v128.store(to, f32x4.add(v128.load(to, 1056), b2), 1056);
        v128.store(to, f32x4.add(v128.load(to, 1072), b3), 1072);
      }
      weight += 3 * ROW;
    }
    dO += 2 * BLOCK_GROUP;
    dV += 2 * TILE_GROUP;
  }
}

/** c [keys][32], q, k -> dq, dk, added. */
export function point_backward(c: usize, q: usize, k: usize, dq: usize, dk: usize, keys: i32, groups: i32): void {
  const bytes = <usize>keys << 4;
  for (let g = 0; g < groups; g++) {
    let slope = c;
    for (let at: usize = 0; at < bytes; at += 64) {
      const key = k + at, to = dk + at;
      const k0 = v128.load(key), k1 = v128.load(key, 16), k2 = v128.load(key, 32), k3 = v128.load(key, 48);
      let d0 = f32x4.splat(0), d1 = f32x4.splat(0), d2 = f32x4.splat(0), d3 = f32x4.splat(0);
      let row = q, dRow = dq;
      const end = q + BLOCK_GROUP;
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
        row += 16;
        dRow += 16;
        slope += 4;
      } while (row != end);
      v128.store(to, f32x4.sub(v128.load(to), d0));
      v128.store(to, f32x4.sub(v128.load(to, 16), d1), 16);
      v128.store(to, f32x4.sub(v128.load(to, 32), d2), 32);
      v128.store(to, f32x4.sub(v128.load(to, 48), d3), 48);
      slope += 3 * ROW;
    }
    q += BLOCK_GROUP;
    dq += BLOCK_GROUP;
    k += TILE_GROUP;
    dk += TILE_GROUP;
  }
}

/**
 * g [keys][32], q, k -> the products, added to dq [4 pairs][P/4][4][8] and dk, and the sums of g, added to `lanes` [32]
 * and `rows` [keys].
 */
export function apart_backward(
  g: usize, q: usize, k: usize, dq: usize, dk: usize, lanes: usize, rows: usize, keys: i32, groups: i32,
): void {
  value_forward(g, k, dq, keys, keys, groups);
  value_backward(g, q, dk, keys, groups);
  for (let j = 0; j < keys; j++) {
    let sum = f32x4.splat(0);
    for (let lane: usize = 0; lane < ROW; lane += 16) {
      const x = v128.load(g + lane);
      sum = f32x4.add(sum, x);
      v128.store(lanes + lane, f32x4.add(v128.load(lanes + lane), x));
    }
    store<f32>(rows, load<f32>(rows) + <f32>total(sum));
    g += ROW;
    rows += 4;
  }
}

/** As `point_backward`, with g = signs [keys][32] of 1 for acute pairs and -1 for obtuse ones. */
export function sphere_backward(
  c: usize, signs: usize, q: usize, k: usize, dq: usize, dk: usize, keys: i32, groups: i32,
): void {
  for (let g = 0; g < groups; g++) {
    for (let j: usize = 0; j < <usize>keys; j++) {
      const key = v128.load(k + (j << 4));
      const slope = c + j * ROW, sign = signs + j * ROW;
      let sum = f32x4.splat(0);
      for (let i: usize = 0; i < 32; i++) {
        const turn = v128.load32_splat(sign + (i << 2));
        const difference = f32x4.sub(v128.load(q + (i << 4)), f32x4.mul(turn, key));
        const t = f32x4.mul(v128.load32_splat(slope + (i << 2)), difference);
        sum = f32x4.add(sum, t);
        const dRow = dq + (i << 4);
        v128.store(dRow, madd(turn, t, v128.load(dRow)));
      }
      v128.store(dk + (j << 4), f32x4.sub(v128.load(dk + (j << 4)), sum));
    }
    q += BLOCK_GROUP;
    dq += BLOCK_GROUP;
    k += TILE_GROUP;
    dk += TILE_GROUP;
  }
}
