/**
 * Gradients of attention (equations section 9), streaming like the forward pass: weights are formed again from the scores
 * and the caller's L, so that no N × M matrix is kept.
 *
 *   w_ij = exp(t_ij − L_i),  dS_ij = w_ij (dO_i · V_j − δ_i)   [− a G_j C_ij,  C_ij = exp(s_ij − log N_C,j)]
 *   dx = Σ c (x − y),   plane   α < 2   c = −dS (d_M + α) z/((1 + z) d²), 0 at d = 0     α = 2   c = −2 dS scale²
 *                       sphere  α < 2   c = −dS (d_M + α) scale/((1 + z) sin θ)          α = 2   c = −2 dS z scale/sin θ
 *   on the sphere y is turned where the angle is obtuse, and `project` (pack.wgsl.ts) follows
 *
 *   column gradients   rows are keys:     G_j = Σ_i dS_ij into (log N_C, ., G, is NaN); only with degree normalisation
 *   dQueries           rows are queries:  dq_i, and Σ_j dS s and Σ_j dS z/(1 + z) (z² at α = 2) of each row for dα, dκ
 *   dKeys              rows are keys:     dk_j and dV_j over the query heads of the key head, in their order
 *
 * No atomics on floats, so the bits do not depend on the run. Differences x − y are formed before they are weighted: the
 * form (Σ c) x − Σ c y cancels for points far from the origin. A pair with a bad number makes every gradient NaN that it
 * enters, and no other.
 */

import { accumulate, sums } from "./accumulate.wgsl.js";
import {
  bindings,
  columnFacts,
  each,
  four,
  gathered,
  keptRow,
  own,
  pairs,
  pairwise,
  place,
  rowFacts,
  skipped,
  type Tile,
  tile,
  weightAt,
  writer,
  zerosOf,
} from "./tile.wgsl.js";

/** dS and what follows from it, for four pairs of one row. */
const gradient = (sphere: boolean) => /* wgsl */ `
struct Gradient {
  weight: vec4f,
  dScore: vec4f,
  pull: vec4f,
  order: f32,
  length: f32,
}
fn gradient(h: Head, scale: vec3f, z: vec4f, coded: vec4f, zeros: vec4u, product: vec4f, level: vec4f, delta: vec4f,
    logSum: vec4f, columnGradient: vec4f, keep: vec4<bool>) -> Gradient {
  var g: Gradient;
  let s = score(h, z);
  let none = vec4f();
  g.weight = select(none, exp4(min(s - params.degree * logSum - level, none)), keep);
  g.dScore = g.weight * (product - delta);
  if (params.degree > 0.0) {
    g.dScore -= select(none, params.degree * columnGradient * exp4(min(s - logSum, none)), keep);
  }
  g.order = dot(g.dScore, s);
  let share = select(z / (1.0 + z), z, vec4<bool>(h.gauss != 0u));
  g.length = dot(g.dScore, share);
${
  sphere
    ? `  let y = min(abs(coded) * 0.25, vec4f(0.5));
  let sine = 2.0 * sqrt(y * (1.0 - y));
  let slope = select(h.exponent / (1.0 + z), 2.0 * sqrt(z), vec4<bool>(h.gauss != 0u));
  let any = (zeros == vec4u()) & (abs(coded) > vec4f(2e-36));
  let c = select(none, -g.dScore * slope * scale.x / sine, any);
  // The lowest bit says which way y is turned; what is nothing stays so.
  let tagged = (bitcast<vec4u>(c) & vec4u(0xfffffffeu)) | select(vec4u(), vec4u(1u), coded < none);
  g.pull = select(none, bitcast<vec4f>(tagged), abs(c) > vec4f(1e-37));`
    : `  if (h.gauss != 0u) {
    let near = min(scale.x, 1e18);
    g.pull = -2.0 * g.dScore * near * near;
  } else {
    g.pull = select(none, -h.exponent * g.dScore * share / coded, coded > none);
  }`
}
  return g;
}
`;

const storage = {
  rows: "array<vec4f>",
  columns: "array<vec4f>",
  mask: "array<u32>",
  columnSums: "array<vec4f>",
  values: "array<vec4f>",
  cotangents: "array<vec4f>",
};

const functions = (shape: Tile) => `${tile(shape)}${gradient(shape.sphere)}`;

/** dO · V of the pairs of a tile. */
function products(shape: Tile): string {
  const wide = ["cotangents", "params.values + 1u"] as const;
  const narrow = ["values", "params.values"] as const;
  const [rows, columns] = shape.rows === "queries" ? [wide, narrow] : [narrow, wide];
  return pairwise(shape, "product", "products", [rows[0], columns[0]], [rows[1], columns[1]], "params.values");
}

function begin(shape: Tile, grouped: boolean): string {
  const queriesAreRows = shape.rows === "queries";
  return /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  ${place(shape)}
  let rowHead = id.y${queriesAreRows || grouped ? "" : " / params.group"};
  let rowBase = rowHead * rowCount;
  ${rowFacts(shape)}
  let exponent = rows[behind(rowBase)].w;
`;
}

/** What stands behind the cotangents of four queries, L and δ, and column sums with their gradients of four keys. */
const queryFacts = (base: string, query: (f: number) => string, count: string) => /* wgsl */ `
    ${four((f) => `let query${f} = cotangents[(${base} + min(${query(f)}, ${count} - 1u)) * (params.values + 1u) + params.values];\n`)}
    let level = ${gathered("query", ".y")};
    let delta = ${gathered("query", ".z")};
    let queryFlags = vec4u(${gathered("query", ".x")});`;
const keyFacts = (key: (f: number) => string, count: string) => /* wgsl */ `
    ${four((f) => `var sums${f} = vec4f();\n`)}
    if (params.degree > 0.0) {
      ${four((f) => `sums${f} = columnSums[head * params.keys + min(${key(f)}, ${count} - 1u)];\n`)}
    }
    let sumsFlags = vec4u(${gathered("sums", ".y")}) | (2u * vec4u(${gathered("sums", ".w")}));`;

/** Flags of four rows as `rowFlags` has them. */
const packed = (flags: string) => `${flags}.x | (${flags}.y << 2u) | (${flags}.z << 4u) | (${flags}.w << 6u)`;

/** The tiles of one pair of heads. `before` follows the products, `eachRow` has g for row e, `after` ends a tile. */
function tiles(shape: Tile, head: string, eachRow: (e: number) => string, before = "", after = ""): string {
  const queriesAreRows = shape.rows === "queries";
  const column = (f: number) => `index[${f}]`;
  const ofRows = queriesAreRows ? queryFacts("rowBase", own, "rowCount") : keyFacts(own, "rowCount");
  const ofColumns = queriesAreRows ? keyFacts(column, "columnCount") : queryFacts("columnBase", column, "columnCount");
  const [rowFlags, columnFlags] = queriesAreRows ? ["queryFlags", "sumsFlags"] : ["sumsFlags", "queryFlags"];
  const facts = (e: number) =>
    queriesAreRows
      ? `vec4f(query${e}.y), vec4f(query${e}.z), ${gathered("sums", ".x")}, ${gathered("sums", ".z")}`
      : `level, delta, vec4f(sums${e}.x), vec4f(sums${e}.z)`;
  return /* wgsl */ `
    let head = ${head};
    let h = heads[head];
    let scale = scaling(h, exponent);
    let columnBase = ${queriesAreRows ? "head / params.group" : "head"} * columnCount;
    let columnEnd = u32(h.${queriesAreRows ? "keyLength" : "queryLength"});
    ${ofRows}
    let allRowFlags = rowFlags | ${packed(rowFlags)};
    for (var column0 = 0u; column0 < columnEnd; column0 += C) {
      ${skipped(shape)}
      ${columnFacts(shape)}
      ${ofColumns}
      ${pairs(shape, "coded")}
      ${products(shape)}
      let flags = columnFlags | ${columnFlags} | vec4u(h.bad);
      var keep = 0xffffffffu;
      if (kind == PARTIAL) { keep = keptPairs(h, ownRow, index); }
      ${before}
      ${each(
        shape.patch,
        (e) => `{
        let z = reach(h, scale, coded${e});
        if (kind == PARTIAL) {
          ${keptRow(e)}
        }
        let zeros = ${shape.sphere ? zerosOf(e) : "vec4u()"};
        let g = gradient(h, scale, z, coded${e}, zeros, product${e}, ${facts(e)}, unpack(keep >> ${4 * e}u));
        ${eachRow(e)}
      }\n`,
      )}
      if (allRowFlags != 0u || any(flags != vec4u())) { spoil(tr, keep, flags, allRowFlags); }
      ${after}
    }
`;
}

/** Sums of c (x − y) over a tile: y turned on the sphere where c says so. */
function pull(shape: Tile, slots: number, buffer: string): string {
  const signs = shape.sphere ? "let signs = vec4f(1.0) - 2.0 * vec4f(bitcast<vec4u>(w) & vec4u(1u));" : "";
  return accumulate(
    shape,
    slots,
    buffer,
    "params.points + 1u",
    "params.points",
    (e, n) =>
      four(
        (f) =>
          `d${e}${n} = fma(vec4f(w[${f}]), ${shape.sphere ? `signs[${f}] * x${e}${n}` : `x${e}${n}`} - v${f}${n}, d${e}${n});\n`,
      ),
    signs,
  );
}

/** The thread's own points, x, and sums for them, d. */
function ownPoints(slots: number): string {
  return four((e) =>
    each(
      slots,
      (n) => `var d${e}${n} = vec4f();
  var x${e}${n} = vec4f();
  if (id.z * ${8 * slots}u + tc + ${8 * n}u < params.points) {
    x${e}${n} = rows[(rowBase + min(${own(e)}, rowCount - 1u)) * (params.points + 1u) + id.z * ${8 * slots}u + tc + ${8 * n}u];
  }
`,
    ),
  );
}

const unscaled = (sphere: boolean) => (sphere ? "" : " * unit");
const unit = `let unit = ldexp(1.0, i32(exponent));\n`;

const store = (e: number, what: string) => `${weightAt("tc", e)} = ${what};`;

/** dq, and the two sums of each query. */
export function dQueries(sphere: boolean, slots: number): string {
  const shape: Tile = { patch: 4, sphere, rows: "queries", weighted: true };
  const written = { ...storage, dPoints: "*array<u32>", partials: "*array<u32>" };
  return /* wgsl */ `${bindings(written)}${functions(shape)}${writer("write", "dPoints")}
${begin(shape, true)}
  var order = vec4f();
  var length = vec4f();
  ${ownPoints(slots)}
  ${tiles(
    shape,
    "id.y",
    (e) => `order[${e}] += g.order;
        length[${e}] += g.length;
        ${store(e, "g.pull")}`,
    "workgroupBarrier();",
    pull(shape, slots, "columns"),
  )}
  workgroupBarrier();
  ${four((e) => `${store(e, `vec4f(order[${e}], length[${e}], 0.0, 0.0)`)}\n`)}
  workgroupBarrier();
  ${unit}
  ${four(
    (e) => `
  if (${own(e)} < rowCount) {
    let bad = atomicLoad(&poison[tr + ${8 * e}u]) != 0u;
    ${each(slots, (n) => `write(rowBase + ${own(e)}, params.headDim, id.z * ${8 * slots}u + tc + ${8 * n}u, d${e}${n}${unscaled(sphere)}, bad);\n`)}
    if (tc == 0u && id.z == 0u) {
      var total = vec2f();
      for (var t = 0u; t < 8u; t++) { total += ${weightAt("t", e)}.xy; }
      let at = 2u * (rowBase + ${own(e)});
      partials[at] = select(bitcast<u32>(total.x), NAN, bad);
      partials[at + 1u] = select(bitcast<u32>(total.y), NAN, bad);
    }
  }`,
  )}
}
`;
}

/** dk and dV. */
export function dKeys(sphere: boolean, slots: number): string {
  const shape: Tile = { patch: 4, sphere, rows: "keys", weighted: true };
  const written = { ...storage, dPoints: "*array<u32>", dValues: "*array<u32>" };
  return /* wgsl */ `${bindings(written)}${functions(shape)}${writer("write", "dPoints")}${writer("writeValue", "dValues")}
${begin(shape, true)}
  ${ownPoints(slots)}
  ${sums(shape, "o", slots)}
  for (var member = 0u; member < params.group; member++) {
    ${tiles(
      shape,
      "id.y * params.group + member",
      (e) => `${store(e, "g.weight")}
        pull${e} = g.pull;`,
      `workgroupBarrier();
      ${four((e) => `var pull${e} = vec4f();\n`)}`,
      `${accumulate(shape, slots, "cotangents", "params.values + 1u", "params.values", (e, n) => `o${e}${n} += mat4x4f(v0${n}, v1${n}, v2${n}, v3${n}) * w;\n`)}
      workgroupBarrier();
      ${four((e) => `${store(e, `pull${e}`)}\n`)}
      ${pull(shape, slots, "columns")}`,
    )}
  }
  workgroupBarrier();
  ${unit}
  ${four(
    (e) => `
  if (${own(e)} < rowCount) {
    let flags = atomicLoad(&poison[tr + ${8 * e}u]);
    ${each(
      slots,
      (
        n,
      ) => `write(rowBase + ${own(e)}, params.headDim, id.z * ${8 * slots}u + tc + ${8 * n}u, d${e}${n}${unscaled(sphere)}, flags != 0u);
    writeValue(rowBase + ${own(e)}, params.valueDim, id.z * ${8 * slots}u + tc + ${8 * n}u, o${e}${n}, (flags & 1u) != 0u);\n`,
    )}
  }`,
  )}
}
`;
}

/** G of every key of every query head. */
export function columnGradients(sphere: boolean): string {
  const shape: Tile = { patch: 4, sphere, rows: "keys" };
  const written = { ...storage, columnSums: "*array<vec4f>" };
  return /* wgsl */ `${bindings(written)}${functions(shape)}
var<workgroup> totals: array<vec4f, 64>;
${begin(shape, false)}
  var total = vec4f();
  ${tiles(shape, "id.y", (e) => `total[${e}] += sum4(g.dScore);`)}
  totals[8u * tc + tr] = total;
  workgroupBarrier();
  if (tc != 0u) { return; }
  total = vec4f();
  for (var t = 0u; t < 8u; t++) { total += totals[8u * t + tr]; }
  ${four(
    (e) => `
  if (${own(e)} < rowCount) {
    let at = head * params.keys + ${own(e)};
    let bad = atomicLoad(&poison[tr + ${8 * e}u]) != 0u;
    columnSums[at] = vec4f(columnSums[at].xy, select(total[${e}], 0.0, bad), select(0.0, 1.0, bad));
  }`,
  )}
}
`;
}
