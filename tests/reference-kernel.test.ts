/** Kernel, length scale and measured bandwidths by hand: small arguments, both branches, floors (eq. sections 3, 4, 9). */

import { expect, test } from "vitest";
import { logKernel, logKernelOrderSlope } from "../reference/kernel.js";
import { bandwidthFloor, measuredBandwidth, rescaledRadius, scaleKappa } from "../reference/scale.js";

const relative = (actual: number, expected: number) => Math.abs(actual / expected - 1);

test("the logarithm keeps the digits of a small distance", () => {
  // −(d + α) log(1 + z) = −(d + α)(z − z²/2 + …): at z = 10⁻¹⁰ the third term is below 10⁻²⁰ of the first.
  const z = 1e-10;
  expect(relative(logKernel(z, 1.2, 8), -9.2 * (z - (z * z) / 2))).toBeLessThan(8 * 2 ** -53);
});

test.each([0.4, 1.3, 1.9, 2.5, 3])("the slope in alpha is that of the branch, alpha = %f", (alpha) => {
  // Richardson on central differences of steps h and h/2: truncation h⁴ times a fifth derivative of order 10³ at most is
  // 10⁻⁹, rounding 2⁻⁵²/h is 10⁻¹³.
  const [distance, bandwidth, h] = [1.7, 3, 1e-3];
  const at = (a: number) => logKernel(distance / bandwidth ** (1 / a), a, 5);
  const central = (step: number) => (at(alpha + step) - at(alpha - step)) / (2 * step);
  const slope = (4 * central(h / 2) - central(h)) / 3;
  const z = distance / bandwidth ** (1 / alpha);
  expect(Math.abs(logKernelOrderSlope(z, alpha, 5, Math.log(bandwidth)) - slope)).toBeLessThan(1e-8);
});

test("the slope in alpha at distance 0 is 0 on both branches", () => {
  for (const alpha of [1.3, 2, 2.5]) expect(Math.abs(logKernelOrderSlope(0, alpha, 5, 1))).toBe(0);
});

test("kappa: the paper's, the dimension's, none", () => {
  // At the typical distance √D the multiscale kernel is 2^−(1 + α/D).
  for (const headDim of [1, 3, 64]) {
    const z = Math.sqrt(headDim) / scaleKappa("paper", headDim, 1.2);
    expect(relative(logKernel(z, 1.2, headDim), -(headDim + 1.2) * (Math.LN2 / headDim))).toBeLessThan(16 * 2 ** -53);
  }
  // 1/(2^(1/D) − 1) = (D/log 2)/(1 + x/2 + x²/6 + …) with x = log 2/D, of which D = 10⁶ leaves 10⁻¹⁹.
  const [headDim, x] = [1e6, Math.LN2 / 1e6];
  expect(relative(scaleKappa("paper", headDim, 1), 1e9 / Math.LN2 / (1 + x / 2 + (x * x) / 6))).toBeLessThan(
    8 * 2 ** -53,
  );
  expect([scaleKappa("paper", 9, 2), scaleKappa("dim", 9, 2), scaleKappa("none", 9, 2)]).toEqual([3, 3, 1]);
  expect([scaleKappa("dim", 9, 1.9), scaleKappa("none", 9, 1.9)]).toEqual([9, 1]);
});

test("the rescaled radius puts the farthest point, at r pi, where (1 + z)^d_M is pi", () => {
  for (const intrinsicDim of [1, 2.5, 63]) {
    expect(relative((1 + Math.PI * rescaledRadius(intrinsicDim)) ** intrinsicDim, Math.PI)).toBeLessThan(
      // The power multiplies the rounding of its base.
      4 * (intrinsicDim + 2) * 2 ** -53,
    );
  }
});

test("measured bandwidths: never below the floor, masked pairs left out, NaN handed on", () => {
  expect(bandwidthFloor).toBe(1e-3);
  for (const rule of ["median", "mean"] as const) {
    expect(measuredBandwidth(rule, new Float64Array(4), 1, 1.5)).toBe(1e-3);
    const mask = Uint8Array.of(0, 1, 1);
    expect(measuredBandwidth(rule, Float64Array.of(4, 50, 60), 2, 2, mask)).toBe(4);
    expect(measuredBandwidth(rule, Float64Array.of(Number.NaN, 1, 2), 1, 1)).toBeNaN();
    expect(measuredBandwidth(rule, new Float64Array(0), 1, 1)).toBe(1);
  }
});
