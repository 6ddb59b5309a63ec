/** Length scales at the ends of float32, which both float32 devices have to come through. */

import { expect } from "vitest";
import type { Attention } from "../src/attention.js";
import type { AttentionOptions } from "../src/types.js";
import { judgeFloat32 } from "../src/verify/judge-float32.js";
import { inputsOf, normals } from "./float32-inputs.js";

const shape = { heads: 2, queries: 9, headDim: 5 };

/** Powers of two of coordinates and kappa; z runs from 2^-80 to 2^92. */
export const scalePairs = [
  [20, -54],
  [38, -40],
  [38, -54],
  [0, 80],
  [-60, 20],
  [56, 110],
  [70, 120],
] as const;

/** Within the bounds, gradients too: z^2 or 1/z may leave float32, but not the slopes. */
export async function judgeScales(device: Attention<Float32Array>, coordinate: number, kappa: number): Promise<void> {
  const inputs = inputsOf(shape);
  const scaled = (x: Float32Array) => Float64Array.from(x, (e) => e * 2 ** coordinate);
  const problem = {
    inputs: { ...inputs, q: scaled(inputs.q), k: scaled(inputs.k), v: Float64Array.from(inputs.v) },
    options: { alpha: 1.2, kappa: 2 ** kappa },
    dOutput: Float64Array.from(normals(inputs.v.length, 7)),
    kind: "normal" as const,
  };
  const checks = await judgeFloat32(device, problem, `2^${coordinate}, kappa 2^${kappa}`);
  for (const { error, bound, tensor, case: id } of checks) {
    // Between 0 and the smallest float32 there is nothing to answer with.
    expect(error, `${id} ${tensor}`).toBeLessThanOrEqual(Math.max(bound, 2 ** -149));
  }
}

/** Scales so large that all distances are 0: the average of the values, and nothing that pulls. */
export const uniformOptions: AttentionOptions[] = [
  { kappa: 2 ** 120 },
  { kappa: 2 ** 130 },
  { kappa: 2 ** 1000, distanceThreshold: 1 },
  { kappa: 2 ** 152, manifold: "sphere", alpha: 2 },
  { kappa: 2 ** 152, manifold: "sphere" },
  { alpha: 0.01, bandwidth: 1e5 },
  { alpha: 1e-8, bandwidth: 2 },
];

export async function judgeUniform(device: Attention<Float32Array>, options: AttentionOptions): Promise<void> {
  const inputs = inputsOf(shape);
  const found = await device.forward(inputs, options);
  const gradient = await device.backward(inputs, options, { ...found, dOutput: normals(inputs.v.length, 7) });
  const { q, v, queries, keys, headDim } = inputs;
  for (let e = 0; e < q.length; e++) {
    const head = Math.floor(e / (queries * headDim)) * keys * headDim;
    let mean = 0;
    for (let j = 0; j < keys; j++) mean += v[head + j * headDim + (e % headDim)] / keys;
    // A sum of nine numbers of up to 4.
    expect(Math.abs(found.output[e] - mean)).toBeLessThan(9 * 4 * 2 ** -24);
  }
  for (const level of found.logSumExp) expect(level).toBeCloseTo(Math.log(keys), 6);
  for (const name of ["dq", "dk", "dAlpha", "dKappa"] as const) {
    for (const x of gradient[name]) expect(Math.abs(x), name).toBeLessThan(2 ** -100);
  }
}

/** No pair is nearer than a negative distance: every row is empty. */
export const negativeThresholds: AttentionOptions[] = ["euclidean", "sphere"].flatMap((manifold) =>
  [1.2, 2].flatMap((alpha) =>
    [-1, -1e-30, -Infinity].map((distanceThreshold) => ({ manifold, alpha, distanceThreshold })),
  ),
) as AttentionOptions[];

export async function judgeEmpty(device: Attention<Float32Array>, options: AttentionOptions): Promise<void> {
  const inputs = inputsOf(shape);
  const found = await device.forward(inputs, options);
  const gradient = await device.backward(inputs, options, { ...found, dOutput: normals(inputs.v.length, 7) });
  expect(found.logSumExp.every((x) => x === Number.NEGATIVE_INFINITY)).toBe(true);
  for (const x of [found.output, gradient.dq, gradient.dv, gradient.dKappa, await device.weights(inputs, options)]) {
    expect(x.every((e) => e === 0)).toBe(true);
  }
}
