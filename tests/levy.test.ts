import { describe, expect, test } from "vitest";
import {
  hillEstimate,
  isotropicPath2d,
  levyPath,
  meanSquareDisplacement,
  positiveStable,
  radialPath2d,
  stableIncrement,
} from "../reference/levy-process.js";
import { stableSurvival } from "../reference/levy-stable.js";
import { createRandom } from "../reference/random.js";

const relative = (actual: number, expected: number) => Math.abs(actual / expected - 1);

/** A distribution function at rising points. */
interface Distribution {
  readonly points: readonly number[];
  readonly values: readonly number[];
}

/**
 * Bounds on the Kolmogorov-Smirnov distance sup|F_n − F| from both functions at the points. Between two of them both
 * rise, so the true distance is at most `atMost`; at the points it is at least `atLeast`.
 */
function kolmogorovSmirnov(
  samples: Float64Array,
  { points, values }: Distribution,
): { atLeast: number; atMost: number } {
  const sorted = Float64Array.from(samples).sort();
  let atLeast = 0;
  let atMost = 0;
  let rank = 0;
  let share = 0;
  let previous = 0;
  points.forEach((point, i) => {
    while (rank < sorted.length && sorted[rank] <= point) rank++;
    const below = share;
    share = rank / sorted.length;
    atLeast = Math.max(atLeast, Math.abs(share - values[i]));
    atMost = Math.max(atMost, share - previous, values[i] - below);
    previous = values[i];
  });
  return { atLeast, atMost: Math.max(atMost, 1 - previous, 1 - share) };
}

const tables = new Map<number, Distribution>();

/** F at 801 points, less than 1/400 apart in F for the orders used here; each order is worked out once. */
function stable(alpha: number): Distribution {
  const known = tables.get(alpha);
  if (known) return known;
  // Quantiles of the Cauchy law, raised so that for α < 1 the tail, which falls as x^−α, is spaced like its own.
  const positive = Array.from(
    { length: 400 },
    (_, i) => Math.tan((Math.PI / 2) * ((i + 1) / 401)) ** Math.max(1, 1 / alpha),
  );
  const tails = positive.map((x) => stableSurvival(x, alpha));
  const table = {
    points: [...positive.map((x) => -x).reverse(), 0, ...positive],
    values: [...tails.toReversed(), 0.5, ...tails.map((tail) => 1 - tail)],
  };
  tables.set(alpha, table);
  return table;
}

const uniformAngle: Distribution = {
  points: Array.from({ length: 401 }, (_, i) => Math.PI * (i / 200 - 1)),
  values: Array.from({ length: 401 }, (_, i) => i / 400),
};

/** P(√n D > 1.95) = 2 exp(−2 · 1.95²) = 0.1 % under the hypothesis: a right sampler fails for one seed in 1000. */
const critical = (n: number) => 1.95 / Math.sqrt(n);

const SAMPLES = 40_000;
const draw = (count: number, next: () => number) => Float64Array.from({ length: count }, next);

/** Increments of a row-major [points, 2] path. */
function increments2d(path: Float64Array): { x: Float64Array; y: Float64Array } {
  const count = path.length / 2 - 1;
  const part = (offset: number) =>
    Float64Array.from({ length: count }, (_, i) => path[2 * i + 2 + offset] - path[2 * i + offset]);
  return { x: part(0), y: part(1) };
}

describe("samples of one dimension", () => {
  test.each([0.5, 0.9, 1, 1.2, 1.5, 1.9, 2])(
    "pass a Kolmogorov-Smirnov test against our distribution function, α = %d",
    (alpha) => {
      const random = createRandom(20 + 10 * alpha);
      const samples = draw(SAMPLES, () => stableIncrement(random, alpha));
      expect(kolmogorovSmirnov(samples, stable(alpha)).atMost).toBeLessThan(critical(SAMPLES));
      // The same samples against an order that is off by 0.2.
      const other = alpha > 1.5 ? alpha - 0.2 : alpha + 0.2;
      expect(kolmogorovSmirnov(samples, stable(other)).atLeast).toBeGreaterThan(critical(SAMPLES));
    },
  );

  test("α = 1 is tan U and α = 2 is 2 sin U √W, of the same two uniforms", () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = createRandom(seed);
      const angle = Math.PI * (random.uniform() - 0.5);
      const exponential = -Math.log(random.uniform());
      expect(relative(stableIncrement(createRandom(seed), 1), Math.tan(angle))).toBeLessThan(1e-14);
      // sin 2U loses relative accuracy near U = ±π/2, by less than 1e-16/cos U; cos U > 0.01 for these seeds.
      expect(Math.cos(angle)).toBeGreaterThan(0.01);
      const normal = 2 * Math.sin(angle) * Math.sqrt(exponential);
      expect(relative(stableIncrement(createRandom(seed), 2), normal)).toBeLessThan(1e-13);
    }
  });

  test("time scales them by dt^(1/α), and a path is their running sum", () => {
    const options = { alpha: 1.5, steps: 100, dt: 0.3 };
    const path = levyPath(createRandom(4), options);
    const random = createRandom(4);
    expect(path.length).toBe(101);
    expect(path[0]).toBe(0);
    let position = 0;
    for (let i = 1; i <= 100; i++) {
      position += 0.3 ** (1 / 1.5) * stableIncrement(random, 1.5);
      expect(path[i]).toBe(position);
    }
    const direct = stableIncrement(createRandom(9), 1.5, 0.3);
    expect(direct).toBe(0.3 ** (1 / 1.5) * stableIncrement(createRandom(9), 1.5));
  });

  test("sums of four increments over dt/4 have the law of one over dt", () => {
    const random = createRandom(31);
    const sums = draw(SAMPLES, () => {
      let sum = 0;
      for (let i = 0; i < 4; i++) sum += stableIncrement(random, 1.3, 0.25);
      return sum;
    });
    expect(kolmogorovSmirnov(sums, stable(1.3)).atMost).toBeLessThan(critical(SAMPLES));
  });

  test("a fixed seed gives fixed numbers", () => {
    // Printed by this code once. 1e-14: engines may round sin, cos and powers differently in the last place.
    const path = levyPath(createRandom(12345), { alpha: 1.2, steps: 3 });
    const expected = [-0.018212063982848317, 1.3797039827531064, 0.6307933648832285];
    expected.forEach((value, i) => {
      expect(relative(path[i + 1], value)).toBeLessThan(1e-14);
    });
    expect(levyPath(createRandom(12345), { alpha: 1.2, steps: 3 })).toEqual(path);
    expect(levyPath(createRandom(12346), { alpha: 1.2, steps: 3 })[1]).not.toBe(path[1]);
  });
});

describe("positive stable numbers", () => {
  test.each([0.3, 0.5, 0.75, 0.95])("have the Laplace transform exp(−λ^β), β = %d", (beta) => {
    const random = createRandom(77);
    const samples = draw(SAMPLES, () => positiveStable(random, beta));
    for (const lambda of [0.1, 1, 5]) {
      const mean = samples.reduce((sum, s) => sum + Math.exp(-lambda * s), 0) / SAMPLES;
      // exp(−λS) has variance exp(−(2λ)^β) − exp(−2λ^β): five standard errors.
      const variance = Math.exp(-((2 * lambda) ** beta)) - Math.exp(-2 * lambda ** beta);
      expect(Math.abs(mean - Math.exp(-(lambda ** beta)))).toBeLessThan(5 * Math.sqrt(variance / SAMPLES));
    }
    expect(samples.every((s) => s > 0)).toBe(true);
  });

  test("are 1 at β = 1", () => {
    const random = createRandom(78);
    for (let i = 0; i < 10; i++) expect(positiveStable(random, 1)).toBe(1);
  });
});

describe("paths in the plane", () => {
  const directions = [0, 0.5, Math.PI / 4, 2];
  const project = ({ x, y }: { x: Float64Array; y: Float64Array }, direction: number) =>
    x.map((value, i) => value * Math.cos(direction) + y[i] * Math.sin(direction));
  const angles = ({ x, y }: { x: Float64Array; y: Float64Array }) => x.map((value, i) => Math.atan2(y[i], value));

  /** Largest of |mean cos⟨ξ, X⟩ − exp(−|ξ|^α)| over |ξ| of 0.5 and 1.5 along the directions. */
  function characteristicError(steps: { x: Float64Array; y: Float64Array }, alpha: number): number {
    let error = 0;
    for (const direction of directions) {
      const projected = project(steps, direction);
      for (const k of [0.5, 1.5]) {
        const mean = projected.reduce((sum, value) => sum + Math.cos(k * value), 0) / projected.length;
        error = Math.max(error, Math.abs(mean - Math.exp(-(k ** alpha))));
      }
    }
    return error;
  }
  // cos has variance at most 1/2 + exp(−(2k)^α)/2 − exp(−2k^α) < 1/2 + …, below 0.6 here: five standard errors.
  const characteristicBound = 5 * Math.sqrt(0.6 / SAMPLES);

  // dt ≠ 1 and its inverse scale, so that the time scaling is part of what is tested; a step is a difference of
  // positions, which costs at most 1e-16 of the farthest position, 1e-8 at worst here.
  const dt = 0.25;
  const unscale = (path: Float64Array, alpha: number) => increments2d(path.map((value) => value / dt ** (1 / alpha)));

  test.each([0.8, 1.2, 1.5, 2])("isotropic: uniform angles, and every projection is α-stable, α = %d", (alpha) => {
    const path = isotropicPath2d(createRandom(101), { alpha, steps: SAMPLES, dt });
    expect(path.length).toBe(2 * (SAMPLES + 1));
    expect([path[0], path[1]]).toEqual([0, 0]);
    const steps = unscale(path, alpha);
    expect(kolmogorovSmirnov(angles(steps), uniformAngle).atMost).toBeLessThan(critical(SAMPLES));
    for (const direction of directions) {
      const distance = kolmogorovSmirnov(project(steps, direction), stable(alpha));
      expect(distance.atMost, `direction ${direction}`).toBeLessThan(critical(SAMPLES));
    }
    expect(characteristicError(steps, alpha)).toBeLessThan(characteristicBound);
  });

  test.each([0.8, 1.2, 1.5])("two independent marginals fail: they lie along the axes, α = %d", (alpha) => {
    const random = createRandom(102);
    const steps = {
      x: draw(SAMPLES, () => stableIncrement(random, alpha)),
      y: draw(SAMPLES, () => stableIncrement(random, alpha)),
    };
    // Along the axes they are right, which is why one direction alone would prove nothing.
    expect(kolmogorovSmirnov(steps.x, stable(alpha)).atMost).toBeLessThan(critical(SAMPLES));
    const diagonal = kolmogorovSmirnov(project(steps, Math.PI / 4), stable(alpha));
    expect(diagonal.atLeast).toBeGreaterThan(critical(SAMPLES));
    expect(kolmogorovSmirnov(angles(steps), uniformAngle).atLeast).toBeGreaterThan(critical(SAMPLES));
    expect(characteristicError(steps, alpha)).toBeGreaterThan(characteristicBound);
  });

  test.each([0.8, 1.2, 1.5, 2])(
    "the notebook's variant is isotropic, but its projections are not α-stable, α = %d",
    (alpha) => {
      const steps = unscale(radialPath2d(createRandom(103), { alpha, steps: SAMPLES, dt }), alpha);
      expect(kolmogorovSmirnov(angles(steps), uniformAngle).atMost).toBeLessThan(critical(SAMPLES));
      for (const direction of directions) {
        const distance = kolmogorovSmirnov(project(steps, direction), stable(alpha));
        expect(distance.atLeast, `direction ${direction}`).toBeGreaterThan(critical(SAMPLES));
      }
      // Its radius, though, has the law of |X| in one dimension.
      const radii = steps.x.map((value, i) => Math.hypot(value, steps.y[i]));
      const { points, values } = stable(alpha);
      const folded = kolmogorovSmirnov(radii, {
        points: points.slice(400),
        values: values.slice(400).map((f) => 2 * f - 1),
      });
      expect(folded.atMost).toBeLessThan(critical(SAMPLES));
    },
  );
});

describe("estimates", () => {
  test("for α = 2 the mean-square displacement is linear with slope 2 dt per dimension", () => {
    const steps = 200_000;
    const dt = 0.7;
    const flat = meanSquareDisplacement(levyPath(createRandom(55), { alpha: 2, steps, dt }), 1, 8);
    const plane = meanSquareDisplacement(isotropicPath2d(createRandom(56), { alpha: 2, steps, dt }), 2, 8);
    expect(flat[0]).toBe(0);
    for (let lag = 1; lag <= 8; lag++) {
      // Overlapping windows: the relative variance of the mean is about (2/dimension)(2 lag/3 + 1/(3 lag))/steps. Five
      // errors.
      const error = (dimension: number) => 5 * Math.sqrt(((2 / dimension) * ((2 * lag) / 3 + 1 / (3 * lag))) / steps);
      expect(relative(flat[lag], 2 * dt * lag), `lag ${lag}`).toBeLessThan(error(1));
      expect(relative(plane[lag], 4 * dt * lag), `lag ${lag}`).toBeLessThan(error(2));
    }
  });

  test("the mean-square displacement of a path known by hand", () => {
    expect(meanSquareDisplacement(new Float64Array([0, 1, 3, 2]), 1, 3)).toEqual(new Float64Array([0, 2, 5, 4]));
    const plane = meanSquareDisplacement(new Float64Array([0, 0, 3, 4, 3, 5]), 2, 2);
    expect(plane).toEqual(new Float64Array([0, 13, 34]));
  });

  test.each([1, 1.2, 1.5])("Hill's estimate from the top 1,000 of 10^6 samples is within 10 % of α = %d", (alpha) => {
    // 10 % is three standard errors α/√1000 = 3.2 % of α.
    const random = createRandom(400);
    const samples = draw(1_000_000, () => stableIncrement(random, alpha));
    expect(relative(hillEstimate(samples, 1000), alpha)).toBeLessThan(0.1);
  });

  test("Hill's estimate by hand, blind to signs and order", () => {
    const samples = new Float64Array([-Math.E, 0.5, Math.E ** 2, -1, 0.1]);
    expect(hillEstimate(samples, 2)).toBeCloseTo(2 / 3, 14);
    expect(hillEstimate(samples, 1)).toBeCloseTo(1, 14);
  });

  test("arguments outside their domain are refused by name", () => {
    const random = createRandom(1);
    const path = new Float64Array(6);
    expect(() => stableIncrement(random, 0)).toThrow(/^alpha: /);
    expect(() => stableIncrement(random, 1, 0)).toThrow(/^dt: /);
    expect(() => positiveStable(random, 1.1)).toThrow(/^beta: expected a number in \(0, 1\], got 1.1/);
    expect(() => levyPath(random, { alpha: 3, steps: 1 })).toThrow(/^options\.alpha: /);
    expect(() => isotropicPath2d(random, { alpha: 1, steps: 0 })).toThrow(/^options\.steps: /);
    expect(() => radialPath2d(random, { alpha: 1, steps: 1, dt: -1 })).toThrow(/^options\.dt: /);
    expect(() => hillEstimate(path, 6)).toThrow(/^top: /);
    expect(() => hillEstimate(path, 2)).toThrow(/^samples: /);
    expect(() => hillEstimate(new Float64Array([1, 2, Number.NaN]), 1)).toThrow(/^samples: expected finite numbers/);
    expect(() => hillEstimate(new Float64Array(0), 1)).toThrow(/^samples: /);
    expect(() => meanSquareDisplacement(path, 4, 1)).toThrow(/^path: /);
    expect(() => meanSquareDisplacement(path, 2, 3)).toThrow(/^maxLag: /);
  });
});
