/**
 * Constants of the vector loops, one v128 each, in the scratch memory of the thread. A loop that loads a constant costs
 * one load port slot; the same constant written as a literal is rebuilt from integer registers where it is used.
 */

/** Bytes of the table. */
export const TABLE_BYTES: usize = 64 * 16;

/** Sets entry `index` to `value` in all lanes. Not inlined, as a vector constant takes 16 bytes of the module. */
export function constant(table: usize, index: usize, value: f32): void {
  v128.store(table + index * 16, f32x4.splat(value));
}

/** Sets entry `index` to the bits `value` in all lanes. */
export function constant_bits(table: usize, index: usize, value: i32): void {
  v128.store(table + index * 16, i32x4.splat(value));
}
