/** Fractional diffusion on the circle: the generator against theory (eq. section 12). */
import { describe, expect, test } from "vitest";
import {
  circleDenseSpectrum,
  circleKernelMatrix,
  circleSpectrum,
  circleTime,
  fitExponent,
  modeRange,
} from "../reference/circle-spectrum.js";
import { gamma } from "../reference/gamma.js";
import { relativeError } from "../src/verify/compare.js";

/** Eigenvalues of a symmetric 61 × 61 matrix of norm 1: a few N ulp, here 64 · 64 · 2⁻⁵² = 2⁻⁴⁰. */
const eigenRounding = 2 ** -40;

const close = (actual: ArrayLike<number>, wanted: ArrayLike<number>, bound = eigenRounding) =>
  expect(relativeError(actual, wanted)).toBeLessThanOrEqual(bound);

describe("fractional diffusion on the circle", () => {
  const points = 200_000;
  const exponentAt = (alpha: number, bandwidth: number): number => {
    const { modes, generator } = circleSpectrum({ points, alpha, bandwidth });
    return fitExponent(modes, generator).exponent;
  };

  test("the Gaussian branch has the exact eigenvalues k^2/4", () => {
    // exp(−z²) has the characteristic function exp(−h²/4), h = k√ε: −log λ/ε = k²/4. Replacing the integral by a sum of
    // spacing s, in units of √ε, adds exp(−(π/s)²) = exp(−100) for 2000 points at ε = 10⁻⁴; what is left is the rounding
    // of a sum of 2000 positive terms, divided by one more.
    const { modes, generator } = circleSpectrum({ points: 2000, alpha: 2, bandwidth: 1e-4 }, modeRange(1, 60));
    const worst = Math.max(...generator.map((g, j) => Math.abs(g / (modes[j] ** 2 / 4) - 1)));
    expect(worst).toBeLessThanOrEqual(2 * 2000 * 2 ** -52);
    close([exponentAt(2, 1e-4)], [2], 1e-10);
  });

  // α I_α h^α is the integral over z of (1 − cos hz) α z^−(1+α).
  const integral = (s: number): number => Math.PI / (2 * gamma(1 + s) * Math.sin((Math.PI * s) / 2));

  // The third column is what an independent prototype gave at n = 200,000 and ε = 10⁻⁸, to three decimals.
  test.each([
    { alpha: 1, prototype: 1.007 },
    { alpha: 1.2, prototype: 1.194 },
    { alpha: 1.6, prototype: 1.551 },
  ])("alpha = $alpha: the exponent rises to its limit as the bandwidth falls, as theory has it", (row) => {
    const { alpha, prototype } = row;
    const modes = modeRange(5, 50);
    // Where the jumps are shorter than the wave length, with h = k√ε, the integral of (1 − cos hz) α(1 + z)^−(1+α) is
    //   α I_α h^α + α Γ(α−2)/Γ(α+1) h² − α(1+α) I_(1+α) h^(1+α) + O(h^(2+α))
    // and h(π/2 + h(log h + γ − 1)) + O(h³) for α = 1, where two of these powers meet in a logarithm. The arcs end at π,
    // which takes away the tail (√ε/π)^α.
    const eulerGamma = 0.5772156649015329;
    const predicted = (bandwidth: number): number => {
      const root = Math.sqrt(bandwidth);
      const complement = modes.map((k) => {
        const h = k * root;
        const line =
          alpha === 1
            ? h * (Math.PI / 2 + h * (Math.log(h) + eulerGamma - 1))
            : alpha * integral(alpha) * h ** alpha +
              ((alpha * gamma(alpha - 2)) / gamma(alpha + 1)) * h * h -
              alpha * (1 + alpha) * integral(1 + alpha) * h ** (1 + alpha);
        return line - (root / Math.PI) ** alpha;
      });
      return fitExponent(
        modes,
        complement.map((c) => -Math.log1p(-c)),
      ).exponent;
    };
    // ε → 0 leaves the power and the tail, k^α (1 − (πk)^−α/(α I_α)): the operator of the circle itself.
    const limitOver = (range: Float64Array): number =>
      fitExponent(
        range,
        range.map((k) => k ** alpha * (1 - (Math.PI * k) ** -alpha / (alpha * integral(alpha)))),
      ).exponent;
    const limit = limitOver(modes);

    const bandwidths = [1e-4, 1e-5, 1e-6, 1e-7, 1e-8];
    const exponents = bandwidths.map((bandwidth) => exponentAt(alpha, bandwidth));
    for (const [j, bandwidth] of bandwidths.entries()) {
      expect(exponents[j]).toBeLessThan(limit);
      if (j > 0) expect(exponents[j]).toBeGreaterThan(exponents[j - 1]);
      // Left out are relative terms of h² with coefficients of 1/2, whose slope is h² at most, and a part of the tail
      // that alternates in sign with k: 3·10⁻⁴ at k = 5, of which the fit sees a tenth. At ε = 10⁻⁴ h is 1/2, no
      // longer small, and the expansion says nothing.
      if (bandwidth < 1e-4) {
        expect(Math.abs(exponents[j] - predicted(bandwidth))).toBeLessThanOrEqual(2500 * bandwidth + 5e-5);
      }
    }
    expect(Math.abs(exponents[4] - prototype)).toBeLessThanOrEqual(5e-4);
    // The slope of the tail is (πk)^−α/I_α at most, at the first mode; so modes ten times as high are 10^α nearer to α.
    expect(limit - alpha).toBeLessThanOrEqual((5 * Math.PI) ** -alpha / integral(alpha) / (1 - 5 ** -alpha));
    const higher = limitOver(modeRange(50, 500)) - alpha;
    expect(higher).toBeGreaterThan(0);
    expect(higher).toBeLessThan((limit - alpha) / 5);
  });

  test("at 10^-4 the exponent is still far from alpha, and more points do not help", () => {
    for (const n of [20_000, 200_000]) {
      const { modes, generator } = circleSpectrum({ points: n, alpha: 1.6, bandwidth: 1e-4 });
      expect(fitExponent(modes, generator).exponent).toBeLessThan(1.3);
    }
  });

  test("dense matrix and circulant formula agree, n = 500, bandwidth 10^-4", () => {
    const options = { points: 500, alpha: 1.2, bandwidth: 1e-4 };
    const exact = circleSpectrum(options, modeRange(0, 250));
    const dense = circleDenseSpectrum(options);
    const expected = dense.eigenvalues.map((_, j) => exact.eigenvalues[Math.ceil(j / 2)]);
    // Both are sums of 500 terms of which the largest is λ₀ = 1.
    const bound = 500 * 2 ** -50;
    close(dense.eigenvalues, expected, bound);
    // −log(λ)/t carries that error divided by λ t.
    const smallest = exact.eigenvalues[250];
    const worst = Math.max(...dense.generator.map((g, j) => Math.abs(g - exact.generator[Math.ceil(j / 2)])));
    expect(worst).toBeLessThanOrEqual(bound / smallest / circleTime(1.2, 1e-4));
  });

  test("the complement keeps its digits where 1 - lambda has none left", () => {
    // 1 − λ₁ = 1 − exp(−ε/4) = 2.5·10⁻⁵, of which 1 − λ would have lost five digits; a sum of n positive terms loses n ulp.
    const { complements, eigenvalues } = circleSpectrum({ points: 4096, alpha: 2, bandwidth: 1e-4 }, modeRange(0, 1));
    expect(complements[0]).toBe(0);
    expect(eigenvalues[0]).toBe(1);
    close([complements[1]], [-Math.expm1(-1e-4 / 4)], 4096 * 2 ** -51);
  });

  test("with the end point doubled there is one eigenvalue 0 and no other below the smallest of the circle", () => {
    const options = { points: 61, alpha: 1.5, bandwidth: 0.05 };
    const { eigenvalues, generator } = circleDenseSpectrum(options, "doubled");
    close([eigenvalues[0]], [1]);
    expect(Math.abs(eigenvalues[60])).toBeLessThanOrEqual(eigenRounding);
    expect(eigenvalues[59]).toBeGreaterThan(0.01);
    expect(generator[1]).toBeGreaterThan(0);
    const phi = circleKernelMatrix(options, "doubled");
    expect(phi[60]).toBe(1);
    expect(phi[1]).toBe(phi[59]);
  });

  test("a power law is fitted exactly", () => {
    const modes = modeRange(2, 9);
    const fit = fitExponent(
      modes,
      modes.map((k) => 3 * k ** 1.7),
    );
    close([fit.exponent, fit.prefactor], [1.7, 3], 2 ** -48);
  });

  test.each<[string, () => unknown]>([
    ["points: expected an integer of at least 2, got 1", () => circleSpectrum({ points: 1, alpha: 1, bandwidth: 1 })],
    [
      "points: expected an integer in [3, 46340], got 2",
      () => circleDenseSpectrum({ points: 2, alpha: 1, bandwidth: 1 }, "doubled"),
    ],
    ["alpha: expected a number in (0, 2], got 2.1", () => circleSpectrum({ points: 9, alpha: 2.1, bandwidth: 1 })],
    ["bandwidth: expected a finite number above 0, got 0", () => circleSpectrum({ points: 9, alpha: 1, bandwidth: 0 })],
    [
      "modes: expected an integer in [0, 4], got 5",
      () => circleSpectrum({ points: 9, alpha: 1, bandwidth: 1 }, Float64Array.of(5)),
    ],
    [
      'layout: expected "periodic" or "doubled"',
      () => circleKernelMatrix({ points: 9, alpha: 1, bandwidth: 1 }, "line" as "periodic"),
    ],
    [
      "values: expected a finite number above 0, got 0",
      () => fitExponent(Float64Array.of(1, 2), Float64Array.of(0, 1)),
    ],
    ["modes: expected at least two different numbers", () => fitExponent(Float64Array.of(2, 2), Float64Array.of(1, 1))],
    ["last: expected an integer of at least 5, got 4", () => modeRange(5, 4)],
  ])("%s", (message, call) => {
    expect(call).toThrow(message);
  });
});
