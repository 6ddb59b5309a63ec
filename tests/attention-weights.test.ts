/** From the weights of a call to the analyses: `src/analysis/weights.ts` (eq. sections 12 to 14). */

import { describe, expect, test } from "vitest";
import * as analysis from "../src/analysis/index.js";
import { createAttention } from "../src/index.js";
import { relativeError } from "../src/verify/compare.js";

const { headWeights, reversibleKernel, summarizeAttention, diffusionMap, diffusionDistances, createRandom } = analysis;

/** Eigenvalues of matrices up to 24 × 24 of norm 1 with degrees within a factor of 100: a few N ulp times 10. */
const rounding = 2 ** -40;

const row = (matrix: Float64Array, i: number, size: number) => matrix.subarray(i * size, (i + 1) * size);
const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);

function points(seed: number, size: number, dim: number): Float64Array {
  const { normal } = createRandom(seed);
  return Float64Array.from({ length: size * dim }, normal);
}

/** Weights [2, 2, 20, 20] of the reference device, query = key, and the sizes. */
async function sample() {
  const [size, dim] = [20, 3];
  const x = points(5, 4 * size * dim, 1);
  const inputs = { q: x, k: x, batch: 2, heads: 2, queries: size, keys: size, headDim: dim };
  const attention = await createAttention({ device: "reference" });
  return { inputs, size, dim, weights: await attention.weights(inputs, { alpha: 1.3, degreeNormalization: 0.5 }) };
}

describe("headWeights", () => {
  test("is the matrix of that head and batch entry, fresh, in float64", async () => {
    const { inputs, weights, size } = await sample();
    for (const [batch, head] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]) {
      const matrix = headWeights(weights, inputs, head, batch);
      const start = (batch * 2 + head) * size * size;
      expect(matrix).toEqual(weights.slice(start, start + size * size));
      expect(matrix.buffer).not.toBe(weights.buffer);
    }
    expect(headWeights(Float32Array.of(0.5, 0.25), { batch: 1, heads: 1, queries: 1, keys: 2 })).toEqual(
      Float64Array.of(0.5, 0.25),
    );
  });
});

describe("summarizeAttention", () => {
  test("three tokens in a line, by hand", () => {
    // 0 → 1 always, 1 → 0 and 2 by halves, 2 → 1 always: eigenvalues 1, 0, −1.
    const line = Float64Array.of(0, 1, 0, 0.5, 0, 0.5, 0, 1, 0);
    for (const reversible of [false, true]) {
      const { eigenvalues, gap, hops, effectiveLinks, reach } = summarizeAttention(line, 3, { reversible });
      [1, 0, -1].forEach((value, l) => {
        expect(Math.abs(eigenvalues.re[l] - value)).toBeLessThan(rounding);
      });
      expect(Math.abs(gap.byRealPart - 1)).toBeLessThan(rounding);
      expect(Math.abs(gap.byModulus)).toBeLessThan(rounding);
      expect(hops).toEqual({ mean: 8 / 6, max: 2, unreachable: 0, counts: [0, 4, 2] });
      expect(effectiveLinks).toBeCloseTo((1 + 2 + 1) / 3, 12);
      expect(reach).toBe(1);
    }
  });

  test("a causal matrix: its eigenvalues are its diagonal, and nobody reaches a later token", () => {
    const causal = Float64Array.of(1, 0, 0, 0.75, 0.25, 0, 0.3, 0.3, 0.4);
    const { eigenvalues, hops } = summarizeAttention(causal, 3);
    [1, 0.4, 0.25].forEach((value, l) => {
      expect(Math.abs(eigenvalues.re[l] - value)).toBeLessThan(rounding);
    });
    expect(hops).toEqual({ mean: 1, max: 1, unreachable: 3, counts: [0, 3] });
  });

  test("a cycle: complex eigenvalues, and the two gaps differ", () => {
    const cycle = Float64Array.of(0, 1, 0, 0, 0, 1, 1, 0, 0);
    const { eigenvalues, gap } = summarizeAttention(cycle, 3);
    expect(Math.abs(Math.abs(eigenvalues.im[1]) - Math.sqrt(3) / 2)).toBeLessThan(rounding);
    expect(gap.byRealPart).toBeCloseTo(1.5, 12);
    expect(gap.byModulus).toBeCloseTo(0, 12);
  });
});

describe("reversibleKernel", () => {
  test("gives back the chain, its stationary distribution, and the diffusion map of the kernel behind it", async () => {
    const { inputs, weights, size, dim } = await sample();
    const x = inputs.q.subarray(0, size * dim);
    const matrix = headWeights(weights, inputs);
    const phi = reversibleKernel(matrix, size);
    expect(Math.abs(sum(phi) - 1)).toBeLessThan(rounding);
    for (let i = 0; i < size; i++) {
      const degree = sum(row(phi, i, size));
      expect(
        relativeError(
          row(phi, i, size).map((p) => p / degree),
          row(matrix, i, size),
        ),
      ).toBeLessThan(rounding);
      for (let j = 0; j < size; j++) expect(phi[i * size + j]).toBe(phi[j * size + i]);
    }
    // The same map from the points, without any attention.
    const distances = analysis.euclideanDistances(x, x, size, size, dim);
    const kappa = analysis.scaleKappa("paper", dim, 1.3);
    const kernel = analysis.distanceToScore(
      distances.map((d) => d / kappa),
      1.3,
      dim,
      1,
    );
    const options = { degreeNormalization: 0.5 };
    const wanted = diffusionMap(kernel, size, { ...options, components: 2 });
    const found = diffusionMap(phi, size, { components: 2 });
    expect(relativeError(found.eigenvalues, wanted.eigenvalues)).toBeLessThan(rounding);
    // Kernels that differ by a factor c have vectors that differ by c^(−1/2), and so do their distances.
    const scale = Math.sqrt(sum(found.degree) / sum(wanted.degree));
    const apart = diffusionDistances(kernel, size, 1, options);
    expect(
      relativeError(
        diffusionDistances(phi, size).map((d) => d * scale),
        apart,
      ),
    ).toBeLessThan(rounding);
    // Vectors lose what neighbouring eigenvalues are close: 2^−40 over 2^−10.
    expect(
      relativeError(
        found.embedding.map((d) => d * scale),
        wanted.embedding,
      ),
    ).toBeLessThan(2 ** -30);
  });

  test("takes weights of float32, also where they underflow", async () => {
    // A chain of points: neighbours weigh some tenths, points far apart nothing that float32 could hold.
    const size = 24;
    const x = Float32Array.from({ length: size }, (_, i) => i);
    const inputs = { q: x, k: x, batch: 1, heads: 1, queries: size, keys: size, headDim: 1 };
    const attention = await createAttention({ device: "wasm" });
    const weights = (await attention.weights(inputs, { alpha: 2, kappa: 1 })) as Float32Array;
    attention.dispose();
    expect(weights.some((w) => w === 0)).toBe(true);
    expect(weights.some((w) => w > 0 && w < 2 ** -100)).toBe(true);
    const phi = reversibleKernel(weights, size);
    for (let i = 0; i < size; i++) {
      const degree = sum(row(phi, i, size));
      for (let j = 0; j < size; j++) {
        // A ratio of weights, each good to a few float32 roundings, along at most 23 links of the tree.
        expect(Math.abs(phi[i * size + j] / degree - weights[i * size + j])).toBeLessThan(23 * 16 * 2 ** -24);
      }
    }
  });

  test("refuses what is not reversible", () => {
    const cycle = Float64Array.of(0, 0.75, 0.25, 0.25, 0, 0.75, 0.75, 0.25, 0);
    expect(() => reversibleKernel(cycle, 3)).toThrow(/weights: expected a reversible chain/);
    const causal = Float64Array.of(1, 0, 0.5, 0.5);
    expect(() => reversibleKernel(causal, 2)).toThrow(/weights: expected tokens all joined/);
  });
});
