/**
 * The accuracy bar of the wasm device, u = 2^-24, against the float64 reference on the same float32 numbers:
 *
 *   weights    relative error <= 8u (1 + max|s|) on unmasked pairs, on the sphere + 4u max|ds/dtheta|
 *   forward    max|x - ref| <= 2 max|naive - ref| + 4u max|ref|
 *   gradients  max|x - ref| <= 3 max|naive - ref| + 4u max|ref|
 *
 * naive is float32 arithmetic in the order of the formulas (`naive-float32.ts`), so the bar is what float32 allows on these
 * inputs. Its error is that of one sample of roundings, hence the allowance of 4 roundings of the largest number.
 */

import { describe, expect, test } from "vitest";
import { attentionForward } from "../reference/attention.js";
import { logPhiSlope } from "../reference/kernel.js";
import { createRandom } from "../reference/random.js";
import { createReferenceBackend, headOf, optionsOf, slices } from "../src/backends/reference.js";
import { createWasmBackend } from "../src/backends/wasm/index.js";
import { makePlan, type Plan } from "../src/plan.js";
import type { AttentionOptions, Floats } from "../src/types.js";
import { naiveBackward, naiveForward } from "../src/verify/naive-float32.js";

const u = 2 ** -24;
const wasm = await createWasmBackend();
const reference = createReferenceBackend();
// Two tiles of keys, of which one is not full.
const queries = 18;
const keys = 70;

/** Queries and keys, [70, D] each, of a kind; only the first 18 queries are used. */
const kinds: Record<string, (headDim: number, alpha: number) => [Float32Array, Float32Array]> = {
  random: (headDim) => [gaussians(headDim, 1), gaussians(headDim, 2)],
  // Beyond, scores of 1e5 at alpha = 2 have an ulp of 0.008, and which of two keys is the nearest becomes a matter of luck.
  "large-scale": (headDim) => [gaussians(headDim, 3).map((x) => 30 * x), gaussians(headDim, 4).map((x) => 30 * x)],
  clustered: (headDim) => {
    const center = gaussians(headDim, 5);
    const near = (seed: number) => gaussians(headDim, seed).map((x, at) => center[at % headDim] * (1 + 1e-4 * x));
    return [near(6), near(7)];
  },
  duplicate: (headDim) => {
    const q = gaussians(headDim, 8);
    const k = gaussians(headDim, 9);
    for (let row = 0; row < keys; row += 3) k.set(q.subarray(row * headDim, (row + 1) * headDim), row * headDim);
    return [q, k];
  },
  "shared-offset": (headDim) => [gaussians(headDim, 10).map((x) => x + 20), gaussians(headDim, 11).map((x) => x + 20)],
  // So far that the kernel itself is 0 in float32: e^-s at s of some hundreds.
  far: (headDim, alpha) => {
    const offset = alpha === 2 ? 20 : 3e5;
    return [gaussians(headDim, 12).map((x) => x + offset), gaussians(headDim, 13)];
  },
};

function gaussians(headDim: number, seed: number): Float32Array {
  const random = createRandom(seed * 1000 + headDim);
  return Float32Array.from({ length: keys * headDim }, () => random.normal());
}

const variants: [string, AttentionOptions][] = [
  ["alpha 1.2", {}],
  ["alpha 2", { alpha: 2 }],
  ["alpha 1.2, kappa 1", { kappa: 1 }],
  ["causal, degree 1/2", { causal: true, degreeNormalization: 0.5 }],
  ["sphere", { manifold: "sphere" }],
  ["sphere, alpha 2", { manifold: "sphere", alpha: 2 }],
];

describe.each(Object.entries(kinds))("%s inputs", (_, make) => {
  describe.each([3, 8, 48])("D = %d", (headDim) => {
    test.each(variants)("%s: weights, forward and gradients within the bar", (_, options) => {
      const [allQueries, k] = make(headDim, options.alpha === 2 ? 2 : 1.2);
      const q = allQueries.slice(0, queries * headDim);
      const v = gaussians(headDim, 14);
      const tensors = { q, k, v };
      const plan = makePlan({ batch: 1, heads: 1, queries, keys, headDim }, options);
      const truth = reference.forwardSync!(plan, tensors);
      const naive = naiveForward(plan, tensors);
      const found = wasm.forwardSync(plan, tensors);
      expectClose("output", found.output, naive.output, truth.output, 2);
      expectClose("logSumExp", found.logSumExp, naive.logSumExp, truth.logSumExp, 2);
      expectWeights(plan, tensors);

      const dOutput = gaussians(headDim, 15).slice(0, queries * headDim);
      const slopes = reference.backwardSync!(plan, tensors, { ...truth, dOutput });
      const naiveSlopes = naiveBackward(plan, tensors, { ...naive, dOutput });
      const foundSlopes = wasm.backwardSync(plan, tensors, { ...found, dOutput });
      for (const name of ["dq", "dk", "dv"] as const) {
        expectClose(name, foundSlopes[name], naiveSlopes[name], slopes[name], 3);
      }
    });
  });
});

function expectClose(name: string, x: Floats, naive: Floats, ref: Floats, factor: number): void {
  let largest = 0;
  let error = 0;
  let naiveError = 0;
  for (let e = 0; e < ref.length; e++) {
    if (ref[e] === Number.NEGATIVE_INFINITY) {
      expect(x[e], name).toBe(ref[e]);
      continue;
    }
    expect(Number.isFinite(x[e]), name).toBe(true);
    largest = Math.max(largest, Math.abs(ref[e]));
    error = Math.max(error, Math.abs(x[e] - ref[e]));
    naiveError = Math.max(naiveError, Math.abs(naive[e] - ref[e]));
  }
  expect(error, name).toBeLessThanOrEqual(factor * naiveError + 4 * u * largest);
}

function expectWeights(plan: Plan, tensors: { q: Float32Array; k: Float32Array; v: Float32Array }): void {
  const inputs = { ...tensors, batch: 1, heads: 1, queries, keys, headDim: plan.headDim };
  const [slice] = slices(plan);
  const forward = attentionForward(headOf(plan, slice, inputs), optionsOf(plan, slice));
  let largestScore = 0;
  let largestTurn = 0;
  for (const [p, masked] of forward.mask.entries()) {
    if (masked) continue;
    largestScore = Math.max(largestScore, Math.abs(forward.logKernel[p]), Math.abs(forward.biased[p]));
    const slope = Math.abs(logPhiSlope(forward.z[p], plan.alpha[0], plan.intrinsicDim));
    if (plan.manifold === "sphere") largestTurn = Math.max(largestTurn, (slope * plan.radius[0]) / plan.kappa[0]);
  }
  // A column sum is as wrong as the scores that it sums, and enters a times.
  const bound = u * (1 + plan.degreeNormalization) * (8 * (1 + largestScore) + 4 * largestTurn);
  const found = wasm.weightsSync(plan, tensors);
  let largest = 0;
  for (const [p, weight] of forward.weights.entries()) {
    if (forward.mask[p]) expect(found[p]).toBe(0);
    // Below the normal numbers of float32 there is no relative accuracy to be had.
    else if (weight < 2 ** -120) expect(found[p]).toBeLessThan(2 ** -119);
    else largest = Math.max(largest, Math.abs(found[p] / weight - 1));
  }
  expect(largest, "weights").toBeLessThanOrEqual(bound);
}
