/**
 * What every pass over pairs shares: one tile of R rows by 32 columns, from packed points to masked scores.
 *
 *   c²_ij = Σ_d (x_id − y_jd)²        plane: d_ij²;  sphere: coded square of the chord (`math.wgsl.ts`)
 *   z_ij = scale · d_ij,  s_ij = −(d_M + α) log(1 + z_ij)  or  −z_ij²          equations sections 2 to 5
 *
 * Rows are queries and columns keys in attention, the other way round where sums run over queries; scores are symmetric.
 * A workgroup has 8 × 8 threads. Thread (r, c) owns the pairs of the rows r + 8 e, e < patch, and the columns c + 8 f,
 * f < 4: patch × 4 pairs in registers for patch + 4 reads, and neighbours read neighbouring words. Rows and columns of a
 * thread are written out and never indexed by a variable, which would put them into memory. `name3` belongs to row 3 of a
 * thread; numbers of rows that are worked on four at a time are in `name0` for e < 4 and `name1` for the next four.
 *
 * Points are packed by `pack.wgsl.ts`: `params.points` vectors of 4 and one of (flags, 1/norm, is zero, scale exponent).
 * Points pass through `stage` in slices of some components, so that workgroup memory does not depend on the dimension.
 */

import { math } from "./math.wgsl.js";

/** What is fixed when a pass is compiled. */
export interface Tile {
  /** Rows of a thread, R/8: 4 or 8. */
  readonly patch: number;
  readonly sphere: boolean;
  /** What the rows of a tile are. */
  readonly rows: "queries" | "keys";
  /** Whether weights of a tile go through workgroup memory: `accumulate.wgsl.ts`. */
  readonly weighted?: boolean;
}

/** Columns of a tile: the keys of one word of a mask. */
export const tileColumns = 32;

/**
 * Vectors of 4 in `stage` that rows of values pass through, 4 KiB. Weights of a tile come behind them, 4 KiB or 8 for a patch
 * of 8; points, which are read before there are weights, take it all. With the rest of a tile that is 14.3 of the 16 KiB that
 * every device has.
 */
export const stageVectors = 256;

/** Most heads of one dispatch: their records are a uniform array. */
export const maxHeads = 512;

/** Sizes and masks of a call, then one record per (b, h). Mirrored by `records.ts`. */
const records = /* wgsl */ `
struct Params {
  queries: u32,
  keys: u32,
  points: u32,
  values: u32,
  headDim: u32,
  valueDim: u32,
  group: u32,
  first: u32,
  degree: f32,
  causal: u32,
  excludeSelf: u32,
  window: i32,
  globals: i32,
  threshold: u32,
  masked: u32,
  maskRow: u32,
  maskBlocks: u32,
  maskBlockRow: u32,
  shift: u32,
  heads: u32,
}
struct Head {
  scale: f32,
  scaleExponent: i32,
  exponent: f32,
  gauss: u32,
  threshold: f32,
  queryLength: i32,
  keyLength: i32,
  mask: u32,
  prefix: u32,
  bad: u32,
  unused0: u32,
  unused1: u32,
}
`;

/** Declares bindings in order: two uniforms, then storage buffers by name and type; a leading * means written. */
export function bindings(storage: Readonly<Record<string, string>>): string {
  const declared = Object.entries(storage).map(([name, type], at) => {
    const access = type.startsWith("*") ? "read_write" : "read";
    return `@group(0) @binding(${at + 2}) var<storage, ${access}> ${name}: ${type.replace("*", "")};`;
  });
  return `${records}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> heads: array<Head, ${maxHeads}>;
${declared.join("\n")}
const NAN = 0x7fc00000u;
`;
}

/** Text for each number from 0 to `count` − 1. */
export function each(count: number, text: (n: number) => string): string {
  return Array.from({ length: count }, (_, n) => text(n)).join("");
}

/** Text for each of the four columns of a thread. */
export function four(text: (f: number) => string): string {
  return each(4, text);
}

/** The number of row e in vectors of four rows. */
export function ofRow(name: string, e: number): string {
  return `${name}${e >> 2}.${"xyzw"[e & 3]}`;
}

/** Row e of a thread among all rows. */
export function own(e: number): string {
  return `(ownRow + ${8 * e}u)`;
}

/** A vector of one part of four variables. */
export function gathered(name: string, part: string): string {
  return `vec4f(${[0, 1, 2, 3].map((f) => `${name}${f}${part}`).join(", ")})`;
}

/** Where a thread and its rows stand; what the body of every pass begins with. */
export function place({ rows }: Tile): string {
  const [rowSide, columnSide] = rows === "queries" ? ["queries", "keys"] : ["keys", "queries"];
  return /* wgsl */ `
  let tr = thread >> 3u;
  let tc = thread & 7u;
  let row0 = (params.first + id.x) * R;
  let ownRow = row0 + tr;
  let rowCount = params.${rowSide};
  let columnCount = params.${columnSide};
`;
}

/**
 * What stands behind the points of the rows of a thread, two bits of flags and one of "is zero" for each row. `rowBase` is the
 * first row of the head.
 */
export function rowFacts({ patch }: Tile): string {
  return /* wgsl */ `
  var rowFlags = 0u;
  var rowZeros = 0u;
  for (var e = 0u; e < ${patch}u; e++) {
    let at = behind(rowBase + min(ownRow + 8u * e, rowCount - 1u));
    rowFlags |= u32(rows[at].x) << (2u * e);
    rowZeros |= u32(rows[at].z) << e;
  }
`;
}

/** The columns of a thread in the tile, and what stands behind their points. */
export function columnFacts({ sphere }: Tile): string {
  const fact = (part: string) => `vec4u(${[0, 1, 2, 3].map((f) => `u32(columns[behind${f}].${part})`).join(", ")})`;
  return /* wgsl */ `
    let index = vec4u(column0 + tc) + vec4u(0u, 8u, 16u, 24u);
    ${four((f) => `let behind${f} = behind(columnBase + min(index[${f}], columnCount - 1u));\n`)}
    let columnFlags = ${fact("x")};
    ${sphere ? `let columnZeros = ${fact("z")};` : ""}
`;
}

/** Pairs of which one point is zero, in the columns of row e. */
export function zerosOf(e: number): string {
  return `columnZeros + vec4u((rowZeros >> ${e}u) & 1u)`;
}

/** Goes on with the next tile where no pair of this one may attend; `kind` says whether all may. */
export function skipped({ rows }: Tile): string {
  const [rowRange, columnRange] = ["i32(row0), i32(row0 + R)", "i32(column0), i32(column0 + C)"];
  return /* wgsl */ `
    let kind = classify(h, ${rows === "queries" ? `${rowRange}, ${columnRange}` : `${columnRange}, ${rowRange}`});
    if (kind == SKIP) { continue; }
`;
}

/** Takes pairs of row e beyond the threshold out of `keep`. */
export function keptRow(e: number): string {
  return /* wgsl */ `
      if (params.threshold != 0u) {
        keep &= ~(beyond(h, z, columnFlags | vec4u(rowFlags >> ${2 * e}u)) << ${4 * e}u);
      }`;
}

/**
 * Σ over `width` vectors of a function of each pair of row and column, as `target`0, `target`1, ...: a vector for each row of a
 * thread, its four columns. `sources` are the buffers of rows and columns, `strides` their rows in vectors. Every thread of
 * the workgroup must come here; a barrier comes before the stage is written.
 */
export function pairwise(
  shape: Tile,
  target: string,
  term: "squares" | "products",
  sources: readonly [string, string],
  strides: readonly [string, string],
  width: string,
): string {
  const { patch } = shape;
  const isCoded = shape.sphere && term === "squares";
  const slice = sliceOf(shape);
  const copy = (count: number, at: string, source: number, row: string) => `
      for (var t = thread; t < ${count}u << bits; t += 64u) {
        let c = t & ((1u << bits) - 1u);
        let r = t >> bits;
        if (c < count) { stage[${at}] = ${sources[source]}[(${row}) * (${strides[source]}) + first + c]; }
      }`;
  return /* wgsl */ `
    ${each(
      patch,
      (e) => `var ${target}${e} = vec4f();
${
  isCoded
    ? `var far${e} = vec4f();
`
    : ""
}`,
    )}
    for (var first = 0u; first < ${width}; first += ${slice}u) {
      let count = min(${slice}u, ${width} - first);
      let bits = firstLeadingBit(2u * count - 1u);
      workgroupBarrier();
      ${copy(8 * patch, "c * R + r", 0, "rowBase + min(row0 + r, rowCount - 1u)")}
      ${copy(tileColumns, `c * C + r + ${slice}u * R`, 1, "columnBase + min(column0 + r, columnCount - 1u)")}
      workgroupBarrier();
      for (var c = 0u; c < count; c++) {
        let a = c * R + tr;
        let b = c * C + tc + ${slice}u * R;
        ${four(
          (f) => `let y${f} = stage[b + ${8 * f}u];
`,
        )}
        ${each(
          patch,
          (e) => `{
          let x = stage[a + ${8 * e}u];
          ${target}${e} += ${term}(x, y0, y1, y2, y3);
          ${isCoded ? `far${e} += squares(-x, y0, y1, y2, y3);` : ""}
        }
`,
        )}
      }
    }
    ${
      isCoded
        ? each(
            patch,
            (e) => `${target}${e} = code(${target}${e}, far${e}, ${zerosOf(e)});
`,
          )
        : ""
    }
`;
}

/** Distances of a tile, see `pairwise`. */
export function pairs(shape: Tile, target: string): string {
  const stride = "params.points + 1u";
  return pairwise(shape, target, "squares", ["rows", "columns"], [stride, stride], "params.points");
}

/** Vectors of the weights of a tile. */
function weightVectors({ patch, weighted }: Tile): number {
  return weighted ? 64 * patch : 0;
}

/** Vectors of points that a slice has of each row and column. */
function sliceOf(shape: Tile): number {
  return 2 ** Math.floor(Math.log2((stageVectors + weightVectors(shape)) / (8 * shape.patch + tileColumns)));
}

/** Where the weights of the columns `column` + 8 f of row e of a thread lie. */
export function weightAt(column: string, e: number): string {
  return `stage[${stageVectors + 8 * e}u + ${column} * R + tr]`;
}

/** Declarations and functions of a pass over tiles. Its buffers `rows`, `columns` and `mask` are declared before. */
export function tile(shape: Tile): string {
  const { patch, sphere, rows } = shape;
  const positions = rows === "queries" ? "let i = row; let j = column;" : "let i = column; let j = row;";
  return /* wgsl */ `
const R = ${8 * patch}u;
const C = ${tileColumns}u;
var<workgroup> stage: array<vec4f, ${stageVectors + weightVectors(shape)}>;
var<workgroup> poison: array<atomic<u32>, R>;
${math}
// Where what stands behind the points of a row is.
fn behind(row: u32) -> u32 { return row * (params.points + 1u) + params.points; }
fn squares(x: vec4f, a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> vec4f {
  let p = x - a;
  let q = x - b;
  let r = x - c;
  let s = x - d;
  return vec4f(dot(p, p), dot(q, q), dot(r, r), dot(s, s));
}
fn products(x: vec4f, a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> vec4f {
  return vec4f(dot(x, a), dot(x, b), dot(x, c), dot(x, d));
}
// A zero vector is at a right angle to everything: what is missing to 2 is added. The square of an obtuse pair stays
// above 0, so that its sign is not lost.
fn code(near: vec4f, far: vec4f, zeros: vec4u) -> vec4f {
  let missing = vec4f(zeros);
  return select(near + missing, -max(far + missing, vec4f(1e-36)), near + missing > vec4f(2.0));
}

const SKIP = 0u;
const FULL = 1u;
const PARTIAL = 2u;

// Whether queries [i0, i1) and keys [j0, j1) have no unmasked pairs, nothing else, or some. Thresholds come later.
fn classify(h: Head, i0: i32, i1: i32, j0: i32, j1: i32) -> u32 {
  let iLast = min(i1, h.queryLength) - 1;
  let jLast = min(j1, h.keyLength) - 1;
  if (i0 > iLast || j0 > jLast) { return SKIP; }
  let shift = h.keyLength - h.queryLength;
  let p0 = i0 + shift;
  let p1 = iLast + shift;
  var kind = select(FULL, PARTIAL, i1 - 1 > iLast || j1 - 1 > jLast || params.threshold != 0u);
  if (params.causal != 0u) {
    if (j0 > p1) { return SKIP; }
    if (jLast > p0) { kind = PARTIAL; }
  }
  if (params.excludeSelf != 0u && p0 <= jLast && j0 <= p1) { kind = PARTIAL; }
  if (params.window >= 0 && max(jLast - p0, p1 - j0) > params.window) {
    let anyGlobal = j0 < params.globals || (p0 < params.globals && p1 >= 0);
    if (max(j0 - p1, p0 - jLast) > params.window && !anyGlobal) { return SKIP; }
    kind = PARTIAL;
  }
  if (params.masked != 0u) {
    var any = 0u;
    var all = 2u;
    let qEnd = select(i0 / 32, iLast / 32, params.maskBlockRow != 0u);
    for (var q = i0 / 32; q <= qEnd; q++) {
      for (var k = j0 / 32; k <= jLast / 32; k++) {
        let block = mask[h.mask + params.maskBlocks + u32(q) * params.maskBlockRow + u32(k)];
        any |= block;
        all = min(all, block);
      }
    }
    if (any == 0u) { return SKIP; }
    if (all != 2u) { kind = PARTIAL; }
  }
  return kind;
}

fn maskedByCaller(h: Head, i: i32, j: i32) -> bool {
  let q = u32(clamp(i, 0, i32(params.queries) - 1));
  let k = u32(clamp(j, 0, i32(params.keys) - 1));
  return ((mask[h.mask + q * params.maskRow + k / 32u] >> (k % 32u)) & 1u) != 0u;
}

// Which of four pairs may attend, by position.
fn kept(h: Head, row: vec4i, column: vec4i) -> vec4<bool> {
  ${positions}
  let p = i + vec4i(h.keyLength - h.queryLength);
  var keep = (i < vec4i(h.queryLength)) & (j < vec4i(h.keyLength));
  if (params.causal != 0u) { keep = keep & (j <= p); }
  if (params.excludeSelf != 0u) { keep = keep & (j != p); }
  if (params.window >= 0) {
    let near = abs(p - j) <= vec4i(params.window);
    let g = vec4i(params.globals);
    keep = keep & (near | (j < g) | ((p >= vec4i(0)) & (p < g)));
  }
  if (params.masked != 0u) {
    for (var f = 0u; f < 4u; f++) { keep[f] = keep[f] && !maskedByCaller(h, i[f], j[f]); }
  }
  return keep;
}

// Bits f, f < 4, of what is true.
fn bits(x: vec4<bool>) -> u32 {
  let b = select(vec4u(), vec4u(1u, 2u, 4u, 8u), x);
  return b.x | b.y | b.z | b.w;
}
fn unpack(bits: u32) -> vec4<bool> {
  return (vec4u(bits) & vec4u(1u, 2u, 4u, 8u)) != vec4u();
}

// The pairs of a thread that may attend by position, 4 bits for each row.
fn keptPairs(h: Head, ownRow: u32, index: vec4u) -> u32 {
  var keep = 0u;
  for (var e = 0u; e < R / 8u; e++) {
    keep |= bits(kept(h, vec4i(i32(ownRow + 8u * e)), vec4i(index))) << (4u * e);
  }
  return keep;
}

// Bits of pairs beyond the threshold, which a distance that is NaN is not.
fn beyond(h: Head, z: vec4f, flags: vec4u) -> u32 {
  return bits((z >= vec4f(h.threshold)) & ((flags & vec4u(1u)) == vec4u()));
}

// What distances are multiplied by, and the largest distance and square that are told apart: no product is infinite.
fn scaling(h: Head, exponent: f32) -> vec3f {
  let power = h.scaleExponent - i32(exponent);
  let scale = select(0.0, min(ldexp(h.scale, clamp(power, -126, 126)), 1e37), power >= -126);
  let most = select(1e37, 1e37 / scale, scale > 1.0);
  return vec3f(scale, most, select(most, most / scale, scale > 1.0));
}

// z of four pairs from their coded squares; z^2 for the Gaussian kernel.
fn reach(h: Head, scaling: vec3f, coded: vec4f) -> vec4f {
${
  sphere
    ? `  let z = min(angle4(coded), vec4f(scaling.y)) * scaling.x;
  if (h.gauss == 0u) { return z; }
  let near = min(z, vec4f(3e18));
  return near * near;`
    : `  if (h.gauss == 0u) { return min(sqrt(coded), vec4f(scaling.y)) * scaling.x; }
  return min(coded, vec4f(scaling.z)) * scaling.x * scaling.x;`
}
}

fn score(h: Head, z: vec4f) -> vec4f {
  if (h.gauss != 0u) { return -z; }
  return -h.exponent * log1p4(z);
}

// Flags of the kept pairs go to their rows, those of the columns and two bits for each row of the thread.
fn spoil(tr: u32, keep: u32, columnFlags: vec4u, rowFlags: u32) {
  for (var e = 0u; e < R / 8u; e++) {
    let flags = columnFlags | vec4u((rowFlags >> (2u * e)) & 3u);
    let f = select(vec4u(), flags, unpack(keep >> (4u * e)));
    atomicOr(&poison[tr + 8u * e], f.x | f.y | f.z | f.w);
  }
}

fn sum4(x: vec4f) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}
`;
}

/** Writes a vector to an array of bits, as far as the row goes. */
export function writer(name: string, buffer: string): string {
  return /* wgsl */ `
fn ${name}(row: u32, width: u32, vector: u32, value: vec4f, bad: bool) {
  let bits = select(bitcast<vec4u>(value), vec4u(NAN), bad);
  let at = row * width + 4u * vector;
  for (var e = 0u; e < 4u; e++) {
    if (4u * vector + e < width) { ${buffer}[at + e] = bits[e]; }
  }
}
`;
}
