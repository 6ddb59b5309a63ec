import { describe, expect, test } from "vitest";
import { createRandom } from "../reference/random.js";

describe("random numbers of the reference", () => {
  test("the bits are those of MT19937: the 10,000th number that its standard names", () => {
    // ISO C++ [rand.predef]: the 10000th invocation of mt19937 with seed 5489 gives 4123659995. The library counts the
    // same 32 bits from −2³¹.
    const random = createRandom(5489);
    for (let i = 1; i < 10_000; i++) random.integer(2 ** 32);
    expect(random.integer(2 ** 32)).toBe((4_123_659_995 + 2 ** 31) % 2 ** 32);
  });

  test("a seed fixes the numbers, and generators do not influence each other", () => {
    const alone = createRandom(7);
    const expected = Array.from({ length: 5 }, () => [alone.uniform(), alone.normal(), alone.integer(10)]);
    const first = createRandom(7);
    const second = createRandom(8);
    for (const row of expected) {
      expect([first.uniform(), first.normal(), first.integer(10)]).toEqual(row);
      expect(second.uniform()).not.toBe(row[0]);
    }
    expect(createRandom(1).uniform()).toBe(0.6894079135345498);
  });

  test("uniforms are multiples of 2^-53 in the open interval and use the last bit", () => {
    const random = createRandom(3);
    let odd = 0;
    for (let i = 0; i < 10_000; i++) {
      const units = random.uniform() * 2 ** 53;
      expect(Number.isInteger(units) && units > 0 && units < 2 ** 53).toBe(true);
      odd += units % 2;
    }
    // Binomial(10⁴, 1/2) has standard deviation 50; five of them.
    expect(Math.abs(odd - 5000)).toBeLessThan(250);
  });

  test("uniforms fill a thousand bins evenly", () => {
    const random = createRandom(17);
    const counts = new Float64Array(1000);
    for (let i = 0; i < 1_000_000; i++) counts[Math.floor(1000 * random.uniform())]++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // 999 degrees of freedom: mean 999, standard deviation √1998 = 44.7; within four of them on either side.
    expect(Math.abs(chiSquare - 999)).toBeLessThan(179);
  });

  test("normals have mean 0, variance 1, fourth moment 3, and no correlation between neighbours", () => {
    const random = createRandom(11);
    const count = 200_000;
    const x = Float64Array.from({ length: count }, () => random.normal());
    const mean = (f: (value: number, i: number) => number) => x.reduce((sum, value, i) => sum + f(value, i), 0) / count;
    // Five standard errors: var x = 1, var x² = 2, var x⁴ = 105 − 9 = 96, var of the product 1.
    const error = (variance: number) => 5 * Math.sqrt(variance / count);
    expect(Math.abs(mean((v) => v))).toBeLessThan(error(1));
    expect(Math.abs(mean((v) => v ** 2) - 1)).toBeLessThan(error(2));
    expect(Math.abs(mean((v) => v ** 4) - 3)).toBeLessThan(error(96));
    expect(Math.abs(mean((v, i) => v * x[i ^ 1]))).toBeLessThan(error(2));
  });

  test("integers are equally likely, and below = 1 gives 0", () => {
    const random = createRandom(5);
    const counts = new Float64Array(6);
    for (let i = 0; i < 60_000; i++) counts[random.integer(6)]++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    // Five degrees of freedom: above 20.5 with probability 0.1 %.
    expect(chiSquare).toBeLessThan(20.5);
    expect(random.integer(1)).toBe(0);
  });

  test("seeds and ranges outside their domain are refused by name", () => {
    for (const seed of [-1, 1.5, 2 ** 32, Number.NaN, "1" as unknown as number]) {
      expect(() => createRandom(seed)).toThrow(/^seed: expected an integer in \[0, 4294967295\]/);
    }
    for (const below of [0, 2.5, 2 ** 32 + 1]) expect(() => createRandom(1).integer(below)).toThrow(/^below: /);
  });
});
