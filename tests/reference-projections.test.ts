/** The matrix exponential against rotations, and multi-head attention with a context of its own (eq. section 1). */

import { expect, test } from "vitest";
import { attentionForward } from "../reference/attention.js";
import { attentionBackward } from "../reference/attention-gradient.js";
import { fractionalHeads, multiHeadBackward, multiHeadForward } from "../reference/multi-head.js";
import { matrixExponential, orthogonalWeightBackward } from "../reference/orthogonal.js";
import { createRandom } from "../reference/random.js";

test.each([0.1, 1, 40])("the exponential of a rotation by %f is cosine and sine", (angle) => {
  const [a, b, c, d] = matrixExponential(Float64Array.of(0, -angle, angle, 0), 2);
  // Each of the log2(2 angle) squarings doubles what came before and adds a few roundings of numbers up to 1.
  const bound = 32 * Math.max(1, angle) * 2 ** -52;
  for (const error of [a - Math.cos(angle), b + Math.sin(angle), c - Math.sin(angle), d - Math.cos(angle)]) {
    expect(Math.abs(error)).toBeLessThan(bound);
  }
});

test("the gradient of an orthogonal weight is linear in the cotangent, however large that is", () => {
  const { normal } = createRandom(3);
  const matrix = () => Float64Array.from({ length: 9 }, normal);
  const parameter = { original: matrix(), base: Float64Array.of(0, 1, 0, 0, 0, 1, 1, 0, 0) };
  const cotangent = matrix();
  const gradient = orthogonalWeightBackward(parameter, cotangent, 3);
  // A power of two scales without rounding.
  const large = orthogonalWeightBackward(
    parameter,
    cotangent.map((g) => g * 2 ** 40),
    3,
  );
  expect(large).toEqual(gradient.map((g) => g * 2 ** 40));
  expect(gradient[3]).not.toBe(0);
});

test("with a context keys and values come from there, and so does their gradient", () => {
  const { normal } = createRandom(4);
  const normals = (length: number) => Float64Array.from({ length }, normal);
  const identity = { weight: Float64Array.of(1, 0, 0, 1) };
  const [x, context, dOutput] = [normals(6), normals(8), normals(6)];
  const parameters = { query: identity, key: identity, value: identity, output: identity };
  const call = { x, context, queries: 3, keys: 4, modelDim: 2, heads: 1, parameters, attention: fractionalHeads() };
  const result = multiHeadForward(call);
  const head = { q: x, k: context, v: context, queries: 3, keys: 4, headDim: 2 };
  const direct = attentionForward(head);
  expect(result.output).toEqual(direct.output);
  const gradient = multiHeadBackward(call, result, dOutput);
  const { dq, dk, dv } = attentionBackward(head, {}, { ...direct, dOutput });
  expect(gradient.dx).toEqual(dq);
  expect(gradient.dContext).toEqual(dk.map((g, e) => g + dv[e]));
});
