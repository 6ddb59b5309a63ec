/** Theory of the baselines: dot-product and Sinkhorn attention (eq. sections 8, 9 and 10). */
import { describe, expect, test } from "vitest";
import { attentionForward, type Head } from "../reference/attention.js";
import { type DotProductOptions, dotProductAttention, dotProductAttentionBackward } from "../reference/dot-product.js";
import { causalMask } from "../reference/masks.js";
import { createRandom } from "../reference/random.js";
import { sinkhornAttention, sinkhornAttentionBackward, sinkhornNormalize } from "../reference/sinkhorn.js";
import { relativeError } from "../src/verify/compare.js";

/** Relative error of a chain of up to some hundred float64 operations on numbers of the same size: 2⁹ half ulp. */
const rounding = 2 ** -44;

function randomHead(seed: number, queries: number, keys: number, headDim: number, valueDim = headDim): Head {
  const { normal } = createRandom(seed);
  const draw = (length: number) => Float64Array.from({ length }, normal);
  return {
    q: draw(queries * headDim),
    k: draw(keys * headDim),
    v: draw(keys * valueDim),
    queries,
    keys,
    headDim,
    valueDim,
  };
}

const randomMask = (seed: number, length: number): Uint8Array => {
  const { uniform } = createRandom(seed);
  return Uint8Array.from({ length }, () => (uniform() < 0.4 ? 1 : 0));
};

const close = (actual: ArrayLike<number>, wanted: ArrayLike<number>, bound = rounding) =>
  expect(relativeError(actual, wanted)).toBeLessThanOrEqual(bound);

describe("dot-product attention", () => {
  test("one query, two keys, by hand", () => {
    // Scores 0 and ln 3: weights 1/4 and 3/4, L = ln 4, output 10/4 + 3·20/4.
    const head = {
      q: Float64Array.of(1),
      k: Float64Array.of(0, Math.log(3)),
      v: Float64Array.of(10, 20),
      queries: 1,
      keys: 2,
      headDim: 1,
    };
    const { output, weights, logSumExp } = dotProductAttention(head);
    close(weights, [0.25, 0.75]);
    close(output, [17.5]);
    close(logSumExp, [Math.log(4)]);
  });

  test("the default scale is 1/sqrt(D), and a scale multiplies the scores", () => {
    const head = randomHead(1, 4, 5, 9);
    close(dotProductAttention(head).weights, dotProductAttention(head, { scale: 1 / 3 }).weights, 0);
    const tripled = { ...head, q: Float64Array.from(head.q, (x) => 3 * x) };
    close(dotProductAttention(head, { scale: 3 }).weights, dotProductAttention(tripled, { scale: 1 }).weights);
  });

  test("rows sum to 1 and L is the logarithm of their normaliser", () => {
    const head = randomHead(2, 6, 7, 3);
    const { weights, logSumExp } = dotProductAttention(head, { scale: 1 });
    for (let i = 0; i < 6; i++) {
      const row = weights.subarray(i * 7, (i + 1) * 7);
      close([row.reduce((a, b) => a + b, 0)], [1]);
      const scores = Array.from(row, (_, j) =>
        [0, 1, 2].reduce((dot, c) => dot + head.q[i * 3 + c] * head.k[j * 3 + c], 0),
      );
      close(
        row,
        scores.map((s) => Math.exp(s - logSumExp[i])),
      );
    }
  });

  test("scores of 10^5 neither overflow nor turn into NaN", () => {
    const head = randomHead(3, 3, 4, 2);
    const { output, logSumExp } = dotProductAttention(head, { scale: 1e5 });
    expect([...output, ...logSumExp].every(Number.isFinite)).toBe(true);
  });

  test("a masked key is a deleted key, whatever stands in it", () => {
    const head = randomHead(4, 3, 5, 2, 3);
    const mask = Uint8Array.from({ length: 15 }, (_, p) => (p % 5 === 2 ? 1 : 0));
    const spoiled = { ...head, k: head.k.slice(), v: head.v.slice() };
    spoiled.k.fill(Number.NaN, 4, 6);
    spoiled.v.fill(Number.POSITIVE_INFINITY, 6, 9);
    const without = (x: ArrayLike<number>, width: number) =>
      Float64Array.from(Array.from(x).filter((_, p) => Math.floor(p / width) !== 2));
    const deleted = { ...head, k: without(head.k, 2), v: without(head.v, 3), keys: 4 };
    const dOutput = randomHead(5, 3, 3, 3).q;
    close(dotProductAttention(spoiled, { mask }).output, dotProductAttention(deleted).output, 0);
    const spoiledBack = dotProductAttentionBackward(spoiled, { mask }, dOutput);
    const deletedBack = dotProductAttentionBackward(deleted, {}, dOutput);
    close(spoiledBack.dq, deletedBack.dq, 0);
    close(without(spoiledBack.dk, 2), deletedBack.dk, 0);
    expect([...spoiledBack.dk.subarray(4, 6), ...spoiledBack.dv.subarray(6, 9)]).toEqual([0, 0, 0, 0, 0]);
  });

  test("a query with nothing to attend to: zeros by default, uniform under the authors' fill", () => {
    const head = randomHead(6, 2, 4, 3);
    const mask = Uint8Array.of(1, 1, 1, 1, 0, 1, 0, 0);
    const dOutput = Float64Array.of(1, 2, 3, 4, 5, 6);
    const plain = dotProductAttention(head, { mask });
    expect([...plain.weights.subarray(0, 4), ...plain.output.subarray(0, 3)]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(plain.logSumExp[0]).toBe(Number.NEGATIVE_INFINITY);
    const back = dotProductAttentionBackward(head, { mask }, dOutput);
    expect([...back.dq.subarray(0, 3)]).toEqual([0, 0, 0]);

    const filled = dotProductAttention(head, { mask, maskFill: -1e9 });
    expect([...filled.weights.subarray(0, 4)]).toEqual([0.25, 0.25, 0.25, 0.25]);
    // Elsewhere exp(−10⁹) is 0, so that the other row is the same to the last bit.
    expect([...filled.weights.subarray(4)]).toEqual([...plain.weights.subarray(4)]);
    const minusInfinity = dotProductAttention(head, { mask, maskFill: Number.NEGATIVE_INFINITY });
    expect(minusInfinity).toEqual(plain);
  });

  test("no keys and no queries", () => {
    const none = { q: new Float64Array(4), k: new Float64Array(0), v: new Float64Array(0), queries: 2, headDim: 2 };
    expect([...dotProductAttention({ ...none, keys: 0 }).output]).toEqual([0, 0, 0, 0]);
    const empty = { ...none, q: new Float64Array(0), queries: 0, keys: 0 };
    expect(dotProductAttention(empty).weights.length).toBe(0);
  });

  const mask = randomMask(7, 20);
  test.each<[string, DotProductOptions]>([
    ["plain", {}],
    ["scaled", { scale: -0.7 }],
    ["masked", { mask }],
    ["filled", { mask, maskFill: -0.5 }],
  ])("gradients are the derivatives of the forward pass: %s", (_, options) => {
    const head = randomHead(8, 4, 5, 3, 2);
    const dOutput = randomHead(9, 4, 4, 2).q;
    const loss = (h: Head) => dotProductAttention(h, options).output.reduce((sum, o, p) => sum + o * dOutput[p], 0);
    const gradients = dotProductAttentionBackward(head, options, dOutput);
    // Central differences with h = 2⁻¹⁷: truncation h²/6 times a third derivative of order 10 gives 10⁻¹⁰, rounding
    // 2⁻⁵³ · 10/h gives 10⁻¹⁰. 10⁻⁸ leaves room for the constants and is far below any wrong term.
    const h = 2 ** -17;
    for (const [name, gradient] of [
      ["q", gradients.dq],
      ["k", gradients.dk],
      ["v", gradients.dv],
    ] as const) {
      const numeric = gradient.map((_, p) => {
        const shifted = (by: number) => {
          const x = Float64Array.from(head[name]);
          x[p] += by;
          return loss({ ...head, [name]: x });
        };
        return (shifted(h) - shifted(-h)) / (2 * h);
      });
      close(gradient, numeric, 1e-8);
    }
  });

  test("with keys of equal length it is fractional attention at alpha = 2 with scale 2/kappa^2", () => {
    const head = randomHead(10, 5, 6, 4);
    for (let j = 0; j < 6; j++) {
      const norm = Math.hypot(...head.k.subarray(j * 4, j * 4 + 4));
      for (let c = 0; c < 4; c++) head.k[j * 4 + c] /= norm;
    }
    const kappa = 1.7;
    const fractional = attentionForward(head, { alpha: 2, kappa });
    close(dotProductAttention(head, { scale: 2 / kappa ** 2 }).output, fractional.output);
  });

  test("permuting keys with their values leaves the output", () => {
    const head = randomHead(11, 3, 4, 2);
    const order = [2, 0, 3, 1];
    const permuted = (x: ArrayLike<number>) => Float64Array.from(order.flatMap((j) => [x[2 * j], x[2 * j + 1]]));
    const other = { ...head, k: permuted(head.k), v: permuted(head.v) };
    close(dotProductAttention(other).output, dotProductAttention(head).output);
  });

  test.each<[string | RegExp, () => unknown]>([
    [
      "queries: expected an integer of at least 0, got -1",
      () => dotProductAttention({ ...randomHead(1, 1, 1, 1), queries: -1 }),
    ],
    [
      "headDim: expected an integer of at least 1, got 0",
      () => dotProductAttention({ ...randomHead(1, 1, 1, 1), headDim: 0 }),
    ],
    [
      "q: expected a Float64Array or Float32Array of length 4",
      () => dotProductAttention({ ...randomHead(1, 2, 1, 2), q: new Float64Array(3) }),
    ],
    [
      "v: expected a Float64Array or Float32Array of length 2",
      () => dotProductAttention({ ...randomHead(1, 2, 1, 2), v: new Float64Array(3) }),
    ],
    [
      "options.scale: expected a finite number, got NaN",
      () => dotProductAttention(randomHead(1, 1, 1, 1), { scale: Number.NaN }),
    ],
    [
      "options.mask: expected a Uint8Array of length 2",
      () => dotProductAttention(randomHead(1, 1, 2, 1), { mask: new Uint8Array(1) }),
    ],
    [
      "options.maskFill: expected a finite number or -Infinity, got Infinity",
      () => dotProductAttention(randomHead(1, 1, 1, 1), { maskFill: Number.POSITIVE_INFINITY }),
    ],
    [
      "dOutput: expected a Float64Array or Float32Array of length 2",
      () => dotProductAttentionBackward(randomHead(1, 1, 1, 2), {}, new Float64Array(1)),
    ],
  ])("%s", (message, call) => {
    expect(call).toThrow(message);
  });
});

describe("Sinkhorn attention", () => {
  const sums = (w: Float64Array, rows: number, columns: number) => ({
    rows: Array.from({ length: rows }, (_, i) => w.slice(i * columns, (i + 1) * columns).reduce((a, b) => a + b, 0)),
    columns: Array.from({ length: columns }, (_, j) =>
      w.filter((_, p) => p % columns === j).reduce((a, b) => a + b, 0),
    ),
  });

  test("one update is dot-product attention", () => {
    const head = randomHead(20, 4, 4, 3);
    const once = sinkhornAttention(head, { iterations: 1 });
    close(once.weights, dotProductAttention(head).weights);
    close(once.output, dotProductAttention(head).output);
  });

  test.each([1, 3, 5, 7])("after %i updates rows sum to 1", (iterations) => {
    const head = randomHead(21, 6, 6, 4);
    close(sums(sinkhornAttention(head, { iterations }).weights, 6, 6).rows, new Array(6).fill(1));
  });

  test("three is the default, and the second update is what separates it from one", () => {
    const head = randomHead(22, 5, 5, 2);
    const { weights } = sinkhornAttention(head);
    close(weights, sinkhornAttention(head, { iterations: 3 }).weights, 0);
    expect(relativeError(weights, sinkhornAttention(head, { iterations: 1 }).weights)).toBeGreaterThan(1e-3);
  });

  test("it converges to a doubly stochastic matrix, for 2 x 2 the one known in closed form", () => {
    // diag(e^u) exp(S) diag(e^v) = [[p, 1 − p], [1 − p, p]] keeps the cross ratio: p/(1 − p) = √(ad/bc). Each round
    // shrinks the distance by tanh²(log(ad/bc)/4) = tanh²(0.45) = 0.18; 100 rounds leave nothing.
    const s = Float64Array.of(0.3, -0.8, 0.5, 1.2);
    const ratio = Math.exp((s[0] + s[3] - s[1] - s[2]) / 2);
    const p = ratio / (1 + ratio);
    close(sinkhornNormalize(s, 2, 2, 201), [p, 1 - p, 1 - p, p]);
    const head = randomHead(23, 6, 6, 4);
    close(sums(sinkhornAttention(head, { iterations: 401 }).weights, 6, 6).columns, new Array(6).fill(1));
  });

  test("constants added to rows or to columns of the scores are forgotten: rows at once, columns in the limit", () => {
    const { uniform } = createRandom(24);
    const s = Float64Array.from({ length: 16 }, uniform);
    const rows = s.map((x, p) => x + [5, -3, 40, 0.1][Math.floor(p / 4)]);
    const columns = s.map((x, p) => x + [5, -3, 0, 0.1][p % 4]);
    // Adding 40 rounds the score itself by 2⁻⁵³ · 64, which is the error that remains.
    close(sinkhornNormalize(rows, 4, 4, 3), sinkhornNormalize(s, 4, 4, 3));
    close(sinkhornNormalize(columns, 4, 4, 201), sinkhornNormalize(s, 4, 4, 201));
    expect(relativeError(sinkhornNormalize(columns, 4, 4, 1), sinkhornNormalize(s, 4, 4, 1))).toBeGreaterThan(0.1);
  });

  test("more keys than queries: columns come to N/M", () => {
    const head = randomHead(25, 3, 6, 2);
    close(sums(sinkhornAttention(head, { iterations: 401 }).weights, 3, 6).columns, new Array(6).fill(0.5));
  });

  test("a key masked for every query changes nothing, a query without keys is a zero row", () => {
    const head = randomHead(26, 4, 5, 2);
    const noLastKey = Uint8Array.from({ length: 20 }, (_, p) => (p % 5 === 4 ? 1 : 0));
    const spoiled = { ...head, k: head.k.slice(), v: head.v.slice() };
    spoiled.k.fill(Number.NaN, 8);
    spoiled.v.fill(Number.NaN, 8);
    const four = { ...head, k: head.k.slice(0, 8), v: head.v.slice(0, 8), keys: 4 };
    close(sinkhornAttention(spoiled, { mask: noLastKey }).output, sinkhornAttention(four).output, 0);

    const noFirstQuery = Uint8Array.from({ length: 20 }, (_, p) => (p < 5 ? 1 : 0));
    const { output, weights } = sinkhornAttention(head, { mask: noFirstQuery });
    expect([...weights.subarray(0, 5), ...output.subarray(0, 2)]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    const three = { ...head, q: head.q.slice(2), queries: 3 };
    close(weights.subarray(5), sinkhornAttention(three).weights, 0);
  });

  test("a causal mask keeps the first token on itself", () => {
    const head = randomHead(27, 4, 4, 2);
    const { weights } = sinkhornAttention(head, { mask: causalMask(4, 4) });
    close(weights.subarray(0, 4), [1, 0, 0, 0]);
    expect([...weights].filter((w) => w === 0).length).toBe(6);
  });

  test.each([1, 3, 5])(
    "gradients under a mask, a query without keys among it, are slopes: %i updates",
    (iterations) => {
      const head = randomHead(29, 5, 6, 3, 2);
      const mask = randomMask(30, 30).fill(1, 12, 18);
      const options = { iterations, mask, scale: 0.7 };
      const dOutput = randomHead(31, 5, 1, 2).q;
      const gradient = sinkhornAttentionBackward(head, options, dOutput);
      const { normal } = createRandom(32);
      for (const name of ["q", "k", "v"] as const) {
        const direction = head[name].map(() => normal());
        const loss = (t: number) => {
          const moved = { ...head, [name]: head[name].map((x, e) => x + t * direction[e]) };
          return sinkhornAttention(moved, options).output.reduce((sum, o, e) => sum + o * dOutput[e], 0);
        };
        const slope = gradient[`d${name}`].reduce((sum, g, e) => sum + g * direction[e], 0);
        // A step of 1e-4 leaves h^4 times the fifth derivative, and 2^-53/h times the few that the losses are.
        const h = 1e-4;
        const central = (step: number) => (loss(step) - loss(-step)) / (2 * step);
        expect(Math.abs((4 * central(h / 2) - central(h)) / 3 - slope)).toBeLessThan(1e-10);
      }
      for (const x of gradient.dq.subarray(6, 9)) expect(Math.abs(x)).toBe(0);
    },
  );

  test("scores of 10^4 stay finite", () => {
    const { weights } = sinkhornAttention(randomHead(28, 5, 5, 3), { scale: 1e4 });
    expect(weights.every(Number.isFinite)).toBe(true);
    // Potentials of 10⁴ carry an absolute error of 2⁻⁵³ · 10⁴ · a few, and so do the logarithms of the weights.
    close(sums(weights, 5, 5).rows, new Array(5).fill(1), 1e-10);
  });

  test.each<[string | RegExp, () => unknown]>([
    [
      "options.iterations: expected an odd integer, got 2",
      () => sinkhornAttention(randomHead(1, 1, 1, 1), { iterations: 2 }),
    ],
    [
      "options.iterations: expected an integer of at least 1, got 0",
      () => sinkhornAttention(randomHead(1, 1, 1, 1), { iterations: 0 }),
    ],
    [/^iterations: expected an odd integer, got 4/, () => sinkhornNormalize(new Float64Array(1), 1, 1, 4)],
    ["scores: expected a Float64Array or Float32Array of length 6", () => sinkhornNormalize(new Float64Array(5), 2, 3)],
    [
      "k: expected a Float64Array or Float32Array of length 2",
      () => sinkhornAttention({ ...randomHead(1, 1, 2, 1), k: new Float64Array(1) }),
    ],
  ])("%s", (message, call) => {
    expect(call).toThrow(message);
  });
});
