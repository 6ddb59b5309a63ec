/**
 * Fractional neural attention written down a second time, as literally as the equations allow and sharing nothing with
 * `reference/`: one pass over the pairs of a call, powers in place of logarithms, row sums divided out at the end.
 *
 *   Φ = (1 + z)^−(d_M + α) or exp(−z²),  K~_ij = N_R,i^−a Φ_ij N_C,j^−a,  A_ij = K~_ij / Σ_j K~_ij,  O = A V
 *
 * It under- and overflows where the kernel does, which is why it is not the reference; where it does not, the two must
 * agree to rounding. Numeric bandwidths only.
 */

import type { Tensors } from "../backends/backend.js";
import type { Plan } from "../plan.js";

/** Result of the literal evaluation. */
export interface LiteralResult {
  /** A, [B, H, N, M]. */
  weights: Float64Array;
  /** O, [B, H, N, V]. */
  output: Float64Array;
  /** L, [B, H, N]. */
  logSumExp: Float64Array;
  /** Largest |log Φ| over the unmasked pairs: how many ulps the powers can lose. */
  largestScore: number;
}

/** Evaluates a plan on float64 tensors. */
export function literalForward(plan: Plan, { q, k, v }: Tensors): LiteralResult {
  const { batch, heads, keyHeads, queries, keys, headDim, valueDim, degreeNormalization: a } = plan;
  if (typeof plan.bandwidth !== "number") throw new Error("the literal evaluation takes numeric bandwidths");
  const weights = new Float64Array(batch * heads * queries * keys);
  const output = new Float64Array(batch * heads * queries * valueDim);
  const logSumExp = new Float64Array(batch * heads * queries);
  let largestScore = 0;

  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const alpha = plan.alpha[h];
      const factor = plan.bandwidthExponent === "1/2" ? plan.bandwidth ** 0.5 : plan.bandwidth ** (1 / alpha);
      const rows = (b * heads + h) * queries;
      const columns = (b * keyHeads + Math.floor((h * keyHeads) / heads)) * keys;
      const phi = weights.subarray(rows * keys, (rows + queries) * keys);
      const rowSum = new Float64Array(queries);
      const columnSum = new Float64Array(keys);
      for (let i = 0; i < queries; i++) {
        for (let j = 0; j < keys; j++) {
          if (positionMasked(plan, b, h, i, j)) continue;
          const x = q.subarray((rows + i) * headDim, (rows + i + 1) * headDim);
          const y = k.subarray((columns + j) * headDim, (columns + j + 1) * headDim);
          const d =
            plan.manifold === "sphere" ? plan.radius[h] * angle(x, y) : Math.hypot(...x.map((e, c) => e - y[c]));
          if (d / plan.kappa[h] >= plan.distanceThreshold) continue;
          const z = d / (plan.kappa[h] * factor);
          const value = alpha < 2 ? (1 + z) ** -(plan.intrinsicDim + alpha) : Math.exp(-(z ** 2));
          largestScore = Math.max(largestScore, Math.abs(Math.log(value)));
          phi[i * keys + j] = value;
          rowSum[i] += value;
          columnSum[j] += value;
        }
      }
      for (let i = 0; i < queries; i++) {
        let total = 0;
        let biasedTotal = 0;
        for (let j = 0; j < keys; j++) {
          const p = i * keys + j;
          if (phi[p] === 0) continue;
          biasedTotal += phi[p] / columnSum[j] ** a;
          phi[p] /= rowSum[i] ** a * columnSum[j] ** a;
          total += phi[p];
        }
        logSumExp[rows + i] = Math.log(biasedTotal);
        for (let j = 0; j < keys; j++) {
          if (total > 0) phi[i * keys + j] /= total;
          for (let c = 0; c < valueDim; c++) {
            output[(rows + i) * valueDim + c] += phi[i * keys + j] * v[(columns + j) * valueDim + c];
          }
        }
      }
    }
  }
  return { weights, output, logSumExp, largestScore };
}

/** Every mask but the distance threshold, as `plan.ts` states them. */
export function positionMasked(plan: Plan, b: number, h: number, i: number, j: number): boolean {
  const position = i + plan.keyLengths[b] - plan.queryLengths[b];
  if (i >= plan.queryLengths[b] || j >= plan.keyLengths[b]) return true;
  if (plan.causal && j > position) return true;
  if (plan.excludeSelf && j === position) return true;
  const global = j < plan.globalTokens || (position >= 0 && position < plan.globalTokens);
  if (plan.window >= 0 && !global && (j < position - plan.window || j > position + plan.window)) return true;
  if (!plan.mask) return false;
  const { data, batchStride, headStride, queryStride } = plan.mask;
  return data[b * batchStride + h * headStride + i * queryStride + j] !== 0;
}

/** Angle of two vectors through the half-angle tangent of their unit vectors, which is accurate everywhere. */
function angle(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const nx = Math.hypot(...Array.from(x));
  const ny = Math.hypot(...Array.from(y));
  if (nx === 0 || ny === 0) return Math.PI / 2;
  const difference = Array.from(x, (e, c) => e / nx - y[c] / ny);
  const sum = Array.from(x, (e, c) => e / nx + y[c] / ny);
  return 2 * Math.atan2(Math.hypot(...difference), Math.hypot(...sum));
}
