/** Theory of the spectra: attention matrices and the magnetic transform (eq. sections 12 and 13). */
import { describe, expect, test } from "vitest";
import { diffusionMap } from "../reference/diffusion-map.js";
import { euclideanDistances } from "../reference/distance.js";
import { distanceToScore } from "../reference/kernel.js";
import { hermitianEigenvalues, magneticTransform } from "../reference/magnetic.js";
import { createRandom } from "../reference/random.js";
import {
  attentionEigenvalues,
  generatorEigenvalues,
  sharedEigenvalues,
  spectralGap,
  symmetricEigen,
} from "../reference/spectrum.js";
import { relativeError } from "../src/verify/compare.js";

/**
 * Eigenvalues of matrices up to 40 × 40 and of norm 1: the QR iteration is backward stable with an error of a few N ulp,
 * here 8 · 40 · 2⁻⁵² = 2^(−43.7). For eigenvalues that are neither real by symmetry nor multiple the condition number
 * comes on top; the matrices below keep it of order 10.
 */
const eigenRounding = 2 ** -40;

const close = (actual: ArrayLike<number>, wanted: ArrayLike<number>, bound = eigenRounding) =>
  expect(relativeError(actual, wanted)).toBeLessThanOrEqual(bound);

const sum = (x: Float64Array): number => x.reduce((a, b) => a + b, 0);

/** Random points and their kernel matrix, symmetric. */
function pointKernel(seed: number, size: number, alpha = 1.2, headDim = 3): Float64Array {
  const { normal } = createRandom(seed);
  const x = Float64Array.from({ length: size * headDim }, normal);
  return distanceToScore(euclideanDistances(x, x, size, size, headDim), alpha, headDim, 4);
}

function rowNormalized(matrix: Float64Array, size: number): Float64Array {
  return matrix.map((x, p) => {
    const i = Math.floor(p / size);
    return x / sum(matrix.subarray(i * size, (i + 1) * size));
  });
}

const randomMatrix = (seed: number, size: number): Float64Array => {
  const { uniform } = createRandom(seed);
  return Float64Array.from({ length: size * size }, uniform);
};

describe("spectrum of an attention matrix", () => {
  test("two states: eigenvalues 1 and 1 - p - q, gap p + q", () => {
    const [p, q] = [0.3, 0.45];
    const { re, im } = attentionEigenvalues(Float64Array.of(1 - p, p, q, 1 - q), 2);
    close(re, [1 - p - q, 1]);
    expect([...im]).toEqual([0, 0]);
    close([spectralGap({ re, im }).byRealPart], [p + q]);
    close([spectralGap({ re, im }).byModulus], [p + q]);
  });

  test("the two gaps differ where the chain is periodic", () => {
    // i → i + 1 mod 3: the cube roots of unity. It never forgets, though by real part the gap is 3/2.
    const spectrum = attentionEigenvalues(Float64Array.of(0, 1, 0, 0, 0, 1, 1, 0, 0), 3);
    close(spectrum.re, [-0.5, -0.5, 1]);
    close(spectrum.im, [-Math.sqrt(3) / 2, Math.sqrt(3) / 2, 0]);
    const gap = spectralGap(spectrum);
    close([gap.byRealPart], [1.5]);
    expect(Math.abs(gap.byModulus)).toBeLessThanOrEqual(eigenRounding);
    const alternating = spectralGap(attentionEigenvalues(Float64Array.of(0, 1, 1, 0), 2));
    close([alternating.byRealPart], [2]);
    expect(Math.abs(alternating.byModulus)).toBeLessThanOrEqual(eigenRounding);
  });

  test("orders: by real part, or by modulus", () => {
    // Blocks {0, 1} with eigenvalues 1, −0.8 and {2} that leaks into them, with eigenvalue 0.5.
    const a = Float64Array.of(0.1, 0.9, 0, 0.9, 0.1, 0, 0.25, 0.25, 0.5);
    close(attentionEigenvalues(a, 3).re, [-0.8, 0.5, 1]);
    close(attentionEigenvalues(a, 3, "modulus").re, [0.5, -0.8, 1]);
    close([spectralGap(attentionEigenvalues(a, 3)).byRealPart], [0.5]);
    close([spectralGap(attentionEigenvalues(a, 3)).byModulus], [0.2]);
  });

  test("trace and modulus of a random chain", () => {
    const a = rowNormalized(randomMatrix(1, 30), 30);
    const { re, im } = attentionEigenvalues(a, 30);
    close([sum(re)], [sum(a.filter((_, p) => p % 31 === 0))]);
    expect(Math.abs(sum(im))).toBeLessThanOrEqual(eigenRounding);
    expect(Math.max(...re.map((x, j) => Math.hypot(x, im[j])))).toBeLessThanOrEqual(1 + eigenRounding);
    close([re[29]], [1]);
  });

  test("a causal attention matrix has its diagonal for a spectrum", () => {
    // Distinct values far apart, because a triangular matrix is far from normal: condition numbers grow with closeness.
    const a = Float64Array.of(1, 0, 0, 0, 0.4, 0.6, 0, 0, 0.3, 0.4, 0.3, 0, 0.5, 0.3, 0.1, 0.1);
    close(attentionEigenvalues(a, 4).re, [0.1, 0.3, 0.6, 1]);
  });

  test("rows of queries with nothing to attend to are allowed and add zeros", () => {
    const a = Float64Array.of(0.5, 0.5, 0, 0.2, 0.8, 0, 0, 0, 0);
    close(attentionEigenvalues(a, 3).re, [0, 0.3, 1]);
  });

  test("the symmetric route gives the same eigenvalues, sorted and real", () => {
    const phi = pointKernel(2, 20);
    const { re, im } = attentionEigenvalues(rowNormalized(phi, 20), 20);
    close(sharedEigenvalues(phi, 20), re);
    expect(Math.max(...im.map(Math.abs))).toBeLessThanOrEqual(eigenRounding);
    expect(spectralGap(sharedEigenvalues(phi, 20)).byRealPart).toBeGreaterThan(0);
  });

  test("the symmetric route survives a token without weight", () => {
    close(sharedEigenvalues(Float64Array.of(1, 0.5, 0, 0.5, 1, 0, 0, 0, 0), 3), [0, 1 / 3, 1]);
  });

  test("the symmetric route survives degrees whose product no float64 holds", () => {
    for (const unit of [1e-200, 1e200]) {
      close(sharedEigenvalues(Float64Array.of(2 * unit, unit, unit, 2 * unit), 2), [1 / 3, 1]);
    }
  });

  test("eigenvectors of a symmetric matrix: M V = V diag(values), V orthonormal", () => {
    const phi = pointKernel(3, 12);
    const { values, vectors } = symmetricEigen(phi, 12);
    for (let i = 0; i < 12; i++) {
      for (let l = 0; l < 12; l++) {
        let product = 0;
        let overlap = 0;
        for (let j = 0; j < 12; j++) {
          product += phi[i * 12 + j] * vectors[j * 12 + l];
          overlap += vectors[j * 12 + i] * vectors[j * 12 + l];
        }
        expect(Math.abs(product - values[l] * vectors[i * 12 + l])).toBeLessThanOrEqual(12 * eigenRounding);
        expect(Math.abs(overlap - (i === l ? 1 : 0))).toBeLessThanOrEqual(eigenRounding);
      }
    }
  });

  test("generator: the rates of a two-state process come back, on the principal branch", () => {
    const t = 0.1;
    const decay = Math.exp(-t * 5);
    const chain = Float64Array.of(0.6 + 0.4 * decay, 0.4 - 0.4 * decay, 0.6 - 0.6 * decay, 0.4 + 0.6 * decay);
    const rates = generatorEigenvalues(attentionEigenvalues(chain, 2), t);
    // An error u of λ becomes u/(λ t); rates are compared with their largest, 5.
    close(rates.re, [5, 0], eigenRounding / t / decay);
    expect([...rates.im]).toEqual([0, 0]);
    close(generatorEigenvalues(Float64Array.of(-0.5, 0.25), 2).im, [-Math.PI / 2, 0], 2 ** -52);
    close(generatorEigenvalues(Float64Array.of(-0.5, 0.25), 2).re, [Math.LN2 / 2, Math.LN2], 2 ** -51);
    expect(generatorEigenvalues(Float64Array.of(0), 1).re[0]).toBe(Number.POSITIVE_INFINITY);
    const turning = generatorEigenvalues({ re: Float64Array.of(0), im: Float64Array.of(0.5) }, 1);
    close([turning.re[0], turning.im[0]], [Math.LN2, -Math.PI / 2], 2 ** -51);
  });

  test.each<[string, () => unknown]>([
    [
      "weights: expected rows that sum to 1 or are all zeros, got 0.9",
      () => attentionEigenvalues(Float64Array.of(0.9, 0, 0, 1), 2),
    ],
    [
      "weights: expected numbers of at least 0, got -0.5",
      () => attentionEigenvalues(Float64Array.of(1.5, -0.5, 0, 1), 2),
    ],
    ["weights: expected finite numbers, got NaN", () => attentionEigenvalues(Float64Array.of(Number.NaN, 1, 0, 1), 2)],
    [
      "weights: expected a Float64Array or Float32Array of length 9",
      () => attentionEigenvalues(new Float64Array(4), 3),
    ],
    ["size: expected an integer of at least 1, got 0", () => attentionEigenvalues(new Float64Array(0), 0)],
    [
      'order: expected "real" or "modulus", got "size"',
      () => attentionEigenvalues(Float64Array.of(1), 1, "size" as "real"),
    ],
    [
      "phi: expected a symmetric matrix (entry [1, 0] is 0.5, entry [0, 1] differs), got 0.25",
      () => sharedEigenvalues(Float64Array.of(1, 0.25, 0.5, 1), 2),
    ],
    ["phi: expected numbers of at least 0, got -1", () => sharedEigenvalues(Float64Array.of(-1), 1)],
    ["spectrum: expected at least two eigenvalues", () => spectralGap(Float64Array.of(1))],
    ["time: expected a finite number above 0, got 0", () => generatorEigenvalues(Float64Array.of(1), 0)],
  ])("%s", (message, call) => {
    expect(call).toThrow(message);
  });
});

describe("magnetic transform", () => {
  const transposed = (m: Float64Array, size: number): Float64Array =>
    m.map((_, p) => m[(p % size) * size + Math.floor(p / size)]);

  test("two tokens, by hand", () => {
    const phi = Float64Array.of(1, 0.6, 0.2, 1);
    const { charge, degree, re, im } = magneticTransform(phi, 2);
    // q = 0.4/4, D = 1.4, phase of entry [0, 1] = −2π · 0.1 · 0.4.
    close([charge], [0.1]);
    close(degree, [1.4, 1.4]);
    const [modulus, phase] = [0.4 / 1.4, -2 * Math.PI * 0.1 * 0.4];
    close(re, [1 / 1.4, modulus * Math.cos(phase), modulus * Math.cos(phase), 1 / 1.4]);
    close(im, [0, modulus * Math.sin(phase), -modulus * Math.sin(phase), 0]);
    close(hermitianEigenvalues(re, im, 2), [(1 - 0.4) / 1.4, 1]);
  });

  test("it is Hermitian, its eigenvalues lie in [-1, 1], and turning all edges round conjugates it", () => {
    const size = 13;
    const phi = randomMatrix(50, size);
    const h = magneticTransform(phi, size);
    expect([...transposed(h.re, size)]).toEqual([...h.re]);
    expect([...transposed(h.im, size)].map((x) => 0 - x)).toEqual([...h.im].map((x) => 0 + x));
    const eigenvalues = hermitianEigenvalues(h.re, h.im, size);
    expect(Math.max(...eigenvalues.map(Math.abs))).toBeLessThanOrEqual(1 + eigenRounding);
    close([sum(eigenvalues)], [sum(h.re.filter((_, p) => p % (size + 1) === 0))]);
    const back = magneticTransform(transposed(phi, size), size);
    close(back.re, h.re);
    close(
      back.im,
      h.im.map((x) => -x),
    );
    close(hermitianEigenvalues(back.re, back.im, size), eigenvalues);
  });

  test("a symmetric kernel has charge 0 and the real matrix of the diffusion map", () => {
    const phi = pointKernel(51, 9);
    const { charge, re, im } = magneticTransform(phi, 9);
    expect(charge).toBe(0);
    expect(im.every((x) => x === 0)).toBe(true);
    close(symmetricEigen(re, 9).values, diffusionMap(phi, 9).eigenvalues.toReversed());
  });

  test("a ring with a flux through it: 2 cos(2 pi m/N + theta)", () => {
    const [size, theta] = [7, 0.3];
    const re = new Float64Array(size * size);
    const im = new Float64Array(size * size);
    for (let j = 0; j < size; j++) {
      const next = (j + 1) % size;
      re[j * size + next] = Math.cos(theta);
      re[next * size + j] = Math.cos(theta);
      im[j * size + next] = Math.sin(theta);
      im[next * size + j] = -Math.sin(theta);
    }
    const exact = Float64Array.from({ length: size }, (_, m) => 2 * Math.cos((2 * Math.PI * m) / size + theta)).sort();
    close(hermitianEigenvalues(re, im, size), exact);
  });

  test.each<[string, () => unknown]>([
    ["phi: expected numbers of at least 0, got -1", () => magneticTransform(Float64Array.of(-1), 1)],
    [
      "phi: expected finite numbers, got Infinity",
      () => magneticTransform(Float64Array.of(Number.POSITIVE_INFINITY), 1),
    ],
    [
      "re: expected a symmetric matrix",
      () => hermitianEigenvalues(Float64Array.of(1, 2, 0, 1), new Float64Array(4), 2),
    ],
    [
      "im: expected an antisymmetric matrix",
      () => hermitianEigenvalues(new Float64Array(4), Float64Array.of(0, 1, 1, 0), 2),
    ],
    [
      "im: expected a Float64Array or Float32Array of length 4",
      () => hermitianEigenvalues(new Float64Array(4), new Float64Array(3), 2),
    ],
  ])("%s", (message, call) => {
    expect(call).toThrow(message);
  });
});
