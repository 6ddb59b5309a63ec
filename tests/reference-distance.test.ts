/** Angles near 0 and near π, extreme lengths, and the gradient of the clamped arccos (eq. sections 2, 9, 17). */

import { expect, test } from "vitest";
import { addFreeArccosGradient, sphereAngles, unitRows } from "../reference/distance.js";

const angleTo = (x: number, y: number) => sphereAngles(Float64Array.of(1, 0), Float64Array.of(x, y), 1, 1, 2)[0];

test("close and nearly opposite directions keep their digits", () => {
  // atan2 of the two components is exact to rounding; a chord carries half a dozen roundings.
  for (const small of [1e-12, 1e-9, 1e-5, 0.1]) {
    expect(Math.abs(angleTo(1, small) / Math.atan2(small, 1) - 1)).toBeLessThan(16 * 2 ** -53);
    // What is left to π, which is itself rounded by 2⁻⁵² or so.
    expect(Math.abs(Math.PI - angleTo(-1, small) - Math.atan2(small, 1))).toBeLessThan(4 * 2 ** -52);
  }
  expect([angleTo(3, 0), angleTo(-3, 0), angleTo(0, 0)]).toEqual([0, Math.PI, Math.PI / 2]);
});

test("rows of any finite length have a direction", () => {
  for (const size of [1e-300, 1, 1e300]) {
    const { unit, norm } = unitRows(Float64Array.of(3 * size, -4 * size), 1, 2);
    expect(Math.abs(norm[0] / size - 5)).toBeLessThan(16 * 2 ** -53);
    expect(Math.abs(unit[0] - 0.6) + Math.abs(unit[1] + 0.8)).toBeLessThan(4 * 2 ** -53);
  }
});

test("the free gradient of arccos is -k/sin, and 0 where the clamp acts", () => {
  const gradientFor = (dot: number, limit: number) => {
    const [dq, dk] = [new Float64Array(2), new Float64Array(2)];
    addFreeArccosGradient(1, Float64Array.of(dot, 5), 0, Float64Array.of(1, 0), 0, 2, limit, dq, dk);
    return [...dq, ...dk];
  };
  // sin = 0.8 at a cosine of 0.6.
  const [dx, dy, ex, ey] = gradientFor(0.6, 1);
  for (const [actual, expected] of [
    [dx, -1.25],
    [dy, 0],
    [ex, -0.75],
    [ey, -6.25],
  ]) {
    expect(Math.abs(actual - expected)).toBeLessThan(8 * 2 ** -52);
  }
  expect(gradientFor(0.6, 0.5).every((g) => g === 0)).toBe(true);
  expect(gradientFor(-0.6, 0.6).every((g) => g === 0)).toBe(true);
});
