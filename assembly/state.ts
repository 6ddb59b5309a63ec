/**
 * The unit of work at hand: one batch entry b and one query head h, with the key head that it reads. `bind` reads the
 * call record that the host wrote (see src/backends/wasm/layout.ts, which mirrors the indices) and lays out the scratch
 * memory. One instance works for one thread, so module variables are the registers of that thread; nothing here is
 * shared.
 *
 * Letters: H heads, N queries, M keys, D components in memory, E = D + extra components in scratch, V value components,
 * P = E and W = V rounded up to 4. A block is 32 rows whose lanes run in parallel, a tile is 64 rows that they all
 * visit.
 */

export const BLOCK: i32 = 32;
export const TILE: i32 = 64;

/** 32-bit fields of the call record. */
export namespace Field {
  export const HEADS = 0;
  export const KEY_HEADS = 1;
  export const QUERIES = 2;
  export const KEYS = 3;
  export const HEAD_DIM = 4;
  export const VALUE_DIM = 5;
  export const SPHERE = 6;
  export const EXTRA = 7;
  export const Q = 8;
  export const K = 9;
  export const V = 10;
  export const OUTPUT = 11;
  export const LOG_SUM_EXP = 12;
  export const KEY_LENGTHS = 13;
  export const QUERY_LENGTHS = 14;
  export const MASK = 15;
  export const MASK_BATCH = 16;
  export const MASK_HEAD = 17;
  export const MASK_QUERY = 18;
  export const CAUSAL = 19;
  export const WINDOW = 20;
  export const GLOBAL_TOKENS = 21;
  export const EXCLUDE_SELF = 22;
  export const HEAD_RECORDS = 23;
  export const BAD_QUERIES = 24;
  export const BAD_KEYS = 25;
  export const COLUMN_SUMS = 26;
  export const THRESHOLD = 27;
  export const SCALE = 28;
  export const D_OUTPUT = 29;
  export const DQ = 30;
  export const DK = 31;
  export const DV = 32;
  export const D_HEADS = 33;
  export const WEIGHTS = 34;
  export const IGNORE_MASKS = 35;
  /** Histogram of 2048 64-bit counters per (b, h), of which the first also receives the result as a float64. */
  export const BANDWIDTHS = 36;
  /** How many copies of dk, dv and the sums of the heads there are, for threads to add to; the host sums them. */
  export const PARTS = 37;
  export const BATCH = 38;
}

/** 64-bit floats of one head record, of which there is one per (b, h). */
export namespace Head {
  /** z = zs times the distance in scratch coordinates. */
  export const ZS = 0;
  /** d_M + alpha */
  export const EXPONENT = 1;
  /** Smallest masked z. */
  export const THRESHOLD = 2;
  /** 1 for the kernel exp(-z^2). */
  export const GAUSS = 3;
  /** a */
  export const DEGREE = 4;
  export const BYTES: usize = 64;
}

export let call: usize = 0;
export let batch: i32 = 0;
export let head: i32 = 0;
export let keyHead: i32 = 0;
export let N: i32 = 0;
export let M: i32 = 0;
export let D: i32 = 0;
export let E: i32 = 0;
export let P: i32 = 0;
export let V: i32 = 0;
export let W: i32 = 0;
export let queryLength: i32 = 0;
export let keyLength: i32 = 0;
export let sphere: bool = false;
export let gauss: bool = false;
export let threshold: bool = false;
export let zs: f64 = 0;
export let exponent: f64 = 0;
export let largestZ: f64 = 0;
export let degree: f64 = 0;
/** First row of this (b, h) in tensors of shape [B, H, N, ...], and of its key head in [B, K, M, ...]. */
export let queryRow: usize = 0;
export let keyRow: usize = 0;

/** Scratch of this thread; shapes in floats. */
export let table: usize = 0;
/** [32] each: largest score of the tile, reference of the exponents, sum of weights; per row L_i, delta_i. */
export let top: usize = 0;
export let reference: usize = 0;
export let sum: usize = 0;
export let level: usize = 0;
export let delta: usize = 0;
/** [32] 32-bit flags: 1 the row has seen a bad query or key, 2 a bad value. */
export let poison: usize = 0;
/** [32] all ones for lanes whose own row is bad: no distance of theirs means anything. */
export let exempt: usize = 0;
/** [32] 32-bit flags of the block's queries in the backward pass. */
export let laneFlags: usize = 0;
/** [64][32] each. */
export let z: usize = 0;
export let s: usize = 0;
export let w: usize = 0;
export let p: usize = 0;
export let keep: usize = 0;
export let signs: usize = 0;
/** [32][P], [4][E][8], [32]; in the backward pass also [P/4][32][4], and sums of that shape. */
export let laneRows: usize = 0;
export let lanes: usize = 0;
export let laneNorms: usize = 0;
/** [32] and [R]: |x|^2 of what stands in `lanes` and `groups`, in the plane. */
export let laneSquares: usize = 0;
export let groupSquares: usize = 0;
export let laneColumns: usize = 0;
export let dLanes: usize = 0;
/** [4][P/4][4][8], [32], [R]: sums over tiles whose points are apart; see `apart_backward`. */
export let dLaneSums: usize = 0;
export let laneTotals: usize = 0;
export let rowTotals: usize = 0;
/** [4][W/4][4][8] */
export let outputs: usize = 0;
/** [W/4][32][4], [4][V][8] */
export let dOutputRows: usize = 0;
export let dOutputs: usize = 0;
/** [R/64][P/4][64][4], [R/4][E][4], [R] with R rows rounded up to 64. */
export let tileRows: usize = 0;
export let groups: usize = 0;
export let tileNorms: usize = 0;
/** [R/64][W/4][64][4], [R/4][V][4]; a few rows of either on their way. */
export let columns: usize = 0;
export let valueGroups: usize = 0;
export let stage: usize = 0;
/** [R/64][P/4][64][4], [R/64][W/4][64][4] */
export let dKeys: usize = 0;
export let dValues: usize = 0;
/** [R] flags of keys whose gradient is NaN: 1 dV, 2 dk. [R] float64: G_j. */
export let rowFlags: usize = 0;
export let columnGradients: usize = 0;
export let scratchEnd: usize = 0;

// @ts-ignore: decorator
@inline
export function field(index: i32): i32 {
  return load<i32>(call + (<usize>index << 2));
}

// @ts-ignore: decorator
@inline
export function pointer(index: i32): usize {
  return <usize>load<u32>(call + (<usize>index << 2));
}

// @ts-ignore: decorator
@inline
export function roundUp(n: i32, unit: i32): i32 {
  return (n + unit - 1) / unit * unit;
}

let cursor: usize = 0;
function take(floats: usize): usize {
  const at = cursor;
  // Buffers of a multiple of 4 KiB each would meet in the same sets of the cache.
  cursor = (at + (floats << 2) + 63 + 320) & ~63;
  return at;
}

/**
 * Sizes and scratch of a call. `scratch` must be a multiple of 64; with `backward` the gradient's buffers are laid out
 * too.
 */
export function open(callRecord: usize, scratch: usize, backward: bool): void {
  call = callRecord;
  N = field(Field.QUERIES);
  M = field(Field.KEYS);
  D = field(Field.HEAD_DIM);
  E = D + field(Field.EXTRA);
  P = roundUp(E, 4);
  V = field(Field.VALUE_DIM);
  W = roundUp(V, 4);
  sphere = field(Field.SPHERE) != 0;
  threshold = field(Field.THRESHOLD) != 0;
  const rows = <usize>roundUp(max(N, M), TILE);
  const tile = <usize>(TILE * BLOCK);
  cursor = scratch;
  table = take(256);
  top = take(32);
  reference = take(32);
  sum = take(32);
  level = take(32);
  delta = take(32);
  poison = take(32);
  exempt = take(32);
  laneFlags = take(32);
  laneNorms = take(32);
  laneSquares = take(32);
  z = take(tile);
  s = take(tile);
  w = take(tile);
  keep = take(tile);
  laneRows = take(<usize>(BLOCK * P));
  lanes = take(<usize>(BLOCK * E));
  outputs = take(<usize>(BLOCK * W));
  stage = take(<usize>(4 * max(P, W)));
  groups = take(rows * <usize>E);
  groupSquares = take(rows);
  columns = take(rows * <usize>W);
  if (backward) {
    p = take(tile);
    signs = take(sphere ? tile : 0);
    rowFlags = take(rows / 4);
    columnGradients = take(2 * rows);
    laneColumns = take(<usize>(BLOCK * P));
    dLanes = take(<usize>(BLOCK * P));
    dLaneSums = take(<usize>(BLOCK * P));
    laneTotals = take(32);
    rowTotals = take(rows);
    dOutputRows = take(<usize>(BLOCK * W));
    dOutputs = take(<usize>(BLOCK * V));
    tileRows = take(rows * <usize>P);
    tileNorms = take(rows);
    valueGroups = take(rows * <usize>V);
    dKeys = take(rows * <usize>P);
    dValues = take(rows * <usize>W);
  }
  scratchEnd = cursor;
  unbind();
}

/** Bytes of scratch that a thread needs for the call. */
export function scratch_bytes(callRecord: usize, backward: bool): usize {
  open(callRecord, 0, backward);
  return scratchEnd;
}

/** What the scratch holds: the head at hand and, by its first row, the key head that is packed. */
let boundBatch: i32 = -1;
let boundHead: i32 = -1;
let packedRow: usize = usize.MAX_VALUE;

/** Forgets what is packed. */
export function unbind(): void {
  boundBatch = -1;
  boundHead = -1;
  packedRow = usize.MAX_VALUE;
}

/** Whether (b, h) is the head at hand already. */
// @ts-ignore: decorator
@inline
export function isBound(b: i32, h: i32): bool {
  return b == boundBatch && h == boundHead;
}

/** Whether the keys of the head at hand are packed; if not, the caller is about to pack them. */
export function claimPacked(): bool {
  if (packedRow == keyRow) return true;
  packedRow = keyRow;
  return false;
}

/** Makes (b, h) the head at hand. */
export function bind(b: i32, h: i32): void {
  boundBatch = b;
  boundHead = h;
  const heads = field(Field.HEADS);
  const keyHeads = field(Field.KEY_HEADS);
  batch = b;
  head = h;
  keyHead = <i32>((<i64>h * <i64>keyHeads) / <i64>heads);
  queryRow = (<usize>b * <usize>heads + <usize>h) * <usize>N;
  keyRow = (<usize>b * <usize>keyHeads + <usize>keyHead) * <usize>M;
  queryLength = load<i32>(pointer(Field.QUERY_LENGTHS) + (<usize>b << 2));
  keyLength = load<i32>(pointer(Field.KEY_LENGTHS) + (<usize>b << 2));
  const record = pointer(Field.HEAD_RECORDS) + (<usize>b * <usize>heads + <usize>h) * Head.BYTES;
  zs = load<f64>(record, Head.ZS << 3);
  exponent = load<f64>(record, Head.EXPONENT << 3);
  largestZ = load<f64>(record, Head.THRESHOLD << 3);
  gauss = load<f64>(record, Head.GAUSS << 3) != 0;
  degree = load<f64>(record, Head.DEGREE << 3);
}
