/**
 * Orthogonal projections (arXiv:2511.10208; equations section 1): isometries, so that distances in embedding space are
 * kept. The weight is a fixed orthogonal matrix times the exponential of a skew-symmetric one, whose lower triangle is
 * what is learned:
 *
 *   W = B exp(S),   S = T − Tᵀ,   T = lower triangle of the parameter P (its diagonal cancels)
 *   dE = Bᵀ dW,     dS = L(Sᵀ, dE),   dP = lower triangle of dS − dSᵀ
 *
 * L is the Fréchet derivative of the exponential, read off the exponential of a block matrix:
 *
 *   exp [ Sᵀ dE ]  =  [ exp(Sᵀ)  L(Sᵀ, dE) ]
 *       [ 0  Sᵀ ]     [    0      exp(Sᵀ)  ]
 *
 * All matrices are [n, n].
 */

import { type Floats, finite, floats, integer, record } from "./check.js";
import { InvalidArgumentError } from "./errors.js";

/** A weight that stays orthogonal whatever its parameter. */
export interface OrthogonalParameter {
  /** P, [n, n]; only what is below the diagonal acts. */
  original: Floats;
  /** B, [n, n], orthogonal and fixed. */
  base: Floats;
}

/**
 * W = B exp(T − Tᵀ), section 1.
 * @throws InvalidArgumentError
 */
export function orthogonalWeight(parameter: OrthogonalParameter, size: number): Float64Array {
  checkParameter(parameter, size);
  return multiply(parameter.base, exponential("original", skew(parameter.original, size), size), size);
}

/**
 * Gradient with respect to P for the cotangent dW of the weight; 0 on and above the diagonal.
 * @throws InvalidArgumentError
 */
export function orthogonalWeightBackward(parameter: OrthogonalParameter, dWeight: Floats, size: number): Float64Array {
  checkParameter(parameter, size);
  for (const g of floats("dWeight", dWeight, size * size)) finite("dWeight", g);
  const dExponential = multiply(transpose(parameter.base, size), dWeight, size);
  const transposed = transpose(skew(parameter.original, size), size);
  // L is linear in dE: at unit size dE does not add to the norm, which the exponential pays for in digits.
  const largest = dExponential.reduce((most, g) => Math.max(most, Math.abs(g)), 0) || 1;
  const n2 = 2 * size;
  const block = new Float64Array(n2 * n2);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      block[i * n2 + j] = transposed[i * size + j];
      block[(i + size) * n2 + j + size] = transposed[i * size + j];
      block[i * n2 + j + size] = dExponential[i * size + j] / largest;
    }
  }
  const exponent = exponential("original", block, n2);
  const gradient = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      gradient[i * size + j] = largest * (exponent[i * n2 + j + size] - exponent[j * n2 + i + size]);
    }
  }
  return gradient;
}

/**
 * Norm from which no digit of the exponential is known: an error of one unit in the last place of X turns by a radian.
 */
const largestNorm = 2 ** 52;

/**
 * exp(X) = Σ X^k/k! by scaling and squaring: the norm is halved s times until it is below 1/2, where 18 terms of the
 * series leave a remainder below 2^-18/18! < 1e-21, and the result is squared s times.
 * @param x [n, n], rows with magnitudes that add up to at most 2^52
 * @throws InvalidArgumentError
 */
export function matrixExponential(x: Floats, size: number): Float64Array {
  integer("size", size, 1);
  return exponential("x", floats("x", x, size * size), size);
}

function exponential(argument: string, x: Floats, size: number): Float64Array {
  let norm = 0;
  for (let i = 0; i < size; i++) {
    let row = 0;
    for (let j = 0; j < size; j++) row += Math.abs(x[i * size + j]);
    norm = Math.max(norm, row);
  }
  if (!(norm <= largestNorm)) {
    throw new InvalidArgumentError(argument, "rows with magnitudes that add up to at most 2^52", norm);
  }
  const halvings = Math.max(0, Math.ceil(Math.log2(norm)) + 1);
  const scaled = Float64Array.from(x, (entry) => entry / 2 ** halvings);
  let sum = identity(size);
  // Horner: 1 + X (1 + X/2 (1 + X/3 (...))).
  for (let term = 18; term >= 1; term--) {
    const product = multiply(scaled, sum, size);
    sum = identity(size);
    for (let e = 0; e < sum.length; e++) sum[e] += product[e] / term;
  }
  for (let s = 0; s < halvings; s++) sum = multiply(sum, sum, size);
  return sum;
}

function skew(original: Floats, size: number): Float64Array {
  const s = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      s[i * size + j] = original[i * size + j];
      s[j * size + i] = -original[i * size + j];
    }
  }
  return s;
}

function identity(size: number): Float64Array {
  const one = new Float64Array(size * size);
  for (let i = 0; i < size; i++) one[i * size + i] = 1;
  return one;
}

function transpose(a: Floats, size: number): Float64Array {
  const t = new Float64Array(size * size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) t[j * size + i] = a[i * size + j];
  return t;
}

function multiply(a: Floats, b: Floats, size: number): Float64Array {
  const product = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      for (let j = 0; j < size; j++) product[i * size + j] += a[i * size + k] * b[k * size + j];
    }
  }
  return product;
}

function checkParameter(parameter: OrthogonalParameter, size: number): void {
  const { original, base } = record("parameter", parameter, ["original", "base"]);
  integer("size", size, 1);
  floats("original", original, size * size);
  for (const b of floats("base", base, size * size)) finite("base", b);
}
