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

import { accumulate, sums } from "./accumulate.wgsl.js";
import {
  bindings,
  columnFacts,
  each,
  four,
  gathered,
  keptRow,
  ofRow,
  own,
  pairs,
  place,
  rowFacts,
  skipped,
  type Tile,
  tile,
  weightAt,
  writer,
} from "./tile.wgsl.js";

/** What the eight threads of a row tell each other: [four rows][thread][row mod 8], a vector for the rows r + 8 e. */
export const shared = /* wgsl */ `
var<workgroup> tops: array<vec4f, 8u * R / 4u>;
`;

/** Text for every four rows of a thread. */
const quads = ({ patch }: Tile, text: (quad: number) => string) => each(patch / 4, text);

/**
 * From the start of a tile to its scores with bias, in `s0`, `s1`, ...; `eachRow` is done for each row e of the thread, with
 * its `z` and, in `keep`, which pairs of the thread may attend.
 */
export function scoresOfTile(shape: Tile, biased: boolean, eachRow = (_: number) => ""): string {
  return /* wgsl */ `
    ${skipped(shape)}
    ${columnFacts(shape)}
    ${pairs(shape, "s")}
    var flags = columnFlags | vec4u(h.bad);
    ${
      biased
        ? `var bias = vec4f();
    if (params.degree > 0.0) {
      ${four((f) => `let sum${f} = columnSums[head * params.keys + min(index[${f}], columnCount - 1u)].xy;\n`)}
      bias = params.degree * ${gathered("sum", ".x")};
      flags |= vec4u(${gathered("sum", ".y")});
    }`
        : ""
    }
    var keep = 0xffffffffu;
    if (kind == PARTIAL) { keep = keptPairs(h, ownRow, index); }
    ${each(
      shape.patch,
      (e) => `{
      let z = reach(h, scale, s${e});
      s${e} = score(h, z)${biased ? " - bias" : ""};
      if (kind == PARTIAL) {
        ${keptRow(e)}
        s${e} = select(vec4f(MASKED), s${e}, unpack(keep >> ${4 * e}u));
      }
      ${eachRow(e)}
    }\n`,
    )}
    if (rowFlags != 0u || any(flags != vec4u())) { spoil(tr, keep, flags, rowFlags); }
`;
}

const topAt = (quad: number, thread: string) => `tops[${64 * quad}u + 8u * ${thread} + tr]`;

/** The largest scores of the rows in the columns of the thread. */
export const tileTops = (shape: Tile) =>
  quads(shape, (n) => {
    const most = [0, 1, 2, 3].map((f) => 4 * n + f).map((e) => `max(max(s${e}.x, s${e}.y), max(s${e}.z, s${e}.w))`);
    return `${topAt(n, "tc")} = vec4f(${most.join(", ")});\n`;
  });

/** r and l follow the tile: the threads of a row meet through `tops`. Older sums shrink by `factor`. */
export const raise = (shape: Tile, eachRow: (e: number) => string = () => "") => /* wgsl */ `
    workgroupBarrier();
    ${quads(
      shape,
      (n) => `
    var next${n} = top${n};
    for (var t = 0u; t < 8u; t++) { next${n} = max(next${n}, ${topAt(n, "t")}); }
    let factor${n} = exp4(top${n} - next${n});
    top${n} = next${n};
    mass${n} *= factor${n};`,
    )}
    ${each(
      shape.patch,
      (e) => `{
      let p = exp4(s${e} - ${ofRow("top", e)});
      ${ofRow("mass", e)} += sum4(p);
      ${eachRow(e)}
    }\n`,
    )}
`;

/** l over the eight threads of each row, in their order. */
export const gatherMass = (shape: Tile) => /* wgsl */ `
    workgroupBarrier();
    ${quads(shape, (n) => `${topAt(n, "tc")} = mass${n};\n`)}
    workgroupBarrier();
    ${quads(
      shape,
      (n) => `mass${n} = vec4f();
    for (var t = 0u; t < 8u; t++) { mass${n} += ${topAt(n, "t")}; }\n`,
    )}
`;

export function begin(shape: Tile): string {
  const queriesAreRows = shape.rows === "queries";
  const [rowHead, columnHead] = queriesAreRows ? ["head", "head / params.group"] : ["head / params.group", "head"];
  return /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  ${place(shape)}
  let head = id.y;
  let h = heads[head];
  let rowBase = ${rowHead} * rowCount;
  let columnBase = ${columnHead} * columnCount;
  let columnEnd = u32(h.${queriesAreRows ? "keyLength" : "queryLength"});
  ${rowFacts(shape)}
  let scale = scaling(h, rows[behind(rowBase)].w);
  ${quads(shape, (n) => `var top${n} = vec4f(UNSEEN);\nvar mass${n} = vec4f();\n`)}
`;
}

/** log l and r of row e together. */
export const level = (e: number) => `${ofRow("top", e)} + log1p4(vec4f(max(${ofRow("mass", e)} - 1.0, 0.0))).x`;

/** Output and log-sum-exp; `slots` times 32 value components in one workgroup. */
export function forward(patch: number, sphere: boolean, slots: number): string {
  const shape: Tile = { patch, sphere, rows: "queries", weighted: true };
  const storage = {
    rows: "array<vec4f>",
    columns: "array<vec4f>",
    mask: "array<u32>",
    columnSums: "array<vec4f>",
    values: "array<vec4f>",
    output: "*array<u32>",
    logSumExp: "*array<u32>",
  };
  const add = (e: number, n: number) => `o${e}${n} += mat4x4f(v0${n}, v1${n}, v2${n}, v3${n}) * w;\n`;
  return /* wgsl */ `${bindings(storage)}${tile(shape)}${shared}${writer("write", "output")}
${begin(shape)}
  ${sums(shape, "o", slots)}
  for (var column0 = 0u; column0 < columnEnd; column0 += C) {
    ${scoresOfTile(shape, true)}
    ${tileTops(shape)}
    ${raise(shape, (e) => `${weightAt("tc", e)} = p;\n${each(slots, (n) => `o${e}${n} *= ${ofRow("factor", e)};\n`)}`)}
    ${accumulate(shape, slots, "values", "params.values", "params.values", add)}
  }
  ${gatherMass(shape)}
  ${each(
    patch,
    (e) => `
  if (${own(e)} < rowCount) {
    let flag = atomicLoad(&poison[tr + ${8 * e}u]);
    let seen = ${ofRow("top", e)} > UNSEEN;
    let inverse = select(0.0, 1.0 / ${ofRow("mass", e)}, seen);
    ${each(slots, (n) => `write(rowBase + ${own(e)}, params.valueDim, id.z * ${8 * slots}u + tc + ${8 * n}u, o${e}${n} * inverse, flag != 0u);\n`)}
    if (tc == 0u && id.z == 0u) {
      let level = ${level(e)};
      logSumExp[rowBase + ${own(e)}] = select(select(0xff800000u, bitcast<u32>(level), seen), NAN, (flag & 1u) != 0u);
    }
  }`,
  )}
}
`;
}
