/**
 * The scratch memory of the thread, laid out by `layers_open`: constants of the exponential, one tile of a product, strips
 * and panels of its factors. Module variables are the registers of the thread; nothing here is static data, because the
 * memory is shared with the kernels of attention.
 */
import { exp_constants } from "../math/exp";
import { TABLE_BYTES } from "../table";

/** Rows of a block whose sums are formed apart, so that a sum over many rows is a sum of partial sums. */
export const CHUNK: i32 = 64;

export let table: usize = 0;
/** A product's tile of 4 x 8 that does not fit its matrix. */
export let tile: usize = 0;
/** Rows of the left factor, four at a time; `STRIP_FLOATS` floats or 4 rows, whichever is more. */
export let strips: usize = 0;
/** CHUNK rows of the right factor of a gradient, or sums over columns. */
export let panels: usize = 0;

/** Floats of the left factor that stay in the first-level cache. */
export const STRIP_FLOATS: i32 = 4096;

// @ts-ignore: decorator
@inline
export function roundUp(n: i32, multiple: i32): i32 {
  return (n + multiple - 1) / multiple * multiple;
}

/** Bytes of scratch for matrices with rows of at most `width` floats. */
export function layers_scratch_bytes(width: i32): usize {
  const rows = max(STRIP_FLOATS, 4 * width) + CHUNK * 4;
  return TABLE_BYTES + 128 + (<usize>rows << 2) + (<usize>(CHUNK * roundUp(width, 8)) << 2);
}

/** Makes the memory at `scratch` that of this thread. */
export function layers_open(scratch: usize, width: i32): void {
  table = scratch;
  exp_constants(table);
  tile = table + TABLE_BYTES;
  strips = tile + 128;
  panels = strips + (<usize>(max(STRIP_FLOATS, 4 * width) + CHUNK * 4) << 2);
}
