import { describe, expect, test } from "vitest";
import {
  fractionalDiffusion,
  fractionalLaplacianAt,
  fractionalLaplacianConstant,
  fractionalLaplacianFourier,
  fractionalLaplacianSingular,
} from "../reference/fractional-laplacian.js";
import { gamma } from "../reference/gamma.js";
import { stableDensity, stableTailConstant } from "../reference/levy-stable.js";
import { hurwitzZeta } from "../reference/zeta.js";

const grid = (count: number, period: number, f: (x: number) => number) =>
  Float64Array.from({ length: count }, (_, j) => f((j * period) / count));

function largestDifference(a: Float64Array, b: Float64Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);
}

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

describe("constant of the singular integral", () => {
  test.each([
    [1, 1, 1 / Math.PI],
    [2, 1, 1 / (2 * Math.PI)],
    [3, 1, 1 / Math.PI ** 2],
    [1, 0.5, (Math.SQRT2 * gamma(0.75)) / (Math.sqrt(Math.PI) * Math.abs(gamma(-0.25)))],
    [64, 1.5, (2 ** 1.5 * gamma(32.75)) / (Math.PI ** 32 * Math.abs(gamma(-0.75)))],
  ])("C(%d, %d)", (dimension, alpha, expected) => {
    // Up to 32 factors, each rounding twice, in the recursion, and those of Γ: below 1e-14.
    expect(Math.abs(fractionalLaplacianConstant(dimension, alpha) / expected - 1)).toBeLessThan(2e-14);
  });

  test("stays finite where Γ((d + α)/2) is not, and vanishes like 2 − α and α at the ends of its domain", () => {
    const high = fractionalLaplacianConstant(400, 1);
    expect(high).toBeGreaterThan(0);
    expect(high).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(fractionalLaplacianConstant(100_000, 1)).toBe(Number.POSITIVE_INFINITY);
    // C(1, 2 − δ) = δ (1 + O(δ)) and C(1, δ) = δ/2 (1 + O(δ)).
    expect(fractionalLaplacianConstant(1, 2 - 1e-6) / 1e-6).toBeCloseTo(1, 4);
    expect(fractionalLaplacianConstant(1, 1e-6) / 1e-6).toBeCloseTo(0.5, 4);
  });
});

describe("Fourier multiplier", () => {
  test.each([0.5, 1, 1.5, 2])("multiplies cos kx and sin kx by |k|^α, α = %d", (alpha) => {
    const period = 2 * Math.PI;
    for (const count of [31, 32]) {
      for (const k of [0, 1, 5, 15]) {
        for (const f of [Math.cos, Math.sin]) {
          // The phase is reduced to one turn in whole numbers, so that the values are those of cos kx to rounding.
          const values = Float64Array.from({ length: count }, (_, j) => f((period * ((k * j) % count)) / count));
          const expected = values.map((value) => (k === 0 ? 0 : k ** alpha) * value);
          // The values and the tables of both transforms are off by the rounding of a phase near 2π and of the cosine,
          // at most 5.5e-16 each; the multiplier is at most 16^α.
          const bound = 3 * 5.5e-16 * 16 ** alpha;
          expect(largestDifference(fractionalLaplacianFourier(values, period, alpha), expected)).toBeLessThan(bound);
        }
      }
    }
  });

  test("the mode N/2, which is its own conjugate, counts once", () => {
    const alternating = grid(16, 2 * Math.PI, (x) => Math.cos(8 * x));
    const result = fractionalLaplacianFourier(alternating, 2 * Math.PI, 1);
    expect(
      largestDifference(
        result,
        alternating.map((value) => 8 * value),
      ),
    ).toBeLessThan(1e-13);
  });

  test("α = 2 is −f″, and the period sets the unit of length", () => {
    const period = 12;
    const values = grid(96, period, (x) => Math.exp(-((x - 6) ** 2)));
    const second = grid(96, period, (x) => (2 - 4 * (x - 6) ** 2) * Math.exp(-((x - 6) ** 2)));
    // exp(−36) = 2e-16 at the seam jumps in its slope by 12 times that; rounding times k² ≤ 632 dominates.
    expect(largestDifference(fractionalLaplacianFourier(values, period, 2), second)).toBeLessThan(1e-12);
  });

  test("α then β is α + β", () => {
    const values = grid(40, 3, (x) => Math.exp(Math.sin((2 * Math.PI * x) / 3)));
    const twice = fractionalLaplacianFourier(fractionalLaplacianFourier(values, 3, 0.7), 3, 0.9);
    const once = fractionalLaplacianFourier(values, 3, 1.6);
    // The multiplier reaches (40π/3)^1.6 = 395 on rounding of 1e-16 √N.
    expect(largestDifference(twice, once)).toBeLessThan(1e-12);
  });
});

describe("singular integral against the Fourier multiplier", () => {
  const refinements = [32, 64, 128, 256];

  // The order of the quadrature is 4 − α. Between finite steps the observed order still holds a share of the next term,
  // O(h²) smaller, hence the 0.1.
  function expectOrder(errors: readonly number[], order: number): void {
    for (let i = 1; i < errors.length; i++) {
      const observed = Math.log2(errors[i - 1] / errors[i]);
      expect(observed, `errors ${errors.join(" ")}`).toBeGreaterThan(order - 0.1);
      expect(observed, `errors ${errors.join(" ")}`).toBeLessThan(order + 0.1);
    }
  }

  test.each([0.3, 0.8, 1, 1.5, 1.95])("cos 2x converges to 2^α cos 2x at order 4 − α, α = %d", (alpha) => {
    const errors = refinements.map((count) => {
      const values = grid(count, 2 * Math.PI, (x) => Math.cos(2 * x));
      const expected = values.map((value) => 2 ** alpha * value);
      return largestDifference(fractionalLaplacianSingular(values, 2 * Math.PI, alpha), expected);
    });
    expectOrder(errors, 4 - alpha);
  });

  test.each([0.5, 1, 1.2, 1.8])("a Gaussian converges to the multiplier's result at order 4 − α, α = %d", (alpha) => {
    const period = 16;
    const errors = refinements.map((count) => {
      const values = grid(2 * count, period, (x) => Math.exp(-((x - 8) ** 2)));
      const exact = fractionalLaplacianFourier(values, period, alpha);
      return largestDifference(fractionalLaplacianSingular(values, period, alpha), exact);
    });
    expectOrder(errors.slice(1), 4 - alpha);
  });

  test.each([0.4, 1, 1.6])("a Gaussian on the line at its centre: 2^α Γ((1+α)/2)/√π, α = %d", (alpha) => {
    const exact = (2 ** alpha * gamma((1 + alpha) / 2)) / Math.sqrt(Math.PI);
    // exp(−R²) at the reach R = 8 is below 1e-27 and leaves no error.
    const errors = [0.1, 0.05, 0.025].map((step) => {
      const reach = Math.round(8 / step);
      return Math.abs(fractionalLaplacianAt((x) => Math.exp(-x * x), 0, alpha, { step, reach }) - exact);
    });
    expectOrder(errors, 4 - alpha);
  });

  test("1/(1+x²) at α = 1 gives (1−x²)/(1+x²)², within what is left out beyond the reach", () => {
    const f = (x: number) => 1 / (1 + x * x);
    const step = 0.01;
    for (const x of [0, 0.5, 2]) {
      const exact = (1 - x * x) / (1 + x * x) ** 2;
      const errorAt = (reach: number) => Math.abs(fractionalLaplacianAt(f, x, 1, { step, reach }) - exact);
      for (const reach of [2_000, 20_000]) {
        const distance = reach * step;
        // 2C/(α R^α) sup|f|, C = 1/π; and the quadrature, f⁗/4! h³ with |f⁗| ≤ 24: 1e-6 · C ζ(−2)-like factor below 1.
        const leftOut = (2 / (Math.PI * distance)) * f(distance - x);
        expect(errorAt(reach)).toBeLessThan(leftOut + step ** 3);
      }
    }
  });

  test("is 0 for a constant on the circle, and refuses α = 2, where the constant is 0", () => {
    expect(
      largestDifference(fractionalLaplacianSingular(new Float64Array(12).fill(3), 1, 1.3), new Float64Array(12)),
    ).toBe(0);
    expect(() => fractionalLaplacianSingular(new Float64Array(12), 1, 2)).toThrow(
      /^alpha: expected a number in \(0, 2\)/,
    );
  });
});

describe("fractional diffusion", () => {
  const period = 7;
  const start = grid(48, period, (x) => Math.exp(2 * Math.cos((2 * Math.PI * x) / period)));

  test.each([0.5, 1.2, 2])("is a semigroup that keeps the mass, α = %d", (alpha) => {
    const once = fractionalDiffusion(start, period, alpha, 0.9);
    const twice = fractionalDiffusion(fractionalDiffusion(start, period, alpha, 0.4), period, alpha, 0.5);
    // Values of order e² and 48 terms of rounding: 7.4 · √48 · 1.1e-16 = 6e-15; ten times that for the two transforms.
    expect(largestDifference(once, twice)).toBeLessThan(6e-14);
    expect(largestDifference(fractionalDiffusion(start, period, alpha, 0), start)).toBeLessThan(6e-14);
    expect(Math.abs(sum(once) / sum(start) - 1)).toBeLessThan(1e-14);
    expect(largestDifference(once, start)).toBeGreaterThan(0.1);
  });

  test("solves dρ/dt = −(−Δ)^(α/2) ρ", () => {
    const alpha = 1.3;
    const dt = 1e-3;
    const before = fractionalDiffusion(start, period, alpha, 0.5 - dt);
    const after = fractionalDiffusion(start, period, alpha, 0.5 + dt);
    const rate = after.map((value, i) => (value - before[i]) / (2 * dt));
    const expected = fractionalLaplacianFourier(fractionalDiffusion(start, period, alpha, 0.5), period, alpha);
    // The central difference errs by dt²/6 |ρ‴| < 1e-6/6 · Σ λ³|mode| < 2e-6 (λ = (2π/7)^1.3 n^1.3, damped by
    // exp(−λ/2)).
    expect(
      largestDifference(
        rate,
        expected.map((value) => -value),
      ),
    ).toBeLessThan(2e-6);
  });

  test("from a point, α = 1 is the Poisson kernel and α = 2 the periodised heat kernel", () => {
    const count = 128;
    const length = 10;
    const time = 0.8;
    const point = new Float64Array(count);
    point[0] = count / length;
    const angle = (2 * Math.PI) / length;
    const poisson = grid(count, length, (x) => {
      return Math.sinh(angle * time) / (length * (Math.cosh(angle * time) - Math.cos(angle * x)));
    });
    // The grid cuts the modes from k = 40 on: exp(−32) = 1e-14 at α = 1, nothing at α = 2.
    expect(largestDifference(fractionalDiffusion(point, length, 1, time), poisson)).toBeLessThan(1e-13);
    const heat = grid(count, length, (x) => {
      const images = [-3, -2, -1, 0, 1, 2, 3].map((m) => Math.exp(-((x + m * length) ** 2) / (4 * time)));
      return images.reduce((a, b) => a + b) / Math.sqrt(4 * Math.PI * time);
    });
    expect(largestDifference(fractionalDiffusion(point, length, 2, time), heat)).toBeLessThan(1e-13);
  });

  test("from a point it is the density of the stable law of scale t^(1/α), summed over the periods", () => {
    const alpha = 1.5;
    const time = 1.7;
    const scale = time ** (1 / alpha);
    const count = 80;
    const length = 12;
    const point = new Float64Array(count);
    point[0] = count / length;
    const density = fractionalDiffusion(point, length, alpha, time);
    const images = 20;
    for (const j of [0, 7, 33, 40]) {
      const x = (j * length) / count;
      let expected = 0;
      for (let m = -images; m <= images; m++) expected += stableDensity(x + m * length, alpha, scale);
      const tail = (a: number) => hurwitzZeta(1 + alpha, images + 1 + a / length);
      const farther = stableTailConstant(alpha) * time * length ** (-1 - alpha) * (tail(x) + tail(-x));
      // The tail law is followed beyond 20 periods; its next term is smaller by (scale/240)^1.5 Γ(2α+1)/(2 Γ(α+1)).
      const next = (scale / (images * length)) ** alpha * 3;
      expect(Math.abs(density[j] - expected - farther)).toBeLessThan(farther * next);
    }
  });
});

test("arguments outside their domain are refused by name before anything is computed", () => {
  const values = new Float64Array(8);
  expect(() => fractionalLaplacianConstant(0, 1)).toThrow(/^dimension: /);
  expect(() => fractionalLaplacianConstant(1, 2)).toThrow(/^alpha: /);
  expect(() => fractionalLaplacianFourier(new Float64Array(0), 1, 1)).toThrow(/^values: /);
  expect(() => fractionalLaplacianFourier(values, 0, 1)).toThrow(/^period: /);
  expect(() => fractionalLaplacianFourier(values, 1, 2.1)).toThrow(/^alpha: /);
  expect(() => fractionalLaplacianSingular(values.slice(0, 2), 1, 1)).toThrow(/^values: /);
  expect(() => fractionalDiffusion([1, 2] as unknown as Float64Array, 1, 1, 1)).toThrow(/^density: /);
  expect(() => fractionalDiffusion(values, 1, 1, -1)).toThrow(/^time: /);
  expect(() => fractionalLaplacianAt(Math.cos, 0, 1, { step: 0, reach: 5 })).toThrow(/^options\.step: /);
  expect(() => fractionalLaplacianAt(Math.cos, 0, 1, { step: 0.1, reach: 0 })).toThrow(/^options\.reach: /);
  expect(() => fractionalLaplacianAt(Math.cos, Number.NaN, 1, { step: 0.1, reach: 1 })).toThrow(/^x: /);
});
