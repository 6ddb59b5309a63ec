/**
 * From scaled distances to unnormalised weights, one tile of 32 query lanes and up to 64 keys at a time (equations
 * section 4):
 *
 *   s_ij = -(d_M + alpha) log(1 + z_ij)   or   -z_ij^2      score_forward, with the largest score of each query
 *   w_ij = e^(s_ij - r_i),  l_i = sum_j w_ij                weight_forward
 *
 * Separate passes over the 8 KiB tile are faster than one fused loop: the chains of two polynomials do not fit into the
 * window in which a core reorders.
 */
import { exp } from "./math/exp";
import { log1p_general, log1p_medium, log1p_small, MEDIUM_Z, SMALL_Z } from "./math/log1p";
import { ROW } from "./distance";

/** Score of a masked pair: finite, so that no difference of two scores is NaN. */
export const MASKED: f32 = -3e38;

/** Beyond this all pairs are equally far, so that no score reaches MASKED. */
const LARGEST_SQUARE: f32 = 1e37;

const GAUSS = 3;

// @ts-ignore: decorator
@inline
function score(t: usize, z: v128, kind: i32): v128 {
  if (kind == 0) return log1p_small(t, z);
  if (kind == 1) return log1p_medium(t, z);
  if (kind == 2) return log1p_general(t, z);
  return f32x4.neg(f32x4.pmin(f32x4.splat(LARGEST_SQUARE), z));
}

// @ts-ignore: decorator
@inline
function scores(t: usize, z: usize, s: usize, top: usize, keys: i32, kind: i32): void {
  const bytes = <usize>keys << 7;
  for (let lane: usize = 0; lane < ROW; lane += 16) {
    let from = z + lane;
    const end = from + bytes;
    let m0 = f32x4.splat(MASKED), m1 = m0;
    const to = s - z;
    do {
      const x = score(t, v128.load(from), kind);
      v128.store(from + to, x);
      m0 = f32x4.pmax(m0, x);
      const y = score(t, v128.load(from, 128), kind);
      v128.store(from + to, y, 128);
      m1 = f32x4.pmax(m1, y);
      from += 2 * ROW;
    } while (from != end);
    v128.store(top + lane, f32x4.pmax(m0, m1));
  }
}

/** Scores of `keys` keys (a multiple of 4) and the largest of each query, [32], into `top`. */
export function score_forward(t: usize, z: usize, s: usize, top: usize, keys: i32, gauss: bool, largest: v128): void {
  if (gauss) return scores(t, z, s, top, keys, GAUSS);
  if (!v128.any_true(f32x4.gt(largest, f32x4.splat(SMALL_Z)))) return scores(t, z, s, top, keys, 0);
  if (!v128.any_true(f32x4.gt(largest, f32x4.splat(MEDIUM_Z)))) return scores(t, z, s, top, keys, 1);
  scores(t, z, s, top, keys, 2);
}

/** Reads s, writes w, and adds the tile's sums to `sum`, [32]. */
export function weight_forward(t: usize, s: usize, w: usize, reference: usize, sum: usize, keys: i32): void {
  const bytes = <usize>keys << 7;
  for (let lane: usize = 0; lane < ROW; lane += 16) {
    const r = v128.load(reference + lane);
    let from = s + lane;
    const end = from + bytes;
    const to = w - s;
    let l0 = f32x4.splat(0), l1 = l0;
    do {
      const x = exp(t, f32x4.sub(v128.load(from), r));
      v128.store(from + to, x);
      l0 = f32x4.add(l0, x);
      const y = exp(t, f32x4.sub(v128.load(from, 128), r));
      v128.store(from + to, y, 128);
      l1 = f32x4.add(l1, y);
      from += 2 * ROW;
    } while (from != end);
    v128.store(sum + lane, f32x4.add(v128.load(sum + lane), f32x4.add(l0, l1)));
  }
}

/**
 * Normalised weights from the caller's log-sum-exp: e^(s_ij - L_i), at most 1. Where L is so large that its own
 * rounding is felt, this keeps a row from outgrowing its size.
 */
export function weight_backward(t: usize, s: usize, w: usize, level: usize, keys: i32): void {
  const bytes = <usize>keys << 7;
  const zero = f32x4.splat(0);
  for (let lane: usize = 0; lane < ROW; lane += 16) {
    const l = v128.load(level + lane);
    let from = s + lane;
    const end = from + bytes;
    const to = w - s;
    do {
      v128.store(from + to, exp(t, f32x4.pmin(zero, f32x4.sub(v128.load(from), l))));
      v128.store(from + to, exp(t, f32x4.pmin(zero, f32x4.sub(v128.load(from, 128), l))), 128);
      from += 2 * ROW;
    } while (from != end);
  }
}
