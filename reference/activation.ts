/**
 * Activations of the feed-forward part (arXiv:2511.10208; equations section 11), number by number, and their gradients:
 *
 *   relu(x) = max(x, 0)                                   the text models; slope 0 at 0
 *   gelu(x) = x/2 (1 + tanh u),  u = √(2/π) (x + 0.044715 x³)      the vision models
 *   gelu'(x) = (1 + tanh u)/2 + x/2 (1 − tanh² u) √(2/π) (1 + 0.134145 x²)
 */

import { type Floats, floats } from "./check.js";

const factor = Math.sqrt(2 / Math.PI);
const cubic = 0.044715;

/** max(x, 0). @throws InvalidArgumentError */
export function reluForward(x: Floats): Float64Array {
  return Float64Array.from(floats("x", x), (value) => Math.max(value, 0));
}

/** Gradient of `reluForward` for the cotangent dY. @throws InvalidArgumentError */
export function reluBackward(x: Floats, dy: Floats): Float64Array {
  floats("dy", dy, floats("x", x).length);
  return Float64Array.from(x, (value, p) => (value > 0 ? dy[p] : 0));
}

/** x/2 (1 + tanh u). @throws InvalidArgumentError */
export function geluForward(x: Floats): Float64Array {
  return Float64Array.from(floats("x", x), (value) => (value / 2) * (1 + Math.tanh(inner(value))));
}

/** Gradient of `geluForward` for the cotangent dY. @throws InvalidArgumentError */
export function geluBackward(x: Floats, dy: Floats): Float64Array {
  floats("dy", dy, floats("x", x).length);
  return Float64Array.from(x, (value, p) => {
    const t = Math.tanh(inner(value));
    return dy[p] * ((1 + t) / 2 + (value / 2) * (1 - t * t) * factor * (1 + 3 * cubic * value * value));
  });
}

function inner(x: number): number {
  return factor * (x + cubic * x ** 3);
}
