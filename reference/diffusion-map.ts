/**
 * Diffusion map of tokens with a shared query and key (eq. sections 6 and 13; arXiv:2511.10208).
 *
 *   Φ~ = N^−a Φ N^−a, N row sums of Φ        D row sums of Φ~        A = D⁻¹Φ~        P = D^−½ Φ~ D^−½ = U Λ Uᵀ
 *   ψ_l = D^−½ u_l, A ψ_l = λ_l ψ_l          x ↦ (λ₁^τ ψ₁(x), …, λ_m^τ ψ_m(x))
 *
 * The trivial pair λ₀ = 1, ψ₀ constant, carries nothing and is left out of the embedding. With all the others (m = N − 1)
 * the Euclidean distance there is the diffusion distance at time τ:
 *
 *   ‖x − y‖² = Σ_z (A^τ(x, z) − A^τ(y, z))² / D(z)
 *
 * Order: the trivial pair first, then eigenvalues from the largest down, so negative ones come last.
 * Sign: of each u_l the first entry that is as large in magnitude as the largest (to 10⁻⁶ of it) is positive. Inside a
 * multiple eigenvalue the basis stays arbitrary, distances do not.
 * The trivial pair is known beforehand, u₀ = D^½/‖D^½‖, and taken out before the decomposition; so it is the constant one
 * even where the tokens fall into several clusters without any weight between them and 1 is a multiple eigenvalue.
 *
 * Shapes: Φ [N, N], mask [N, N], D [N], eigenvalues [N], vectors [N, N] (column l belongs to λ_l), embedding [N, m].
 * Accuracy: eigenvalues to some N ulp; ψ_l to that over the distance of λ_l from its neighbours.
 * Non-goals: extension to new points; Q ≠ K, for which see `magnetic.ts`.
 */

import { type Floats, integer, nonNegative, optionalMask, record } from "./check.js";
import { InvalidArgumentError } from "./errors.js";
import { conjugateByDegree, rowSums, symmetricEigen, symmetricKernel } from "./spectrum.js";

/** How the kernel becomes a Markov chain. */
export interface DiffusionOptions {
  /** a ≥ 0. Default: 0. */
  degreeNormalization?: number;
  /** [N, N], 1 = may not attend; must be symmetric. Default: no mask. */
  mask?: Uint8Array;
}

/** As for the chain, and what is asked of the embedding. */
export interface DiffusionMapOptions extends DiffusionOptions {
  /** τ, whole steps of the chain, at least 0. Default: 1. */
  tau?: number;
  /** m in [1, N − 1]. Default: N − 1. */
  components?: number;
}

/** Result of `diffusionMap`. */
export interface DiffusionMap {
  /** D, row sums of Φ~, [N]. */
  readonly degree: Float64Array;
  /** λ, [N]: 1 first, then descending. */
  readonly eigenvalues: Float64Array;
  /** ψ, [N, N]; column l belongs to eigenvalue l; column 0 is constant. */
  readonly vectors: Float64Array;
  /** [N, m], columns λ_l^τ ψ_l for l = 1 … m. */
  readonly embedding: Float64Array;
}

interface Chain {
  readonly kernel: Float64Array;
  readonly degree: Float64Array;
}

const optionNames = ["degreeNormalization", "mask"] satisfies (keyof DiffusionOptions)[];

/** Φ~ and D, checked. */
function diffusionChain(phi: Floats, size: number, { degreeNormalization: a = 0, mask }: DiffusionOptions): Chain {
  integer("size", size, 2);
  const kernel = symmetricKernel("phi", phi, size);
  nonNegative("options.degreeNormalization", a);
  optionalMask("options.mask", mask, size * size);
  if (mask) {
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        if (Boolean(mask[i * size + j]) !== Boolean(mask[j * size + i])) {
          const domain = `a symmetric mask (entries [${i}, ${j}] and [${j}, ${i}] differ)`;
          throw new InvalidArgumentError("options.mask", domain, mask);
        }
        if (mask[i * size + j]) kernel[i * size + j] = 0;
      }
    }
  }
  const sums = rowSums(kernel, size);
  const lonely = sums.indexOf(0);
  if (lonely >= 0) {
    const domain = `some weight in every row (token ${lonely} has none; leave it out)`;
    throw new InvalidArgumentError("phi", domain, 0);
  }
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) kernel[i * size + j] = kernel[i * size + j] / sums[i] ** a / sums[j] ** a;
  }
  return { kernel, degree: rowSums(kernel, size) };
}

/** Flips column l of U so that the first of its largest entries is positive; see the top of this file. */
function fixSign(u: Float64Array, size: number, l: number): void {
  let largest = 0;
  for (let i = 0; i < size; i++) largest = Math.max(largest, Math.abs(u[i * size + l]));
  for (let i = 0; i < size; i++) {
    const entry = u[i * size + l];
    if (Math.abs(entry) < (1 - 1e-6) * largest) continue;
    if (entry < 0) for (let z = 0; z < size; z++) u[z * size + l] = -u[z * size + l];
    return;
  }
}

/**
 * Diffusion map of a symmetric kernel. eq. section 13.
 *
 * @param phi Φ [N, N], at least 0, symmetric to 10⁻¹² of its largest entry
 * @param size N, at least 2
 * @param options degreeNormalization (0), mask (none), tau (1), components (N − 1)
 * @throws InvalidArgumentError also for a mask that is not symmetric and for a token without any weight
 */
export function diffusionMap(phi: Floats, size: number, options: DiffusionMapOptions = {}): DiffusionMap {
  const { tau = 1, components = size - 1 } = record("options", options, [...optionNames, "tau", "components"]);
  const { kernel, degree } = diffusionChain(phi, size, options);
  integer("options.tau", tau, 0);
  integer("options.components", components, 1, size - 1);

  const p = conjugateByDegree(kernel, degree, size);
  let volume = 0;
  for (const d of degree) volume += d;
  const trivial = degree.map((d) => Math.sqrt(d / volume));
  // Moves the trivial eigenvalue from 1 to −2, below all others, which lie in [−1, 1]: it comes out first.
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) p[i * size + j] -= 3 * trivial[i] * trivial[j];
  const { values, vectors: found } = symmetricEigen(p, size);

  const eigenvalues = new Float64Array(size);
  const vectors = new Float64Array(size * size);
  for (let l = 0; l < size; l++) {
    const column = l === 0 ? 0 : size - l;
    eigenvalues[l] = l === 0 ? 1 : values[column];
    for (let i = 0; i < size; i++) vectors[i * size + l] = l === 0 ? trivial[i] : found[i * size + column];
    fixSign(vectors, size, l);
  }
  for (let i = 0; i < size; i++) for (let l = 0; l < size; l++) vectors[i * size + l] /= Math.sqrt(degree[i]);

  const embedding = new Float64Array(size * components);
  for (let i = 0; i < size; i++) {
    for (let l = 1; l <= components; l++) {
      embedding[i * components + l - 1] = eigenvalues[l] ** tau * vectors[i * size + l];
    }
  }
  return { degree, eigenvalues, vectors, embedding };
}

/**
 * Diffusion distances at time τ from powers of the chain itself, without any eigenvector:
 * the root of Σ_z (A^τ(x, z) − A^τ(y, z))² / D(z). eq. section 13.
 *
 * @param phi Φ as for `diffusionMap`
 * @param size N, at least 2
 * @param tau whole steps, at least 0; default 1
 * @param options degreeNormalization, mask
 * @returns [N, N]
 * @throws InvalidArgumentError as `diffusionMap`
 */
export function diffusionDistances(phi: Floats, size: number, tau = 1, options: DiffusionOptions = {}): Float64Array {
  integer("tau", tau, 0);
  const { kernel, degree } = diffusionChain(phi, size, record("options", options, optionNames));
  let power = new Float64Array(size * size);
  for (let i = 0; i < size; i++) power[i * size + i] = 1;
  for (let step = 0; step < tau; step++) {
    const next = new Float64Array(size * size);
    for (let i = 0; i < size; i++) {
      for (let z = 0; z < size; z++) {
        const weight = kernel[i * size + z] / degree[i];
        for (let j = 0; j < size; j++) next[i * size + j] += weight * power[z * size + j];
      }
    }
    power = next;
  }
  const distances = new Float64Array(size * size);
  for (let x = 0; x < size; x++) {
    for (let y = 0; y < size; y++) {
      let sum = 0;
      for (let z = 0; z < size; z++) sum += (power[x * size + z] - power[y * size + z]) ** 2 / degree[z];
      distances[x * size + y] = Math.sqrt(sum);
    }
  }
  return distances;
}
