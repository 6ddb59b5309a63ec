/**
 * What every pass over pairs shares: one tile of R rows by 32 columns, from packed points to masked scores.
 *
 *   c²_ij = Σ_d (x_id − y_jd)²        plane: d_ij²;  sphere: coded square of the chord (`math.wgsl.ts`)
 *   z_ij = scale · d_ij,  s_ij = −(d_M + α) log(1 + z_ij)  or  −z_ij²          equations sections 2 to 5
 *
 * Rows are queries and columns keys in attention, the other way round where sums run over queries; scores are symmetric.
 * A workgroup has T = R/4 · 8 threads. Thread (r, c) owns the 16 pairs of rows r + e R/4 and columns c + 8 f, e, f < 4: a
 * 4 × 4 patch in registers for 8 reads, and neighbours read neighbouring words. A matrix m holds row e in m[e].
 *
 * Points are packed by `pack.wgsl.ts`: `params.points` vectors of 4 and one of (flags, 1/norm, is zero, scale exponent).
 * Points pass through `stage` in slices of some components, so that workgroup memory does not depend on the dimension.
 */

import { math } from "./math.wgsl.js";

/** What is fixed when a pass is compiled. */
export interface Tile {
  /** R/4, a multiple of 8. */
  readonly rowThreads: number;
  readonly sphere: boolean;
  /** What the rows of a tile are. */
  readonly rows: "queries" | "keys";
}

/** Columns of a tile: the keys of one word of a mask. */
export const tileColumns = 32;

/** Vectors of 4 in `stage`, 4 KiB: with the rest of a tile 9 KiB of the 16 that every device has. */
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

/** Text for each of the four rows, or columns, of a thread. */
export function four(text: (e: number) => string): string {
  return [0, 1, 2, 3].map(text).join("");
}

/** Where a thread and its rows stand; what the body of every pass begins with. */
export function place({ rows }: Tile): string {
  const [rowSide, columnSide] = rows === "queries" ? ["query", "key"] : ["key", "query"];
  const plural = { query: "queries", key: "keys" } as const;
  return /* wgsl */ `
  let tr = thread / 8u;
  let tc = thread % 8u;
  let row0 = (params.first + id.x) * R;
  let rowCount = params.${plural[rowSide as "query" | "key"]};
  let columnCount = params.${plural[columnSide as "query" | "key"]};
  let own = vec4u(row0 + tr) + vec4u(0u, TR, 2u * TR, 3u * TR);
`;
}

/**
 * Σ over `width` vectors of `term` for each pair. `sources` are the buffers of rows and columns, `strides` their rows in
 * vectors. Every thread of the workgroup must come here.
 */
export function pairwise(
  name: string,
  term: "squares" | "products",
  sources: readonly [string, string],
  strides: readonly [string, string],
  width: string,
  sphere = false,
): string {
  const sums = (target: string, f: string) =>
    `${target} += mat4x4f(${f}(x0, y0, y1, y2, y3), ${f}(x1, y0, y1, y2, y3), ${f}(x2, y0, y1, y2, y3), ${f}(x3, y0, y1, y2, y3));`;
  const coded = `mat4x4f(${[0, 1, 2, 3].map((e) => `code(near[${e}], far[${e}], zero[${e}], zeros)`).join(", ")})`;
  return /* wgsl */ `
fn ${name}(thread: u32, rowBase: u32, row0: u32, rowCount: u32, columnBase: u32, column0: u32, columnCount: u32${
    sphere ? ", zero: vec4f, zeros: vec4f" : ""
  }) -> mat4x4f {
  let width = ${width};
  let tr = thread / 8u;
  let tc = thread % 8u;
  var near = mat4x4f();
  ${sphere ? "var far = mat4x4f();" : ""}
  for (var first = 0u; first < width; first += SLICE) {
    let count = min(SLICE, width - first);
    workgroupBarrier();
    for (var t = thread; t < R * SLICE; t += T) {
      let c = t % SLICE;
      let r = t / SLICE;
      if (c < count) {
        stage[c * R + r] = ${sources[0]}[(rowBase + min(row0 + r, rowCount - 1u)) * (${strides[0]}) + first + c];
      }
    }
    for (var t = thread; t < C * SLICE; t += T) {
      let c = t % SLICE;
      let r = t / SLICE;
      if (c < count) {
        stage[R * SLICE + c * C + r] = ${sources[1]}[(columnBase + min(column0 + r, columnCount - 1u)) * (${strides[1]}) + first + c];
      }
    }
    workgroupBarrier();
    for (var c = 0u; c < count; c++) {
      let a = c * R + tr;
      let b = R * SLICE + c * C + tc;
      ${four((e) => `let x${e} = stage[a + ${e}u * TR];\n`)}
      ${four((f) => `let y${f} = stage[b + ${8 * f}u];\n`)}
      ${sums("near", term)}
      ${sphere ? sums("far", "oppositeSquares") : ""}
    }
  }
  return ${sphere ? coded : "near"};
}
`;
}

/** Declarations and functions of a pass over tiles. Its buffers `rows`, `columns` and `mask` are declared before. */
export function tile({ rowThreads, sphere, rows }: Tile): string {
  const R = 4 * rowThreads;
  const slice = 2 ** Math.floor(Math.log2(stageVectors / (R + tileColumns)));
  const positions = rows === "queries" ? "let i = row; let j = column;" : "let i = column; let j = row;";
  return /* wgsl */ `
const R = ${R}u;
const C = ${tileColumns}u;
const TR = ${rowThreads}u;
const T = ${8 * rowThreads}u;
const SLICE = ${slice}u;
var<workgroup> stage: array<vec4f, ${stageVectors}>;
${math}
fn squares(x: vec4f, a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> vec4f {
  let p = x - a;
  let q = x - b;
  let r = x - c;
  let s = x - d;
  return vec4f(dot(p, p), dot(q, q), dot(r, r), dot(s, s));
}
fn oppositeSquares(x: vec4f, a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> vec4f {
  return squares(-x, a, b, c, d);
}
fn products(x: vec4f, a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> vec4f {
  return vec4f(dot(x, a), dot(x, b), dot(x, c), dot(x, d));
}
// A zero vector is at a right angle to everything: what is missing to 2 is added. The square of an obtuse pair stays
// above 0, so that its sign is not lost.
fn code(near: vec4f, far: vec4f, zero: f32, zeros: vec4f) -> vec4f {
  let missing = zeros + zero;
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

// The same with the threshold, which a distance that is NaN is not beyond.
fn keptNear(h: Head, row: u32, column: vec4u, z: vec4f, flags: vec4u) -> vec4<bool> {
  let keep = kept(h, vec4i(i32(row)), vec4i(column));
  if (params.threshold == 0u) { return keep; }
  return keep & ((z < vec4f(h.threshold)) | ((flags & vec4u(1u)) != vec4u()));
}

// What distances are multiplied by, and the largest distance and square that are told apart: no product is infinite.
fn scaling(h: Head, exponent: f32) -> vec3f {
  let scale = min(ldexp(h.scale, clamp(h.scaleExponent - i32(exponent), -126, 126)), 1e37);
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

// Bits of the kept ones among four pairs.
fn gather(keep: vec4<bool>, flags: vec4u) -> u32 {
  let f = select(vec4u(), flags, keep);
  return f.x | f.y | f.z | f.w;
}

fn sum4(x: vec4f) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}
`;
}

/** What stands behind four packed rows of `width` vectors: (flags, 1/norm, is zero, scale exponent) behind points. */
export function tails(
  name: string,
  buffer: string,
  base: string,
  indices: string,
  count: string,
  width = "params.points",
): string {
  return four(
    (e) =>
      `let ${name}${e} = ${buffer}[(${base} + min(${indices}[${e}], ${count} - 1u)) * (${width} + 1u) + ${width}];\n`,
  );
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
