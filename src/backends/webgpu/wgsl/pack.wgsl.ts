/**
 * The passes over single rows: from the caller's rows to the layout that tiles read, four components a vector, zeros up
 * to a whole vector, rows with NaN or Infinity (by their bits) replaced by zeros and flagged.
 *
 *   plane     x' = x 2^e, exact; e = 0 unless the largest coordinate of the call is beyond 2^+-40, and then such that it is of order 1
 *   sphere    x' = x/‖x‖; the largest component's power of two is taken out first, so no square overflows or vanishes
 *
 * `inspect` finds the largest finite coordinate of rows within the lengths. One thread a row: this is O(N D) beside the
 * O(N M D) of the pairs. Sums of squares keep four partial sums, so that a norm carries some (D/8 + 4) u.
 */

import { bindings } from "./tile.wgsl.js";

const rowThreads = 64;

/** Flags of a packed row: 1 its weights are NaN, 2 its values are (in the backward pass: the gradients of its scores). */
const rows = /* wgsl */ `
struct Rows {
  count: u32,
  perHead: u32,
  headStep: u32,
  offset: u32,
  valueOffset: u32,
  outputOffset: u32,
  levelOffset: u32,
  keys: u32,
}
fn finite(bits: u32) -> bool { return (bits & 0x7fffffffu) < 0x7f800000u; }
`;

/** A pass with one thread for each row: its bindings, then `Rows`. */
export function rowPass(storage: Readonly<Record<string, string>>, body: string): string {
  // The third uniform comes last, where it moves no other binding.
  const at = Object.keys(storage).length + 2;
  return `${bindings(storage)}${rows}
@group(0) @binding(${at}) var<uniform> rows: Rows;
${body}`;
}

export const main = /* wgsl */ `
@compute @workgroup_size(${rowThreads})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * ${rowThreads}u;
  if (row >= rows.count) { return; }
`;

export const inspect = rowPass(
  { raw: "array<u32>", largest: "*atomic<u32>" },
  /* wgsl */ `${main}
  let h = heads[row / rows.perHead * rows.headStep];
  let length = select(h.queryLength, h.keyLength, rows.keys != 0u);
  if (i32(row % rows.perHead) >= length) { return; }
  var most = 0u;
  for (var d = 0u; d < params.headDim; d++) {
    let bits = raw[rows.offset + row * params.headDim + d] & 0x7fffffffu;
    if (finite(bits)) { most = max(most, bits); }
  }
  atomicMax(&largest, most);
}
`,
);

const point = (sphere: boolean) => /* wgsl */ `
fn load4(start: u32, vector: u32, factor: f32) -> vec4f {
  var bits = vec4u();
  for (var e = 0u; e < 4u; e++) {
    if (4u * vector + e < params.headDim) { bits[e] = raw[start + 4u * vector + e]; }
  }
  return bitcast<vec4f>(bits) * factor;
}

fn point(row: u32, valueFlag: f32) {
  let start = rows.offset + row * params.headDim;
  let to = row * (params.points + 1u);
  var most = 0u;
  for (var d = 0u; d < params.headDim; d++) { most = max(most, raw[start + d] & 0x7fffffffu); }
  let bad = !finite(most);
  let flag = select(0.0, 1.0, bad) + valueFlag;
  ${
    sphere
      ? `let own = bitcast<f32>((254u - clamp(most >> 23u, 1u, 253u)) << 23u);
  var squares = vec4f();
  if (!bad) {
    for (var c = 0u; c < params.points; c++) {
      let x = load4(start, c, own);
      squares = fma(x, x, squares);
    }
  }
  let square = (squares.x + squares.y) + (squares.z + squares.w);
  let none = bad || square < 0.5;
  let rough = inverseSqrt(max(square, 0.5));
  let inverse = rough * fma(-0.5 * square * rough, rough, 1.5);
  for (var c = 0u; c < params.points; c++) {
    var x = load4(start, c, own);
    // On a line there are two directions, which no rounding may tell apart further.
    if (params.headDim == 1u) { x = sign(x); } else { x *= inverse; }
    packed[to + c] = select(x, vec4f(), none);
  }
  packed[to + params.points] = vec4f(flag, select(own * inverse, 0.0, none), select(0.0, 1.0, none), 0.0);`
      : `let e = i32(largest >> 23u) - 127;
  let exponent = select(0, clamp(-e, -126, 126), abs(e) > 40 && largest != 0u);
  let factor = bitcast<f32>(u32(127 + exponent) << 23u);
  for (var c = 0u; c < params.points; c++) {
    if (bad) { packed[to + c] = vec4f(); } else { packed[to + c] = clamp(load4(start, c, factor), vec4f(-1e18), vec4f(1e18)); }
  }
  packed[to + params.points] = vec4f(flag, 1.0, 0.0, f32(exponent));`
  }
}
`;

/** q, rows of headDim. */
export const packQueries = (sphere: boolean) =>
  rowPass(
    { raw: "array<u32>", largest: "u32", packed: "*array<vec4f>" },
    `${point(sphere)}${main}
  point(row, 0.0);
}
`,
  );

/** k and v, whose flags go with k. */
export const packKeys = (sphere: boolean) =>
  rowPass(
    {
      raw: "array<u32>",
      largest: "u32",
      packed: "*array<vec4f>",
      rawValues: "array<u32>",
      packedValues: "*array<vec4f>",
    },
    /* wgsl */ `${point(sphere)}${main}
  let start = rows.valueOffset + row * params.valueDim;
  var bad = false;
  for (var d = 0u; d < params.valueDim; d++) { bad = bad || !finite(rawValues[start + d]); }
  for (var c = 0u; c < params.values; c++) {
    var bits = vec4u();
    for (var e = 0u; e < 4u; e++) {
      if (!bad && 4u * c + e < params.valueDim) { bits[e] = rawValues[start + 4u * c + e]; }
    }
    packedValues[row * params.values + c] = bitcast<vec4f>(bits);
  }
  point(row, select(0.0, 2.0, bad));
}
`,
  );
