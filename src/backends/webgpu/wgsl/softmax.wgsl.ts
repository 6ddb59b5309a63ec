/**
 * Attention over one block of rows, streaming over tiles of columns (equations sections 6 and 7):
 *
 *   t_ij = s_ij − a log N_C,j,   w_ij = exp(t_ij − r_i),   l_i = Σ_j w_ij,   O_i = Σ_j w_ij V_j/l_i,   L_i = r_i + log l_i
 *
 * r_i is the largest score so far; sums are scaled down when it rises. Memory: one tile, never N × M.
 *
 * `forward` has queries as rows and writes O [B, H, N, V] and L [B, H, N]. Column sums, weights and measured bandwidths have
 * files of their own, which load on demand and share what is here.
 *
 * A row that sees a bad pair is NaN; a bad value spoils O but not L. Each sum has an order that depends on the shape alone.
 */

import { accumulate, each, sums } from "./accumulate.wgsl.js";
import { bindings, four, pairwise, place, type Tile, tails, tile, writer } from "./tile.wgsl.js";

export const shared = /* wgsl */ `
var<workgroup> tops: array<f32, 8u * R>;
var<workgroup> poison: array<atomic<u32>, R>;
`;

/**
 * From the start of a tile to its scores with bias, in `s`; `each` is done for each row e of the thread, with its `z` and
 * `keep`. What is done for each pair is a loop over rows, not text for each of them: it is little beside the products, and
 * compilers take time for every copy.
 */
export function scoresOfTile(shape: Tile, biased: boolean, eachRow = ""): string {
  const queriesAreRows = shape.rows === "queries";
  const ranges = queriesAreRows
    ? "i32(row0), i32(row0 + R), i32(column0), i32(column0 + C)"
    : "i32(column0), i32(column0 + C), i32(row0), i32(row0 + R)";
  return /* wgsl */ `
    let kind = classify(h, ${ranges});
    if (kind == SKIP) { continue; }
    let index = vec4u(column0 + tc) + vec4u(0u, 8u, 16u, 24u);
    ${tails("columnTail", "columns", "columnBase", "index", "columnCount")}
    let columnFlags = vec4u(u32(columnTail0.x), u32(columnTail1.x), u32(columnTail2.x), u32(columnTail3.x));
    var s = pairs(thread, rowBase, row0, rowCount, columnBase, column0, columnCount${
      shape.sphere ? ", zero, vec4f(columnTail0.z, columnTail1.z, columnTail2.z, columnTail3.z)" : ""
    });
    var flags = columnFlags | vec4u(h.bad);
    ${
      biased
        ? `var bias = vec4f();
    if (params.degree > 0.0) {
      for (var f = 0u; f < 4u; f++) {
        let sum = columnSums[head * params.keys + min(index[f], columnCount - 1u)];
        bias[f] = params.degree * sum.x;
        flags[f] |= u32(sum.y);
      }
    }`
        : ""
    }
    let spoiled = any((flags | rowFlags) != vec4u());
    for (var e = 0u; e < 4u; e++) {
      let z = reach(h, scale, s[e]);
      ${biased ? "s[e] = score(h, z) - bias;" : "s[e] = score(h, z);"}
      var keep = vec4<bool>(true);
      if (kind == PARTIAL) {
        keep = keptNear(h, own[e], index, z, columnFlags | vec4u(rowFlags[e]));
        s[e] = select(vec4f(MASKED), s[e], keep);
      }
      if (spoiled) { atomicOr(&poison[tr + e * TR], gather(keep, flags | vec4u(rowFlags[e]))); }
      ${eachRow}
    }
`;
}

/** r and l follow the tile: the threads of a row meet through `tops`. `factor` is what older sums shrink by. */
export const tileTop = "tops[own8[e] + tc] = max(max(s[e].x, s[e].y), max(s[e].z, s[e].w));";
export const raise = (eachRow = "") => /* wgsl */ `
    workgroupBarrier();
    var next = top;
    for (var t = 0u; t < 8u; t++) {
      next = max(next, vec4f(tops[own8.x + t], tops[own8.y + t], tops[own8.z + t], tops[own8.w + t]));
    }
    let factor = exp4(top - next);
    top = next;
    mass *= factor;
    for (var e = 0u; e < 4u; e++) {
      let p = exp4(s[e] - vec4f(top[e]));
      mass[e] += sum4(p);
      ${eachRow}
    }
`;

/** l over the eight threads of each row, in their order. */
export const gatherMass = /* wgsl */ `
    workgroupBarrier();
    ${four((e) => `tops[own8[${e}] + tc] = mass[${e}];\n`)}
    workgroupBarrier();
    mass = vec4f();
    for (var t = 0u; t < 8u; t++) {
      mass += vec4f(tops[own8.x + t], tops[own8.y + t], tops[own8.z + t], tops[own8.w + t]);
    }
`;

export function begin(shape: Tile): string {
  const queriesAreRows = shape.rows === "queries";
  const [rowHead, columnHead] = queriesAreRows ? ["head", "head / params.group"] : ["head / params.group", "head"];
  return /* wgsl */ `
@compute @workgroup_size(T)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  ${place(shape)}
  let head = id.y;
  let h = heads[head];
  let rowBase = ${rowHead} * rowCount;
  let columnBase = ${columnHead} * columnCount;
  let columnEnd = u32(h.${queriesAreRows ? "keyLength" : "queryLength"});
  let own8 = 8u * (vec4u(tr) + vec4u(0u, TR, 2u * TR, 3u * TR));
  ${tails("rowTail", "rows", "rowBase", "own", "rowCount")}
  let rowFlags = vec4u(u32(rowTail0.x), u32(rowTail1.x), u32(rowTail2.x), u32(rowTail3.x));
  let zero = vec4f(rowTail0.z, rowTail1.z, rowTail2.z, rowTail3.z);
  let scale = scaling(h, rowTail0.w);
  var top = vec4f(UNSEEN);
  var mass = vec4f();
`;
}

export function pairs(shape: Tile): string {
  const stride = "params.points + 1u";
  return pairwise("pairs", "squares", ["rows", "columns"], [stride, stride], "params.points", shape.sphere);
}

/** Output and log-sum-exp; `slots` times 32 value components in one workgroup. */
export function forward(rowThreads: number, sphere: boolean, slots: number): string {
  const shape: Tile = { rowThreads, sphere, rows: "queries" };
  const storage = {
    rows: "array<vec4f>",
    columns: "array<vec4f>",
    mask: "array<u32>",
    columnSums: "array<vec4f>",
    values: "array<vec4f>",
    output: "*array<u32>",
    logSumExp: "*array<u32>",
  };
  return /* wgsl */ `${bindings(storage)}${tile(shape)}${pairs(shape)}${shared}${writer("write", "output")}
var<workgroup> weights: array<vec4f, 8u * R>;
${begin(shape)}
  ${sums("o", slots)}
  for (var column0 = 0u; column0 < columnEnd; column0 += C) {
    ${scoresOfTile(shape, true, tileTop)}
    ${raise("weights[tc * R + tr + e * TR] = p;")}
    ${four((e) => each(slots, (n) => `o${e}${n} *= factor[${e}];\n`))}
    ${accumulate(slots, "values", "params.values", "params.values", (e, n) => `o${e}${n} += mat4x4f(v0, v1, v2, v3) * w${e};\n`)}
  }
  ${gatherMass}
  ${four(
    (e) => `
  if (own[${e}] < rowCount) {
    let flag = atomicLoad(&poison[tr + ${e}u * TR]);
    let seen = top[${e}] > UNSEEN;
    let inverse = select(0.0, 1.0 / mass[${e}], seen);
    ${each(slots, (n) => `write(rowBase + own[${e}], params.valueDim, id.z * ${8 * slots}u + tc + ${8 * n}u, o${e}${n} * inverse, flag != 0u);\n`)}
    if (tc == 0u && id.z == 0u) {
      let level = top[${e}] + log1p4(vec4f(max(mass[${e}] - 1.0, 0.0))).x;
      logSumExp[rowBase + own[${e}]] = select(select(0xff800000u, bitcast<u32>(level), seen), NAN, (flag & 1u) != 0u);
    }
  }`,
  )}
}
`;
}
