/**
 * The records that the host writes for the kernels; the indices mirror `assembly/state.ts`. They are enums, as the bundler
 * then writes the numbers in place of the names.
 */

/** 32-bit fields of the call record; addresses, sizes and switches. */
export enum field {
  heads = 0,
  keyHeads = 1,
  queries = 2,
  keys = 3,
  headDim = 4,
  valueDim = 5,
  sphere = 6,
  extra = 7,
  q = 8,
  k = 9,
  v = 10,
  output = 11,
  logSumExp = 12,
  keyLengths = 13,
  queryLengths = 14,
  mask = 15,
  maskBatch = 16,
  maskHead = 17,
  maskQuery = 18,
  causal = 19,
  window = 20,
  globalTokens = 21,
  excludeSelf = 22,
  headRecords = 23,
  badQueries = 24,
  badKeys = 25,
  columnSums = 26,
  threshold = 27,
  /** A float32. */
  scale = 28,
  dOutput = 29,
  dq = 30,
  dk = 31,
  dv = 32,
  dHeads = 33,
  weights = 34,
  ignoreMasks = 35,
  bandwidths = 36,
  parts = 37,
  batch = 38,
}

export const callRecordBytes = 40 * 4;

/** Numbers of one head record, one per (b, h): z per distance, d_M + alpha, masked z, 1 for exp(-z^2), a. */
export enum headRecord {
  zs = 0,
  exponent = 1,
  threshold = 2,
  gauss = 3,
  degree = 4,
  length = 8,
}

/** Bytes of the counters of one (b, h); the first number becomes the result. */
export const bandwidthBytes = 2048 * 8;

/** Rows that run in parallel lanes: the unit in which the rows of a head are split. */
export const blockRows = 32;

/** A unit of work: (b, h, first block, end) for most kernels. */
type Unit = (b: number, h: number, from: number, to: number) => void;

/** What the module exports; see `assembly/attention.ts`. */
export interface Kernels {
  open(call: number, scratch: number, backward: number): void;
  scratch_bytes(call: number, backward: number): number;
  largest_bits(address: number, count: number): number;
  mark_bad_rows(address: number, rows: number, width: number, flags: number, flag: number): void;
  has_zero_row(address: number, rows: number, width: number): number;
  bandwidth_unit: Unit;
  column_sums_unit: Unit;
  forward_unit: Unit;
  weights_unit: Unit;
  backward_columns_unit: Unit;
  backward_unit: Unit;
  backward_part: Unit;
  backward_finish(): void;
}
