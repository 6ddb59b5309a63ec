/**
 * Sinkhorn attention of one head (Sinkformer), the second baseline (eq. section 10; arXiv:2511.10208).
 *
 *   S = QKᵀ/√D,  u = 0,  v = 0, then alternately, `iterations` updates in all, the first and the last on rows
 *   u_i ← −log Σ_j exp(S_ij + v_j)            v_j ← −log Σ_i exp(S_ij + u_i)
 *   W_ij = exp(S_ij + u_i + v_j)              O = W V
 *
 * With 3 updates (the authors' choice) that is u, v, u: rows sum to 1 exactly, columns only as far as the iteration has
 * come. What columns are scaled to sum to (1 here; N/M is what unit rows would allow) is a factor common to all columns,
 * and the row update that follows cancels it.
 *
 * A masked pair has S = −∞. A column without any pair keeps v_j = 0, which changes nothing as its weights are zero, and
 * a row without any pair is all zeros. (The authors write −10⁹ for S and reset every v above 9·10⁸ to 0: the same
 * weights. Only for a row that is masked throughout do they get a uniform row where this has zeros.)
 *
 * Shapes: q [N, D], k [M, D], v [M, V], mask [N, M], weights [N, M], output [N, V], row-major.
 * Accuracy: everything is done on logarithms, so no score overflows or vanishes.
 *
 * Gradients go back through the updates. Each subtracts from L = log W the logarithm of its row or column sums, so with
 * W_n the matrix after update n, L_0 = S:
 *
 *   dL_n = W (dO Vᵀ) at the last,   dL_(n−1) = dL_n − W_n (sums of dL_n along the rows or columns of update n)
 *   dq_i = c Σ_j dS_ij k_j,   dk_j = c Σ_i dS_ij q_i,   dV_j = Σ_i W_ij dO_i
 *
 * Non-goals: a stopping rule, unequal marginals.
 */

import type { Head } from "./attention.js";
import { type Floats, floats, integer, record } from "./check.js";
import { dotProductScores } from "./dot-product.js";
import { InvalidArgumentError } from "./errors.js";

/** What may be chosen. */
export interface SinkhornOptions {
  /** Updates of u and v together, an odd number of at least 1, so that the last one is on rows. Default: 3. */
  iterations?: number;
  /** Factor of q·k, a finite number. Default: 1/√D. */
  scale?: number;
  /** [N, M], 1 = may not attend. */
  mask?: Uint8Array;
}

/** The names of `SinkhornOptions`. */
export const sinkhornOptionNames = ["iterations", "scale", "mask"] satisfies (keyof SinkhornOptions)[];

/** Weights [N, M] and output [N, V]. */
export interface SinkhornResult {
  output: Float64Array;
  weights: Float64Array;
}

function oddIterations(argument: string, value: unknown): number {
  const iterations = integer(argument, value, 1);
  if (iterations % 2 === 0) throw new InvalidArgumentError(argument, "an odd integer", value);
  return iterations;
}

/** log Σ exp(terms[k]), −Infinity for no term or none above −Infinity. */
function logSumExp(terms: Float64Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const x of terms) largest = Math.max(largest, x);
  if (largest === Number.NEGATIVE_INFINITY) return largest;
  let sum = 0;
  for (const x of terms) sum += Math.exp(x - largest);
  return largest + Math.log(sum);
}

/**
 * Alternate row and column normalisation of exp(scores), ending on rows.
 *
 * @param scores S [N, M]; −Infinity at pairs that take no part
 * @param rows N, at least 0
 * @param columns M, at least 0
 * @param iterations updates of u and v together, odd; default 3
 * @returns W [N, M]: rows sum to 1, or are zero where nothing may be attended to
 * @throws InvalidArgumentError
 */
export function sinkhornNormalize(scores: Floats, rows: number, columns: number, iterations = 3): Float64Array {
  const N = integer("rows", rows, 0);
  const M = integer("columns", columns, 0);
  floats("scores", scores, N * M);
  oddIterations("iterations", iterations);
  const u = new Float64Array(N);
  const v = new Float64Array(M);
  const alongRow = new Float64Array(M);
  const alongColumn = new Float64Array(N);

  for (let step = 0; step < iterations; step++) {
    if (step % 2 === 0) {
      for (let i = 0; i < N; i++) {
        for (let j = 0; j < M; j++) alongRow[j] = scores[i * M + j] + v[j];
        const sum = logSumExp(alongRow);
        u[i] = sum === Number.NEGATIVE_INFINITY ? 0 : -sum;
      }
    } else {
      for (let j = 0; j < M; j++) {
        for (let i = 0; i < N; i++) alongColumn[i] = scores[i * M + j] + u[i];
        const sum = logSumExp(alongColumn);
        v[j] = sum === Number.NEGATIVE_INFINITY ? 0 : -sum;
      }
    }
  }

  const weights = new Float64Array(N * M);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < M; j++) weights[i * M + j] = Math.exp(scores[i * M + j] + u[i] + v[j]);
  }
  return weights;
}

/**
 * Sinkhorn attention. eq. section 10.
 *
 * @param inputs q [N, D], k [M, D], v [M, V] and their sizes
 * @param options iterations (default 3), scale (default 1/√D), mask
 * @returns weights [N, M] and output [N, V]
 * @throws InvalidArgumentError
 */
export function sinkhornAttention(inputs: Head, options: SinkhornOptions = {}): SinkhornResult {
  const { iterations = 3, scale, mask } = record("options", options, sinkhornOptionNames);
  oddIterations("options.iterations", iterations);
  const scores = dotProductScores(inputs, { scale, mask });
  const { queries: N, keys: M, headDim: D, valueDim: V = D, v } = inputs;
  const weights = sinkhornNormalize(scores, N, M, iterations);
  const output = new Float64Array(N * V);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < M; j++) {
      if (mask?.[i * M + j]) continue;
      for (let c = 0; c < V; c++) output[i * V + c] += weights[i * M + j] * v[j * V + c];
    }
  }
  return { output, weights };
}

/**
 * Gradients of Sinkhorn attention for the cotangent dO [N, V] of its output. eq. section 10.
 * @returns dq [N, D], dk [M, D], dv [M, V]
 * @throws InvalidArgumentError
 */
export function sinkhornAttentionBackward(
  inputs: Head,
  options: SinkhornOptions,
  dOutput: Floats,
): { dq: Float64Array; dk: Float64Array; dv: Float64Array } {
  record("options", options, sinkhornOptionNames);
  const { weights } = sinkhornAttention(inputs, options);
  const { queries: N, keys: M, headDim: D, valueDim: V = D, q, k, v } = inputs;
  const { iterations = 3, scale = 1 / Math.sqrt(D), mask } = options;
  floats("dOutput", dOutput, N * V);
  const scores = dotProductScores(inputs, { scale, mask });
  const dScores = new Float64Array(N * M);
  const dq = new Float64Array(N * D);
  const dk = new Float64Array(M * D);
  const dv = new Float64Array(M * V);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < M; j++) {
      if (weights[i * M + j] === 0) continue;
      for (let c = 0; c < V; c++) {
        dScores[i * M + j] += weights[i * M + j] * dOutput[i * V + c] * v[j * V + c];
        dv[j * V + c] += weights[i * M + j] * dOutput[i * V + c];
      }
    }
  }
  for (let step = iterations; step >= 1; step--) {
    const after = step % 2 === 1 ? sinkhornNormalize(scores, N, M, step) : columnsLast(scores, N, M, step);
    const lines = new Float64Array(step % 2 === 1 ? N : M);
    const lineOf = (p: number) => (step % 2 === 1 ? Math.floor(p / M) : p % M);
    for (let p = 0; p < N * M; p++) lines[lineOf(p)] += dScores[p];
    for (let p = 0; p < N * M; p++) dScores[p] -= after[p] * lines[lineOf(p)];
  }
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < M; j++) {
      if (mask?.[i * M + j]) continue;
      for (let c = 0; c < D; c++) {
        dq[i * D + c] += scale * dScores[i * M + j] * k[j * D + c];
        dk[j * D + c] += scale * dScores[i * M + j] * q[i * D + c];
      }
    }
  }
  return { dq, dk, dv };
}

/** The matrix after an even number of updates: one on columns follows those that end on rows. */
function columnsLast(scores: Floats, N: number, M: number, updates: number): Float64Array {
  const weights = sinkhornNormalize(scores, N, M, updates - 1);
  for (let j = 0; j < M; j++) {
    let sum = 0;
    for (let i = 0; i < N; i++) sum += weights[i * M + j];
    for (let i = 0; i < N; i++) if (sum > 0) weights[i * M + j] /= sum;
  }
  return weights;
}
