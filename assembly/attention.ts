/**
 * Fractional neural attention in float32 SIMD: what the host calls. One instance serves one thread; the memory is
 * imported, so that instances of several threads can share it. `open` comes first, with a call record and the scratch
 * of the thread; see `state.ts` for the records that the host writes. Then, in this order, each over all heads:
 *
 *   bandwidth_unit         where a bandwidth is measured; the host then completes the head records
 *   column_sums_unit       where keys are weighted by degree
 *   forward_unit, weights_unit, or for each key head backward_unit of all its query heads and backward_finish
 *                          (backward_part is all of that); where keys are weighted by degree, backward_columns_unit
 *                          over all blocks comes first
 *
 * A unit is (b, h, first block, end); the blocks of a head may be split in any way without changing a bit of the
 * result.
 */
export { bandwidth_unit } from "./bandwidth";
export { backward_columns_unit, backward_finish, backward_part, backward_unit } from "./backward";
export { column_sums_unit, forward_unit, weights_unit } from "./forward";
export { has_zero_row, largest_bits, mark_bad_rows } from "./pack";
export { open, scratch_bytes } from "./state";
