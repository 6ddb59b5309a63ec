/**
 * Pooling of a text's positions to one vector (arXiv:2511.10208; equations section 11):
 *
 *   max:   y_c = max_i x_ic,   the gradient goes to the first position that has it
 *   mean:  y_c = Σ_i x_ic / R
 *
 * Shapes: X [R, C], R at least 1, Y [C].
 */

import { type Floats, floats, integer, oneOf } from "./check.js";

/** The kinds of pooling. */
export type Pooling = "max" | "mean";

/** Y [width] from X [rows, width]. @throws InvalidArgumentError */
export function poolForward(kind: Pooling, x: Floats, rows: number, width: number): Float64Array {
  checkPool(kind, x, rows, width);
  const y = new Float64Array(width);
  for (let c = 0; c < width; c++) {
    if (kind === "max") y[c] = x[largestRow(x, c, rows, width) * width + c];
    else for (let r = 0; r < rows; r++) y[c] += x[r * width + c] / rows;
  }
  return y;
}

/** dX [rows, width] for the cotangent dY [width]. @throws InvalidArgumentError */
export function poolBackward(kind: Pooling, x: Floats, dy: Floats, rows: number, width: number): Float64Array {
  checkPool(kind, x, rows, width);
  floats("dy", dy, width);
  const dx = new Float64Array(rows * width);
  for (let c = 0; c < width; c++) {
    if (kind === "max") dx[largestRow(x, c, rows, width) * width + c] = dy[c];
    else for (let r = 0; r < rows; r++) dx[r * width + c] = dy[c] / rows;
  }
  return dx;
}

function largestRow(x: Floats, column: number, rows: number, width: number): number {
  let best = 0;
  for (let r = 1; r < rows; r++) if (x[r * width + column] > x[best * width + column]) best = r;
  return best;
}

function checkPool(kind: Pooling, x: Floats, rows: number, width: number): void {
  oneOf("kind", kind, ["max", "mean"]);
  integer("rows", rows, 1);
  integer("width", width, 1);
  floats("x", x, rows * width);
}
