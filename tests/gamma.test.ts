import { describe, expect, test } from "vitest";
import { gamma } from "../reference/gamma.js";
import { hurwitzZeta } from "../reference/zeta.js";

const relative = (actual: number, expected: number) => Math.abs(actual / expected - 1);

describe("Gamma function: relative error below 1e-14", () => {
  // Each of the up to 190 factors rounds by at most half a unit, 1.1e-16, with random sign: some 3e-15 in the end.
  const BOUND = 1e-14;

  test("factorials up to 170!, the largest in float64", () => {
    let factorial = 1n;
    for (let n = 1; n <= 170; n++) {
      factorial *= BigInt(n);
      expect(relative(gamma(n + 1), Number(factorial)), `n = ${n}`).toBeLessThan(BOUND);
    }
    expect(gamma(172)).toBe(Number.POSITIVE_INFINITY);
    expect(gamma(1e300)).toBe(Number.POSITIVE_INFINITY);
  });

  test("half integers on both sides of 0: Γ(n + 1/2) = (2n)! √π / (4^n n!), Γ(1/2 − n) = (−4)^n n! √π / (2n)!", () => {
    let ratio = 1;
    for (let n = 1; n <= 80; n++) {
      // (2n)!/(4^n n!) grows by (2n−1)/2.
      ratio *= (2 * n - 1) / 2;
      expect(relative(gamma(n + 0.5), ratio * Math.sqrt(Math.PI)), `n = ${n}`).toBeLessThan(2 * BOUND);
      const below = ((n % 2 === 0 ? 1 : -1) * Math.sqrt(Math.PI)) / ratio;
      expect(relative(gamma(0.5 - n), below), `n = −${n}`).toBeLessThan(2 * BOUND);
    }
  });

  test.each([
    // Published constants (OEIS A073005, A068466, A175380, A175379), Γ(1/10), and Γ at its minimum; to 16 digits.
    [1 / 3, 2.678938534707748],
    [1 / 4, 3.625609908221908],
    [1 / 5, 4.590843711998803],
    [1 / 6, 5.566316001780235],
    [0.1, 9.513507698668732],
    [1.461632144968362, 0.8856031944108887],
  ])("Γ(%d) = %d", (x, expected) => {
    expect(relative(gamma(x), expected)).toBeLessThan(BOUND);
  });

  test("Γ(x) Γ(1 − x) sin πx = π, which no branch of it uses", () => {
    for (let i = 1; i < 40; i++) {
      const x = i / 40;
      expect(relative(gamma(x) * gamma(1 - x) * Math.sin(Math.PI * x), Math.PI)).toBeLessThan(2 * BOUND);
    }
  });

  test("poles and numbers that are not finite are refused", () => {
    for (const x of [0, -0, -1, -170, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => gamma(x)).toThrow(/^x: expected/);
  });
});

describe("Hurwitz zeta function: error below 1e-14", () => {
  // Sums of 16 terms of order 1 (16^(1) at s = −1, where the bound is that much wider).
  test.each([
    [2, 1, Math.PI ** 2 / 6],
    [4, 1, Math.PI ** 4 / 90],
    [3, 1, 1.202056903159594],
    [0.5, 1, -1.460354508809587],
    [0, 1, -0.5],
    [-0.5, 1, -0.20788622497735457],
    [2, 0.5, Math.PI ** 2 / 2],
    [1.5, 1, 2.612375348685488],
  ])("ζ(%d, %d) = %d", (s, a, expected) => {
    expect(Math.abs(hurwitzZeta(s, a) - expected)).toBeLessThan(1e-14 * Math.max(1, Math.abs(expected)));
  });

  test("ζ(s, a) = a^(−s) + ζ(s, a + 1), and ζ(−1, 1) = −1/12", () => {
    for (const s of [-0.9, -0.2, 0.3, 0.99, 1.01, 1.7, 3]) {
      for (const a of [0.01, 0.4, 1, 7, 1e6]) {
        const left = hurwitzZeta(s, a);
        // Rounding is that of the largest partial sum, which for s < 1 is (16 + a)^(1−s)/|1−s|.
        const size = Math.max(Math.abs(left), (16 + a) ** (1 - s) / Math.abs(1 - s));
        expect(Math.abs(left - a ** -s - hurwitzZeta(s, a + 1)), `${s} ${a}`).toBeLessThan(1e-14 * size);
      }
    }
    expect(Math.abs(hurwitzZeta(-1, 1) + 1 / 12)).toBeLessThan(16 ** 2 * 1e-15);
  });

  test("the pole and what lies outside the domain are refused", () => {
    for (const s of [1, -2, 4.1, Number.NaN]) expect(() => hurwitzZeta(s, 1)).toThrow(/^s: /);
    for (const a of [0, -1, Number.POSITIVE_INFINITY]) expect(() => hurwitzZeta(2, a)).toThrow(/^a: /);
  });
});

test("far below 0, where Γ is smaller than any float64, it is 0 at once", () => {
  expect([gamma(-184.5), gamma(-1e14 - 0.5)].map(Math.abs)).toEqual([0, 0]);
});
