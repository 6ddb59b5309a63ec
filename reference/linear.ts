/**
 * The affine map of a projection (arXiv:2511.10208; equations section 1) and its gradients:
 *
 *   Y = X Wᵀ + b,   dX = dY W,   dW = dYᵀ X,   db = Σ_rows dY
 *
 * Shapes: X [R, I], W [O, I], b [O], Y [R, O]; W is stored (out, in), as PyTorch does.
 */

import { type Floats, floats, integer, record } from "./check.js";

/** Parameters of an affine map. */
export interface Linear {
  /** W, [O, I]. */
  weight: Floats;
  /** b, [O]. Default: none. */
  bias?: Floats;
}

/** Gradients of an affine map. `bias` is there whether the map has one or not. */
export interface LinearGradient {
  /** dX, [R, I]. */
  dx: Float64Array;
  /** dW, [O, I]. */
  weight: Float64Array;
  /** db, [O]. */
  bias: Float64Array;
}

/**
 * Y = X Wᵀ + b.
 * @param x [rows, inputs]
 * @returns [rows, outputs]
 * @throws InvalidArgumentError
 */
export function linearForward(x: Floats, map: Linear, rows: number, inputs: number, outputs: number): Float64Array {
  checkLinear(x, map, rows, inputs, outputs);
  const y = new Float64Array(rows * outputs);
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < outputs; o++) {
      let sum = map.bias?.[o] ?? 0;
      for (let i = 0; i < inputs; i++) sum += x[r * inputs + i] * map.weight[o * inputs + i];
      y[r * outputs + o] = sum;
    }
  }
  return y;
}

/**
 * Gradients of `linearForward` for the cotangent dY [rows, outputs].
 * @throws InvalidArgumentError
 */
export function linearBackward(
  x: Floats,
  map: Linear,
  dy: Floats,
  rows: number,
  inputs: number,
  outputs: number,
): LinearGradient {
  checkLinear(x, map, rows, inputs, outputs);
  floats("dy", dy, rows * outputs);
  const gradient = {
    dx: new Float64Array(rows * inputs),
    weight: new Float64Array(outputs * inputs),
    bias: new Float64Array(outputs),
  };
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < outputs; o++) {
      const g = dy[r * outputs + o];
      gradient.bias[o] += g;
      for (let i = 0; i < inputs; i++) {
        gradient.dx[r * inputs + i] += g * map.weight[o * inputs + i];
        gradient.weight[o * inputs + i] += g * x[r * inputs + i];
      }
    }
  }
  return gradient;
}

function checkLinear(x: Floats, map: Linear, rows: number, inputs: number, outputs: number): void {
  integer("rows", rows, 0);
  integer("inputs", inputs, 1);
  integer("outputs", outputs, 1);
  floats("x", x, rows * inputs);
  checkMap("map", map, inputs, outputs);
}

/** The arrays of an affine map. */
export function checkMap(argument: string, map: Linear, inputs: number, outputs: number): void {
  record(argument, map, ["weight", "bias"]);
  floats(`${argument}.weight`, map.weight, outputs * inputs);
  if (map.bias !== undefined) floats(`${argument}.bias`, map.bias, outputs);
}
