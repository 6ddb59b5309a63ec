/**
 * The attention that one writes first, in float64 (equations sections 4, 6, 7 and 9): for each query its scores, softmax
 * with the maximum subtracted, the weighted sum. It is a contestant, and, being much faster than the reference at sizes
 * where that needs minutes, also the oracle of the accuracy check; `accuracy.ts` first holds it against the reference.
 */

import { keyRange, type Problem } from "./problem.js";

/** O and L. */
export interface NaiveForward {
  /** [B·H, N, D] */
  readonly output: Float64Array;
  /** [B·H, N] */
  readonly logSumExp: Float64Array;
}

/** Gradients, [B·H, N, D] each. */
export interface NaiveBackward {
  readonly dq: Float64Array;
  readonly dk: Float64Array;
  readonly dv: Float64Array;
}

/** s = log Φ of a squared distance. */
function score(problem: Problem, squared: number): number {
  if (problem.alpha === 2) return -squared / (problem.kappa * problem.kappa);
  return -problem.exponent * Math.log1p(Math.sqrt(squared) / problem.kappa);
}

/** (∂s/∂d)/d, 0 at distance 0 for α < 2. */
function scoreSlopeOverDistance(problem: Problem, squared: number): number {
  const { alpha, kappa, exponent } = problem;
  if (alpha === 2) return -2 / (kappa * kappa);
  if (squared === 0) return 0;
  const distance = Math.sqrt(squared);
  return -exponent / ((kappa + distance) * distance);
}

function squaredDistance(q: Float32Array, iRow: number, k: Float32Array, jRow: number, dim: number): number {
  let sum = 0;
  for (let c = 0; c < dim; c++) {
    const difference = q[iRow + c] - k[jRow + c];
    sum += difference * difference;
  }
  return sum;
}

/** O = softmax(s) V, L = log Σ e^s. */
export function naiveForward(problem: Problem): NaiveForward {
  const { slices, length, dim, q, k, v } = problem;
  const output = new Float64Array(slices * length * dim);
  const logSumExp = new Float64Array(slices * length);
  const scores = new Float64Array(length);
  for (let slice = 0; slice < slices; slice++) {
    const base = slice * length * dim;
    for (let i = 0; i < length; i++) {
      const iRow = base + i * dim;
      const [first, last] = keyRange(problem, i);
      let largest = -Infinity;
      for (let j = first; j < last; j++) {
        scores[j] = score(problem, squaredDistance(q, iRow, k, base + j * dim, dim));
        largest = Math.max(largest, scores[j]);
      }
      let sum = 0;
      for (let j = first; j < last; j++) {
        const weight = Math.exp(scores[j] - largest);
        sum += weight;
        for (let c = 0; c < dim; c++) output[iRow + c] += weight * v[base + j * dim + c];
      }
      for (let c = 0; c < dim; c++) output[iRow + c] /= sum;
      logSumExp[slice * length + i] = largest + Math.log(sum);
    }
  }
  return { output, logSumExp };
}

/** Gradients of section 9 from O and L. */
export function naiveBackward(problem: Problem, { output, logSumExp }: NaiveForward): NaiveBackward {
  const { slices, length, dim, q, k, v, dOutput } = problem;
  const dq = new Float64Array(output.length);
  const dk = new Float64Array(output.length);
  const dv = new Float64Array(output.length);
  for (let slice = 0; slice < slices; slice++) {
    const base = slice * length * dim;
    for (let i = 0; i < length; i++) {
      const iRow = base + i * dim;
      const [first, last] = keyRange(problem, i);
      let delta = 0;
      for (let c = 0; c < dim; c++) delta += dOutput[iRow + c] * output[iRow + c];
      for (let j = first; j < last; j++) {
        const jRow = base + j * dim;
        const squared = squaredDistance(q, iRow, k, jRow, dim);
        const weight = Math.exp(score(problem, squared) - logSumExp[slice * length + i]);
        let inner = 0;
        for (let c = 0; c < dim; c++) inner += dOutput[iRow + c] * v[jRow + c];
        const pull = weight * (inner - delta) * scoreSlopeOverDistance(problem, squared);
        for (let c = 0; c < dim; c++) {
          const step = pull * (q[iRow + c] - k[jRow + c]);
          dq[iRow + c] += step;
          dk[jRow + c] -= step;
          dv[jRow + c] += weight * dOutput[iRow + c];
        }
      }
    }
  }
  return { dq, dk, dv };
}
