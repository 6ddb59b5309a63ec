/**
 * One tile of pairs, 32 lanes by up to 64 rows, from packed points to masked scores (equations sections 2 to 6):
 *
 *   s_ij = log Phi(z_ij) - b_j,   or MASKED,  and its maximum over the tile for each lane
 *
 * with b_j = a log N_C,j when degree normalisation is on. The same code serves attention (lanes are queries) and column
 * sums (lanes are keys), as the score is symmetric. After it, `z`, `s`, `top` and, where `masked`, `keep` describe the
 * tile.
 */
import { distance_forward, EXPANDED_FROM, EXPANDED_TO, ROW } from "./distance";
import { asin_constants } from "./math/asin";
import { exp_constants } from "./math/exp";
import { log1p_constants, NEGATION, range_of } from "./math/log1p";
import { build_keep, classify, FULL, PARTIAL, SKIP } from "./masks";
import { MASKED, score_forward } from "./score";
import { angle_forward, chord_forward } from "./sphere";
import {
  batch, BLOCK, E, exempt, exponent, Field, field, gauss, groups, groupSquares, head, keep, keyLength, keyRow, lanes,
  laneSquares, largestZ, pointer, poison, queryLength, queryRow, roundUp, s, sphere, table, threshold, TILE, top, z, zs,
} from "./state";

/** Reference of a lane that has seen no unmasked pair: below any score, above MASKED. */
export const UNSEEN: f32 = -1.5e38;

/**
 * Whether the tile at hand has a mask in `keep`, its rows [row0, rowEnd), and how many that is as a multiple of 4; where
 * the next tile starts; and the rows that the first lanes need (see `rowsOf`), beyond which nothing of theirs is set.
 */
export let masked: bool = false;
export let row0: i32 = 0;
export let rowEnd: i32 = 0;
export let tileEnd: i32 = 0;
export let stair: i32 = 0;
export let tileRowCount: i32 = 0;

/** Tables of the head at hand. */
export function constants(): void {
  exp_constants(table);
  log1p_constants(table, -exponent);
  asin_constants(table);
}

/** Flags of the rows on a side of the tile, or 0 when no row of the call is bad. */
// @ts-ignore: decorator
@inline
export function flags(query: bool): usize {
  const at = pointer(query ? Field.BAD_QUERIES : Field.BAD_KEYS);
  return at ? at + (query ? queryRow : keyRow) : 0;
}

/** Clears what the tiles of a block collect, and notes which of its lanes are bad. */
export function begin_block(lane0: i32, valid: i32, laneIsQuery: bool): void {
  const bad = flags(laneIsQuery);
  for (let lane = 0; lane < BLOCK; lane++) {
    const at = <usize>lane << 2;
    const flag = bad && lane < valid ? load<u8>(bad + lane0 + lane) & 1 : 0;
    store<i32>(exempt + at, -<i32>flag);
    store<i32>(poison + at, 0);
  }
}

/**
 * Scores of lanes [lane0, lane0 + valid) against those rows that they can see from `first` to the next multiple of 64,
 * and below `limit`. False when that is none. `bias` is 0 or the column sums of the head's keys, `a` their factor;
 * `codes` as in `angle_forward`. Scores of masked pairs may be left out if `sparse`.
 */
export function tile_forward(
  lane0: i32, valid: i32, first: i32, limit: i32, laneIsQuery: bool, bias: usize, a: f32, codes: usize,
  sparse: bool,
): bool {
  row0 = first;
  tileEnd = min((first & -TILE) + TILE, limit);
  rowEnd = tileEnd;
  if (laneIsQuery) clip(lane0, valid);
  const kind = laneIsQuery
    ? classify(lane0, lane0 + valid, row0, rowEnd)
    : classify(row0, rowEnd, lane0, lane0 + valid);
  if (kind == SKIP) return false;
  const rows = rowEnd - row0;
  const bad = pointer(Field.BAD_KEYS) != 0;
  tileRowCount = roundUp(rows, 4);
  stair = tileRowCount;
  if (sparse && field(Field.CAUSAL) && !field(Field.IGNORE_MASKS)) {
    stair = roundUp(lane0 + keyLength - queryLength + 8 - row0, 4);
  }
  masked = kind == PARTIAL || threshold || bad || tileRowCount != rows;
  const k = groups + <usize>row0 * (<usize>E << 2);
  let largest = f32x4.splat(0);
  if (sphere) {
    chord_forward(lanes, k, z, tileRowCount >> 2, E);
    largest = angle_forward(table, z, tileRowCount, zs, gauss, codes);
  } else {
    const expanded = E >= EXPANDED_FROM && E <= EXPANDED_TO && !masked;
    const kk = groupSquares + (<usize>row0 << 2);
    largest = distance_forward(lanes, k, z, tileRowCount, stair, E, expanded, laneSquares, kk);
  }
  if (masked) {
    build_keep(lane0, row0, tileRowCount, laneIsQuery, keep);
    if (threshold && !field(Field.IGNORE_MASKS)) apply_threshold(row0, rows, laneIsQuery);
    if (bad) collect_poison(row0, rows, laneIsQuery, bias);
    largest = largest_kept(tileRowCount);
  }
  // The angle comes scaled, and squared where the kernel wants it; the plane has a square at first.
  const root = !sphere && !gauss;
  const scale = <f32>(sphere ? 1 : gauss ? zs * zs : zs);
  if (root) largest = f32x4.mul(f32x4.sqrt(largest), f32x4.splat(scale));
  score_forward(table, z, s, top, tileRowCount, stair, root, scale, gauss ? NEGATION : range_of(largest));
  if (masked || bias) adjust(bias ? bias + (<usize>row0 << 2) : 0, a, rows);
  return true;
}

/**
 * Leaves out the keys at the ends of the tile that no query of the block can see; what is left starts at a multiple of
 * 4.
 */
function clip(i0: i32, valid: i32): void {
  if (field(Field.IGNORE_MASKS)) return;
  const p0 = i0 + keyLength - queryLength, p1 = p0 + valid - 1;
  if (field(Field.CAUSAL)) {
    // Keys that all queries see make a tile of their own, without a mask.
    const seen = (p0 + 1) & -4;
    if (seen > row0 && seen < tileEnd) tileEnd = seen;
    rowEnd = min(tileEnd, p1 + 1);
  }
  const window = field(Field.WINDOW), g = field(Field.GLOBAL_TOKENS);
  if (window < 0 || (p0 < g && p1 >= 0)) return;
  rowEnd = min(rowEnd, max(p1 + window + 1, g));
  if (row0 >= g) row0 = max(row0, (p0 - window) & -4);
}

/** The largest of `z` that the mask keeps: the choice of polynomial must not depend on what stands behind the mask. */
function largest_kept(rows: i32): v128 {
  let largest = f32x4.splat(0);
  const end = <usize>rows * ROW;
  for (let at: usize = 0; at < end; at += 16) {
    largest = f32x4.pmax(largest, v128.and(v128.load(z + at), v128.load(keep + at)));
  }
  return largest;
}

/**
 * keep = keep and z < tau, from what stands in `z` before `score_forward`, except where a bad row on either side makes
 * the distance meaningless.
 */
function apply_threshold(row0: i32, rows: i32, laneIsQuery: bool): void {
  // In the plane `z` has d^2 still, on the sphere z, or its square.
  const tau = sphere ? largestZ : largestZ / zs;
  // No distance is below a negative one, nor its square.
  const limit = f32x4.splat(<f32>(sphere && !gauss ? tau : tau * abs(tau)));
  const bad = flags(!laneIsQuery);
  for (let r = 0; r < rows; r++) {
    if (bad && load<u8>(bad + row0 + r) & 1) continue;
    const row = <usize>r * ROW;
    for (let lane: usize = 0; lane < ROW; lane += 16) {
      const near = v128.or(f32x4.lt(v128.load(z + row + lane), limit), v128.load(exempt + lane));
      v128.store(keep + row + lane, v128.and(v128.load(keep + row + lane), near));
    }
  }
}

/** Flags of bad rows, and of keys whose column sum is NaN, go to every lane that sees them. */
function collect_poison(row0: i32, rows: i32, laneIsQuery: bool, bias: usize): void {
  const bad = flags(!laneIsQuery);
  for (let r = 0; r < rows; r++) {
    let flag = <i32>load<u8>(bad + row0 + r);
    if (bias && isNaN(load<f32>(bias + (<usize>(row0 + r) << 2)))) flag |= 1;
    const row = <usize>r * ROW;
    for (let lane: usize = 0; lane < ROW; lane += 16) {
      const own = v128.and(v128.load(exempt + lane), i32x4.splat(1));
      const seen = v128.and(v128.load(keep + row + lane), v128.or(own, i32x4.splat(flag)));
      v128.store(poison + lane, v128.or(v128.load(poison + lane), seen));
    }
  }
}

/** s - a b_j where kept, MASKED elsewhere, and the new maxima. */
function adjust(bias: usize, a: f32, rows: i32): void {
  const none = f32x4.splat(MASKED);
  for (let lane: usize = 0; lane < ROW; lane += 16) {
    let m = none;
    for (let r = 0; r < tileRowCount; r++) {
      const at = <usize>r * ROW + lane;
      let x = v128.load(s + at);
      if (bias && r < rows) {
        const b = load<f32>(bias + (<usize>r << 2));
        x = f32x4.sub(x, f32x4.splat(isNaN(b) ? 0 : a * b));
      }
      if (masked) x = v128.bitselect(x, none, v128.load(keep + at));
      v128.store(s + at, x);
      m = f32x4.pmax(m, x);
    }
    v128.store(top + lane, m);
  }
}
