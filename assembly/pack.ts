/**
 * From the caller's rows to the layouts that the loops read, in three steps: rows are staged (scaled or normalised, bad
 * rows zeroed, padded with zeros to a multiple of 4), then transposed 4 x 4.
 *
 *   euclidean  x' = x 2^-e, exact, so that no square overflows or vanishes; e = 0 for ordinary numbers
 *   sphere     x' = x / |x|, the norm in float64, so each component carries one rounding
 *
 * A zero vector has no direction: its angle to everything is pi/2. It becomes a unit vector along one of two extra
 * components, one for queries and one for keys, which is at that angle to everything there is.
 */
import { D, E, P, sphere, stage, TILE, V, W } from "./state";

/** Which of the two extra components a zero vector of this side points along. */
export const QUERY_SIDE: i32 = 0;
export const KEY_SIDE: i32 = 1;

/**
 * `bytes` bytes of 0, a multiple of 16. For rows, memory.fill and memory.copy are dearer: each is a call out of the
 * module.
 */
// @ts-ignore: decorator
@inline
function clear(to: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, i32x4.splat(0));
}

/** Copies `count` floats. */
// @ts-ignore: decorator
@inline
export function copy(to: usize, from: usize, count: i32): void {
  const bytes = <usize>count << 2;
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at));
  for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(from + at));
}

/** Largest absolute value of n floats, as bits: 0x7f800000 and above mean Infinity or NaN. */
export function largest_bits(from: usize, n: usize): u32 {
  const end = from + (n << 2);
  const magnitude = i32x4.splat(0x7fffffff);
  let m = i32x4.splat(0);
  while (from + 16 <= end) {
    m = i32x4.max_u(m, v128.and(v128.load(from), magnitude));
    from += 16;
  }
  let largest = max(
    max(<u32>i32x4.extract_lane(m, 0), <u32>i32x4.extract_lane(m, 1)),
    max(<u32>i32x4.extract_lane(m, 2), <u32>i32x4.extract_lane(m, 3)),
  );
  while (from < end) {
    largest = max(largest, load<u32>(from) & 0x7fffffff);
    from += 4;
  }
  return largest;
}

/** Sets `flag` in the byte of each row of `width` floats that holds a NaN or Infinity. */
export function mark_bad_rows(from: usize, rows: usize, width: usize, bytes: usize, flag: u8): void {
  for (let r: usize = 0; r < rows; r++) {
    if (largest_bits(from, width) >= 0x7f800000) store<u8>(bytes + r, load<u8>(bytes + r) | flag);
    from += width << 2;
  }
}

/** Whether any of the rows is a zero vector. */
export function has_zero_row(from: usize, rows: usize, width: usize): bool {
  for (let r: usize = 0; r < rows; r++) {
    if (largest_bits(from, width) == 0) return true;
    from += width << 2;
  }
  return false;
}

/**
 * Stages `count` rows of D floats as rows of P floats, and zero rows up to `padded`. `bad` is 0 or the address of the
 * rows' flags, of which bit 1 counts. `norms` is 0 or receives 1/|x|, 0 for a zero vector.
 */
export function stage_points(
  from: usize, count: i32, padded: i32, bad: usize, side: i32, scale: f32, to: usize, norms: usize,
): void {
  const bytes = <usize>P << 2;
  for (let r = 0; r < padded; r++) {
    let factor: f64 = scale;
    let zero = false;
    clear(to, bytes);
    if (r < count && !(bad && load<u8>(bad + r) & 1)) {
      if (sphere) {
        let squares: f64 = 0;
        for (let d = 0; d < D; d++) {
          const x = <f64>load<f32>(from + (<usize>d << 2));
          squares += x * x;
        }
        zero = squares == 0;
        factor = zero ? 0 : 1 / Math.sqrt(squares);
      }
      if (zero) store<f32>(to + (<usize>(D + side) << 2), 1);
      else if (!sphere && scale == 1) copy(to, from, D);
      else {
        for (let d = 0; d < D; d++) {
          const offset = <usize>d << 2;
          store<f32>(to + offset, <f32>(<f64>load<f32>(from + offset) * factor));
        }
      }
    }
    if (norms) store<f32>(norms + (<usize>r << 2), <f32>factor);
    from += <usize>D << 2;
    to += bytes;
  }
}

/** Stages `count` rows of V floats as rows of W floats, and zero rows up to `padded`. Rows with bit 2 are zero. */
export function stage_values(from: usize, count: i32, padded: i32, bad: usize, to: usize): void {
  const bytes = <usize>W << 2;
  for (let r = 0; r < padded; r++) {
    clear(to, bytes);
    if (r < count && !(bad && load<u8>(bad + r) & 2)) copy(to, from, V);
    from += <usize>V << 2;
    to += bytes;
  }
}

/** |x|^2 of `count` staged rows of P floats, each with one rounding. */
export function squares_of_rows(from: usize, count: i32, to: usize): void {
  for (let r = 0; r < count; r++) {
    let low = f64x2.splat(0), high = f64x2.splat(0);
    for (let d = 0; d < P; d += 4) {
      const x = v128.load(from);
      const a = f64x2.promote_low_f32x4(x), b = f64x2.promote_low_f32x4(i64x2.shuffle(x, x, 1, 1));
      low = f64x2.add(low, f64x2.mul(a, a));
      high = f64x2.add(high, f64x2.mul(b, b));
      from += 16;
    }
    const sum = f64x2.add(low, high);
    store<f32>(to, <f32>(f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)));
    to += 4;
  }
}

/** Transposes 4 rows, `stride` bytes apart, of `width` floats into `width` rows of 4, `pitch` bytes apart. */
export function transpose(from: usize, stride: usize, width: i32, to: usize, pitch: usize): void {
  for (let c = 0; c < width; c += 4) {
    const a = v128.load(from), b = v128.load(from + stride);
    const e = v128.load(from + 2 * stride), f = v128.load(from + 3 * stride);
    const ab = i32x4.shuffle(a, b, 0, 4, 1, 5), ef = i32x4.shuffle(e, f, 0, 4, 1, 5);
    const AB = i32x4.shuffle(a, b, 2, 6, 3, 7), EF = i32x4.shuffle(e, f, 2, 6, 3, 7);
    v128.store(to, i64x2.shuffle(ab, ef, 0, 2));
    if (c + 1 < width) v128.store(to + pitch, i64x2.shuffle(ab, ef, 1, 3));
    if (c + 2 < width) v128.store(to + 2 * pitch, i64x2.shuffle(AB, EF, 0, 2));
    if (c + 3 < width) v128.store(to + 3 * pitch, i64x2.shuffle(AB, EF, 1, 3));
    from += 16;
    to += 4 * pitch;
  }
}

/** 32 rows of `pitch` bytes to [4 pairs][width][8 lanes]. */
export function lanes_of_rows(from: usize, pitch: usize, width: i32, to: usize): void {
  for (let half = 0; half < 8; half++) {
    const pair = to + <usize>(half >> 1) * (<usize>width << 5) + (<usize>(half & 1) << 4);
    transpose(from + <usize>half * 4 * pitch, pitch, width, pair, 32);
  }
}

/**
 * `count` rows of `width` floats, a multiple of 4, to [width/4][.][4], where a group of 4 components takes `pitch`
 * bytes.
 */
export function columns_of_rows(from: usize, count: i32, width: i32, to: usize, pitch: usize): void {
  const groups = <usize>width >> 2;
  for (let r: usize = 0; r < <usize>count; r++) {
    for (let g: usize = 0; g < groups; g++) {
      v128.store(to + (r << 4) + g * pitch, v128.load(from));
      from += 16;
    }
  }
}

/**
 * Points of a head, staged 4 rows at a time, to [rows/4][E][4] and, unless `tiles` is 0, to [tiles][P/4][64][4].
 * `squares` receives |x|^2 of each; `norms` as in `stage_points`.
 */
export function pack_points(
  from: usize, count: i32, bad: usize, side: i32, scale: f32, to: usize, squares: usize, tiles: usize, norms: usize,
): void {
  const bytes = <usize>P << 2;
  for (let r = 0; r < count; r += 4) {
    stage_points(from + <usize>r * (<usize>D << 2), count - r, 4, bad ? bad + r : 0, side, scale, stage,
      norms ? norms + (<usize>r << 2) : 0);
    squares_of_rows(stage, 4, squares + (<usize>r << 2));
    transpose(stage, bytes, E, to + <usize>r * (<usize>E << 2), 16);
    if (tiles) columns_of_rows(stage, 4, P, tiles + inTiles(r, bytes), 1024);
  }
}

/** Offset of row r in [tiles][width/4][64][4], for rows of `bytes` bytes. */
// @ts-ignore: decorator
@inline
export function inTiles(r: i32, bytes: usize): usize {
  return <usize>(r & -TILE) * bytes + (<usize>(r & (TILE - 1)) << 4);
}

/** Values of a head to [tiles][W/4][64][4], for sums over keys. */
export function pack_columns(from: usize, count: i32, bad: usize, to: usize): void {
  const width = <usize>W << 2;
  for (let r = 0; r < count; r += 4) {
    stage_values(from + <usize>r * (<usize>V << 2), count - r, 4, bad ? bad + r : 0, stage);
    columns_of_rows(stage, 4, W, to + inTiles(r, width), 1024);
  }
}

/** Values of a head to [rows/4][V][4], for inner products. */
export function pack_values(from: usize, count: i32, bad: usize, to: usize): void {
  for (let r = 0; r < count; r += 4) {
    stage_values(from + <usize>r * (<usize>V << 2), count - r, 4, bad ? bad + r : 0, stage);
    transpose(stage, <usize>W << 2, V, to + <usize>r * (<usize>V << 2), 16);
  }
}
