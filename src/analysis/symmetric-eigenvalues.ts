/**
 * All eigenvalues of a real symmetric matrix, without eigenvectors: a tenth of the work of the reference's `symmetricEigen`.
 *
 *   S = Q T Qᵀ     Householder reflections, one for each row from the last up, until T is tridiagonal     4/3 N³
 *   T = V Λ Vᵀ     implicit QL with Wilkinson's shift, which converges for every T (Wilkinson 1968)        some 30 N²
 *
 * Both are made of orthogonal transformations, so each eigenvalue is that of S + E with ‖E‖ a few N ulp of ‖S‖: the bound
 * that the reference states. Off-diagonal entries below one ulp of ‖T‖ count as zero, within the same bound.
 *
 * Shapes: S [N, N] row-major, of which the lower triangle is read. Non-goals: high relative accuracy of tiny eigenvalues.
 */

import { FractionalAttentionError } from "../../reference/errors.js";

/** Far more than the two or three iterations that an eigenvalue takes. */
const mostIterations = 100;

/**
 * Eigenvalues, ascending.
 * @param matrix S [N, N], finite; its lower triangle is used up as work memory
 * @param size N, at least 1
 * @returns [N]
 */
export function symmetricEigenvalues(matrix: Float64Array, size: number): Float64Array {
  const { diagonal, beside } = tridiagonalize(matrix, size);
  return diagonalize(diagonal, beside).sort();
}

/** T: its diagonal [N], and the entries beside it: `beside[i]` joins i and i + 1, the last is 0. */
function tridiagonalize(s: Float64Array, size: number): { diagonal: Float64Array; beside: Float64Array } {
  const diagonal = new Float64Array(size);
  const beside = new Float64Array(size);
  const v = new Float64Array(size);
  const w = new Float64Array(size);
  for (let i = size - 1; i > 0; i--) {
    const row = s.subarray(i * size, i * size + i);
    let scale = 0;
    for (let k = 0; k < i - 1; k++) scale = Math.max(scale, Math.abs(row[k]));
    if (scale === 0) {
      beside[i - 1] = row[i - 1];
      continue;
    }
    // Scaled, so that squares neither vanish nor overflow: what makes the reflection orthogonal is the accuracy of ‖v‖.
    scale = Math.max(scale, Math.abs(row[i - 1]));
    let square = 0;
    for (let k = 0; k < i; k++) {
      v[k] = row[k] / scale;
      square += v[k] * v[k];
    }
    const norm = v[i - 1] > 0 ? -Math.sqrt(square) : Math.sqrt(square);
    beside[i - 1] = scale * norm;
    // v = x − norm e, half its square: the sign of norm makes both terms positive.
    const half = square - norm * v[i - 1];
    v[i - 1] -= norm;
    reflect(s, size, i, v, w, half);
  }
  for (let i = 0; i < size; i++) diagonal[i] = s[i * size + i];
  return { diagonal, beside };
}

/** S ← H S H over the first `n` rows and columns, H = I − v vᵀ/half: S − v wᵀ − w vᵀ with w = p − (pᵀv/2half) v, p = Sv/half. */
function reflect(s: Float64Array, size: number, n: number, v: Float64Array, w: Float64Array, half: number): void {
  w.fill(0, 0, n);
  for (let j = 0; j < n; j++) {
    const row = j * size;
    const vj = v[j];
    let sum = s[row + j] * vj;
    for (let k = 0; k < j; k++) {
      const entry = s[row + k];
      sum += entry * v[k];
      w[k] += entry * vj;
    }
    w[j] += sum;
  }
  let along = 0;
  for (let k = 0; k < n; k++) {
    w[k] /= half;
    along += w[k] * v[k];
  }
  along /= 2 * half;
  for (let k = 0; k < n; k++) w[k] -= along * v[k];
  for (let j = 0; j < n; j++) {
    const row = j * size;
    const [vj, wj] = [v[j], w[j]];
    for (let k = 0; k <= j; k++) s[row + k] -= vj * w[k] + wj * v[k];
  }
}

/** Eigenvalues of T in any order, in place of its diagonal. */
function diagonalize(d: Float64Array, e: Float64Array): Float64Array {
  const last = d.length - 1;
  let norm = 0;
  for (let i = 0; i <= last; i++) norm = Math.max(norm, Math.abs(d[i]) + Math.abs(e[i]));
  const negligible = Number.EPSILON * norm;
  for (let l = 0; l < last; l++) {
    for (let iteration = 0; ; iteration++) {
      let m = l;
      while (m < last && Math.abs(e[m]) > negligible) m++;
      if (m === l) break;
      if (iteration === mostIterations) {
        throw new FractionalAttentionError(`symmetricEigenvalues: no convergence after ${iteration} iterations`);
      }
      sweep(d, e, l, m);
    }
  }
  return d;
}

/** One implicit QL step on the rows l … m, whose entries beside the diagonal are not negligible. */
function sweep(d: Float64Array, e: Float64Array, l: number, m: number): void {
  const slope = (d[l + 1] - d[l]) / (2 * e[l]);
  const root = Math.hypot(slope, 1);
  // The eigenvalue of the upper 2 × 2 block that is nearer to its first entry, taken from the last entry.
  let bulge = d[m] - d[l] + e[l] / (slope < 0 ? slope - root : slope + root);
  let sine = 1;
  let cosine = 1;
  let shift = 0;
  for (let i = m - 1; i >= l; i--) {
    const across = sine * e[i];
    const along = cosine * e[i];
    const radius = Math.hypot(across, bulge);
    e[i + 1] = radius;
    if (radius === 0) {
      // T has fallen apart here: the rows below are done with this step, those above go on.
      d[i + 1] -= shift;
      e[m] = 0;
      return;
    }
    sine = across / radius;
    cosine = bulge / radius;
    const corner = d[i + 1] - shift;
    const turned = (d[i] - corner) * sine + 2 * cosine * along;
    shift = sine * turned;
    d[i + 1] = corner + shift;
    bulge = cosine * turned - along;
  }
  d[l] -= shift;
  e[l] = bulge;
  e[m] = 0;
}
