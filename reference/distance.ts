/**
 * Distances between queries and keys (arXiv:2511.10208; equations section 2) and their gradients (section 9).
 *
 *   Euclidean   d_g(q, k) = ‖q − k‖₂
 *   Sphere      d_g(q, k) = r θ,  θ = 2 asin(‖q̂ − k̂‖/2)            acute
 *                                 θ = π − 2 asin(‖q̂ + k̂‖/2)        obtuse,   q̂ = q/‖q‖
 *
 * The chord form is used because arccos of a dot product is good to 1e-8 only near 0 and π, in float64. A zero vector
 * has no direction: its angle to everything is π/2 and its gradient 0.
 *
 * Shapes: q [N, D], k [M, D], distances [N, M]. Components up to 1e150 and down to 1e-150 in magnitude are safe from
 * overflow and underflow of the squares on the plane; on the sphere any finite vector is.
 */

import { type Floats, floats, integer } from "./check.js";
import { InvalidArgumentError } from "./errors.js";

/**
 * Euclidean distances, section 2.
 * @param q queries, [N, D]
 * @param k keys, [M, D]
 * @returns [N, M]
 * @throws InvalidArgumentError
 */
export function euclideanDistances(q: Floats, k: Floats, queries: number, keys: number, headDim: number): Float64Array {
  checkPoints(q, k, queries, keys, headDim);
  const distance = new Float64Array(queries * keys);
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      let sum = 0;
      for (let c = 0; c < headDim; c++) {
        const difference = q[i * headDim + c] - k[j * headDim + c];
        sum += difference * difference;
      }
      distance[i * keys + j] = Math.sqrt(sum);
    }
  }
  return distance;
}

/** Rows scaled to unit length, and the lengths that they had. */
export interface UnitRows {
  /** [rows, D]; a zero row stays zero. */
  unit: Float64Array;
  /** [rows] */
  norm: Float64Array;
}

/**
 * Divides each row by its 2-norm, section 2. The largest component is divided out first, so that no square overflows.
 * @param x [rows, D]
 * @throws InvalidArgumentError
 */
export function unitRows(x: Floats, rows: number, headDim: number): UnitRows {
  integer("rows", rows, 0);
  integer("headDim", headDim, 1);
  floats("x", x, rows * headDim);
  const unit = new Float64Array(rows * headDim);
  const norm = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let largest = 0;
    for (let c = 0; c < headDim; c++) largest = Math.max(largest, Math.abs(x[i * headDim + c]));
    if (largest === 0) continue;
    let sum = 0;
    for (let c = 0; c < headDim; c++) sum += (x[i * headDim + c] / largest) ** 2;
    const root = Math.sqrt(sum);
    norm[i] = largest * root;
    for (let c = 0; c < headDim; c++) unit[i * headDim + c] = x[i * headDim + c] / largest / root;
  }
  return { unit, norm };
}

/** Lengths of the difference and of the sum of two unit vectors: 2 sin(θ/2) and 2 cos(θ/2). */
export interface Chords {
  difference: number;
  sum: number;
}

/** The chords between row i of `a` and row j of `b`. */
export function chords(a: Float64Array, i: number, b: Float64Array, j: number, headDim: number): Chords {
  let difference = 0;
  let sum = 0;
  for (let c = 0; c < headDim; c++) {
    const x = a[i * headDim + c];
    const y = b[j * headDim + c];
    difference += (x - y) ** 2;
    sum += (x + y) ** 2;
  }
  return { difference: Math.sqrt(difference), sum: Math.sqrt(sum) };
}

/** The angle of two unit vectors from their chords, in [0, π]. */
export function angleOfChords({ difference, sum }: Chords): number {
  // The smaller of the two is at most √2, as their squares add up to 4: no argument of asin is near 1.
  return difference <= sum ? 2 * Math.asin(difference / 2) : Math.PI - 2 * Math.asin(sum / 2);
}

/**
 * Angles θ between the directions of queries and keys, section 2; multiply by the radius r for the geodesic distance.
 * @param q queries, [N, D], of any length
 * @param k keys, [M, D], of any length
 * @returns [N, M], in radians
 * @throws InvalidArgumentError
 */
export function sphereAngles(q: Floats, k: Floats, queries: number, keys: number, headDim: number): Float64Array {
  checkPoints(q, k, queries, keys, headDim);
  const a = unitRows(q, queries, headDim);
  const b = unitRows(k, keys, headDim);
  const angle = new Float64Array(queries * keys);
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      angle[i * keys + j] =
        a.norm[i] === 0 || b.norm[j] === 0 ? Math.PI / 2 : angleOfChords(chords(a.unit, i, b.unit, j, headDim));
    }
  }
  return angle;
}

/** A bound on the magnitude of a cosine, in (0, 1]. */
export function cosine(argument: string, limit: unknown): void {
  if (typeof limit !== "number" || !(limit > 0 && limit <= 1)) {
    throw new InvalidArgumentError(argument, "a number in (0, 1]", limit);
  }
}

/**
 * arccos of the raw dot products, clamped to [−limit, limit]: the angle of vectors that are taken to be unit vectors
 * already. Only for the compatibility switches of section 17.
 * @param limit in (0, 1]
 * @returns [N, M], in radians
 * @throws InvalidArgumentError
 */
export function rawArccosAngles(
  q: Floats,
  k: Floats,
  queries: number,
  keys: number,
  headDim: number,
  limit = 1,
): Float64Array {
  checkPoints(q, k, queries, keys, headDim);
  cosine("limit", limit);
  const angle = new Float64Array(queries * keys);
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      let dot = 0;
      for (let c = 0; c < headDim; c++) dot += q[i * headDim + c] * k[j * headDim + c];
      angle[i * keys + j] = Math.acos(Math.max(-limit, Math.min(limit, dot)));
    }
  }
  return angle;
}

/**
 * Adds `weight` · ∂d/∂q to row i of dq and `weight` · ∂d/∂k to row j of dk for the Euclidean distance `d` > 0 of the
 * pair: ∂d/∂q = (q − k)/d, section 9.
 */
export function addEuclideanGradient(
  weight: number,
  d: number,
  q: Floats,
  i: number,
  k: Floats,
  j: number,
  headDim: number,
  dq: Float64Array,
  dk: Float64Array,
): void {
  for (let c = 0; c < headDim; c++) {
    const g = (weight * (q[i * headDim + c] - k[j * headDim + c])) / d;
    dq[i * headDim + c] += g;
    dk[j * headDim + c] -= g;
  }
}

/**
 * Adds `weight` · ∂θ/∂q and `weight` · ∂θ/∂k, with respect to the raw vectors, section 9:
 *
 *   ∂θ/∂q = −(I − q̂q̂ᵀ) k̂ / (sin θ ‖q‖),   (I − q̂q̂ᵀ) k̂ = k̂ − q̂ + q̂ ‖q̂−k̂‖²/2  =  k̂ + q̂ − q̂ ‖q̂+k̂‖²/2
 *
 * of which the first form keeps its digits for close vectors and the second for nearly opposite ones.
 * 0 at θ = 0 and π, and for a zero vector.
 */
export function addAngleGradient(
  weight: number,
  q: UnitRows,
  i: number,
  k: UnitRows,
  j: number,
  headDim: number,
  dq: Float64Array,
  dk: Float64Array,
): void {
  if (q.norm[i] === 0 || k.norm[j] === 0) return;
  const pair = chords(q.unit, i, k.unit, j, headDim);
  const sine = (pair.difference * pair.sum) / 2;
  if (sine === 0) return;
  const sign = pair.difference <= pair.sum ? -1 : 1;
  const half = Math.min(pair.difference, pair.sum) ** 2 / 2;
  for (let c = 0; c < headDim; c++) {
    const x = q.unit[i * headDim + c];
    const y = k.unit[j * headDim + c];
    dq[i * headDim + c] -= (weight * (y + sign * x - sign * x * half)) / (sine * q.norm[i]);
    dk[j * headDim + c] -= (weight * (x + sign * y - sign * y * half)) / (sine * k.norm[j]);
  }
}

/**
 * Adds `weight` · ∂ arccos(q·k)/∂q = −k/√(1 − (q·k)²) and the same for k, with q and k free: what automatic
 * differentiation gives when nothing normalises the vectors. 0 where the clamp to [−limit, limit] acts.
 */
export function addFreeArccosGradient(
  weight: number,
  q: Floats,
  i: number,
  k: Floats,
  j: number,
  headDim: number,
  limit: number,
  dq: Float64Array,
  dk: Float64Array,
): void {
  let dot = 0;
  for (let c = 0; c < headDim; c++) dot += q[i * headDim + c] * k[j * headDim + c];
  if (Math.abs(dot) >= limit) return;
  const sine = Math.sqrt((1 - dot) * (1 + dot));
  for (let c = 0; c < headDim; c++) {
    dq[i * headDim + c] -= (weight * k[j * headDim + c]) / sine;
    dk[j * headDim + c] -= (weight * q[i * headDim + c]) / sine;
  }
}

function checkPoints(q: Floats, k: Floats, queries: number, keys: number, headDim: number): void {
  integer("queries", queries, 0);
  integer("keys", keys, 0);
  integer("headDim", headDim, 1);
  floats("q", q, queries * headDim);
  floats("k", k, keys * headDim);
}
