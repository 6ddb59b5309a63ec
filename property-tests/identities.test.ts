/**
 * What it means that attention is an average by a decreasing kernel (equations section 8), on every device: rows of
 * weights, hulls, limits of the length scale, entropy.
 *
 * Results are compared with values that are known in advance. The bound is that of `judge-float32.ts` for the run, e for a
 * weight and E for a sum of weights, and beside it what the limit itself leaves, derived at each property.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { attentionForward } from "../reference/attention.js";
import { headOf, optionsOf, slices } from "../src/backends/reference.js";
import { makePlan } from "../src/plan.js";
import type { Floats } from "../src/types.js";
import { among, type Case, cases } from "./arbitraries.js";
import { type Bug, reference } from "./backends.js";
import { type Call, expectClose, expectRatio, forward, truthOf, weights } from "./evaluate.js";
import { property } from "./property.js";

/** Weights that do not sum to 1, and outputs to match. */
const unnormalised: Bug = {
  name: "rows sum to 1 + 1e-5",
  weights: (w) => w.map((x) => x * 1.00001),
  forward: ({ output, logSumExp }) => ({ output: output.map((x) => x * 1.00001), logSumExp }),
};

/** Relative error of a sum of a row's weights: each is off by e, and the sum has a rounding per key. */
function sumError(call: Call, unit: number): number {
  return truthOf(call, unit).bounds.weights + unit * (call.inputs.keys + call.inputs.headDim + 8);
}

property("rows are non-negative and sum to 1, or are empty in every result", {
  quick: 40,
  arbitrary: cases(),
  async check(backend, call) {
    const { keys, headDim, valueDim = headDim } = call.inputs;
    const found = await weights(backend, call);
    const { output, logSumExp } = await forward(backend, call);
    const bound = sumError(call, backend.unit);
    logSumExp.forEach((l, row) => {
      const line = found.subarray(row * keys, (row + 1) * keys);
      if (!line.every((w) => w >= 0 && w <= 1 + bound)) throw new Error(`off by sign or size: ${line}`);
      const empty = l === Number.NEGATIVE_INFINITY;
      expectClose(
        `sum of row ${row}`,
        [Array.from(line).reduce((sum, w) => sum + w, 0)],
        [empty ? 0 : 1],
        empty ? 0 : bound,
      );
      const zeros = new Float64Array(valueDim);
      if (empty) expectClose(`empty row ${row}`, output.subarray(row * valueDim, (row + 1) * valueDim), zeros, 0);
    });
  },
  bugs: [
    unnormalised,
    {
      name: "an empty row is NaN",
      forward: ({ output, logSumExp }, { valueDim }) => ({
        output: output.map((x, e) => (logSumExp[Math.floor(e / valueDim)] === -Infinity ? Number.NaN : x)),
        logSumExp,
      }),
    },
  ],
});

property("the output lies in the convex hull of the values", {
  quick: 40,
  arbitrary: cases(),
  async check(backend, call) {
    const { v, heads, queries, keys, headDim, valueDim = headDim } = call.inputs;
    const keyHeads = call.options.keyHeads ?? heads;
    const { output, logSumExp } = await forward(backend, call);
    const seen = await weights(backend, call);
    const { bounds } = truthOf(call, backend.unit);
    logSumExp.forEach((l, row) => {
      if (l === Number.NEGATIVE_INFINITY) return;
      const head = Math.floor(row / queries) % heads;
      const first = (Math.floor(row / queries / heads) * keyHeads + Math.floor((head * keyHeads) / heads)) * keys;
      for (let c = 0; c < valueDim; c++) {
        let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
        for (let j = 0; j < keys; j++) {
          // A key without a weight may have one that the device cannot hold, of no consequence.
          if (seen[row * keys + j] === 0) continue;
          low = Math.min(low, v[(first + j) * valueDim + c]);
          high = Math.max(high, v[(first + j) * valueDim + c]);
        }
        const x = output[row * valueDim + c];
        expectClose(`row ${row}, component ${c}`, [x], [Math.min(high, Math.max(low, x))], bounds.output);
      }
    });
  },
  bugs: [unnormalised],
});

property("constant values are returned as they are", {
  quick: 30,
  arbitrary: fc.record({ call: cases(), value: among([1, -3, 0.5, 1000]) }),
  async check(backend, { call, value }) {
    const { headDim, valueDim = headDim } = call.inputs;
    const constant = { ...call, inputs: { ...call.inputs, v: call.inputs.v.map(() => value) } };
    const { output, logSumExp } = await forward(backend, constant);
    const { bounds } = truthOf(constant, backend.unit);
    const expected = output.map((_, e) =>
      logSumExp[Math.floor(e / valueDim)] === Number.NEGATIVE_INFINITY ? 0 : value,
    );
    expectClose("output", output, expected, bounds.output);
  },
  bugs: [unnormalised],
});

property("a row that sees a key at its query's place and no other has L = log Phi(0) = 0, and that key's value", {
  quick: 20,
  arbitrary: cases({ independent: true, square: true, ungrouped: true, masks: [], minimum: 1 }).map((call) => ({
    ...call,
    inputs: { ...call.inputs, k: call.inputs.q },
    options: { ...call.options, window: 0 },
  })),
  async check(backend, call) {
    const { q, v, headDim, valueDim = headDim } = call.inputs;
    const { output, logSumExp } = await forward(backend, call);
    const { bounds } = truthOf(call, backend.unit);
    for (const [row, level] of logSumExp.entries()) {
      // On the sphere a vector of zeros is at a right angle to all, itself among them.
      const isZero = q.subarray(row * headDim, (row + 1) * headDim).every((x) => x === 0);
      if (call.options.manifold === "sphere" && isZero) continue;
      expectClose(`logSumExp of row ${row}`, [level], [0], bounds.logSumExp);
      const own = (x: Floats) => x.subarray(row * valueDim, (row + 1) * valueDim);
      expectClose(`output of row ${row}`, own(output), own(v), bounds.output);
    }
  },
  bugs: [
    {
      name: "Phi(0) is 1 + 1e-6",
      forward: ({ output, logSumExp }) => ({ output, logSumExp: logSumExp.map((x) => x + 1e-6) }),
    },
    { name: "a window wider by one", plan: (plan) => ({ ...plan, window: plan.window + 1 }) },
  ],
});

/** A call without masks and normalisations whose keys are all at one distance from the queries. */
function equidistant({ call, way }: { call: Case; way: "zero query" | "one key" }): Case {
  const { q, k, headDim } = call.inputs;
  const turned = k.map((_, e) => (Math.floor(e / headDim) % 2 ? -1 : 1) * k[(e + Math.floor(e / headDim)) % headDim]);
  const one = k.map((_, e) => k[e % headDim]);
  const inputs = way === "one key" ? { ...call.inputs, k: one } : { ...call.inputs, q: q.map(() => 0), k: turned };
  return { ...call, inputs };
}

property("equal distances give the uniform average", {
  quick: 30,
  arbitrary: fc
    .record({ call: cases({ masks: [], minimum: 1 }), way: among(["one key", "zero query"] as const) })
    .map(equidistant),
  async check(backend, call) {
    const found = await weights(backend, call);
    const uniform = found.map(() => 1 / call.inputs.keys);
    // Distances that are equal in truth are computed from the same numbers in another order: the error is that of a run.
    expectRatio("weights", found, uniform, 2 * truthOf(call, backend.unit).bounds.weights + backend.unit);
  },
  bugs: [
    { name: "later keys weigh a little more", weights: (w, { keys }) => w.map((x, e) => x * (1 + 1e-5 * (e % keys))) },
  ],
});

/** The largest and the smallest positive distance of a call, in float64. */
function distances(call: Case): { largest: number; smallest: number; all: Float64Array } {
  const { q, k, heads, queries, keys, headDim } = call.inputs;
  const keyHeads = call.options.keyHeads ?? heads;
  const all = new Float64Array((q.length / headDim) * keys);
  let [largest, smallest] = [0, Number.POSITIVE_INFINITY];
  for (let row = 0; row * headDim < q.length; row++) {
    const head = Math.floor(row / queries) % heads;
    const first = (Math.floor(row / queries / heads) * keyHeads + Math.floor((head * keyHeads) / heads)) * keys;
    for (let j = 0; j < keys; j++) {
      let sum = 0;
      for (let c = 0; c < headDim; c++) sum += (q[row * headDim + c] - k[(first + j) * headDim + c]) ** 2;
      const d = Math.sqrt(sum);
      all[row * keys + j] = d;
      largest = Math.max(largest, d);
      if (d > 0) smallest = Math.min(smallest, d);
    }
  }
  return { largest, smallest, all };
}

const plane = { manifold: "euclidean", masks: [], independent: true, minimum: 1 } as const;

property("kappa towards infinity gives the uniform average", {
  quick: 30,
  arbitrary: cases({ ...plane }),
  async check(backend, call) {
    const { largest } = distances(call);
    const far = {
      ...call,
      options: { ...call.options, bandwidth: 1, kappa: 2 ** 20 * (largest || 2 ** call.recipe.exponent) },
    };
    const { alpha, intrinsicDim } = makePlan(far.inputs, far.options);
    // z <= 2^-20, so 0 >= s >= -(d_M + alpha) z or -z^2, and a weight is within e^(2|s|) of 1/M.
    const size = (intrinsicDim + Math.max(...alpha)) * 2 ** -20;
    const found = await weights(backend, far);
    const uniform = found.map(() => 1 / call.inputs.keys);
    expectRatio(
      "weights",
      found,
      uniform,
      Math.expm1(2 * size) + truthOf(far, backend.unit).bounds.weights + backend.unit,
    );
  },
  bugs: [{ name: "kappa is ignored", plan: (plan) => ({ ...plan, kappa: plan.kappa.map(() => 1) }) }],
});

property("kappa towards 0 gives weights in proportion to d^-(d_M + alpha) below 2", {
  quick: 30,
  arbitrary: cases({ ...plane, alphas: [0.5, 1, 1.5, 1.875], clouds: ["normal", "offset", "steps"] }),
  async check(backend, call) {
    const { smallest, all } = distances(call);
    // Rows with a key at distance 0 are that key's: they have no power law. Distances are at least 2^-8 units, and a unit
    // is 2^-30 or has its power of two taken out: devices of float32 refuse length scales below 2^-55.
    const unit = Number.isFinite(smallest) ? smallest : 2 ** call.recipe.exponent;
    const kappa = unit * 2 ** -17;
    const near = { ...call, options: { ...call.options, bandwidth: 1, kappa } };
    const plan = makePlan(near.inputs, near.options);
    const found = await weights(backend, near);
    const { keys, heads, queries } = call.inputs;
    const expected = Float64Array.from(found);
    for (let row = 0; row * keys < found.length; row++) {
      const line = all.subarray(row * keys, (row + 1) * keys);
      const nearest = Math.min(...line);
      if (nearest === 0) continue;
      const power = -(plan.intrinsicDim + plan.alpha[Math.floor(row / queries) % heads]);
      const powers = line.map((d) => (d / nearest) ** power);
      const total = powers.reduce((sum, p) => sum + p, 0);
      expected.set(
        powers.map((p) => p / total),
        row * keys,
      );
    }
    // log1p(z) = log z + log1p(1/z), and 1/z is at most kappa over the smallest distance, for the weight and for its normaliser.
    const limit = Math.expm1((2 * (plan.intrinsicDim + 2) * kappa) / unit);
    expectRatio("weights", found, expected, limit + truthOf(near, backend.unit).bounds.weights);
  },
  bugs: [{ name: "d_M off by 1e-2", plan: (plan) => ({ ...plan, intrinsicDim: plan.intrinsicDim * 1.01 }) }],
});

property("kappa towards 0 gives the nearest key at alpha = 2", {
  quick: 30,
  arbitrary: cases({ ...plane, alphas: [2], ordinary: true, clouds: ["normal", "steps", "duplicates", "collinear"] }),
  async check(backend, call) {
    // Squared distances are multiples of 2^-16: beyond the nearest a score falls by at least 2^-16/kappa^2 = 2^10.
    const near = { ...call, options: { ...call.options, bandwidth: 1, kappa: 2 ** -13 } };
    const { all } = distances(call);
    const { keys } = call.inputs;
    const found = await weights(backend, near);
    for (let row = 0; row * keys < found.length; row++) {
      const squares = all.subarray(row * keys, (row + 1) * keys).map((d) => Math.round(d * d * 2 ** 16));
      const nearest = Math.min(...squares);
      const many = squares.filter((d) => d === nearest).length;
      // Where float32 does not tell squares apart by 1 part in 2^18 the nearest may be one of several.
      const clear = squares.every(
        (d) => d === nearest || d - nearest > 64 * (call.inputs.headDim + 8) * backend.unit * d + 1e-9,
      );
      if (!clear) continue;
      const expected = squares.map((d) => (d === nearest ? 1 / many : 0));
      const tied = many > 1 ? Number.POSITIVE_INFINITY : 2 * backend.unit;
      const line = found.subarray(row * keys, (row + 1) * keys);
      squares.forEach((d, j) => {
        expectClose(`row ${row}, key ${j}`, [line[j]], [expected[j]], d === nearest ? tied : 2 ** -120);
      });
    }
  },
  bugs: [{ name: "the power law at alpha = 2", plan: (plan) => ({ ...plan, alpha: plan.alpha.map(() => 1.9) }) }],
});

property("a nearer key never has less weight, and an equal one no other", {
  quick: 30,
  arbitrary: cases({ ...plane }),
  async check(backend, call) {
    const { all } = distances(call);
    const { keys } = call.inputs;
    const found = await weights(backend, call);
    const { weights: e } = truthOf(call, backend.unit).bounds;
    if (e === Number.POSITIVE_INFINITY) return;
    for (let row = 0; row * keys < found.length; row++) {
      for (let j = 1; j < keys; j++) {
        const [a, b] = [row * keys + j - 1, row * keys + j];
        const [near, far] = all[a] <= all[b] ? [found[a], found[b]] : [found[b], found[a]];
        // In truth far <= near; both are off by e.
        if (!(far <= near * (1 + 2 * e) + 2 ** -120))
          throw new Error(`off by order: ${far} beyond ${near} in row ${row}`);
      }
    }
  },
  bugs: [
    {
      name: "far keys weigh more",
      weights: (w, { keys }) => w.map((_, e) => w[Math.floor(e / keys) * keys + keys - 1 - (e % keys)]),
    },
  ],
});

property("the entropy of a row grows with kappa", {
  quick: 30,
  arbitrary: fc.record({
    call: cases({
      independent: true,
      masks: ["causal", "window", "excludeSelf", "keyLengths", "queryLengths", "mask"],
    }),
    factor: among([2, 1.25, 16]),
  }),
  async check(backend, { call, factor }) {
    const { kappa } = makePlan(call.inputs, call.options);
    const wider = { ...call, options: { ...call.options, kappa: kappa.map((x) => factor * x) } };
    const [before, after] = [await weights(backend, call), await weights(backend, wider)];
    const e = truthOf(call, backend.unit).bounds.weights + truthOf(wider, backend.unit).bounds.weights;
    const { keys } = call.inputs;
    for (let at = 0; at < before.length; at += keys) {
      const [low, high] = [before, after].map((w) => entropy(w.subarray(at, at + keys)));
      // H = -sum w log w: weights off by a relative e move it by at most e (H + 1) in first order. Weights that are not
      // held, below 2^-120, would add nothing that float64 could show.
      const bound = 2 * e * (Math.max(low, high) + 1) + 2 ** -100 + 2 ** -50 * keys;
      if (!(high >= low - bound)) throw new Error(`off by ${low - high}: entropy falls from ${low} to ${high}`);
    }
  },
  bugs: [{ name: "kappa upside down", plan: (plan) => ({ ...plan, kappa: plan.kappa.map((x) => 1 / x) }) }],
});

property("a bandwidth that is measured in the units of the distances leaves kappa no say", {
  quick: 30,
  arbitrary: fc.record({
    call: cases({
      manifold: "euclidean",
      alphas: [1, 1.5, 1.875, 2],
      masks: ["causal", "excludeSelf", "mask"],
      minimum: 2,
    }),
    // The median is of (d/kappa)^alpha and enters as its root of order alpha, the mean squared as its square root.
    measure: among([
      { bandwidth: "median", bandwidthExponent: "1/alpha" },
      { bandwidth: "mean", bandwidthExponent: "1/2" },
    ] as const),
    factor: among([2, 0.5, 8]),
  }),
  async check(backend, { call, measure, factor }) {
    const { kappa } = makePlan(call.inputs, { ...call.options, ...measure });
    const before = { ...call, options: { ...call.options, ...measure, kappa: kappa.map(Math.fround) } };
    const after = { ...before, options: { ...before.options, kappa: before.options.kappa.map((x) => factor * x) } };
    // A bandwidth is at least 1e-3, which is no distance of the call's.
    if ([before, after].some((one) => hasFlooredBandwidth(one))) return;
    const e = truthOf(before, backend.unit).bounds.weights + truthOf(after, backend.unit).bounds.weights;
    expectRatio("weights", await weights(backend, after), await weights(backend, before), e);
  },
  bugs: [{ name: "a bandwidth of 1", plan: (plan) => ({ ...plan, bandwidth: 1 }) }],
});

/** Whether some head's measured bandwidth is near its least, 1e-3, or there is nothing to measure. */
function hasFlooredBandwidth({ inputs, options }: Case): boolean {
  const plan = makePlan(inputs, options);
  return [...slices(plan)].some((slice) => {
    const { bandwidth } = attentionForward(headOf(plan, slice, inputs), optionsOf(plan, slice));
    return !(bandwidth > 1.001e-3);
  });
}

test("with a shared normaliser the entropy of a row need not grow with kappa", async () => {
  // Wider kernels reach the far key from both queries, and its column sum grows faster than what row 0 gets from it.
  const shape = { batch: 1, heads: 1, queries: 2, keys: 2, headDim: 1 };
  const call = { ...shape, q: Float64Array.of(0, 1.5), k: Float64Array.of(0.5, 5), v: Float64Array.of(1, 2) };
  const row = async (kappa: number) => {
    const found = await reference.attention.weights(call, { alpha: 2, degreeNormalization: 2, kappa });
    return entropy(found.subarray(0, 2));
  };
  expect(await row(2)).toBeLessThan((await row(1)) - 0.09);
});

function entropy(row: ArrayLike<number>): number {
  return Array.from(row).reduce((sum, w) => (w > 0 ? sum - w * Math.log(w) : sum), 0);
}
