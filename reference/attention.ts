/**
 * Fractional neural attention of one head, forward (arXiv:2511.10208; equations sections 2 to 7).
 *
 *   s_ij = log Φ_α(d_g(q_i, k_j)/(κ ε^(1/α)))                     kernel.ts, distance.ts, scale.ts
 *   N_R,i = Σ_j e^s_ij,  N_C,j = Σ_i e^s_ij                       row and column sums over unmasked pairs
 *   L_i = log Σ_j exp(s_ij − a log N_C,j)                         −∞ for a row with nothing to attend to
 *   A_ij = exp(s_ij − a log N_C,j − L_i),  O = A V
 *
 * The diffusion-map normalisation N_R^−a Φ N_C^−a followed by row normalisation is exactly this, since N_R cancels.
 * Everything is normalised in log space. With a > 0 the column sums see every query, later and padded ones too (unless
 * masked), so that such attention is not causal even under a causal mask; the same holds for a measured bandwidth.
 *
 * A pair that is masked is never looked at: whatever stands in its key does not matter. An unmasked pair with NaN or
 * Infinity in its query or key has s = NaN, and with NaN or Infinity in its value makes the whole output row NaN.
 *
 * Shapes: q [N, D], k [M, D], v [M, V]; all in float64. The gradients are in `attention-gradient.ts`.
 */

import {
  type Floats,
  flag,
  floats,
  integer,
  nonNegative,
  notNaN,
  oneOf,
  optionalMask,
  positive,
  record,
  stabilityIndex,
} from "./check.js";
import { cosine, euclideanDistances, rawArccosAngles, sphereAngles } from "./distance.js";
import { InvalidArgumentError } from "./errors.js";
import { logPhi } from "./kernel.js";
import { orMasks, thresholdMask } from "./masks.js";
import { type BandwidthExponent, bandwidthFactor, measuredBandwidth, rescaledRadius, scaleKappa } from "./scale.js";

/** The tensors of one head. */
export interface Head {
  /** Queries, [N, D]. */
  q: Floats;
  /** Keys, [M, D]. */
  k: Floats;
  /** Values, [M, V]. */
  v: Floats;
  /** N */
  queries: number;
  /** M */
  keys: number;
  /** D */
  headDim: number;
  /** V. Default: D. */
  valueDim?: number;
}

/** The parameters of one head; defaults are the paper's. */
export interface HeadOptions {
  /** Order α in (0, 2]. Default 1.2. */
  alpha?: number;
  /** Default `"euclidean"`. */
  manifold?: "euclidean" | "sphere";
  /** d_M above 0. Default D; on the sphere max(1, D − 1). */
  intrinsicDim?: number;
  /** κ above 0. Default: section 3; 1 on the sphere. */
  kappa?: number;
  /** r above 0, sphere only. Default: the rescaled radius for α < 2, 1 at α = 2. */
  radius?: number;
  /** ε above 0, or how to measure it. Default 1. */
  bandwidth?: number | "median" | "mean";
  /** Default `"1/alpha"`. */
  bandwidthExponent?: BandwidthExponent;
  /** Which pairs a measured bandwidth looks at. Default `"unmasked"`. */
  bandwidthPairs?: "unmasked" | "all";
  /** a ≥ 0. Default 0. */
  degreeNormalization?: number;
  /** 1 = may not attend, [N, M]. */
  mask?: Uint8Array;
  /** Masks pairs with d_g/κ at least this. Default: none. */
  distanceThreshold?: number;
  /** The authors' conventions that this library does not follow (section 17). */
  compatibility?: Compatibility;
}

/** Compatibility switches, each off by default (sections 6, 9 and 17). */
export interface Compatibility {
  /**
   * Divide each row of K~ by max(its sum, this floor), the authors' 1e-12, in place of its sum: rows far from every key
   * then neither sum to 1 nor depend on scale, and their denominator is a constant for the gradient.
   */
  rowSumFloor?: number;
  /**
   * Angles by arccos of the raw dot product, clamped to [−limit, limit] (1, or 1 − 1e-7 in an older class of theirs): q
   * and k are taken to be unit vectors, whether they are or not. Their gradient is then that of free tensors.
   */
  arccosLimit?: number;
  /** Spherical gradients with respect to the unit vectors as free tensors, neither projected nor divided by the norm. */
  freeSphereGradient?: boolean;
  /** At α = 2, dα along the local branch in place of 0. */
  localOrderGradient?: boolean;
}

const compatibilityNames = [
  "rowSumFloor",
  "arccosLimit",
  "freeSphereGradient",
  "localOrderGradient",
] satisfies (keyof Compatibility)[];

/** The names of `HeadOptions`. */
export const headOptionNames = [
  "alpha",
  "manifold",
  "intrinsicDim",
  "kappa",
  "radius",
  "bandwidth",
  "bandwidthExponent",
  "bandwidthPairs",
  "degreeNormalization",
  "mask",
  "distanceThreshold",
  "compatibility",
] satisfies (keyof HeadOptions)[];

/** A head with all its options resolved. */
export interface ResolvedHead extends Required<Head> {
  alpha: number;
  sphere: boolean;
  intrinsicDim: number;
  kappa: number;
  /** 1 in Euclidean space. */
  radius: number;
  bandwidth: number | "median" | "mean";
  bandwidthExponent: BandwidthExponent;
  bandwidthPairs: "unmasked" | "all";
  degreeNormalization: number;
  mask: Uint8Array | undefined;
  distanceThreshold: number;
  compatibility: Compatibility;
}

/** Everything about the pairs of a head that does not depend on the values. */
export interface Scores {
  /** d_g [N, M]: Euclidean distance or r θ; NaN for a pair with a non-finite query or key. */
  distance: Float64Array;
  /** Every mask together, [N, M]. */
  mask: Uint8Array;
  /** ε in use, measured or given. */
  bandwidth: number;
  /** z = d_g/(κ ε^(1/α)), [N, M]; 0 where masked. */
  z: Float64Array;
  /** s = log Φ_α(z), [N, M]; −∞ where masked. */
  logKernel: Float64Array;
  /** log N_R, [N]. */
  logRowSum: Float64Array;
  /** log N_C, [M]. */
  logColumnSum: Float64Array;
  /** s_ij − a log N_C,j, [N, M]; −∞ where masked. The compatibility floor subtracts a log N_R,i as well. */
  biased: Float64Array;
}

/** The result of `attentionForward`. */
export interface AttentionResult extends Scores {
  /** A, [N, M]. */
  weights: Float64Array;
  /** O, [N, V]. */
  output: Float64Array;
  /** L, [N]. */
  logSumExp: Float64Array;
}

/**
 * Checks a head and resolves its defaults, sections 2 and 3.
 * @throws InvalidArgumentError
 */
export function resolveHead(head: Head, options: HeadOptions = {}): ResolvedHead {
  record("head", head);
  const queries = integer("queries", head.queries, 0);
  const keys = integer("keys", head.keys, 0);
  const headDim = integer("headDim", head.headDim, 1);
  const { valueDim = headDim } = head;
  integer("valueDim", valueDim, 1);

  // Defaults by destructuring: null is no way of leaving an option out.
  record("options", options, headOptionNames);
  const { alpha = 1.2, manifold = "euclidean", bandwidth = 1, compatibility = {} } = options;
  const { bandwidthExponent = "1/alpha", bandwidthPairs = "unmasked", degreeNormalization = 0 } = options;
  stabilityIndex("alpha", alpha);
  const sphere = oneOf("manifold", manifold, ["euclidean", "sphere"]) === "sphere";
  const { intrinsicDim = sphere ? Math.max(1, headDim - 1) : headDim } = options;
  positive("intrinsicDim", intrinsicDim);
  const { kappa = sphere ? 1 : scaleKappa("paper", headDim, alpha) } = options;
  const { radius = alpha < 2 ? rescaledRadius(intrinsicDim) : 1 } = options;
  positive("radius", radius);
  const { distanceThreshold = Number.POSITIVE_INFINITY } = options;
  if (bandwidth !== "median" && bandwidth !== "mean" && !(Number.isFinite(bandwidth) && bandwidth > 0)) {
    throw new InvalidArgumentError("bandwidth", `a finite number above 0, "median" or "mean"`, bandwidth);
  }
  record("compatibility", compatibility, compatibilityNames);
  const { rowSumFloor, arccosLimit } = compatibility;
  if (rowSumFloor !== undefined) positive("compatibility.rowSumFloor", rowSumFloor);
  if (arccosLimit !== undefined) cosine("compatibility.arccosLimit", arccosLimit);
  flag("compatibility.freeSphereGradient", compatibility.freeSphereGradient);
  flag("compatibility.localOrderGradient", compatibility.localOrderGradient);
  return {
    q: floats("q", head.q, queries * headDim),
    k: floats("k", head.k, keys * headDim),
    v: floats("v", head.v, keys * valueDim),
    queries,
    keys,
    headDim,
    valueDim,
    alpha,
    sphere,
    intrinsicDim,
    kappa: positive("kappa", kappa),
    radius: sphere ? radius : 1,
    bandwidth,
    bandwidthExponent: oneOf("bandwidthExponent", bandwidthExponent, ["1/alpha", "1/2"]),
    bandwidthPairs: oneOf("bandwidthPairs", bandwidthPairs, ["unmasked", "all"]),
    degreeNormalization: nonNegative("degreeNormalization", degreeNormalization),
    mask: optionalMask("mask", options.mask, queries * keys),
    distanceThreshold: notNaN("distanceThreshold", distanceThreshold),
    compatibility,
  };
}

/** d_g of every pair, section 2; NaN where the query or the key has a component that is not finite. */
function distances(head: ResolvedHead): Float64Array {
  const { q, k, queries, keys, headDim } = head;
  if (!head.sphere) return spoil(euclideanDistances(q, k, queries, keys, headDim), head);
  const limit = head.compatibility.arccosLimit;
  const angle =
    limit === undefined
      ? sphereAngles(q, k, queries, keys, headDim)
      : rawArccosAngles(q, k, queries, keys, headDim, limit);
  return spoil(
    angle.map((theta) => head.radius * theta),
    head,
  );
}

function spoil(distance: Float64Array, { q, k, queries, keys, headDim }: ResolvedHead): Float64Array {
  for (let i = 0; i < queries; i++) {
    if (!rowIsFinite(q, i, headDim)) distance.fill(Number.NaN, i * keys, (i + 1) * keys);
  }
  for (let j = 0; j < keys; j++) {
    if (rowIsFinite(k, j, headDim)) continue;
    for (let i = 0; i < queries; i++) distance[i * keys + j] = Number.NaN;
  }
  return distance;
}

/** Whether row `row` of x [rows, width] has neither NaN nor Infinity. */
export function rowIsFinite(x: Floats, row: number, width: number): boolean {
  for (let c = 0; c < width; c++) if (!Number.isFinite(x[row * width + c])) return false;
  return true;
}

/**
 * Distances, bandwidth, log kernel, and the sums of the degree normalisation, sections 2 to 6.
 * @throws InvalidArgumentError
 */
export function attentionScores(head: ResolvedHead): Scores {
  const { queries, keys, alpha, intrinsicDim, kappa, degreeNormalization } = head;
  const distance = distances(head);
  const mask = orMasks(
    queries * keys,
    head.mask,
    thresholdMask(
      distance.map((d) => d / kappa),
      head.distanceThreshold,
    ),
  );
  const measured = head.bandwidthPairs === "all" ? undefined : mask;
  const bandwidth =
    typeof head.bandwidth === "number"
      ? head.bandwidth
      : measuredBandwidth(head.bandwidth, distance, kappa, alpha, measured);
  const divisor = Number.isNaN(bandwidth)
    ? Number.NaN
    : kappa * bandwidthFactor(bandwidth, alpha, head.bandwidthExponent);

  const z = new Float64Array(queries * keys);
  const logKernel = new Float64Array(queries * keys).fill(Number.NEGATIVE_INFINITY);
  for (let p = 0; p < queries * keys; p++) {
    if (mask[p]) continue;
    // ε^(1/α) of a small α may vanish: then other pairs are infinitely far, and one at distance 0 is at z = 0 all the same.
    z[p] = distance[p] === 0 && divisor === 0 ? 0 : distance[p] / divisor;
    logKernel[p] = logPhi(z[p], alpha, intrinsicDim);
  }

  const logRowSum = new Float64Array(queries);
  for (let i = 0; i < queries; i++) logRowSum[i] = logSumExp(keys, (j) => logKernel[i * keys + j]);
  const logColumnSum = new Float64Array(keys);
  for (let j = 0; j < keys; j++) logColumnSum[j] = logSumExp(queries, (i) => logKernel[i * keys + j]);

  const biased = new Float64Array(queries * keys).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      const p = i * keys + j;
      // A pair whose kernel underflows even as a logarithm has no weight; its column sum may be as empty.
      if (mask[p] || logKernel[p] === Number.NEGATIVE_INFINITY) continue;
      // a = 0 must not multiply an infinite logarithm.
      biased[p] = logKernel[p] - (degreeNormalization > 0 ? degreeNormalization * logColumnSum[j] : 0);
      if (head.compatibility.rowSumFloor !== undefined && degreeNormalization > 0) {
        biased[p] -= degreeNormalization * logRowSum[i];
      }
    }
  }
  return { distance, mask, bandwidth, z, logKernel, logRowSum, logColumnSum, biased };
}

/** log Σ_n exp(x(n)), with the largest term taken out; −∞ for no term or none above −∞. */
function logSumExp(count: number, x: (n: number) => number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let n = 0; n < count; n++) largest = Math.max(largest, x(n));
  if (largest === Number.NEGATIVE_INFINITY) return largest;
  let sum = 0;
  for (let n = 0; n < count; n++) sum += Math.exp(x(n) - largest);
  return largest + Math.log(sum);
}

/**
 * Fractional neural attention of one head, sections 2 to 7.
 * @param head tensors and sizes: q [N, D], k [M, D], v [M, V]
 * @param options parameters; defaults are the paper's
 * @returns output [N, V], logSumExp [N], weights [N, M], and every intermediate of `Scores`
 * @throws InvalidArgumentError
 */
export function attentionForward(head: Head, options: HeadOptions = {}): AttentionResult {
  const resolved = resolveHead(head, options);
  const { v, queries, keys, valueDim } = resolved;
  const scores = attentionScores(resolved);

  const normalizer = new Float64Array(queries);
  const floor = resolved.compatibility.rowSumFloor;
  for (let i = 0; i < queries; i++) {
    normalizer[i] = logSumExp(keys, (j) => scores.biased[i * keys + j]);
    if (floor !== undefined && normalizer[i] < Math.log(floor)) normalizer[i] = Math.log(floor);
  }

  const weights = normalizedWeights(scores.biased, normalizer, queries, keys);
  const output = new Float64Array(queries * valueDim);
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      if (scores.mask[i * keys + j]) continue;
      const finite = rowIsFinite(v, j, valueDim);
      for (let c = 0; c < valueDim; c++) {
        output[i * valueDim + c] += finite ? weights[i * keys + j] * v[j * valueDim + c] : Number.NaN;
      }
    }
  }
  return { ...scores, weights, output, logSumExp: normalizer };
}

/** A_ij = exp(x_ij − L_i), 0 where x is −∞. */
export function normalizedWeights(
  biased: Float64Array,
  logNormalizer: Floats,
  queries: number,
  keys: number,
): Float64Array {
  const weights = new Float64Array(queries * keys);
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      const x = biased[i * keys + j];
      weights[i * keys + j] = x === Number.NEGATIVE_INFINITY ? 0 : Math.exp(x - logNormalizer[i]);
    }
  }
  return weights;
}
