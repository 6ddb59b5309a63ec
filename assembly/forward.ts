/**
 * Attention over one block of 32 queries after another, streaming over tiles of 64 keys (equations sections 6 and 7):
 *
 *   O_i = sum_j w_ij V_j / l_i,   l_i = sum_j w_ij,   L_i = r_i + log l_i,   w_ij = e^(s_ij - r_i)
 *
 * r_i is a running reference of the exponents: the largest score of the first tile that the row sees, raised only when
 * a later score passes it by 28, so that sums are rescaled a few times at most and a weight never overflows.
 * Memory beyond the arrays of the call is the packed head and one tile: O(M), never N x M.
 */
import { ROW } from "./distance";
import { exp } from "./math/exp";
import { log } from "./math/log";
import {
  inTiles, KEY_SIDE, lanes_of_rows, pack_columns, pack_points, QUERY_SIDE, squares_of_rows, stage_points, transpose,
} from "./pack";
import { weight_forward } from "./score";
import {
  batch, bind, BLOCK, claimPacked, columns, D, degree, delta, E, Field, field, groups, groupSquares, head, isBound, keep,
  keyLength, keyRow, laneRows, lanes, laneSquares, M, N, outputs, P, pointer, poison, queryLength, queryRow, reference,
  s, stage, sum, table, top, unbind, V, W, w,
} from "./state";
import { begin_block, constants, flags, masked, row0, rowEnd, stair, tile_forward, tileEnd, tileRowCount, UNSEEN } from "./tile";
import { value_forward } from "./value";

const NAN: i32 = 0x7fc00000;

/** References rise where the tile's maxima demand it; sums and outputs follow. */
function raise(values: bool): void {
  for (let lane: usize = 0; lane < ROW; lane += 16) {
    const r = v128.load(reference + lane), t = v128.load(top + lane);
    const higher = f32x4.gt(t, f32x4.add(r, f32x4.splat(28)));
    if (!v128.any_true(higher)) continue;
    const next = v128.bitselect(t, r, higher);
    const factor = exp(table, f32x4.sub(r, next));
    v128.store(reference + lane, next);
    v128.store(sum + lane, f32x4.mul(v128.load(sum + lane), factor));
    if (!values) continue;
    let o = outputs + (lane >> 5) * (<usize>W << 5) + (lane & 16);
    for (let c = 0; c < W; c++) {
      v128.store(o, f32x4.mul(v128.load(o), factor));
      o += 32;
    }
  }
}

/** Sums, and with `values` outputs, of one block of lanes over all rows of the other side. */
export function block_forward(lane0: i32, valid: i32, limit: i32, laneIsQuery: bool, bias: usize, values: bool): void {
  for (let lane: usize = 0; lane < ROW; lane += 16) {
    v128.store(reference + lane, f32x4.splat(UNSEEN));
    v128.store(sum + lane, f32x4.splat(0));
  }
  if (values) memory.fill(outputs, 0, <usize>W * ROW);
  begin_block(lane0, valid, laneIsQuery);
  for (let first = 0; first < limit; first = tileEnd) {
    if (!tile_forward(lane0, valid, first, limit, laneIsQuery, bias, <f32>degree, 0, laneIsQuery)) continue;
    raise(values);
    weight_forward(table, s, w, reference, sum, tileRowCount, stair);
    if (values) value_forward(w, columns + inTiles(row0, <usize>W << 2), outputs, tileRowCount, stair, W >> 2);
  }
}

/** Stages and packs the block's lanes: rows of queries, or of keys for column sums. */
export function pack_lanes(lane0: i32, valid: i32, laneIsQuery: bool, norms: usize): void {
  const first = laneIsQuery ? queryRow : keyRow;
  const from = pointer(laneIsQuery ? Field.Q : Field.K) + (first + <usize>lane0) * (<usize>D << 2);
  const bad = flags(laneIsQuery);
  stage_points(from, valid, BLOCK, bad ? bad + lane0 : 0, laneIsQuery ? QUERY_SIDE : KEY_SIDE,
    reinterpret<f32>(field(Field.SCALE)), laneRows, norms);
  squares_of_rows(laneRows, BLOCK, laneSquares);
  lanes_of_rows(laneRows, <usize>P << 2, E, lanes);
}

/** Packs the side that the tiles run over. `rows` and `norms` as in `pack_points`. */
export function pack_groups(query: bool, rows: usize, norms: usize): void {
  const from = pointer(query ? Field.Q : Field.K) + (query ? queryRow : keyRow) * (<usize>D << 2);
  pack_points(from, query ? queryLength : keyLength, flags(query), query ? QUERY_SIDE : KEY_SIDE,
    reinterpret<f32>(field(Field.SCALE)), groups, groupSquares, rows, norms);
}

/** log N_C of the head's keys, or 0. */
export function column_sums(): usize {
  const at = pointer(Field.COLUMN_SUMS);
  return at ? at + (<usize>batch * <usize>field(Field.HEADS) + <usize>head) * (<usize>M << 2) : 0;
}

/** Makes (b, h) the head at hand and packs its keys and values, unless that is so already. */
function forward_head(b: i32, h: i32): void {
  if (isBound(b, h)) return;
  bind(b, h);
  constants();
  if (claimPacked()) return;
  pack_groups(false, 0, 0);
  const values = pointer(Field.V);
  if (values) pack_columns(values + keyRow * (<usize>V << 2), keyLength, flags(false), columns);
}

/** Blocks [from, to) of (b, h): output and log-sum-exp. */
export function forward_unit(b: i32, h: i32, from: i32, to: i32): void {
  forward_head(b, h);
  for (let block = from; block < to; block++) {
    const i0 = block * BLOCK;
    const rows = min(BLOCK, N - i0);
    const valid = max(0, min(rows, queryLength - i0));
    pack_lanes(i0, valid, true, 0);
    block_forward(i0, valid, keyLength, true, column_sums(), true);
    const first = queryRow + <usize>i0;
    write_rows(pointer(Field.OUTPUT) + first * (<usize>V << 2), rows, valid);
    write_levels(pointer(Field.LOG_SUM_EXP) + (first << 2), rows, valid);
  }
}

/** log N_C,j of all keys of (b, h), of which a masked one gets 0 and one that sees a bad query NaN. */
export function column_sums_unit(b: i32, h: i32, _from: i32, _to: i32): void {
  bind(b, h);
  constants();
  pack_groups(true, 0, 0);
  const to = column_sums();
  for (let j0 = 0; j0 < M; j0 += BLOCK) {
    const rows = min(BLOCK, M - j0);
    const valid = max(0, min(rows, keyLength - j0));
    pack_lanes(j0, valid, false, 0);
    block_forward(j0, valid, queryLength, false, 0, false);
    write_levels(to + (<usize>j0 << 2), rows, valid);
  }
  for (let j = 0; j < M; j++) {
    if (load<f32>(to + (<usize>j << 2)) == -Infinity) store<f32>(to + (<usize>j << 2), 0);
  }
  unbind();
}

/** r + log l for each lane; -Infinity for a lane that saw nothing. */
function write_levels(to: usize, rows: i32, valid: i32): void {
  for (let lane = 0; lane < rows; lane++) {
    const at = <usize>lane << 2;
    const l = <f64>load<f32>(sum + at);
    let level: f32 = -Infinity;
    if (lane < valid && l > 0) level = <f32>(<f64>load<f32>(reference + at) + log(l));
    store<f32>(to + at, level);
    if (load<i32>(poison + at) & 1) store<i32>(to + at, NAN);
  }
}

/** O / l, transposed to rows of V; rows from `valid` on are zero, poisoned ones NaN. */
function write_rows(to: usize, rows: i32, valid: i32): void {
  const bytes = <usize>V << 2;
  for (let half: usize = 0; half < 8; half++) {
    const lane0 = <i32>half * 4;
    if (lane0 >= rows) return;
    const l = v128.load(sum + (half << 4));
    const limit = i32x4.lt_s(i32x4.add(i32x4.splat(lane0), i32x4(0, 1, 2, 3)), i32x4.splat(valid));
    const inverse = v128.and(f32x4.div(f32x4.splat(1), l), v128.and(f32x4.gt(l, f32x4.splat(0)), limit));
    const bad = v128.load(poison + (half << 4));
    const nan = v128.and(i32x4.ne(bad, i32x4.splat(0)), i32x4.splat(NAN));
    let o = outputs + (half >> 1) * (<usize>W << 5) + ((half & 1) << 4);
    for (let c = 0; c < V; c += 4) {
      for (let i: usize = 0; i < 4; i++) {
        const x = f32x4.mul(v128.load(o + (i << 5)), inverse);
        v128.store(stage + (i << 4), v128.or(x, nan));
      }
      const row = to + <usize>lane0 * bytes + (<usize>c << 2);
      scatter(row, bytes, min(4, rows - lane0), min(4, V - c));
      o += 128;
    }
  }
}

/** Stores the transpose of the 4 x 4 block in `stage`: `rows` rows of `width` numbers, `pitch` bytes apart. */
export function scatter(to: usize, pitch: usize, rows: i32, width: i32): void {
  if (rows == 4 && width == 4) {
    transpose(stage, 16, 4, to, pitch);
    return;
  }
  transpose(stage, 16, 4, stage, 16);
  for (let r = 0; r < rows; r++) {
    const from = stage + (<usize>r << 4);
    for (let c = 0; c < width; c++) store<f32>(to + (<usize>c << 2), load<f32>(from + (<usize>c << 2)));
    to += pitch;
  }
}

/** Blocks [from, to) of (b, h): rows of the weight matrix, the first at the call's buffer for weights. */
export function weights_unit(b: i32, h: i32, from: i32, to: i32): void {
  forward_head(b, h);
  let out = pointer(Field.WEIGHTS);
  for (let block = from; block < to; block++) {
    const i0 = block * BLOCK;
    const rows = min(BLOCK, N - i0);
    const valid = max(0, min(rows, queryLength - i0));
    memory.fill(out, 0, <usize>rows * (<usize>M << 2));
    pack_lanes(i0, valid, true, 0);
    block_forward(i0, valid, keyLength, true, column_sums(), false);
    for (let first = 0; first < keyLength; first = tileEnd) {
      if (!tile_forward(i0, valid, first, keyLength, true, column_sums(), <f32>degree, 0, true)) continue;
      write_weights(out + (<usize>row0 << 2), valid, rowEnd - row0);
    }
    out += <usize>rows * (<usize>M << 2);
  }
}

/** e^(s - r) / l of the tile, transposed to rows of M. */
function write_weights(to: usize, valid: i32, keys: i32): void {
  // The sums over all tiles are known already: those of this one go where nobody looks.
  weight_forward(table, s, w, reference, delta, tileRowCount, stair);
  const bytes = <usize>M << 2;
  for (let half: usize = 0; half < 8; half++) {
    const lane0 = <i32>half * 4;
    if (lane0 >= valid) return;
    const lane = half << 4;
    const l = v128.load(sum + lane);
    const nan = v128.and(i32x4.ne(v128.load(poison + lane), i32x4.splat(0)), i32x4.splat(NAN));
    for (let j = 0; j < keys; j += 4) {
      for (let i: usize = 0; i < 4; i++) {
        const at = (<usize>j + i) * ROW + lane;
        let x = f32x4.div(v128.load(w + at), l);
        const kept = masked ? v128.load(keep + at) : i32x4.splat(-1);
        x = v128.and(v128.or(x, nan), kept);
        v128.store(stage + (i << 4), x);
      }
      scatter(to + <usize>lane0 * bytes + (<usize>j << 2), bytes, min(4, valid - lane0), min(4, keys - j));
    }
  }
}
