/**
 * O_i += sum_j w_ij V_j over one tile (equations section 7).
 * Shapes: weights [64 keys][32 lanes], values [V/4 groups][64 keys][4], output [4 pairs][V/4 groups][4][8 lanes]. The
 * tile is summed in registers first, so a long row is a sum of partial sums. Keys are those of `rowsOf`.
 */
import { madd } from "./math/madd";
import { ROW, rowsOf } from "./distance";

export function value_forward(w: usize, v: usize, o: usize, keys: i32, stair: i32, groups: i32): void {
  for (let pair = 0; pair < 4; pair++) {
    let column = v;
    const bytes = <usize>rowsOf(pair << 5, keys, stair) << 4;
    for (let g = 0; g < groups; g++) {
      let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
      let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
      let value = column;
      let weight = w;
      const end = value + bytes;
      do {
        const x = v128.load(weight);
        const y = v128.load(weight, 16);
        const v0 = v128.load32_splat(value);
        a0 = madd(x, v0, a0);
        b0 = madd(y, v0, b0);
        const v1 = v128.load32_splat(value, 4);
        a1 = madd(x, v1, a1);
        b1 = madd(y, v1, b1);
        const v2 = v128.load32_splat(value, 8);
        a2 = madd(x, v2, a2);
        b2 = madd(y, v2, b2);
        const v3 = v128.load32_splat(value, 12);
        a3 = madd(x, v3, a3);
        b3 = madd(y, v3, b3);
        weight += ROW;
        value += 16;
      } while (value != end);
      v128.store(o, f32x4.add(v128.load(o), a0));
      v128.store(o, f32x4.add(v128.load(o, 16), b0), 16);
      v128.store(o, f32x4.add(v128.load(o, 32), a1), 32);
      v128.store(o, f32x4.add(v128.load(o, 48), b1), 48);
      v128.store(o, f32x4.add(v128.load(o, 64), a2), 64);
      v128.store(o, f32x4.add(v128.load(o, 80), b2), 80);
      v128.store(o, f32x4.add(v128.load(o, 96), a3), 96);
      v128.store(o, f32x4.add(v128.load(o, 112), b3), 112);
      o += 128;
      column += 1024;
    }
    w += 32;
  }
}
