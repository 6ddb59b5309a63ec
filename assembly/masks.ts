/**
 * Masks of one tile (equations section 5). A pair (query i, key j), position p = i + keyLength - queryLength, is masked
 * when
 *
 *   i >= queryLength;  j >= keyLength;  causal and j > p;  excludeSelf and j = p;  the caller's mask says so;
 *   window >= 0 and |p - j| > window, unless j < g or 0 <= p < g for g global tokens
 *
 * `classify` decides from the ranges alone whether a tile is skipped, computed as it is, or computed with a mask, so
 * the cost follows the unmasked pairs. `build_keep` writes the mask of a tile, all ones = keep, [64][32]. Either side
 * can be the lanes: queries in attention, keys where columns are summed. The distance threshold is no part of this, as
 * it needs the distance.
 */
import { ROW } from "./distance";
import { batch, Field, field, head, keyLength, pointer, queryLength } from "./state";

export const SKIP: i32 = 0;
export const FULL: i32 = 1;
export const PARTIAL: i32 = 2;

/**
 * Whether queries [i0, i1) and keys [j0, j1) have any, only, or some unmasked pairs. Both ranges within the lengths.
 */
export function classify(i0: i32, i1: i32, j0: i32, j1: i32): i32 {
  if (i0 >= i1 || j0 >= j1) return SKIP;
  if (field(Field.IGNORE_MASKS)) return FULL;
  const offset = keyLength - queryLength;
  const p0 = i0 + offset, p1 = i1 - 1 + offset;
  j1--;
  let kind = FULL;
  if (field(Field.CAUSAL)) {
    if (j0 > p1) return SKIP;
    if (j1 > p0) kind = PARTIAL;
  }
  if (field(Field.EXCLUDE_SELF) && p0 <= j1 && j0 <= p1) kind = PARTIAL;
  const window = field(Field.WINDOW);
  if (window >= 0) {
    const g = field(Field.GLOBAL_TOKENS);
    if (max(j1 - p0, p1 - j0) > window) {
      const anyGlobal = j0 < g || (p0 < g && p1 >= 0);
      if (max(j0 - p1, p0 - j1) > window && !anyGlobal) return SKIP;
      if (!(j1 < g || (p0 >= 0 && p1 < g))) kind = PARTIAL;
    }
  }
  if (field(Field.MASK)) {
    const explicit = explicit_kind(i0, i1, j0, j1 + 1);
    if (explicit == SKIP) return SKIP;
    if (explicit == PARTIAL) kind = PARTIAL;
  }
  return kind;
}

/** Address of the caller's mask for query i and key j. */
// @ts-ignore: decorator
@inline
function explicit(i: i32, j: i32): usize {
  return pointer(Field.MASK) + <usize>batch * pointer(Field.MASK_BATCH) + <usize>head * pointer(Field.MASK_HEAD) +
    <usize>i * pointer(Field.MASK_QUERY) + <usize>j;
}

function explicit_kind(i0: i32, i1: i32, j0: i32, j1: i32): i32 {
  let any = false, all = true;
  if (!pointer(Field.MASK_QUERY)) i1 = i0 + 1;
  for (let i = i0; i < i1; i++) {
    let at = explicit(i, j0);
    const end = at + <usize>(j1 - j0);
    while (at + 16 <= end) {
      const bytes = v128.load(at);
      any = any || v128.any_true(bytes);
      all = all && i8x16.all_true(bytes);
      at += 16;
    }
    while (at < end) {
      const byte = load<u8>(at);
      any = any || byte != 0;
      all = all && byte != 0;
      at++;
    }
    if (any && !all) return PARTIAL;
  }
  return all ? SKIP : any ? PARTIAL : FULL;
}

/**
 * The mask of 32 lanes from `lane0` and `rows` tile rows from `row0`, of which those from the lengths on are masked.
 * `laneIsQuery` tells which side is which.
 */
export function build_keep(lane0: i32, row0: i32, rows: i32, laneIsQuery: bool, keep: usize): void {
  const offset = keyLength - queryLength;
  const ignore = field(Field.IGNORE_MASKS) != 0;
  const causal = !ignore && field(Field.CAUSAL) != 0;
  const exclude = !ignore && field(Field.EXCLUDE_SELF) != 0;
  const window = ignore ? -1 : field(Field.WINDOW);
  const width = i32x4.splat(window);
  const g = i32x4.splat(field(Field.GLOBAL_TOKENS));
  const rowLimit = laneIsQuery ? keyLength : queryLength;
  const laneLimit = i32x4.splat(laneIsQuery ? queryLength : keyLength);
  for (let lane = 0; lane < 32; lane += 4) {
    const here = i32x4.add(i32x4.splat(lane0 + lane), i32x4(0, 1, 2, 3));
    const outside = i32x4.ge_s(here, laneLimit);
    let row = i32x4.splat(row0);
    for (let r = 0; r < rows; r++) {
      const p = i32x4.add(laneIsQuery ? here : row, i32x4.splat(offset));
      const j = laneIsQuery ? row : here;
      let masked = v128.or(outside, i32x4.ge_s(row, i32x4.splat(rowLimit)));
      if (causal) masked = v128.or(masked, i32x4.gt_s(j, p));
      if (exclude) masked = v128.or(masked, i32x4.eq(j, p));
      if (window >= 0) {
        const far = i32x4.gt_s(i32x4.abs(i32x4.sub(p, j)), width);
        const near = v128.or(i32x4.lt_s(j, g), v128.and(i32x4.lt_s(p, g), i32x4.ge_s(p, i32x4.splat(0))));
        masked = v128.or(masked, v128.andnot(far, near));
      }
      v128.store(keep + <usize>r * ROW + (<usize>lane << 2), v128.not(masked));
      row = i32x4.add(row, i32x4.splat(1));
    }
  }
  if (ignore || !field(Field.MASK)) return;
  const lanes = min(32, (laneIsQuery ? queryLength : keyLength) - lane0);
  for (let r = 0; r < min(rows, rowLimit - row0); r++) {
    for (let lane = 0; lane < lanes; lane++) {
      const at = laneIsQuery ? explicit(lane0 + lane, row0 + r) : explicit(row0 + r, lane0 + lane);
      if (load<u8>(at)) store<i32>(keep + <usize>r * ROW + (<usize>lane << 2), 0);
    }
  }
}
