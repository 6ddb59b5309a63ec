/**
 * Layer normalisation (arXiv:2511.10208; equations section 11) and its gradients, row by row:
 *
 *   μ = mean x,  r = 1/√(mean (x − μ)² + ε),  x̂ = r (x − μ),  y = γ x̂ + β
 *   g = γ dy,  dx = r (g − mean g − x̂ mean(g x̂)),  dγ = Σ_rows dy x̂,  dβ = Σ_rows dy
 *
 * Shapes: X, Y [R, C], γ, β [C].
 */

import { type Floats, floats, integer, nonNegative, record } from "./check.js";

/** Parameters of a layer normalisation. */
export interface LayerNorm {
  /** γ, [C]. */
  weight: Floats;
  /** β, [C]. */
  bias: Floats;
  /** ε, at least 0. Default 1e-6, which the authors' text code uses. */
  epsilon?: number;
}

/** Gradients of a layer normalisation. */
export interface LayerNormGradient {
  /** [R, C] */
  dx: Float64Array;
  /** dγ, [C]. */
  weight: Float64Array;
  /** dβ, [C]. */
  bias: Float64Array;
}

/**
 * Y from X [rows, width].
 * @throws InvalidArgumentError
 */
export function layerNormForward(x: Floats, norm: LayerNorm, rows: number, width: number): Float64Array {
  const { normalized } = normalize(x, norm, rows, width);
  const { weight, bias } = norm;
  return normalized.map((z, p) => weight[p % width] * z + bias[p % width]);
}

/**
 * Gradients of `layerNormForward` for the cotangent dY [rows, width].
 * @throws InvalidArgumentError
 */
export function layerNormBackward(
  x: Floats,
  norm: LayerNorm,
  dy: Floats,
  rows: number,
  width: number,
): LayerNormGradient {
  const { normalized, inverse } = normalize(x, norm, rows, width);
  floats("dy", dy, rows * width);
  const dx = new Float64Array(rows * width);
  const weight = new Float64Array(width);
  const bias = new Float64Array(width);
  for (let r = 0; r < rows; r++) {
    let mean = 0;
    let along = 0;
    for (let c = 0; c < width; c++) {
      const p = r * width + c;
      weight[c] += dy[p] * normalized[p];
      bias[c] += dy[p];
      mean += (norm.weight[c] * dy[p]) / width;
      along += (norm.weight[c] * dy[p] * normalized[p]) / width;
    }
    for (let c = 0; c < width; c++) {
      const p = r * width + c;
      dx[p] = inverse[r] * (norm.weight[c] * dy[p] - mean - normalized[p] * along);
    }
  }
  return { dx, weight, bias };
}

/** x̂ [R, C] and r [R]. */
function normalize(x: Floats, norm: LayerNorm, rows: number, width: number) {
  integer("rows", rows, 0);
  integer("width", width, 1);
  floats("x", x, rows * width);
  const { weight, bias, epsilon = 1e-6 } = record("norm", norm, ["weight", "bias", "epsilon"]);
  floats("norm.weight", weight, width);
  floats("norm.bias", bias, width);
  nonNegative("norm.epsilon", epsilon);
  const normalized = new Float64Array(rows * width);
  const inverse = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * width, (r + 1) * width);
    let mean = 0;
    for (const value of row) mean += value / width;
    let variance = 0;
    for (const value of row) variance += (value - mean) ** 2 / width;
    inverse[r] = 1 / Math.sqrt(variance + epsilon);
    for (let c = 0; c < width; c++) normalized[r * width + c] = inverse[r] * (row[c] - mean);
  }
  return { normalized, inverse };
}
