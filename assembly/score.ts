/**
 * From distances to unnormalised weights, one tile of 32 query lanes and up to 64 keys at a time (equations section 4):
 *
 *   z_ij = zs d_ij,  s_ij = -(d_M + alpha) log(1 + z_ij)   or   -z_ij^2     score_forward
 *   w_ij = e^(s_ij - r_i),  l_i = sum_j w_ij                                weight_forward
 *
 * Separate passes over the 8 KiB tile are faster than one fused loop: the chains of two polynomials do not fit into the
 * window in which a core reorders. For the same reason four rows go in step in each.
 */
import { EXP } from "./math/exp";
import { highest_of, log1p_rows, lowest_of } from "./math/log1p";
import { madd } from "./math/madd";
import { ROW, rowsOf } from "./distance";

/** Score of a masked pair: finite, so that no difference of two scores is NaN. */
export const MASKED: f32 = -3e38;

/**
 * z, or at alpha = 2 z^2, in place of what the distance pass left: `scale` times its root or, without `root`, times
 * itself. Then scores of `keys` keys (`rowsOf`) by the formula of `range`, and the largest of each query, [32], into `top`.
 */
export function score_forward(
  t: usize, z: usize, s: usize, top: usize, keys: i32, stair: i32, root: bool, scale: f32, range: i32,
): void {
  const lowest = lowest_of(t, range), highest = highest_of(t, range);
  const factor = f32x4.splat(scale);
  for (let lane: usize = 0; lane < ROW; lane += 16) {
    let from = z + lane;
    const end = from + (<usize>rowsOf(lane, keys, stair) << 7);
    const to = s - z;
    let m = f32x4.splat(MASKED);
    do {
      let z0 = v128.load(from), z1 = v128.load(from, ROW), z2 = v128.load(from, 2 * ROW), z3 = v128.load(from, 3 * ROW);
      if (root) {
        z0 = f32x4.sqrt(z0);
        z1 = f32x4.sqrt(z1);
        z2 = f32x4.sqrt(z2);
        z3 = f32x4.sqrt(z3);
      }
      z0 = f32x4.mul(z0, factor);
      z1 = f32x4.mul(z1, factor);
      z2 = f32x4.mul(z2, factor);
      z3 = f32x4.mul(z3, factor);
      v128.store(from, z0);
      v128.store(from, z1, ROW);
      v128.store(from, z2, 2 * ROW);
      v128.store(from, z3, 3 * ROW);
      m = f32x4.pmax(m, log1p_rows(t, range, lowest, highest, z0, z1, z2, z3, from + to));
      from += 4 * ROW;
    } while (from != end);
    v128.store(top + lane, m);
  }
}

/**
 * Reads s, writes w = e^(s - r), four rows in step as `exp` makes them one by one, with r from `level`, [32]. Forward,
 * the tile's sums are added to `sum`, [32]. In the backward pass `sum` is 0, r is the caller's log-sum-exp, and a weight
 * is at most 1: where L is so large that its own rounding is felt, this keeps a row from outgrowing its size.
 */
export function weight_forward(
  t: usize, s: usize, w: usize, level: usize, sum: usize, keys: i32, stair: i32,
): void {
  const lowest = t + (EXP + 2) * 16;
  const zero = f32x4.splat(0);
  for (let lane: usize = 0; lane < ROW; lane += 16) {
    const r = v128.load(level + lane);
    let from = s + lane;
    const end = from + (<usize>rowsOf(lane, keys, stair) << 7);
    let l0 = zero, l1 = zero;
    do {
      let x0 = f32x4.sub(v128.load(from), r);
      let x1 = f32x4.sub(v128.load(from, ROW), r);
      let x2 = f32x4.sub(v128.load(from, 2 * ROW), r);
      let x3 = f32x4.sub(v128.load(from, 3 * ROW), r);
      if (!sum) {
        x0 = f32x4.pmin(zero, x0);
        x1 = f32x4.pmin(zero, x1);
        x2 = f32x4.pmin(zero, x2);
        x3 = f32x4.pmin(zero, x3);
      }
      const smallest = v128.load(t, EXP * 16), log2e = v128.load(t, (EXP + 8) * 16);
      x0 = f32x4.pmax(smallest, f32x4.mul(x0, log2e));
      x1 = f32x4.pmax(smallest, f32x4.mul(x1, log2e));
      x2 = f32x4.pmax(smallest, f32x4.mul(x2, log2e));
      x3 = f32x4.pmax(smallest, f32x4.mul(x3, log2e));
      const magic = v128.load(t, (EXP + 1) * 16);
      const n0 = f32x4.add(x0, magic);
      const n1 = f32x4.add(x1, magic);
      const n2 = f32x4.add(x2, magic);
      const n3 = f32x4.add(x3, magic);
      x0 = f32x4.sub(x0, f32x4.sub(n0, magic));
      x1 = f32x4.sub(x1, f32x4.sub(n1, magic));
      x2 = f32x4.sub(x2, f32x4.sub(n2, magic));
      x3 = f32x4.sub(x3, f32x4.sub(n3, magic));
      let c = t + (EXP + 7) * 16;
      let p0 = v128.load(c), p1 = p0, p2 = p0, p3 = p0;
      do {
        c -= 16;
        const next = v128.load(c);
        p0 = madd(p0, x0, next);
        p1 = madd(p1, x1, next);
        p2 = madd(p2, x2, next);
        p3 = madd(p3, x3, next);
      } while (c != lowest);
      p0 = i32x4.add(p0, i32x4.shl(n0, 23));
      p1 = i32x4.add(p1, i32x4.shl(n1, 23));
      p2 = i32x4.add(p2, i32x4.shl(n2, 23));
      p3 = i32x4.add(p3, i32x4.shl(n3, 23));
      const to = from + w - s;
      v128.store(to, p0);
      v128.store(to, p1, ROW);
      v128.store(to, p2, 2 * ROW);
      v128.store(to, p3, 3 * ROW);
      l0 = f32x4.add(f32x4.add(l0, p0), p2);
      l1 = f32x4.add(f32x4.add(l1, p1), p3);
      from += 4 * ROW;
    } while (from != end);
    if (sum) v128.store(sum + lane, f32x4.add(v128.load(sum + lane), f32x4.add(l0, l1)));
  }
}
