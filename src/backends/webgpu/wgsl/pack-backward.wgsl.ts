/**
 * The passes over single rows that only gradients need (equations section 9): δ_i = dO_i · O_i and L_i go with dO_i, and
 * `project` finishes gradients on the sphere, dx = (I − x̂ x̂ᵀ) dx̂/‖x‖.
 */

import { main, rowPass } from "./pack.wgsl.js";

/** dO with (flags, L, δ, 0) behind each row. A row that attends to nothing has no gradient, whatever its cotangent. */
export const packCotangents = rowPass(
  {
    rawCotangents: "array<u32>",
    rawOutput: "array<u32>",
    rawLevels: "array<u32>",
    cotangents: "*array<vec4f>",
  },
  /* wgsl */ `${main}
  let start = rows.offset + row * params.valueDim;
  let to = row * (params.values + 1u);
  let level = rawLevels[rows.levelOffset + row];
  var weightsBad = !finite(level);
  var slopesBad = false;
  for (var d = 0u; d < params.valueDim; d++) {
    weightsBad = weightsBad || !finite(rawCotangents[start + d]);
    slopesBad = slopesBad || !finite(rawOutput[rows.outputOffset + row * params.valueDim + d]);
  }
  let none = level == 0xff800000u;
  let zero = none || weightsBad;
  var delta = 0.0;
  for (var c = 0u; c < params.values; c++) {
    var x = vec4u();
    var y = vec4u();
    for (var e = 0u; e < 4u; e++) {
      if (!zero && 4u * c + e < params.valueDim) {
        x[e] = rawCotangents[start + 4u * c + e];
        if (!slopesBad) { y[e] = rawOutput[rows.outputOffset + row * params.valueDim + 4u * c + e]; }
      }
    }
    cotangents[to + c] = bitcast<vec4f>(x);
    delta += dot(bitcast<vec4f>(x), bitcast<vec4f>(y));
  }
  let flag = select(select(0.0, 1.0, weightsBad) + select(0.0, 2.0, slopesBad), 0.0, none);
  var finiteLevel = 1e38;
  if (!zero) { finiteLevel = bitcast<f32>(level); }
  cotangents[to + params.values] = vec4f(flag, finiteLevel, delta, 0.0);
}
`,
);

/** Gradients at unit vectors to gradients at the vectors themselves, in place; rows that are NaN stay so. */
export const project = rowPass(
  { points: "array<vec4f>", gradient: "*array<u32>" },
  /* wgsl */ `${main}
  let start = row * (params.points + 1u);
  let to = row * params.headDim;
  if (!finite(gradient[to])) { return; }
  var along = vec4f();
  for (var d = 0u; d < params.headDim; d++) {
    along[d % 4u] = fma(points[start + d / 4u][d % 4u], bitcast<f32>(gradient[to + d]), along[d % 4u]);
  }
  let factor = points[start + params.points].y;
  let total = (along.x + along.y) + (along.z + along.w);
  for (var d = 0u; d < params.headDim; d++) {
    let x = fma(-total, points[start + d / 4u][d % 4u], bitcast<f32>(gradient[to + d]));
    gradient[to + d] = bitcast<u32>(x * factor);
  }
}
`,
);
