/**
 * Dot-product attention of one head, the baseline that fractional neural attention is compared with
 * (eq. section 10 and, for the gradients, section 9; arXiv:2511.10208).
 *
 *   s_ij = c q_i·k_j,  c = 1/√D        w_ij = exp(s_ij − L_i)        L_i = log Σ_j exp(s_ij)        o_i = Σ_j w_ij v_j
 *   δ_i = do_i·o_i      dv_j = Σ_i w_ij do_i      ds_ij = w_ij (do_i·v_j − δ_i)
 *   dq_i = c Σ_j ds_ij k_j                        dk_j = c Σ_i ds_ij q_i
 *
 * A masked pair takes no part: it is not read, whatever stands there, and a query with nothing to attend to has zero
 * weights, a zero output, L = −∞ and zero gradients. The authors' text code writes the score −10⁹ there instead, which
 * makes such a row uniform over all keys; `maskFill` reproduces that. Their translation code writes −∞, which agrees
 * with the default on every row that has a key left.
 *
 * Shapes: q [N, D], k [M, D], v [M, V], mask [N, M], output [N, V], weights [N, M], logSumExp [N]; row-major.
 * Accuracy: the scores lose D ulp of |q||k|, which the exponential turns into relative errors of the weights; the
 * largest score of a row is subtracted first, so nothing overflows.
 * Non-goals: heads and batches (loop over them), speed, a special treatment of NaN: it spreads as arithmetic has it.
 */

import type { Head } from "./attention.js";
import { type Floats, finite, floats, integer, optionalMask, record } from "./check.js";
import { InvalidArgumentError } from "./errors.js";

/** What may be chosen. */
export interface DotProductOptions {
  /** c, a finite number. Default: 1/√D. */
  scale?: number;
  /** [N, M], 1 = may not attend. Default: every query attends to every key. */
  mask?: Uint8Array;
  /**
   * The score that a masked pair gets, in place of being left out: a finite number, or −Infinity for the default.
   * −10⁹ is the authors' text code. No gradient flows through a score that was written in.
   */
  maskFill?: number;
}

/** The names of `DotProductOptions`. */
export const dotProductOptionNames = ["scale", "mask", "maskFill"] satisfies (keyof DotProductOptions)[];

/** Result of the forward pass. */
export interface DotProductResult {
  /** [N, V] */
  output: Float64Array;
  /** [N, M] */
  weights: Float64Array;
  /** L, [N]; −Infinity for a query with nothing to attend to. */
  logSumExp: Float64Array;
}

/** Gradients of a loss with respect to the inputs. */
export interface DotProductGradients {
  /** [N, D] */
  dq: Float64Array;
  /** [M, D] */
  dk: Float64Array;
  /** [M, V] */
  dv: Float64Array;
}

interface Resolved {
  q: Floats;
  k: Floats;
  v: Floats;
  N: number;
  M: number;
  D: number;
  V: number;
  scale: number;
  mask: Uint8Array | undefined;
  /** The finite score of masked pairs, or undefined to leave them out. */
  fill: number | undefined;
}

function resolve(inputs: Head, options: DotProductOptions): Resolved {
  record("inputs", inputs);
  const N = integer("queries", inputs.queries, 0);
  const M = integer("keys", inputs.keys, 0);
  const D = integer("headDim", inputs.headDim, 1);
  const { valueDim: V = D } = inputs;
  integer("valueDim", V, 1);
  const { scale = 1 / Math.sqrt(D), maskFill } = record("options", options, dotProductOptionNames);
  if (maskFill !== undefined && maskFill !== Number.NEGATIVE_INFINITY && !Number.isFinite(maskFill)) {
    throw new InvalidArgumentError("options.maskFill", "a finite number or -Infinity", maskFill);
  }
  return {
    q: floats("q", inputs.q, N * D),
    k: floats("k", inputs.k, M * D),
    v: floats("v", inputs.v, M * V),
    N,
    M,
    D,
    V,
    scale: finite("options.scale", scale),
    mask: optionalMask("options.mask", options.mask, N * M),
    fill: maskFill === Number.NEGATIVE_INFINITY ? undefined : maskFill,
  };
}

/**
 * Scores s_ij = c q_i·k_j, [N, M], with −Infinity at pairs that take no part. Shared with Sinkhorn attention.
 * @internal
 */
export function dotProductScores(inputs: Head, options: DotProductOptions): Float64Array {
  const { q, k, N, M, D, scale, mask, fill } = resolve(inputs, options);
  const scores = new Float64Array(N * M);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < M; j++) {
      if (mask?.[i * M + j]) {
        scores[i * M + j] = fill ?? Number.NEGATIVE_INFINITY;
        continue;
      }
      let dot = 0;
      for (let c = 0; c < D; c++) dot += q[i * D + c] * k[j * D + c];
      scores[i * M + j] = scale * dot;
    }
  }
  return scores;
}

/**
 * Dot-product attention, softmax(c QKᵀ)V. eq. section 10.
 *
 * @param inputs q [N, D], k [M, D], v [M, V] and their sizes
 * @param options scale (default 1/√D), mask, maskFill
 * @returns output [N, V], weights [N, M], logSumExp [N]
 * @throws InvalidArgumentError
 */
export function dotProductAttention(inputs: Head, options: DotProductOptions = {}): DotProductResult {
  const { v, N, M, V, mask, fill } = resolve(inputs, options);
  const weights = dotProductScores(inputs, options);
  const logSumExp = new Float64Array(N);
  const output = new Float64Array(N * V);
  const leftOut = (p: number): boolean => fill === undefined && Boolean(mask?.[p]);

  for (let i = 0; i < N; i++) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < M; j++) {
      if (leftOut(i * M + j)) continue;
      largest = Math.max(largest, weights[i * M + j]);
    }
    let sum = 0;
    for (let j = 0; j < M; j++) {
      if (leftOut(i * M + j)) continue;
      sum += Math.exp(weights[i * M + j] - largest);
    }
    // With nothing to attend to that is −∞ + log 0, as it should be.
    logSumExp[i] = largest + Math.log(sum);
    for (let j = 0; j < M; j++) {
      if (leftOut(i * M + j)) {
        weights[i * M + j] = 0;
        continue;
      }
      // Dividing by the sum, rather than exp(s − L), keeps rows at 1 to rounding however large L is.
      const weight = Math.exp(weights[i * M + j] - largest) / sum;
      weights[i * M + j] = weight;
      for (let c = 0; c < V; c++) output[i * V + c] += weight * v[j * V + c];
    }
  }
  return { output, weights, logSumExp };
}

/**
 * Gradients of dot-product attention. eq. sections 9 and 10.
 *
 * @param inputs as given to `dotProductAttention`
 * @param options as given to `dotProductAttention`
 * @param dOutput gradient of the loss with respect to the output, [N, V]
 * @returns dq [N, D], dk [M, D], dv [M, V]
 * @throws InvalidArgumentError
 */
export function dotProductAttentionBackward(
  inputs: Head,
  options: DotProductOptions,
  dOutput: Floats,
): DotProductGradients {
  const { q, k, v, N, M, D, V, scale, mask, fill } = resolve(inputs, options);
  floats("dOutput", dOutput, N * V);
  const { output, weights } = dotProductAttention(inputs, options);
  const dq = new Float64Array(N * D);
  const dk = new Float64Array(M * D);
  const dv = new Float64Array(M * V);

  for (let i = 0; i < N; i++) {
    let delta = 0;
    for (let c = 0; c < V; c++) delta += dOutput[i * V + c] * output[i * V + c];
    for (let j = 0; j < M; j++) {
      const masked = Boolean(mask?.[i * M + j]);
      if (masked && fill === undefined) continue;
      const weight = weights[i * M + j];
      let dWeight = 0;
      for (let c = 0; c < V; c++) {
        dv[j * V + c] += weight * dOutput[i * V + c];
        dWeight += dOutput[i * V + c] * v[j * V + c];
      }
      // A filled score does not depend on q and k.
      if (masked) continue;
      const dScore = scale * weight * (dWeight - delta);
      for (let c = 0; c < D; c++) {
        dq[i * D + c] += dScore * k[j * D + c];
        dk[j * D + c] += dScore * q[i * D + c];
      }
    }
  }
  return { dq, dk, dv };
}
