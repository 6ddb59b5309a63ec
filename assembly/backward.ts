/**
 * Gradients of attention (equations section 9), streaming like the forward pass: weights are formed again from the
 * scores and the caller's log-sum-exp, so that no N x M matrix is kept.
 *
 *   w_ij = e^(s_ij - L_i),  delta_i = dO_i . O_i,  dS_ij = w_ij (dO_i . V_j - delta_i)
 *   with degree normalisation a pass before sums G_j = sum_i dS_ij, and dS_ij becomes dS_ij - a G_j C_ij
 *   sphere:  dx = (I - x^ x^T) dx^ / |x|
 *
 * dq of a block of 32 queries and dk, dV of the key head are summed in scratch; query heads that share a key head
 * follow each other and add up. A row that is NaN in the forward pass, and whatever it touches, is left out of the sums
 * and marked.
 */
import { apart, ROW } from "./distance";
import {
  batch, bind, BLOCK, claimPacked, columnGradients, D, degree, delta, dKeys, dLanes, dLaneSums, dOutputRows, dOutputs,
  dValues, E, Field, field, gauss, groups, head, isBound, keep, keyLength, keyRow, laneColumns, laneFlags, laneNorms,
  laneRows, laneTotals, level, M, N, outputs, P, p, pointer, queryLength, queryRow, roundUp, rowFlags, rowTotals, s,
  signs, sphere, stage, table, TILE, tileNorms, tileRows, unbind, V, valueGroups, W, w,
} from "./state";
import { madd } from "./math/madd";
import { column_sums, pack_groups, pack_lanes } from "./forward";
import { columns_of_rows, inTiles, lanes_of_rows, largest_bits, pack_values, stage_values, transpose } from "./pack";
import { product_forward } from "./product";
import { weight_forward } from "./score";
import {
  clear_sums, column_backward, degree_backward, orderSum, scaleSum, score_backward, slope_backward, spoil_sums,
} from "./slope";
import { apart_backward, point_backward, sphere_backward, value_backward } from "./spread";
import { begin_block, constants, flags, masked, row0, rowEnd, tile_forward, tileEnd, tileRowCount } from "./tile";

const NAN: i32 = 0x7fc00000;
/** Level of a lane without weights: e^(s - level) is 0 for every score. */
const NOTHING: f32 = 1e38;
/** Flags of a query: its weights are NaN; its dS are NaN; some dS of it is, by the column sum of a key. */
const BAD_WEIGHTS: i32 = 1;
const BAD_SLOPES: i32 = 2;
const BAD_COLUMN: i32 = 4;

/** Makes (b, h) the head at hand; a new key head is packed and its gradients are cleared. */
function backward_head(b: i32, h: i32): void {
  if (isBound(b, h)) return;
  bind(b, h);
  constants();
  clear_sums();
  if (column_sums()) memory.fill(columnGradients, 0, <usize>roundUp(M, TILE) << 3);
  if (claimPacked()) return;
  pack_groups(false, tileRows, tileNorms);
  pack_values(pointer(Field.V) + keyRow * (<usize>V << 2), keyLength, flags(false), valueGroups);
  const rows = <usize>roundUp(M, TILE);
  memory.fill(dKeys, 0, rows * (<usize>P << 2));
  memory.fill(dValues, 0, rows * (<usize>W << 2));
  memory.fill(rowTotals, 0, rows << 2);
  memory.fill(rowFlags, 0, rows);
}

/** Stages dO of the block, and delta and the level of each lane. True when a lane is bad. */
function begin_rows(i0: i32, valid: i32): bool {
  const bytes = <usize>V << 2;
  const first = queryRow + <usize>i0;
  const dO = pointer(Field.D_OUTPUT) + first * bytes, o = pointer(Field.OUTPUT) + first * bytes;
  stage_values(dO, valid, BLOCK, 0, outputs);
  let any = false;
  for (let lane = 0; lane < BLOCK; lane++) {
    const at = <usize>lane << 2, row = <usize>lane * bytes;
    let d: f32 = 0, l: f32 = NOTHING, flag = 0;
    const logSum = lane < valid ? load<f32>(pointer(Field.LOG_SUM_EXP) + (first << 2) + at) : -Infinity;
    // A row that attends to nothing has no gradient, whatever its cotangent.
    if (logSum != -Infinity) {
      const finite = largest_bits(dO + row, <usize>V) < 0x7f800000;
      if (isNaN(logSum) || logSum == Infinity || !finite) flag = BAD_WEIGHTS | BAD_SLOPES;
      else if (largest_bits(o + row, <usize>V) >= 0x7f800000) flag = BAD_SLOPES;
      if (!(flag & BAD_WEIGHTS)) l = logSum;
      if (!flag) d = inner_product(dO + row, o + row);
    }
    if (l == NOTHING) memory.fill(outputs + <usize>lane * (<usize>W << 2), 0, bytes);
    store<f32>(delta + at, d);
    store<f32>(level + at, l);
    store<i32>(laneFlags + at, flag);
    any = any || flag != 0;
  }
  lanes_of_rows(outputs, <usize>W << 2, V, dOutputs);
  columns_of_rows(outputs, BLOCK, W, dOutputRows, ROW << 2);
  return any;
}

/**
 * In the order and rounding of `product_forward`: where one key has all the weight, P - delta is exactly 0, as it
 * should be.
 */
function inner_product(a: usize, b: usize): f32 {
  let sum = f32x4.splat(0);
  for (let c: usize = 0; c < <usize>V << 2; c += 4) sum = madd(v128.load32_splat(a + c), v128.load32_splat(b + c), sum);
  return f32x4.extract_lane(sum, 0);
}

// @ts-ignore: decorator
@inline
function flagOf(lane: i32): i32 {
  return load<i32>(laneFlags + (<usize>lane << 2));
}

// @ts-ignore: decorator
@inline
function kept(r: i32, lane: i32): bool {
  return !masked || load<i32>(keep + <usize>r * ROW + (<usize>lane << 2)) != 0;
}

/** Weights and dS of one tile; false when it is skipped. */
function tile_backward(i0: i32, valid: i32, first: i32): bool {
  if (!tile_forward(i0, valid, first, keyLength, true, column_sums(), <f32>degree, signs, false)) return false;
  weight_forward(table, s, w, level, 0, tileRowCount, tileRowCount);
  const rows = <usize>row0;
  product_forward(dOutputs, valueGroups + rows * (<usize>V << 2), p, tileRowCount >> 2, V, 4);
  score_backward(tileRowCount);
  return true;
}

/** The pass over blocks [from, to) of (b, h) that sums G_j; only with degree normalisation, and over all blocks. */
export function backward_columns_unit(b: i32, h: i32, from: i32, to: i32): void {
  backward_head(b, h);
  for (let block = from; block < to; block++) {
    const i0 = block * BLOCK;
    const valid = max(0, min(BLOCK, queryLength - i0));
    const bad = begin_block_backward(i0, valid);
    for (let first = 0; first < keyLength; first = tileEnd) {
      if (!tile_backward(i0, valid, first)) continue;
      column_backward(rowEnd - row0, columnGradients + (<usize>row0 << 3));
      if (bad) {
        for (let r = 0; r < rowEnd - row0; r++) {
          if (seen(r, BAD_SLOPES)) store<f64>(columnGradients + (<usize>(row0 + r) << 3), NaN);
        }
      }
    }
  }
}

function begin_block_backward(i0: i32, valid: i32): bool {
  pack_lanes(i0, valid, true, laneNorms);
  columns_of_rows(laneRows, BLOCK, P, laneColumns, ROW << 2);
  begin_block(i0, valid, true);
  return begin_rows(i0, valid);
}

/** Blocks [from, to) of (b, h): dq, and their share of dk and dV, which backward_finish writes after the last. */
export function backward_unit(b: i32, h: i32, from: i32, to: i32): void {
  backward_head(b, h);
  const bias = column_sums();
  for (let block = from; block < to; block++) {
    const i0 = block * BLOCK;
    const rows = min(BLOCK, N - i0);
    const valid = max(0, min(rows, queryLength - i0));
    const bad = begin_block_backward(i0, valid);
    memory.fill(dLanes, 0, <usize>P * ROW);
    memory.fill(dLaneSums, 0, <usize>P * ROW);
    memory.fill(laneTotals, 0, ROW);
    for (let first = 0; first < keyLength; first = tileEnd) {
      if (!tile_backward(i0, valid, first)) continue;
      const row = <usize>row0;
      if (bias) {
        degree_backward(rowEnd - row0, degree, bias + (row << 2), columnGradients + (row << 3), masked ? keep : 0);
      }
      value_backward(w, dOutputRows, dValues + inTiles(row0, <usize>W << 2), tileRowCount, W >> 2);
      const products = apart && !sphere;
      slope_backward(tileRowCount, products);
      const k = tileRows + inTiles(row0, <usize>P << 2), dk = dKeys + inTiles(row0, <usize>P << 2);
      if (sphere) sphere_backward(p, signs, laneColumns, k, dLanes, dk, tileRowCount, P >> 2);
      else if (products) {
        const totals = rowTotals + (row << 2);
        apart_backward(p, laneColumns, k, dLaneSums, dk, laneTotals, totals, tileRowCount, P >> 2);
      } else point_backward(p, laneColumns, k, dLanes, dk, tileRowCount, P >> 2);
      if (bad || bias) mark(bias != 0);
    }
    const first = (queryRow + <usize>i0) * (<usize>D << 2);
    add_lanes(dLaneSums, dLanes);
    finish_points(laneColumns, dLanes, laneNorms, laneTotals, rows, ROW << 2, pointer(Field.DQ) + first);
    for (let lane = 0; lane < valid; lane++) {
      if (!(flagOf(lane) & (BAD_SLOPES | BAD_COLUMN))) continue;
      fill_nan(pointer(Field.DQ) + first + <usize>lane * (<usize>D << 2), D);
    }
  }
  const heads = <usize>field(Field.HEADS);
  const row = (<usize>part * <usize>field(Field.BATCH) + <usize>batch) * heads + <usize>head;
  const sums = pointer(Field.D_HEADS) + row * 16;
  store<f64>(sums, load<f64>(sums) + orderSum);
  store<f64>(sums, load<f64>(sums, 8) + scaleSum, 8);
  clear_sums();
}

/** Whether row r of the tile is kept by a lane with the flag. */
function seen(r: i32, flag: i32): bool {
  for (let lane = 0; lane < BLOCK; lane++) {
    if (flagOf(lane) & flag && kept(r, lane)) return true;
  }
  return false;
}

/** Marks the keys that bad queries see, and with `columns` the queries that see a key whose G is NaN. */
function mark(columns: bool): void {
  for (let j = row0; j < rowEnd; j++) {
    const r = j - row0;
    let flag = (seen(r, BAD_WEIGHTS) ? 1 : 0) | (seen(r, BAD_SLOPES) ? 2 : 0);
    if (columns && isNaN(load<f64>(columnGradients + (<usize>j << 3)))) {
      for (let lane = 0; lane < BLOCK; lane++) {
        if (!kept(r, lane)) continue;
        store<i32>(laneFlags + (<usize>lane << 2), flagOf(lane) | BAD_COLUMN);
        flag |= 2;
      }
    }
    if (!flag) continue;
    store<u8>(rowFlags + <usize>j, load<u8>(rowFlags + <usize>j) | <u8>flag);
    spoil_sums();
  }
}

/** Adds [4 pairs][P/4][4][8 lanes] to [P/4][32 lanes][4]. */
function add_lanes(from: usize, to: usize): void {
  for (let lane: usize = 0; lane < 32; lane += 4) {
    let x = from + (lane >> 3) * (<usize>P << 5) + ((lane & 4) << 2), y = to + (lane << 4);
    for (let g = 0; g < P; g += 4) {
      transpose(x, 32, 4, stage, 16);
      for (let at: usize = 0; at < 64; at += 16) {
        v128.store(y + at, f32x4.add(v128.load(y + at), v128.load(stage + at)));
      }
      x += 128;
      y += ROW << 2;
    }
  }
}

/**
 * Scratch gradients, in groups of `pitch` bytes, to the caller's rows: less `totals` times the point in the plane, on
 * the sphere projected onto the tangent plane and divided by the norm.
 */
function finish_points(
  points: usize, gradient: usize, norms: usize, totals: usize, rows: i32, pitch: usize, to: usize,
): void {
  const scale = reinterpret<f32>(field(Field.SCALE));
  for (let r = 0; r < rows; r++) {
    let along: f64 = load<f32>(totals + (<usize>r << 2)), factor: f64 = scale;
    if (sphere) {
      for (let d = 0; d < E; d++) along += component(points, d, pitch) * component(gradient, d, pitch);
      factor = load<f32>(norms + (<usize>r << 2));
    }
    for (let d = 0; d < D; d++) {
      const x = component(gradient, d, pitch) - along * component(points, d, pitch);
      store<f32>(to + (<usize>d << 2), <f32>(x * factor));
    }
    points += 16;
    gradient += 16;
    to += <usize>D << 2;
  }
}

// @ts-ignore: decorator
@inline
function component(at: usize, d: i32, pitch: usize): f64 {
  return load<f32>(at + <usize>(d >> 2) * pitch + (<usize>(d & 3) << 2));
}

function fill_nan(to: usize, count: i32): void {
  for (let c: usize = 0; c < <usize>count << 2; c += 4) store<i32>(to + c, NAN);
}

/** Which copy of the sums over queries this thread adds to. */
let part: i32 = 0;

/** dk and dV of the key head at hand, to the copy at hand of the caller's arrays. */
export function backward_finish(): void {
  const copyRow = <usize>part * <usize>field(Field.BATCH) * <usize>field(Field.KEY_HEADS) * <usize>M + keyRow;
  const points = pointer(Field.DK) + copyRow * (<usize>D << 2), values = pointer(Field.DV) + copyRow * (<usize>V << 2);
  memory.fill(points, 0, <usize>M * (<usize>D << 2));
  memory.fill(values, 0, <usize>M * (<usize>V << 2));
  const bytes = <usize>P << 2;
  for (let j = 0; j < keyLength; j += TILE) {
    const tile = <usize>j;
    const rows = min(TILE, keyLength - j), to = points + tile * (<usize>D << 2);
    const row = tile << 2;
    finish_points(tileRows + tile * bytes, dKeys + tile * bytes, tileNorms + row, rowTotals + row, rows, 1024, to);
  }
  for (let j = 0; j < keyLength; j++) {
    const row = <usize>j, flag = load<u8>(rowFlags + row);
    for (let c = 0; c < V; c++) {
      const x = <f32>component(dValues + inTiles(j, <usize>W << 2), c, 1024);
      store<f32>(values + row * (<usize>V << 2) + (<usize>c << 2), x);
    }
    if (flag & 2) fill_nan(points + row * (<usize>D << 2), D);
    if (flag & 1) fill_nan(values + row * (<usize>V << 2), V);
  }
  unbind();
}

/**
 * What a thread takes at a time: all query heads of a key head, and of their blocks every parts-th one, from its own.
 * The sums of column gradients need all blocks, so that with degree normalisation there must be one part.
 */
export function backward_part(b: i32, key: i32, own: i32, parts: i32): void {
  part = own;
  const group = field(Field.HEADS) / field(Field.KEY_HEADS);
  const blocks = (N + BLOCK - 1) / BLOCK;
  for (let h = key * group; h < (key + 1) * group; h++) {
    if (pointer(Field.COLUMN_SUMS)) backward_columns_unit(b, h, 0, blocks);
    for (let block = own; block < blocks; block += parts) backward_unit(b, h, block, block + 1);
    // A part without a block still has its zeros to write.
    backward_head(b, h);
  }
  backward_finish();
  part = 0;
}
