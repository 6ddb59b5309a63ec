/**
 * Angles of a tile of 32 queries and up to 64 keys on the unit sphere (equations section 2), scaled:
 *
 *   c^2 = |q - k|^2 while it is at most 2, otherwise -|q + k|^2, coded by the sign          chord_forward
 *   z_ij = zs theta_ij, or its square for the Gaussian kernel                               angle_forward
 *
 * Between 2 and 3 the sum's square is 4 - |q - k|^2, to the rounding of the inputs; beyond, where that would cancel,
 * the group of 4 keys is summed again with the sign of k turned. Shapes, and sums of partial sums, as in `distance.ts`.
 */
import { CHUNK, ROW } from "./distance";
import { angle } from "./math/asin";
import { madd } from "./math/madd";

/** Square of |x -+ k| of 8 lanes and 4 keys. */
function chords(query: usize, key: usize, end: usize, out: usize, plus: bool): v128 {
  let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
  let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
  const turn = i32x4.splat(plus ? 0x80000000 : 0);
  do {
    const stop = min(end, key + CHUNK);
    let c0 = f32x4.splat(0), c1 = f32x4.splat(0), c2 = f32x4.splat(0), c3 = f32x4.splat(0);
    let d0 = f32x4.splat(0), d1 = f32x4.splat(0), d2 = f32x4.splat(0), d3 = f32x4.splat(0);
    do {
      const x = v128.load(query);
      const y = v128.load(query, 16);
      const k0 = v128.xor(turn, v128.load32_splat(key));
      const s0 = f32x4.sub(x, k0), t0 = f32x4.sub(y, k0);
      c0 = madd(s0, s0, c0);
      d0 = madd(t0, t0, d0);
      const k1 = v128.xor(turn, v128.load32_splat(key, 4));
      const s1 = f32x4.sub(x, k1), t1 = f32x4.sub(y, k1);
      c1 = madd(s1, s1, c1);
      d1 = madd(t1, t1, d1);
      const k2 = v128.xor(turn, v128.load32_splat(key, 8));
      const s2 = f32x4.sub(x, k2), t2 = f32x4.sub(y, k2);
      c2 = madd(s2, s2, c2);
      d2 = madd(t2, t2, d2);
      const k3 = v128.xor(turn, v128.load32_splat(key, 12));
      const s3 = f32x4.sub(x, k3), t3 = f32x4.sub(y, k3);
      c3 = madd(s3, s3, c3);
      d3 = madd(t3, t3, d3);
      query += 32;
      key += 16;
    } while (key != stop);
    a0 = f32x4.add(a0, c0);
    b0 = f32x4.add(b0, d0);
    a1 = f32x4.add(a1, c1);
    b1 = f32x4.add(b1, d1);
    a2 = f32x4.add(a2, c2);
    b2 = f32x4.add(b2, d2);
    a3 = f32x4.add(a3, c3);
    b3 = f32x4.add(b3, d3);
  } while (key != end);
  store_coded(out, a0, plus);
  store_coded(out + 16, b0, plus);
  store_coded(out + 128, a1, plus);
  store_coded(out + 144, b1, plus);
  store_coded(out + 256, a2, plus);
  store_coded(out + 272, b2, plus);
  store_coded(out + 384, a3, plus);
  store_coded(out + 400, b3, plus);
  a0 = f32x4.pmax(f32x4.pmax(a0, b0), f32x4.pmax(a1, b1));
  a2 = f32x4.pmax(f32x4.pmax(a2, b2), f32x4.pmax(a3, b3));
  return f32x4.pmax(a0, a2);
}

/** Codes the squares, or with `plus` replaces those of obtuse pairs beyond 3 by their exact sums. */
function store_coded(out: usize, a: v128, plus: bool): void {
  if (plus) {
    const x = v128.load(out);
    // -1 codes a difference squared of 3.
    const far = v128.and(f32x4.ge(x, f32x4.splat(-1.0001)), i32x4.lt_s(x, f32x4.splat(0)));
    v128.store(out, v128.bitselect(f32x4.neg(a), x, far));
  } else {
    const sum = f32x4.neg(f32x4.pmax(f32x4.splat(0), f32x4.sub(f32x4.splat(4), a)));
    v128.store(out, v128.bitselect(sum, a, f32x4.gt(a, f32x4.splat(2))));
  }
}

/** Writes the coded squares of `groups` groups of 4 keys. */
export function chord_forward(q: usize, k: usize, z: usize, groups: i32, dim: i32): void {
  const bytes = <usize>dim << 4;
  for (let pair = 0; pair < 4; pair++) {
    for (let g = 0; g < groups; g++) {
      const key = k + <usize>g * bytes;
      const out = z + (<usize>g << 9);
      const largest = chords(q, key, key + bytes, out, false);
      if (v128.any_true(f32x4.gt(largest, f32x4.splat(3)))) chords(q, key, key + bytes, out, true);
    }
    q += bytes << 1;
    z += 32;
  }
}

/**
 * Replaces the coded squares by z, or z^2, and returns the largest of each lane. `copy` is 0 or receives the coded
 * squares.
 */
export function angle_forward(t: usize, z: usize, keys: i32, zs: f64, gauss: bool, copy: usize): v128 {
  const scale = f32x4.splat(<f32>zs);
  let largest = f32x4.splat(0);
  const end = z + <usize>keys * ROW;
  const offset = copy - z;
  while (z < end) {
    const coded = v128.load(z);
    if (copy) v128.store(z + offset, coded);
    const theta = f32x4.mul(angle(t, coded), scale);
    v128.store(z, gauss ? f32x4.mul(theta, theta) : theta);
    largest = f32x4.pmax(largest, theta);
    z += 16;
  }
  return largest;
}
