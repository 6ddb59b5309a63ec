import { describe, expect, test } from "vitest";
import { gamma } from "../reference/gamma.js";
import { stableDensity, stableDistribution, stableSurvival, stableTailConstant } from "../reference/levy-stable.js";
import { loadGolden } from "../src/verify/golden-files.js";
import { checkLevy } from "../src/verify/golden-levy.js";

const relative = (actual: number, expected: number) => Math.abs(actual / expected - 1);

describe("density and distribution function of symmetric stable laws", () => {
  test("the density agrees with every golden case to its rtol, relative at each point", () => {
    const checks = checkLevy(loadGolden("levy").cases);
    expect(checks.map((check) => check.bound)).toEqual([1e-11, 1e-11, 1e-11, 1e-11]);
    for (const check of checks) expect(check.error, check.case).toBeLessThanOrEqual(check.bound);
  });

  test("a golden case that does not hold is found", () => {
    const [golden] = loadGolden("levy").cases;
    const [check] = checkLevy([{ ...golden, config: { ...golden.config, alpha: 1.2 + 1e-10 } }]);
    expect(check.error).toBeGreaterThan(check.bound);
  });

  // 1e-14 throughout: some hundred positive terms, whose g = exp(…) is rounded to a few units in the last place, and
  // where g is large (α = 2, x = 10, g = 25) exp(−g) multiplies that by g.
  test.each([
    // α, x, density, upper tail: integration of exp(ikx − k^α) along a straight ray with 45 digits, a different path
    // and rule. The orders stand on both sides of 0.8 and 1.2, where the path's coordinate changes, and near 1 and 2.
    [0.1, 1, 0.018301397662423852, 0.30555330850067014],
    [0.3, 0.001, 2.832855613727154, 0.49709667541111674],
    [0.5, 25, 0.0013570056406911766, 0.07368747668450097],
    [0.79, 2, 0.05447433002361796, 0.17189060775259743],
    [0.81, 2, 0.05539752792716928, 0.16937767739194048],
    [0.99, 0.5, 0.2541640753583925, 0.3521091201374659],
    [0.9999, 1000, 3.1851595429527495e-7, 0.0003185480717285968],
    [1.00001, 3.5, 0.02402337437791961, 0.08858427162083826],
    [1.19, 25, 0.0002941206993649195, 0.0061299282452956455],
    [1.21, 1e-6, 0.29878809367762893, 0.49999970121190634],
    [1.5, 10, 0.0010477760249294405, 0.006639809197768471],
    [1.9, 5, 0.0019200011872612878, 0.003186843443472144],
    [1.9999, 10, 1.1426102833032739e-7, 5.336202328604304e-7],
    [1.999999, 1e6, 1.0000128927388522e-24, 5.000066963697742e-19],
    // Both bumps of the integrand count here, the normal one with 1e-5 of the density; between them it is as good as 0.
    [2 - 2 ** -50, 14.5, 3.092741920803372e-19, 2.175549383663185e-18],
  ])("α = %d at x = %d", (alpha, x, density, tail) => {
    expect(relative(stableDensity(x, alpha), density)).toBeLessThan(1e-14);
    expect(relative(stableDensity(-x, alpha), density)).toBeLessThan(1e-14);
    expect(relative(stableSurvival(x, alpha), tail)).toBeLessThan(1e-14);
    expect(stableDistribution(-x, alpha)).toBe(stableSurvival(x, alpha));
    expect(stableDistribution(x, alpha)).toBe(1 - stableSurvival(x, alpha));
  });

  test("α = 1 is Cauchy and α = 2 normal with variance 2, by the same integrals as the rest", () => {
    for (const x of [1e-9, 1e-3, 0.4, 1, 3, 10, 1e4, 1e12]) {
      expect(relative(stableDensity(x, 1), 1 / (Math.PI * (1 + x * x)))).toBeLessThan(1e-14);
      expect(relative(stableSurvival(x, 1), Math.atan(1 / x) / Math.PI)).toBeLessThan(1e-14);
    }
    for (const x of [1e-9, 1e-3, 0.4, 1, 3, 10]) {
      expect(relative(stableDensity(x, 2), Math.exp(-(x * x) / 4) / Math.sqrt(4 * Math.PI))).toBeLessThan(1e-14);
    }
    // erfc(x/2)/2 from its alternating series at x = 1 and from a table at x = 4: erfc(1/2), erfc(2).
    expect(relative(stableSurvival(1, 2), 0.4795001221869535 / 2)).toBeLessThan(1e-14);
    expect(relative(stableSurvival(4, 2), 0.004677734981047266 / 2)).toBeLessThan(1e-14);
  });

  test.each([1.21, 1.5, 1.8, 2])("near 0 it is its power series, α = %d", (alpha) => {
    // p(x) = 1/(πα) Σ (−1)^k Γ((2k+1)/α)/(2k)! x^(2k), which converges for α > 1; at x ≤ 0.5 it hardly cancels.
    for (const x of [0, 0.1, 0.5]) {
      let power = 1;
      let sum = 0;
      for (let k = 0; k < 30; k++) {
        sum += gamma((2 * k + 1) / alpha) * power;
        power *= (-x * x) / ((2 * k + 1) * (2 * k + 2));
      }
      // Γ is good to 1e-14.
      expect(relative(stableDensity(x, alpha), sum / (Math.PI * alpha))).toBeLessThan(2e-14);
    }
  });

  test.each([0.3, 0.6, 0.79, 0.9])("far out it is its series in 1/x, α = %d", (alpha) => {
    // p(x) = 1/π Σ (−1)^(n+1) Γ(nα+1)/n! sin(nπα/2) x^(−nα−1), which converges for α < 1; the tail integrates it.
    for (const x of [30, 1e3, 1e9]) {
      let density = 0;
      let tail = 0;
      let coefficient = -1;
      for (let n = 1; n <= 90; n++) {
        coefficient *= -1 / n;
        const term =
          (coefficient * gamma(n * alpha) * Math.sin((n * Math.PI * alpha) / 2)) / (Math.PI * x ** (n * alpha));
        density += (n * alpha * term) / x;
        tail += term;
      }
      expect(relative(stableDensity(x, alpha), density)).toBeLessThan(3e-14);
      expect(relative(stableSurvival(x, alpha), tail)).toBeLessThan(3e-14);
    }
  });

  test.each([0.7, 1, 1.2, 1.5, 1.9])("the tail is Γ(α+1) sin(πα/2)/π |x|^−(1+α), α = %d", (alpha) => {
    const x = 1e6;
    const constant = stableTailConstant(alpha);
    // The next term of the series relative to the first: Γ(2α+1) cos(πα/2)/Γ(α+1) x^−α (sin 2a/2 sin a = cos a); its
    // successor is smaller by x^−α once more, at most 1e-4 of it here.
    const next = (gamma(2 * alpha + 1) * Math.abs(Math.cos((Math.PI * alpha) / 2))) / gamma(alpha + 1) / x ** alpha;
    expect(relative(stableDensity(x, alpha), constant * x ** (-1 - alpha))).toBeLessThan(1.01 * next + 1e-11);
  });

  test.each([0.5, 1, 1.2, 1.5, 1.8, 2])("integrates to 1, and to the distribution function, α = %d", (alpha) => {
    // x = e^u makes the trapezoidal rule exponentially accurate: x p(x) is analytic in a sector around x > 0 and dies
    // out as e^u to the left and e^(−αu) to the right, below 1e-16 at the ends.
    const step = 1 / 8;
    let total = 0;
    for (let u = -37; u <= 37 / alpha; u += step) total += 2 * stableDensity(Math.exp(u), alpha) * Math.exp(u);
    expect(Math.abs(total * step - 1)).toBeLessThan(1e-13);
    // Simpson's rule from 0 to 1: error h⁴/180 max|p⁗| with h = 1/64 and |p⁗(0)| = Γ(5/α)/(πα).
    let part = 0;
    for (let i = 0; i <= 64; i++) part += stableDensity(i / 64, alpha) * (i % 64 === 0 ? 1 : i % 2 === 1 ? 4 : 2);
    const bound = (gamma(5 / alpha) / (Math.PI * alpha) / 180) * 64 ** -4;
    expect(Math.abs(part / 192 - (0.5 - stableSurvival(1, alpha)))).toBeLessThan(bound + 1e-15);
  });

  test("the scale stretches: p(x; c) = p(x/c)/c, F(x; c) = F(x/c)", () => {
    for (const alpha of [0.6, 1, 1.7]) {
      expect(relative(stableDensity(3, alpha, 4), stableDensity(0.75, alpha) / 4)).toBeLessThan(1e-15);
      expect(stableDistribution(3, alpha, 4)).toBe(stableDistribution(0.75, alpha));
    }
  });

  test("at 0 and near it: Γ(1 + 1/α)/π and 1/2", () => {
    for (const alpha of [0.3, 0.8, 1, 1.2, 1.5, 2]) {
      const peak = gamma(1 + 1 / alpha) / Math.PI;
      // log g is a difference of terms of size |log x| α/|α−1|, with α/|α−1| ≤ 6 where it is used; each is rounded.
      for (const x of [0, 1e-250, 1e-199, 1e-20]) {
        const bound = 1e-14 + (x === 0 ? 0 : 6 * 1.1e-16 * Math.abs(Math.log(x)));
        expect(relative(stableDensity(x, alpha), peak)).toBeLessThan(bound);
        expect(relative(stableDistribution(x, alpha), 0.5)).toBeLessThan(bound);
      }
      expect(stableDistribution(0, alpha)).toBe(0.5);
    }
  });

  test("arguments outside their domain are refused by name", () => {
    expect(() => stableDensity(Number.NaN, 1)).toThrow(/^x: /);
    expect(() => stableDensity(1, 0)).toThrow(/^alpha: expected a number in \(0, 2\], got 0/);
    expect(() => stableSurvival(1, 2.1)).toThrow(/^alpha: /);
    expect(() => stableDistribution(1, 1, 0)).toThrow(/^scale: /);
    expect(() => stableDensity(1e201, 1)).toThrow(/^x: expected a number within 1e200 scales of 0/);
    expect(() => stableTailConstant(2)).toThrow(/^alpha: /);
  });
});
