/**
 * From weights and inner products to the coefficients of the points' gradients, one tile (equations section 9):
 *
 *   dS_ij = w_ij (P_ij - delta_i)   [- a G_j C_ij with degree normalisation]
 *   dS_ij (ds/dz)(dz/dd)/d_ij:
 *     euclidean      alpha < 2    c = -dS (d_M + alpha) zs^2 / (z (1 + z)), 0 at z = 0      alpha = 2    c = -2 dS zs^2
 *     sphere         alpha < 2    c = -dS (d_M + alpha) zs / ((1 + z) sin theta)  alpha = 2    c = -2 dS z zs/sin theta
 *   A = sum dS s  (s before the degree bias),  Z = sum dS z/(1 + z),  or sum dS z^2 at alpha = 2
 *
 * A and Z become dAlpha and dKappa. Each is summed over a tile in float32 lanes and over tiles in float64.
 */
import { ROW } from "./distance";
import { exp } from "./math/exp";
import { delta, exponent, gauss, level, p, s, signs, sphere, table, w, z, zs } from "./state";

/** The two sums over pairs. */
export let orderSum: f64 = 0;
export let scaleSum: f64 = 0;

export function clear_sums(): void {
  orderSum = 0;
  scaleSum = 0;
}

/** A pair whose slope is NaN spoils both. */
export function spoil_sums(): void {
  orderSum = NaN;
  scaleSum = NaN;
}

/** dS in place of P. */
export function score_backward(rows: i32): void {
  for (let lane: usize = 0; lane < ROW; lane += 16) {
    const d = v128.load(delta + lane);
    let at = lane;
    const end = lane + (<usize>rows << 7);
    do {
      v128.store(p + at, f32x4.mul(v128.load(w + at), f32x4.sub(v128.load(p + at), d)));
      at += ROW;
    } while (at != end);
  }
}

/** G_j += sum_i dS_ij of the tile's rows, in float64. */
export function column_backward(rows: i32, sums: usize): void {
  for (let r = 0; r < rows; r++) {
    const at = p + <usize>r * ROW;
    let x = v128.load(at);
    for (let lane: usize = 16; lane < ROW; lane += 16) x = f32x4.add(x, v128.load(at + lane));
    const total = <f64>f32x4.extract_lane(x, 0) + <f64>f32x4.extract_lane(x, 1) +
      <f64>f32x4.extract_lane(x, 2) + <f64>f32x4.extract_lane(x, 3);
    store<f64>(sums + (<usize>r << 3), load<f64>(sums + (<usize>r << 3)) + total);
  }
}

/**
 * dS_ij -= a G_j C_ij with C_ij = e^(s_ij - log N_C,j), where the score carries -a log N_C,j already; s gets it back.
 * `keep` is 0 or the mask of the tile.
 */
export function degree_backward(rows: i32, a: f64, bias: usize, sums: usize, keep: usize): void {
  for (let r = 0; r < rows; r++) {
    const b = load<f32>(bias + (<usize>r << 2)), g = load<f64>(sums + (<usize>r << 3));
    // A NaN is a key that a bad row has seen: what it spoils is marked elsewhere.
    const column = f32x4.splat(isNaN(b) ? 0 : b), shift = f32x4.splat(isNaN(b) ? 0 : <f32>a * b);
    const factor = f32x4.splat(isNaN(g) ? 0 : <f32>(a * g));
    for (let lane: usize = 0; lane < ROW; lane += 16) {
      const at = <usize>r * ROW + lane;
      // Lanes without weights have a level beyond any score.
      const live = f32x4.lt(v128.load(level + lane), f32x4.splat(1e37));
      const kept = keep ? v128.and(v128.load(keep + at), live) : live;
      const score = v128.and(f32x4.add(v128.load(s + at), shift), kept);
      const share = v128.and(exp(table, f32x4.sub(score, column)), kept);
      v128.store(s + at, score);
      v128.store(p + at, f32x4.sub(v128.load(p + at), f32x4.mul(factor, share)));
    }
  }
}

/** c, or with `negative` -c, in place of dS, and the two sums. */
export function slope_backward(rows: i32, negative: bool): void {
  const onSphere = sphere, gaussian = gauss;
  // In the plane zs^2 and z (1 + z) together may leave float32 where the slope does not: then zs goes into each factor.
  const apart = !onSphere && !(zs < 256 && zs > 1e-6);
  const one = f32x4.splat(1), zero = f32x4.splat(0);
  // Where z^2 has vanished, so has z zs.
  const unit = f32x4.splat(<f32>(onSphere ? max(zs, 1e-38) : zs));
  const factor = gaussian ? -2 * zs * zs : apart ? -exponent : -exponent * zs * (onSphere ? 1 : zs);
  const scale = f32x4.splat(<f32>(negative ? -factor : factor));
  const end = <usize>rows << 7;
  let order = zero, length = zero;
  for (let at: usize = 0; at < end; at += 16) {
    const dS = v128.load(p + at), x = v128.load(z + at);
    let c: v128;
    if (gaussian) {
      length = f32x4.add(length, f32x4.mul(dS, x));
      c = f32x4.mul(dS, scale);
    } else {
      const ratio = f32x4.div(one, f32x4.mul(f32x4.add(one, x), onSphere || apart ? one : x));
      // s is MASKED where dS is 0: the product is finite.
      order = f32x4.add(order, f32x4.mul(dS, v128.load(s + at)));
      let slope = apart ? f32x4.mul(f32x4.mul(ratio, unit), f32x4.div(unit, x)) : ratio;
      if (!onSphere) slope = v128.and(slope, f32x4.gt(x, zero));
      // z/(1 + z) first: in the plane dS/(z (1 + z)) of a far pair may be subnormal and have few digits.
      const share = f32x4.mul(apart ? ratio : slope, x);
      length = f32x4.add(length, f32x4.mul(dS, onSphere || apart ? share : f32x4.mul(share, x)));
      c = f32x4.mul(f32x4.mul(dS, slope), scale);
    }
    if (onSphere) {
      // c^2/4 = sin^2(theta/2) = y:  sin theta = 2 sqrt(y (1 - y)).  At alpha = 2, z/sin theta is finite at 0.
      const code = v128.load(signs + at);
      const y = f32x4.mul(f32x4.abs(code), f32x4.splat(0.25));
      const sine = f32x4.mul(f32x4.splat(2), f32x4.sqrt(f32x4.mul(y, f32x4.sub(one, y))));
      if (gaussian) c = f32x4.mul(c, f32x4.div(f32x4.sqrt(x), unit));
      c = v128.and(f32x4.div(c, sine), f32x4.gt(sine, zero));
      v128.store(signs + at, v128.or(one, v128.and(code, i32x4.splat(0x80000000))));
    }
    v128.store(p + at, c);
  }
  orderSum += total(order);
  scaleSum += total(length);
}

/** The sum of the lanes. */
export function total(x: v128): f64 {
  return <f64>f32x4.extract_lane(x, 0) + <f64>f32x4.extract_lane(x, 1) +
    <f64>f32x4.extract_lane(x, 2) + <f64>f32x4.extract_lane(x, 3);
}
