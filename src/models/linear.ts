/**
 * Programs of the affine maps Y = X Wᵀ + b (equations section 1). Weights are put into panels of 8 once a step, in one
 * order for the forward pass and in another for dX = dY W, whichever thread then multiplies with them.
 */

import type { KernelCall } from "./engine.js";

/** One map in memory: addresses of its weight [O, I], bias [O] or 0, panels, and offsets of their gradients. */
export interface LinearMap {
  readonly inputs: number;
  readonly outputs: number;
  readonly weight: number;
  readonly bias: number;
  readonly panels: number;
  readonly backwardPanels: number;
  /** From the start of a shard's region of gradients; the bias's is -1 where there is none. */
  readonly weightGradient: number;
  readonly biasGradient: number;
}

/** What `product` does beside multiplying: adds to what is there, cuts off below 0. */
export const productMode = { store: 0, add: 1, relu: 2 } as const;

export function roundUp8(n: number): number {
  return Math.ceil(n / 8) * 8;
}

/** Weights into panels. */
export function packCalls(map: LinearMap, training: boolean): KernelCall[] {
  const { weight, panels, backwardPanels, outputs, inputs } = map;
  const forward: KernelCall = ["pack_rows", weight, panels, outputs, inputs];
  return training ? [forward, ["pack_columns", weight, backwardPanels, outputs, inputs]] : [forward];
}

/** Y = X Wᵀ + b over `rows` rows. */
export function linearForwardCall(map: LinearMap, x: number, y: number, rows: number, mode: number): KernelCall {
  const { inputs, outputs, panels, bias } = map;
  return ["product", x, 4 * inputs, panels, bias, y, rows, inputs, outputs, mode];
}

/** Gradients of weight and bias, added at `gradients`, and dX unless `dx` is 0. */
export function linearBackwardCalls(
  map: LinearMap,
  gradients: number,
  x: number,
  dy: number,
  dx: number,
  rows: number,
  mode: number,
): KernelCall[] {
  const { inputs, outputs, backwardPanels, weightGradient, biasGradient } = map;
  const calls: KernelCall[] = [
    ["product_weight", dy, 4 * outputs, x, gradients + weightGradient, rows, outputs, inputs],
  ];
  if (biasGradient >= 0) calls.push(["column_sums", dy, gradients + biasGradient, rows, outputs]);
  if (dx !== 0) calls.push(["product", dy, 4 * outputs, backwardPanels, 0, dx, rows, outputs, inputs, mode]);
  return calls;
}
