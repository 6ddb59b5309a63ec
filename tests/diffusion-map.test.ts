/** Theory of diffusion maps and of reversible attention (eq. sections 6, 8 and 13). */
import { describe, expect, test } from "vitest";
import { attentionForward } from "../reference/attention.js";
import { diffusionDistances, diffusionMap } from "../reference/diffusion-map.js";
import { euclideanDistances } from "../reference/distance.js";
import { distanceToScore } from "../reference/kernel.js";
import { causalMask, windowMask } from "../reference/masks.js";
import { createRandom } from "../reference/random.js";
import { attentionEigenvalues } from "../reference/spectrum.js";
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

describe("diffusion map", () => {
  test("two tokens, by hand", () => {
    // Φ = [[1, c], [c, 1]]: D = 1 + c, λ₁ = (1 − c)/(1 + c), ψ₁ = (1, −1)/√(2(1 + c)).
    const c = 0.25;
    const map = diffusionMap(Float64Array.of(1, c, c, 1), 2, { tau: 3 });
    const psi = 1 / Math.sqrt(2 * (1 + c));
    const lambda = (1 - c) / (1 + c);
    close(map.degree, [1 + c, 1 + c]);
    close(map.eigenvalues, [1, lambda]);
    close(map.vectors, [psi, psi, psi, -psi]);
    close(map.embedding, [lambda ** 3 * psi, -(lambda ** 3) * psi]);
  });

  test.each([0, 0.5, 1, 1.7])("degree-normalised attention is reversible, a = %f", (a) => {
    const size = 9;
    const { normal } = createRandom(40);
    const q = Float64Array.from({ length: size * 2 }, normal);
    const head = { q, k: q, v: q, queries: size, keys: size, headDim: 2 };
    const weights = attentionForward(head, { alpha: 1.4, kappa: 1, degreeNormalization: a }).weights;
    const phi = distanceToScore(euclideanDistances(q, q, size, size, 2), 1.4, 2);
    const { degree, eigenvalues } = diffusionMap(phi, size, { degreeNormalization: a });
    const flow = weights.map((w, p) => degree[Math.floor(p / size)] * w);
    const reverse = flow.map((_, p) => flow[(p % size) * size + Math.floor(p / size)]);
    close(flow, reverse);
    // Hence the spectrum of the attention matrix is real, and the one of the map.
    const { re, im } = attentionEigenvalues(weights, size);
    close(eigenvalues.toReversed(), re);
    expect(Math.max(...im.map(Math.abs))).toBeLessThanOrEqual(eigenRounding);
  });

  test("vectors: A psi = lambda psi, orthonormal under D, the trivial one constant", () => {
    const size = 14;
    const phi = pointKernel(41, size, 1.6);
    const { degree, eigenvalues, vectors } = diffusionMap(phi, size, { degreeNormalization: 0.5 });
    const volume = sum(degree);
    const first = vectors.filter((_, p) => p % size === 0);
    close(first, new Array(size).fill(1 / Math.sqrt(volume)));
    const sums = phi.map((_, p) => sum(phi.subarray(Math.floor(p / size) * size, (Math.floor(p / size) + 1) * size)));
    for (let l = 0; l < size; l++) {
      for (let i = 0; i < size; i++) {
        let image = 0;
        let overlap = 0;
        for (let j = 0; j < size; j++) {
          const normalized = phi[i * size + j] / Math.sqrt(sums[i * size] * sums[j * size]);
          image += (normalized / degree[i]) * vectors[j * size + l];
          overlap += degree[j] * vectors[j * size + l] * vectors[j * size + i];
        }
        expect(Math.abs(image - eigenvalues[l] * vectors[i * size + l])).toBeLessThanOrEqual(eigenRounding);
        expect(Math.abs(overlap - (i === l ? 1 : 0))).toBeLessThanOrEqual(eigenRounding);
      }
      if (l > 1) expect(eigenvalues[l]).toBeLessThanOrEqual(eigenvalues[l - 1]);
    }
  });

  const size = 11;
  const clusters = Float64Array.from({ length: size * size }, (_, p) =>
    Math.floor(p / size) < 4 === p % size < 4 ? 1 / (1 + Math.abs(Math.floor(p / size) - (p % size))) : 0,
  );
  test.each([
    { name: "plain", phi: pointKernel(42, size), a: 0, tau: 1, mask: undefined },
    { name: "three steps", phi: pointKernel(42, size), a: 0, tau: 3, mask: undefined },
    { name: "no step", phi: pointKernel(42, size), a: 0, tau: 0, mask: undefined },
    { name: "degree-normalised", phi: pointKernel(43, size, 2), a: 1, tau: 2, mask: undefined },
    { name: "masked", phi: pointKernel(44, size), a: 0.5, tau: 2, mask: windowMask(size, size, 2, 1) },
    { name: "two clusters without any weight between them", phi: clusters, a: 0, tau: 2, mask: undefined },
  ])("with all vectors, distances are diffusion distances: $name", ({ phi, a, tau, mask }) => {
    const chain = { degreeNormalization: a, mask };
    const { embedding } = diffusionMap(phi, size, { ...chain, tau });
    const direct = diffusionDistances(phi, size, tau, chain);
    const embedded = euclideanDistances(embedding, embedding, size, size, size - 1);
    close(embedded, direct);
  });

  test("fewer components are the first ones", () => {
    const phi = pointKernel(45, 8);
    const all = diffusionMap(phi, 8, { tau: 2 });
    const two = diffusionMap(phi, 8, { tau: 2, components: 2 });
    expect([...two.embedding]).toEqual([...all.embedding].filter((_, p) => p % 7 < 2));
  });

  test("the sign rule: the first of the largest entries of u is positive, also where entries tie", () => {
    const phi = pointKernel(46, 10);
    const map = diffusionMap(phi, 10);
    for (let l = 1; l < 10; l++) {
      const u = Array.from({ length: 10 }, (_, i) => map.vectors[i * 10 + l] * Math.sqrt(map.degree[i]));
      expect(Math.max(...u)).toBe(Math.max(...u.map(Math.abs)));
    }
    // A kernel that reads the same from both ends has symmetric and antisymmetric u only, whose largest entries tie but
    // for rounding. The first of them decides.
    for (let seed = 1; seed <= 10; seed++) {
      const oneWay = pointKernel(seed, 10);
      const kernel = oneWay.map((x, p) => x + oneWay[99 - p]);
      const { vectors, degree } = diffusionMap(kernel, 10);
      for (let l = 1; l < 10; l++) {
        const u = Array.from({ length: 10 }, (_, i) => vectors[i * 10 + l] * Math.sqrt(degree[i]));
        const largest = Math.max(...u.map(Math.abs));
        expect(u.find((x) => Math.abs(x) > (1 - 1e-9) * largest)).toBeGreaterThan(0);
      }
    }
  });

  test("a mask is a kernel with zeros", () => {
    const phi = pointKernel(47, 9);
    const mask = windowMask(9, 9, 3);
    const zeroed = phi.map((x, p) => (mask[p] ? 0 : x));
    const options = { degreeNormalization: 1, tau: 2 };
    expect(diffusionMap(phi, 9, { ...options, mask })).toEqual(diffusionMap(zeroed, 9, options));
    expect(diffusionMap(phi, 9, { mask }).degree).not.toEqual(diffusionMap(phi, 9).degree);
  });

  test.each<[string, () => unknown]>([
    [
      "options.mask: expected a symmetric mask (entries [0, 1] and [1, 0] differ)",
      () => diffusionMap(pointKernel(1, 3), 3, { mask: causalMask(3, 3) }),
    ],
    ["phi: expected a symmetric matrix", () => diffusionMap(Float64Array.of(1, 0.1, 0.2, 1), 2)],
    [
      "phi: expected some weight in every row (token 1 has none; leave it out)",
      () => diffusionMap(Float64Array.of(1, 0, 0, 0), 2),
    ],
    ["size: expected an integer of at least 2, got 1", () => diffusionMap(Float64Array.of(1), 1)],
    ["options.tau: expected an integer of at least 0, got 0.5", () => diffusionMap(pointKernel(1, 3), 3, { tau: 0.5 })],
    [
      "options.components: expected an integer in [1, 2], got 3",
      () => diffusionMap(pointKernel(1, 3), 3, { components: 3 }),
    ],
    [
      "options.degreeNormalization: expected a finite number of at least 0, got -1",
      () => diffusionMap(pointKernel(1, 3), 3, { degreeNormalization: -1 }),
    ],
    ["tau: expected an integer of at least 0, got -1", () => diffusionDistances(pointKernel(1, 3), 3, -1)],
  ])("%s", (message, call) => {
    expect(call).toThrow(message);
  });
});
