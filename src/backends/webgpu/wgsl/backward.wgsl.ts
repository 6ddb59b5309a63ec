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

import { accumulate, each, sums } from "./accumulate.wgsl.js";
import { pairs } from "./softmax.wgsl.js";
import { bindings, four, pairwise, place, type Tile, tails, tile, writer } from "./tile.wgsl.js";

/** dS and what follows from it, for four pairs of one row. */
const gradient = (sphere: boolean) => /* wgsl */ `
struct Gradient {
  weight: vec4f,
  dScore: vec4f,
  pull: vec4f,
  order: f32,
  length: f32,
}
fn gradient(h: Head, scale: vec3f, z: vec4f, coded: vec4f, live: vec4<bool>, product: vec4f, level: vec4f, delta: vec4f,
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
  let any = live & (abs(coded) > vec4f(2e-36));
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

function functions(shape: Tile): string {
  const [wide, narrow] = ["params.values + 1u", "params.values"];
  const products =
    shape.rows === "queries"
      ? pairwise("valueProducts", "products", ["cotangents", "values"], [wide, narrow], "params.values")
      : pairwise("valueProducts", "products", ["values", "cotangents"], [narrow, wide], "params.values");
  return /* wgsl */ `${tile(shape)}${pairs(shape)}${products}${gradient(shape.sphere)}
var<workgroup> poison: array<atomic<u32>, R>;
`;
}

const vector = (names: string, part: string) => `vec4f(${[0, 1, 2, 3].map((e) => `${names}${e}.${part}`).join(", ")})`;
const integers = (names: string, part: string) =>
  `vec4u(${[0, 1, 2, 3].map((e) => `u32(${names}${e}.${part})`).join(", ")})`;

function begin(shape: Tile, grouped: boolean): string {
  const queriesAreRows = shape.rows === "queries";
  return /* wgsl */ `
@compute @workgroup_size(T)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  ${place(shape)}
  let rowHead = id.y${queriesAreRows || grouped ? "" : " / params.group"};
  let rowBase = rowHead * rowCount;
  ${tails("rowTail", "rows", "rowBase", "own", "rowCount")}
  let zero = ${vector("rowTail", "z")};
  let rowPoints = ${integers("rowTail", "x")};
`;
}

/** The tiles of one pair of heads. `before` follows the products, `eachRow` has g for row e, `after` ends a tile. */
function tiles(shape: Tile, head: string, eachRow: string, before = "", after = ""): string {
  const queriesAreRows = shape.rows === "queries";
  const ranges = queriesAreRows
    ? "i32(row0), i32(row0 + R), i32(column0), i32(column0 + C)"
    : "i32(column0), i32(column0 + C), i32(row0), i32(row0 + R)";
  const sumsOf = (name: string, indices: string, count: string) => `
      var ${name} = mat4x4f();
      if (params.degree > 0.0) {
        for (var f = 0u; f < 4u; f++) { ${name}[f] = columnSums[head * params.keys + min(${indices}[f], ${count} - 1u)]; }
        ${name} = transpose(${name});
      }
      let ${name}Flags = vec4u(${name}[1]) | (2u * vec4u(${name}[3]));`;
  // What belongs to a query and what belongs to a key, for the rows once and for the columns of every tile.
  const queryFacts = (name: string) => `
      let level = ${vector(name, "y")};
      let delta = ${vector(name, "z")};`;
  const rowFacts = queriesAreRows
    ? `${tails("rowQuery", "cotangents", "rowBase", "own", "rowCount", "params.values")}${queryFacts("rowQuery")}
    let rowFlags = ${integers("rowTail", "x")} | ${integers("rowQuery", "x")};`
    : `${sumsOf("sums", "own", "rowCount")}
    let rowFlags = ${integers("rowTail", "x")} | sumsFlags;`;
  const columnFacts = queriesAreRows
    ? `${sumsOf("sums", "index", "columnCount")}
      let columnFlags = ${integers("columnTail", "x")} | sumsFlags;`
    : `${tails("columnQuery", "cotangents", "columnBase", "index", "columnCount", "params.values")}${queryFacts("columnQuery")}
      let columnFlags = ${integers("columnTail", "x")} | ${integers("columnQuery", "x")};`;
  const facts = queriesAreRows
    ? "vec4f(level[e]), vec4f(delta[e]), sums[0], sums[2]"
    : "level, delta, vec4f(sums[0][e]), vec4f(sums[2][e])";
  return /* wgsl */ `
    let head = ${head};
    let h = heads[head];
    let scale = scaling(h, rowTail0.w);
    let columnBase = ${queriesAreRows ? "head / params.group" : "head"} * columnCount;
    let columnEnd = u32(h.${queriesAreRows ? "keyLength" : "queryLength"});
    ${rowFacts}
    for (var column0 = 0u; column0 < columnEnd; column0 += C) {
      let kind = classify(h, ${ranges});
      if (kind == SKIP) { continue; }
      let index = vec4u(column0 + tc) + vec4u(0u, 8u, 16u, 24u);
      ${tails("columnTail", "columns", "columnBase", "index", "columnCount")}
      ${columnFacts}
      var coded = pairs(thread, rowBase, row0, rowCount, columnBase, column0, columnCount${
        shape.sphere ? `, zero, ${vector("columnTail", "z")}` : ""
      });
      var product = valueProducts(thread, rowBase, row0, rowCount, columnBase, column0, columnCount);
      let columnLive = ${vector("columnTail", "z")} == vec4f();
      let columnPoints = ${integers("columnTail", "x")};
      let flags = columnFlags | vec4u(h.bad);
      let spoiled = any((flags | rowFlags) != vec4u());
      ${before}
      for (var e = 0u; e < 4u; e++) {
        let z = reach(h, scale, coded[e]);
        var keep = vec4<bool>(true);
        if (kind == PARTIAL) { keep = keptNear(h, own[e], index, z, columnPoints | vec4u(rowPoints[e])); }
        let g = gradient(h, scale, z, coded[e], columnLive & vec4<bool>(zero[e] == 0.0), product[e], ${facts}, keep);
        if (spoiled) { atomicOr(&poison[tr + e * TR], gather(keep, flags | vec4u(rowFlags[e]))); }
        ${eachRow}
      }
      ${after}
    }
`;
}

/** Sums of c (x − y) over a tile: y turned on the sphere where c says so. */
function pull(shape: Tile, slots: number, buffer: string): string {
  const signs = shape.sphere
    ? four((e) => `let sign${e} = vec4f(1.0) - 2.0 * vec4f(bitcast<vec4u>(w${e}) & vec4u(1u));\n`)
    : "";
  return accumulate(
    slots,
    buffer,
    "params.points + 1u",
    "params.points",
    (e, n) =>
      four(
        (f) =>
          `d${e}${n} = fma(vec4f(w${e}[${f}]), ${shape.sphere ? `sign${e}[${f}] * x${e}${n}` : `x${e}${n}`} - v${f}, d${e}${n});\n`,
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
    x${e}${n} = rows[(rowBase + min(own[${e}], rowCount - 1u)) * (params.points + 1u) + id.z * ${8 * slots}u + tc + ${8 * n}u];
  }
`,
    ),
  );
}

const unscaled = (sphere: boolean) => (sphere ? "" : " * unit");
const unit = `let unit = ldexp(1.0, i32(rowTail0.w));\n`;

const store = (what: string) => `weights[tc * R + tr + e * TR] = ${what};`;

/** dq, and the two sums of each query. */
export function dQueries(rowThreads: number, sphere: boolean, slots: number): string {
  const shape: Tile = { rowThreads, sphere, rows: "queries" };
  const written = { ...storage, dPoints: "*array<u32>", partials: "*array<u32>" };
  return /* wgsl */ `${bindings(written)}${functions(shape)}${writer("write", "dPoints")}
var<workgroup> weights: array<vec4f, 8u * R>;
${begin(shape, true)}
  var order = vec4f();
  var length = vec4f();
  ${ownPoints(slots)}
  ${tiles(
    shape,
    "id.y",
    `order[e] += g.order;
        length[e] += g.length;
        ${store("g.pull")}`,
    "workgroupBarrier();",
    pull(shape, slots, "columns"),
  )}
  workgroupBarrier();
  ${four((e) => `weights[tc * R + tr + ${e}u * TR] = vec4f(order[${e}], length[${e}], 0.0, 0.0);\n`)}
  workgroupBarrier();
  ${unit}
  ${four(
    (e) => `
  if (own[${e}] < rowCount) {
    let bad = atomicLoad(&poison[tr + ${e}u * TR]) != 0u;
    ${each(slots, (n) => `write(rowBase + own[${e}], params.headDim, id.z * ${8 * slots}u + tc + ${8 * n}u, d${e}${n}${unscaled(sphere)}, bad);\n`)}
    if (tc == 0u && id.z == 0u) {
      var total = vec2f();
      for (var t = 0u; t < 8u; t++) { total += weights[t * R + tr + ${e}u * TR].xy; }
      let at = 2u * (rowBase + own[${e}]);
      partials[at] = select(bitcast<u32>(total.x), NAN, bad);
      partials[at + 1u] = select(bitcast<u32>(total.y), NAN, bad);
    }
  }`,
  )}
}
`;
}

/** dk and dV. */
export function dKeys(rowThreads: number, sphere: boolean, slots: number): string {
  const shape: Tile = { rowThreads, sphere, rows: "keys" };
  const written = { ...storage, dPoints: "*array<u32>", dValues: "*array<u32>" };
  return /* wgsl */ `${bindings(written)}${functions(shape)}${writer("write", "dPoints")}${writer("writeValue", "dValues")}
var<workgroup> weights: array<vec4f, 8u * R>;
${begin(shape, true)}
  ${ownPoints(slots)}
  ${sums("o", slots)}
  for (var member = 0u; member < params.group; member++) {
    ${tiles(
      shape,
      "id.y * params.group + member",
      `${store("g.weight")}
        pulls[e] = g.pull;`,
      `workgroupBarrier();
      var pulls = mat4x4f();`,
      `${accumulate(slots, "cotangents", "params.values + 1u", "params.values", (e, n) => `o${e}${n} += mat4x4f(v0, v1, v2, v3) * w${e};\n`)}
      workgroupBarrier();
      for (var e = 0u; e < 4u; e++) { ${store("pulls[e]")} }
      ${pull(shape, slots, "columns")}`,
    )}
  }
  workgroupBarrier();
  ${unit}
  ${four(
    (e) => `
  if (own[${e}] < rowCount) {
    let flags = atomicLoad(&poison[tr + ${e}u * TR]);
    ${each(
      slots,
      (
        n,
      ) => `write(rowBase + own[${e}], params.headDim, id.z * ${8 * slots}u + tc + ${8 * n}u, d${e}${n}${unscaled(sphere)}, flags != 0u);
    writeValue(rowBase + own[${e}], params.valueDim, id.z * ${8 * slots}u + tc + ${8 * n}u, o${e}${n}, (flags & 1u) != 0u);\n`,
    )}
  }`,
  )}
}
`;
}

/** G of every key of every query head. */
export function columnGradients(rowThreads: number, sphere: boolean): string {
  const shape: Tile = { rowThreads, sphere, rows: "keys" };
  const written = { ...storage, columnSums: "*array<vec4f>" };
  return /* wgsl */ `${bindings(written)}${functions(shape)}
var<workgroup> totals: array<f32, 8u * R>;
${begin(shape, false)}
  var total = vec4f();
  ${tiles(shape, "id.y", "total[e] += sum4(g.dScore);")}
  ${four((e) => `totals[8u * (tr + ${e}u * TR) + tc] = total[${e}];\n`)}
  workgroupBarrier();
  if (tc != 0u) { return; }
  ${four(
    (e) => `
  if (own[${e}] < rowCount) {
    var sum = 0.0;
    for (var t = 0u; t < 8u; t++) { sum += totals[8u * (tr + ${e}u * TR) + t]; }
    let at = head * params.keys + own[${e}];
    let bad = atomicLoad(&poison[tr + ${e}u * TR]) != 0u;
    columnSums[at] = vec4f(columnSums[at].xy, select(sum, 0.0, bad), select(0.0, 1.0, bad));
  }`,
  )}
}
`;
}
