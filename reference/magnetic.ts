/**
 * Magnetic transform of an asymmetric kernel, Q ≠ K (eq. section 13; arXiv:2511.10208).
 *
 *   K_S = (Φ + Φᵀ)/2        K_A = −(Φ − Φᵀ)        q = max|Φ − Φᵀ|/4        D_S row sums of K_S
 *   H = D_S^−½ [K_S ⊙ exp(2πi q K_A)] D_S^−½
 *
 * K_S is symmetric and K_A antisymmetric, so H is Hermitian: how strongly two tokens are tied goes into its modulus, which
 * way the tie points into its phase. |H_ij| are the entries of D_S^−½ K_S D_S^−½, whose largest eigenvalue is 1, hence
 * all eigenvalues of H lie in [−1, 1]. The authors go on with the real part of H alone, a symmetric matrix with a spectrum
 * of its own; both are kept here. For Φ = Φᵀ the charge q is 0 and H is the real matrix of the diffusion map.
 *
 * Eigenvalues of H are those of the real symmetric 2N × 2N matrix [[Re, −Im], [Im, Re]], where each comes twice.
 *
 * Shapes: [N, N] row-major, complex numbers as two arrays. Non-goals: complex eigenvectors.
 */

import type { Floats } from "./check.js";
import { InvalidArgumentError } from "./errors.js";
import { conjugateByDegree, rowSums, squareMatrix, symmetricEigen, symmetryTolerance } from "./spectrum.js";

/** The Hermitian matrix H and what it is made of. */
export interface MagneticMatrix {
  /** q, at least 0. */
  readonly charge: number;
  /** D_S, [N]. */
  readonly degree: Float64Array;
  /** Re H, [N, N], symmetric: what the authors keep. */
  readonly re: Float64Array;
  /** Im H, [N, N], antisymmetric. */
  readonly im: Float64Array;
}

/**
 * The Hermitian matrix of a kernel. eq. section 13. A token without any weight, to or from, has a zero row.
 *
 * @param phi Φ [N, N], at least 0
 * @param size N, at least 1
 * @throws InvalidArgumentError
 */
export function magneticTransform(phi: Floats, size: number): MagneticMatrix {
  const kernel = squareMatrix("phi", phi, size);
  const negative = kernel.find((x) => x < 0);
  if (negative !== undefined) throw new InvalidArgumentError("phi", "numbers of at least 0", negative);

  const symmetric = new Float64Array(size * size);
  let largest = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      symmetric[i * size + j] = (kernel[i * size + j] + kernel[j * size + i]) / 2;
      largest = Math.max(largest, kernel[i * size + j] - kernel[j * size + i]);
    }
  }
  const charge = largest / 4;
  const degree = rowSums(symmetric, size);
  const modulus = conjugateByDegree(symmetric, degree, size);
  const re = new Float64Array(size * size);
  const im = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const phase = 2 * Math.PI * charge * (kernel[j * size + i] - kernel[i * size + j]);
      re[i * size + j] = modulus[i * size + j] * Math.cos(phase);
      im[i * size + j] = modulus[i * size + j] * Math.sin(phase);
    }
  }
  return { charge, degree, re, im };
}

/**
 * Eigenvalues of a Hermitian matrix, ascending, [N]. eq. section 13.
 *
 * @param re real part [N, N], symmetric to 10⁻¹² of the largest entry
 * @param im imaginary part [N, N], antisymmetric to the same
 * @param size N, at least 1
 * @throws InvalidArgumentError
 */
export function hermitianEigenvalues(re: Floats, im: Floats, size: number): Float64Array {
  const real = squareMatrix("re", re, size);
  const imaginary = squareMatrix("im", im, size);
  let largest = 0;
  for (let p = 0; p < size * size; p++) largest = Math.max(largest, Math.abs(real[p]), Math.abs(imaginary[p]));
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const [here, there] = [i * size + j, j * size + i];
      const where = `(entries [${i}, ${j}] and [${j}, ${i}])`;
      if (Math.abs(real[here] - real[there]) > symmetryTolerance * largest) {
        throw new InvalidArgumentError("re", `a symmetric matrix ${where}`, real[here]);
      }
      if (Math.abs(imaginary[here] + imaginary[there]) > symmetryTolerance * largest) {
        throw new InvalidArgumentError("im", `an antisymmetric matrix ${where}`, imaginary[here]);
      }
    }
  }
  const width = 2 * size;
  const embedded = new Float64Array(width * width);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      embedded[i * width + j] = real[i * size + j];
      embedded[i * width + size + j] = -imaginary[i * size + j];
      embedded[(size + i) * width + j] = imaginary[i * size + j];
      embedded[(size + i) * width + size + j] = real[i * size + j];
    }
  }
  // Sorted, the two copies of an eigenvalue stand side by side; they differ by rounding only.
  const { values } = symmetricEigen(embedded, width);
  return Float64Array.from({ length: size }, (_, l) => (values[2 * l] + values[2 * l + 1]) / 2);
}
