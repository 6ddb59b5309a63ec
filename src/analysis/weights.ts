/**
 * From what `attention.weights` returns to what the analyses read, and the summary of one attention matrix
 * (eq. sections 12 to 14; arXiv:2511.10208).
 *
 *   effective links   mean over rows of exp(−Σ_j A_ij log A_ij)    to how many tokens a token attends
 *   reach             mean over rows of Σ_j A_ij |i − j|           how far away in the sequence
 *   reversible A      A_ij π_i = A_ji π_j, so Φ_ij = π_i A_ij is symmetric and A = D⁻¹Φ with D = π
 *
 * A is reversible when query and key are shared and the masks symmetric. Then its spectrum is real, that of the symmetric
 * S_ij = (A_ij A_ji)^½, and Φ is what the diffusion map asks for, up to a factor that it does not depend on.
 *
 * Shapes: matrices [N, N] row-major, float32 or float64; results in float64. Cost O(N³) for a spectrum and for the hops.
 * Accuracy: float32 weights carry 2⁻²⁴ relative error into everything here. Non-goals: sparse matrices.
 */

import { type Floats, flag, floats, integer, record } from "../../reference/check.js";
import { InvalidArgumentError } from "../../reference/errors.js";
import {
  attentionEigenvalues,
  attentionMatrix,
  type ComplexValues,
  type SpectralGap,
  spectralGap,
  squareMatrix,
} from "../../reference/spectrum.js";
import { countHops, type HopCounts } from "./hops.js";
import { symmetricEigenvalues } from "./symmetric-eigenvalues.js";

/** Sizes of the array that `attention.weights` returned; an `AttentionInputs` object will do. */
export interface WeightsShape {
  /** B, at least 1. */
  batch: number;
  /** H, at least 1. */
  heads: number;
  /** N, at least 1. */
  queries: number;
  /** M, at least 1. */
  keys: number;
}

/**
 * The matrix of one head and batch entry out of what `attention.weights` returned, as a fresh float64 array.
 *
 * @param weights [B, H, N, M]
 * @param shape B, H, N, M; other properties are ignored, so that the inputs of the call can be handed in
 * @param head in [0, H − 1]; default 0
 * @param batch in [0, B − 1]; default 0
 * @returns [N, M]
 * @throws InvalidArgumentError
 */
export function headWeights(weights: Floats, shape: WeightsShape, head = 0, batch = 0): Float64Array {
  const { batch: batches, heads, queries, keys } = record("shape", shape);
  integer("shape.batch", batches, 1);
  integer("shape.heads", heads, 1);
  integer("shape.queries", queries, 1);
  integer("shape.keys", keys, 1);
  integer("head", head, 0, heads - 1);
  integer("batch", batch, 0, batches - 1);
  floats("weights", weights, batches * heads * queries * keys);
  const start = (batch * heads + head) * queries * keys;
  return Float64Array.from(weights.subarray(start, start + queries * keys));
}

/** What one attention matrix says about the walk of information over the tokens. */
export interface AttentionSummary {
  /** Eigenvalues, [N], from the largest real part down. */
  readonly eigenvalues: ComplexValues;
  /** 1 − λ₂ by real part and by modulus. */
  readonly gap: SpectralGap;
  /** Hops of the cheapest paths between all pairs of tokens. */
  readonly hops: HopCounts;
  /** To how many tokens a token attends: from 1 to N. Empty rows count as 0. */
  readonly effectiveLinks: number;
  /** How far away in the sequence, in tokens. */
  readonly reach: number;
}

/** How to read the matrix. */
export interface SummaryOptions {
  /**
   * The matrix is reversible: query and key shared, masks symmetric. Its eigenvalues are then computed as the real ones
   * that they are, faster and to full accuracy. Default false.
   */
  reversible?: boolean;
}

/**
 * Spectrum, spectral gap, hops, effective links and reach of one attention matrix.
 *
 * @param weights A [N, N], entries in [0, 1]; each row sums to 1 (to 10⁻⁴) or is all zeros
 * @param size N, at least 2
 * @throws InvalidArgumentError
 */
export function summarizeAttention(weights: Floats, size: number, options: SummaryOptions = {}): AttentionSummary {
  integer("size", size, 2);
  const reversible = flag("options.reversible", record("options", options, ["reversible"]).reversible);
  const matrix = attentionMatrix(weights, size);
  const hops = countHops(matrix, size);
  const eigenvalues = reversible ? reversibleEigenvalues(matrix, size) : reversed(attentionEigenvalues(matrix, size));
  let links = 0;
  let reach = 0;
  for (let i = 0; i < size; i++) {
    let entropy = 0;
    let total = 0;
    for (let j = 0; j < size; j++) {
      const a = weights[i * size + j];
      if (a > 0) entropy -= a * Math.log(a);
      total += a;
      reach += a * Math.abs(i - j);
    }
    if (total > 0) links += Math.exp(entropy);
  }
  return {
    eigenvalues,
    gap: spectralGap(eigenvalues),
    hops,
    effectiveLinks: links / size,
    reach: reach / size,
  };
}

/** Those of S = D^½ A D^−½ whatever D is. */
function reversibleEigenvalues(weights: Float64Array, size: number): ComplexValues {
  const symmetric = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      // Square roots first: the product of two tiny weights is 0.
      symmetric[i * size + j] = Math.sqrt(weights[i * size + j]) * Math.sqrt(weights[j * size + i]);
    }
  }
  return { re: symmetricEigenvalues(symmetric, size).reverse(), im: new Float64Array(size) };
}

function reversed({ re, im }: ComplexValues): ComplexValues {
  return { re: re.reverse(), im: im.reverse() };
}

/** Largest |A_ij π_i − A_ji π_j| against the larger of the two; generous enough for weights of float32 … */
const balanceTolerance = 1e-3;
/** … whose smallest normal number this is: below it they have lost their relative accuracy. */
const smallestWeight = 2 ** -126;

/**
 * The symmetric kernel Φ behind a reversible attention matrix, scaled to a total of 1: A = D⁻¹Φ, and its row sums D are
 * the stationary distribution π of the chain. `diffusionMap(reversibleKernel(weights, size), size)` is the diffusion map
 * of an attention matrix. π is found by detailed balance along the strongest links, π_j = π_i A_ij/A_ji.
 *
 * @param weights A [N, N], entries of at least 0
 * @param size N, at least 2
 * @returns Φ [N, N], exactly symmetric
 * @throws InvalidArgumentError also for a matrix that is not reversible (to 10⁻³), and for one whose tokens fall into
 *   groups without any weight between them
 */
export function reversibleKernel(weights: Floats, size: number): Float64Array {
  integer("size", size, 2);
  const matrix = squareMatrix("weights", weights, size);
  const negative = matrix.find((x) => x < 0);
  if (negative !== undefined) throw new InvalidArgumentError("weights", "numbers of at least 0", negative);
  const logPi = stationary(matrix, size);
  let largest = Number.NEGATIVE_INFINITY;
  for (const x of logPi) largest = Math.max(largest, x);
  const root = logPi.map((x) => Math.exp((x - largest) / 2));
  const phi = new Float64Array(size * size);
  let total = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const there = matrix[i * size + j] * root[i] ** 2;
      const back = matrix[j * size + i] * root[j] ** 2;
      const floor = smallestWeight * Math.max(root[i], root[j]) ** 2;
      if (Math.abs(there - back) > balanceTolerance * Math.max(there, back) + floor) {
        const domain = `a reversible chain, as shared query and key with symmetric masks give (not between ${j} and ${i})`;
        throw new InvalidArgumentError("weights", domain, matrix[i * size + j]);
      }
      const flow = Math.sqrt(matrix[i * size + j]) * Math.sqrt(matrix[j * size + i]) * root[i] * root[j];
      phi[i * size + j] = flow;
      phi[j * size + i] = flow;
      total += i === j ? flow : 2 * flow;
    }
  }
  return phi.map((x) => x / total);
}

/** log π up to a constant, along the tree of the strongest links (Prim's algorithm on min(A_ij, A_ji)). */
function stationary(matrix: Float64Array, size: number): Float64Array {
  const logPi = new Float64Array(size);
  const strength = new Float64Array(size).fill(-1);
  const parent = new Int32Array(size);
  strength[0] = Number.POSITIVE_INFINITY;
  for (let settled = 0; settled < size; settled++) {
    let here = -1;
    // A settled token has the strength NaN, which is larger than nothing.
    for (let j = 0; j < size; j++) if (strength[j] > (here < 0 ? 0 : strength[here])) here = j;
    if (here < 0) {
      const domain = `tokens all joined by links in both directions (${size - settled} are apart from the first)`;
      throw new InvalidArgumentError("weights", domain, matrix);
    }
    if (settled > 0) {
      const from = parent[here];
      logPi[here] = logPi[from] + Math.log(matrix[from * size + here]) - Math.log(matrix[here * size + from]);
    }
    strength[here] = Number.NaN;
    for (let j = 0; j < size; j++) {
      const link = Math.min(matrix[here * size + j], matrix[j * size + here]);
      if (link > strength[j]) {
        strength[j] = link;
        parent[j] = here;
      }
    }
  }
  return logPi;
}
