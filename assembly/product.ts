/**
 * P_ij = dO_i . V_j for a tile of 32 queries and up to 64 keys (equations section 9), or q_i . k_j for some of its pairs
 * of lane vectors; the shape of the loop is that of `distance.ts`.
 * Shapes: cotangents [4 pairs][V][8 lanes], values [16 groups][V][4], result [64 keys][32 lanes].
 */
import { madd } from "./math/madd";

export function product_forward(dO: usize, v: usize, p: usize, groups: i32, dim: i32, pairs: i32): void {
  const bytes = <usize>dim << 4;
  for (let pair = 0; pair < pairs; pair++) {
    let value = v;
    let out = p;
    const outEnd = p + (<usize>groups << 9);
    do {
      let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
      let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
      let row = dO;
      const end = value + bytes;
      do {
        const x = v128.load(row);
        const y = v128.load(row, 16);
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
        row += 32;
        value += 16;
      } while (value != end);
      v128.store(out, a0);
      v128.store(out, b0, 16);
      v128.store(out, a1, 128);
      v128.store(out, b1, 144);
      v128.store(out, a2, 256);
      v128.store(out, b2, 272);
      v128.store(out, a3, 384);
      v128.store(out, b3, 400);
      out += 512;
    } while (out != outEnd);
    dO += bytes << 1;
    p += 32;
  }
}
