/**
 * Gradients of fractional neural attention of one head (arXiv:2511.10208; equations section 9). Given dO:
 *
 *   W_ij = exp(s_ij − a log N_C,j − L_i),  δ_i = dO_i · O_i
 *   dV_j = Σ_i W_ij dO_i,                  dS_ij = W_ij (dO_i · V_j − δ_i)
 *   a > 0:  dS_ij ← dS_ij − a G_j C_ij,    G_j = Σ_i dS_ij,  C_ij = exp(s_ij − log N_C,j)
 *   w_ij = dS_ij (∂s/∂z)(∂z/∂d),  dq_i = Σ_j w_ij ∂d_ij/∂q_i,  dk_j = Σ_i w_ij ∂d_ij/∂k_j
 *   dα = Σ_ij dS_ij ∂s/∂α  (α < 2),  dκ = −Σ_ij dS_ij (∂s/∂z) z_ij/κ,  dr = Σ_ij dS_ij (∂s/∂z) z_ij/r
 *
 * W and δ are formed from the caller's L and O, as every backend does. Attention over a subset of the keys therefore
 * has its share of the gradients of the whole when it is given the whole's L and O (a = 0 and a numeric bandwidth).
 *
 * At α = 2 in Euclidean space w/d = −2 dS/κ'² has no singularity; elsewhere the gradient at d = 0 is the sub-gradient 0.
 */

import { attentionScores, type Head, type HeadOptions, normalizedWeights, resolveHead } from "./attention.js";
import { type Floats, floats, record } from "./check.js";
import { addAngleGradient, addEuclideanGradient, addFreeArccosGradient, unitRows } from "./distance.js";
import { logPhiOrderSlope, logPhiSlope } from "./kernel.js";

/** What the forward pass of the head gave, and the cotangent of its output. */
export interface SavedForward {
  /** O, [N, V]. */
  output: Floats;
  /** L, [N]. */
  logSumExp: Floats;
  /** dO, [N, V]. */
  dOutput: Floats;
}

/** Gradients of one head. */
export interface AttentionGradient {
  /** [N, D] */
  dq: Float64Array;
  /** [M, D] */
  dk: Float64Array;
  /** [M, V] */
  dv: Float64Array;
  /** With respect to α; 0 at α = 2. */
  dAlpha: number;
  /** With respect to the resolved κ. */
  dKappa: number;
  /** With respect to the radius r; 0 in Euclidean space. */
  dRadius: number;
}

/**
 * Gradients of `attentionForward`, section 9.
 * @param head tensors and sizes, as in the forward pass
 * @param options as in the forward pass
 * @param saved output [N, V] and logSumExp [N] of the forward pass, and dOutput [N, V]
 * @throws InvalidArgumentError
 */
export function attentionBackward(head: Head, options: HeadOptions, saved: SavedForward): AttentionGradient {
  const resolved = resolveHead(head, options);
  const { q, k, v, queries, keys, headDim, valueDim, alpha, intrinsicDim, kappa, radius, sphere } = resolved;
  record("saved", saved);
  const output = floats("output", saved.output, queries * valueDim);
  const logSumExp = floats("logSumExp", saved.logSumExp, queries);
  const dOutput = floats("dOutput", saved.dOutput, queries * valueDim);
  const scores = attentionScores(resolved);
  const { mask, z } = scores;
  const weights = normalizedWeights(scores.biased, logSumExp, queries, keys);

  const dv = new Float64Array(keys * valueDim);
  const dScore = new Float64Array(queries * keys);
  for (let i = 0; i < queries; i++) {
    let delta = 0;
    for (let c = 0; c < valueDim; c++) delta += dOutput[i * valueDim + c] * output[i * valueDim + c];
    if (hasFlooredRow(resolved.compatibility.rowSumFloor, logSumExp[i])) delta = 0;
    for (let j = 0; j < keys; j++) {
      if (mask[i * keys + j]) continue;
      const weight = weights[i * keys + j];
      let dWeight = 0;
      for (let c = 0; c < valueDim; c++) {
        dv[j * valueDim + c] += weight * dOutput[i * valueDim + c];
        dWeight += dOutput[i * valueDim + c] * v[j * valueDim + c];
      }
      dScore[i * keys + j] = weight * (dWeight - delta);
    }
  }
  if (resolved.degreeNormalization > 0) {
    addDegreeGradient(dScore, scores, resolved);
  }

  const logBandwidth =
    resolved.bandwidthExponent === "1/alpha" && typeof resolved.bandwidth === "number"
      ? Math.log(resolved.bandwidth)
      : 0;
  const orderVaries = alpha < 2 || resolved.compatibility.localOrderGradient === true;
  const dq = new Float64Array(queries * headDim);
  const dk = new Float64Array(keys * headDim);
  const { arccosLimit, freeSphereGradient } = resolved.compatibility;
  const freeLimit = arccosLimit ?? (freeSphereGradient ? 1 : undefined);
  const unitQ = unitRows(q, queries, headDim);
  const unitK = unitRows(k, keys, headDim);
  let dAlpha = 0;
  let dKappa = 0;
  let dRadius = 0;
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      const p = i * keys + j;
      // A pair whose kernel is 0 even as a logarithm has no say either; its z may be infinite.
      if (mask[p] || scores.logKernel[p] === Number.NEGATIVE_INFINITY) continue;
      const dS = dScore[p];
      const slope = logPhiSlope(z[p], alpha, intrinsicDim);
      if (orderVaries) dAlpha += dS * logPhiOrderSlope(z[p], alpha, intrinsicDim, logBandwidth);
      dKappa -= (dS * slope * z[p]) / kappa;
      if (sphere) dRadius += (dS * slope * z[p]) / radius;
      // ∂z/∂d; a pair at distance 0 has no say in the gradient and would divide 0 by 0.
      const d = scores.distance[p];
      if (d === 0) continue;
      const dDistance = dS * slope * (z[p] / d);
      if (!sphere) addEuclideanGradient(dDistance, d, q, i, k, j, headDim, dq, dk);
      else if (freeLimit !== undefined) {
        addFreeArccosGradient(dDistance * radius, q, i, k, j, headDim, freeLimit, dq, dk);
      } else addAngleGradient(dDistance * radius, unitQ, i, unitK, j, headDim, dq, dk);
    }
  }
  return { dq, dk, dv, dAlpha, dKappa, dRadius };
}

/** A row whose denominator is the compatibility floor: a constant, so that its δ vanishes. */
function hasFlooredRow(floor: number | undefined, logSumExp: number): boolean {
  return floor !== undefined && logSumExp === Math.log(floor);
}

/**
 * dS_ij ← dS_ij − a G_j C_ij: the score enters its column's sum. Under the compatibility floor the row sum stays in K~
 * as well and does not cancel, dS_ij ← dS_ij − a (Σ_j dS_ij) exp(s_ij − log N_R,i).
 */
function addDegreeGradient(
  dScore: Float64Array,
  scores: { mask: Uint8Array; logKernel: Float64Array; logRowSum: Float64Array; logColumnSum: Float64Array },
  head: { queries: number; keys: number; degreeNormalization: number; compatibility: { rowSumFloor?: number } },
): void {
  const { queries, keys, degreeNormalization } = head;
  const { mask, logKernel, logRowSum, logColumnSum } = scores;
  const rowTotal = new Float64Array(queries);
  const columnTotal = new Float64Array(keys);
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      rowTotal[i] += dScore[i * keys + j];
      columnTotal[j] += dScore[i * keys + j];
    }
  }
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      const p = i * keys + j;
      if (mask[p] || logKernel[p] === Number.NEGATIVE_INFINITY) continue;
      dScore[p] -= degreeNormalization * columnTotal[j] * Math.exp(logKernel[p] - logColumnSum[j]);
      if (head.compatibility.rowSumFloor !== undefined) {
        dScore[p] -= degreeNormalization * rowTotal[i] * Math.exp(logKernel[p] - logRowSum[i]);
      }
    }
  }
}
