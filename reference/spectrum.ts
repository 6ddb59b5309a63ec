/**
 * Spectrum of an attention matrix read as a Markov chain over tokens (eq. section 12; arXiv:2511.10208).
 *
 *   A row-stochastic: λ₁ = 1, |λ| ≤ 1       gap = 1 − λ₂, with λ₂ second by real part, or second by modulus
 *   Φ symmetric, D its row sums:  A = D⁻¹Φ = D^−½ (D^−½ Φ D^−½) D^½,  so A has the real spectrum of D^−½ Φ D^−½
 *   generator  L = −log(A)/t:  λ ↦ −log(λ)/t,  principal branch
 *
 * The two gaps answer different questions. By real part is what the authors report. By modulus is the rate at which the
 * chain forgets where it started: a chain that alternates between two halves (λ = −1) never does, and only the second
 * definition says so.
 *
 * Shapes: matrices [N, N] row-major. Eigenvalues come as two arrays, real and imaginary parts.
 * Accuracy: a symmetric matrix to a few N ulp of its norm, any other to that times the condition of the eigenvalue (the
 * p-th root of it for a defective one of multiplicity p). Cost O(N³). Non-goals: sparse or partial decompositions.
 */

import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { type Floats, floats, integer, oneOf, positive } from "./check.js";
import { InvalidArgumentError } from "./errors.js";

/** Complex numbers as two arrays of the same length. */
export interface ComplexValues {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** Eigenvalues, ascending, and orthonormal eigenvectors of a symmetric matrix. */
export interface SymmetricEigen {
  /** [N], ascending. */
  readonly values: Float64Array;
  /** [N, N]; column j, the entries i·N + j, belongs to value j. Signs are arbitrary. */
  readonly vectors: Float64Array;
}

/** `"real"`: by real part, then imaginary part, the authors' order. `"modulus"`: by |λ|, then as for `"real"`. */
export type SpectrumOrder = "real" | "modulus";

/**
 * Largest relative asymmetry |m_ij − m_ji| / max|m| that passes for rounding of a symmetric float64 matrix.
 * @internal
 */
export const symmetryTolerance = 1e-12;

/** Largest |row sum − 1| of a row-stochastic matrix; generous enough for weights that were computed in float32. */
const stochasticTolerance = 1e-4;

/**
 * Checks a finite square matrix and copies it to float64. A non-finite entry is refused because the QR iteration would
 * not end on it.
 * @internal
 */
export function squareMatrix(argument: string, matrix: Floats, size: number): Float64Array {
  integer("size", size, 1);
  const copy = Float64Array.from(floats(argument, matrix, size * size));
  const bad = copy.find((x) => !Number.isFinite(x));
  if (bad !== undefined) throw new InvalidArgumentError(argument, "finite numbers", bad);
  return copy;
}

/**
 * As `squareMatrix`, symmetric up to rounding; what comes back is exactly symmetric.
 * @internal
 */
export function symmetricMatrix(argument: string, matrix: Floats, size: number): Float64Array {
  const copy = squareMatrix(argument, matrix, size);
  let largest = 0;
  for (const x of copy) largest = Math.max(largest, Math.abs(x));
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      const [lower, upper] = [copy[i * size + j], copy[j * size + i]];
      if (Math.abs(lower - upper) > symmetryTolerance * largest) {
        const domain = `a symmetric matrix (entry [${i}, ${j}] is ${lower}, entry [${j}, ${i}] differs)`;
        throw new InvalidArgumentError(argument, domain, upper);
      }
      const mean = lower / 2 + upper / 2;
      copy[i * size + j] = mean;
      copy[j * size + i] = mean;
    }
  }
  return copy;
}

/**
 * As `symmetricMatrix`, without negative entries: kernel values of a shared query and key.
 * @internal
 */
export function symmetricKernel(argument: string, phi: Floats, size: number): Float64Array {
  const copy = symmetricMatrix(argument, phi, size);
  const bad = phi.find((x) => x < 0);
  if (bad !== undefined) throw new InvalidArgumentError(argument, "numbers of at least 0", bad);
  return copy;
}

/**
 * As `squareMatrix`, with entries of at least 0 and rows that sum to 1 or are all zeros.
 * @internal
 */
export function attentionMatrix(weights: Floats, size: number): Float64Array {
  const matrix = squareMatrix("weights", weights, size);
  const negative = matrix.find((x) => x < 0);
  if (negative !== undefined) throw new InvalidArgumentError("weights", "numbers of at least 0", negative);
  for (const sum of rowSums(matrix, size)) {
    if (sum !== 0 && Math.abs(sum - 1) > stochasticTolerance) {
      throw new InvalidArgumentError("weights", "rows that sum to 1 or are all zeros", sum);
    }
  }
  return matrix;
}

/**
 * Row sums [N] of a matrix [N, N].
 * @internal
 */
export function rowSums(matrix: Float64Array, size: number): Float64Array {
  const sums = new Float64Array(size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) sums[i] += matrix[i * size + j];
  return sums;
}

/**
 * D^−½ M D^−½ for D ≥ 0, with 0^−½ read as 0: a row without any weight stays a zero row.
 * @internal
 */
export function conjugateByDegree(matrix: Float64Array, degree: Float64Array, size: number): Float64Array {
  const out = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      // Two roots, not the root of the product, which would overflow or vanish for extreme degrees.
      const scale = Math.sqrt(degree[i]) * Math.sqrt(degree[j]);
      if (scale > 0) out[i * size + j] = matrix[i * size + j] / scale;
    }
  }
  return out;
}

function toMatrix(matrix: Float64Array, size: number): Matrix {
  const out = new Matrix(size, size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) out.set(i, j, matrix[i * size + j]);
  return out;
}

/**
 * Eigenvalues and eigenvectors of a real symmetric matrix.
 *
 * @param matrix [N, N], symmetric to 10⁻¹² of its largest entry
 * @param size N, at least 1
 * @throws InvalidArgumentError also for NaN and infinities
 */
export function symmetricEigen(matrix: Floats, size: number): SymmetricEigen {
  const symmetric = symmetricMatrix("matrix", matrix, size);
  const decomposition = new EigenvalueDecomposition(toMatrix(symmetric, size), { assumeSymmetric: true });
  const found = decomposition.eigenvectorMatrix;
  const order = Array.from(decomposition.realEigenvalues.keys());
  order.sort((a, b) => decomposition.realEigenvalues[a] - decomposition.realEigenvalues[b]);
  const vectors = new Float64Array(size * size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) vectors[i * size + j] = found.get(i, order[j]);
  return { values: Float64Array.from(order, (j) => decomposition.realEigenvalues[j]), vectors };
}

/** Ascending; see `SpectrumOrder`. */
function sorted(re: readonly number[], im: readonly number[], order: SpectrumOrder): ComplexValues {
  const index = Array.from(re.keys());
  const modulus = (j: number): number => Math.hypot(re[j], im[j]);
  index.sort((a, b) => (order === "modulus" ? modulus(a) - modulus(b) : 0) || re[a] - re[b] || im[a] - im[b]);
  return { re: Float64Array.from(index, (j) => re[j]), im: Float64Array.from(index, (j) => im[j]) };
}

/**
 * Eigenvalues of an attention matrix, ascending. eq. section 12.
 *
 * @param weights A [N, N], entries of at least 0; each row sums to 1 (to 10⁻⁴, so float32 weights pass) or is all zeros,
 *   as the rows of queries with nothing to attend to are
 * @param size N, at least 1
 * @param order `"real"` (default) or `"modulus"`
 * @throws InvalidArgumentError
 */
export function attentionEigenvalues(weights: Floats, size: number, order: SpectrumOrder = "real"): ComplexValues {
  const matrix = attentionMatrix(weights, size);
  oneOf("order", order, ["real", "modulus"]);
  const decomposition = new EigenvalueDecomposition(toMatrix(matrix, size));
  return sorted(decomposition.realEigenvalues, decomposition.imaginaryEigenvalues, order);
}

/**
 * Eigenvalues of A = D⁻¹Φ for a symmetric Φ (shared query and key), ascending and real: those of D^−½ Φ D^−½.
 * eq. section 12. A row of zeros gives the eigenvalue 0.
 *
 * @param phi Φ [N, N], masks already applied as zeros; at least 0, symmetric to 10⁻¹² of its largest entry
 * @param size N, at least 1
 * @throws InvalidArgumentError
 */
export function sharedEigenvalues(phi: Floats, size: number): Float64Array {
  const kernel = symmetricKernel("phi", phi, size);
  return symmetricEigen(conjugateByDegree(kernel, rowSums(kernel, size), size), size).values;
}

/** Eigenvalues as real and imaginary parts, however they were given. */
function complexValues(spectrum: ComplexValues | Floats): { re: Floats; im: Floats } {
  if (spectrum instanceof Float64Array || spectrum instanceof Float32Array) {
    return { re: spectrum, im: new Float64Array(spectrum.length) };
  }
  if (typeof spectrum !== "object" || spectrum === null || Array.isArray(spectrum) || ArrayBuffer.isView(spectrum)) {
    throw new InvalidArgumentError("spectrum", "a float array or { re, im } of two", spectrum);
  }
  const re = floats("spectrum.re", spectrum.re);
  return { re, im: floats("spectrum.im", spectrum.im, re.length) };
}

/** The spectral gap in both of its meanings; see the top of this file. */
export interface SpectralGap {
  /** Largest minus second largest real part. */
  readonly byRealPart: number;
  /** Largest minus second largest modulus. */
  readonly byModulus: number;
}

/**
 * Spectral gaps of an attention matrix from its eigenvalues, whose largest is 1. eq. section 12.
 *
 * @param spectrum eigenvalues in any order, at least two; real ones may come as a plain array
 * @throws InvalidArgumentError
 */
export function spectralGap(spectrum: ComplexValues | Floats): SpectralGap {
  const { re, im } = complexValues(spectrum);
  if (re.length < 2) throw new InvalidArgumentError("spectrum", "at least two eigenvalues", spectrum);
  const byRealPart = Float64Array.from(re).sort();
  const byModulus = Float64Array.from(re, (x, j) => Math.hypot(x, im[j])).sort();
  const last = re.length - 1;
  return {
    byRealPart: byRealPart[last] - byRealPart[last - 1],
    byModulus: byModulus[last] - byModulus[last - 1],
  };
}

/**
 * Eigenvalues of the generator L = −log(A)/t from those of A, in the same order. eq. section 12.
 * Principal branch, so a negative real λ gets the imaginary part −π/t; λ = 0 gets the real part Infinity.
 * Near λ = 1 this loses what 1 − λ has lost already: an error of u in λ becomes u/t.
 *
 * @param spectrum eigenvalues of A; real ones may come as a plain array
 * @param time t above 0
 * @throws InvalidArgumentError
 */
export function generatorEigenvalues(spectrum: ComplexValues | Floats, time: number): ComplexValues {
  const { re, im } = complexValues(spectrum);
  positive("time", time);
  return {
    re: Float64Array.from(re, (x, j) => -Math.log(im[j] === 0 ? Math.abs(x) : Math.hypot(x, im[j])) / time),
    // 0 − … keeps a positive zero for the eigenvalues of a real positive spectrum.
    im: Float64Array.from(re, (x, j) => 0 - Math.atan2(im[j], x) / time),
  };
}
