/**
 * alpha = 2 is the local kernel (equations section 8): FNA is then Gaussian-kernel attention, which is dot-product attention
 * with scale 2/kappa^2 and key bias -|k|^2/kappa^2. Both are written down here in float64, sharing nothing with what they
 * judge. And the family is not continuous there: below 2 it tends to (1 + z)^-(d_M + 2).
 *
 * Bounds: e of `judge-float32.ts` for the device. For what is computed here, with U = 2^-53 and S the largest |score|:
 * scores by differences carry D + 4 roundings of S, by dot products as many of (|q| + |k|)^2/kappa^2, from which the
 * distance is left by cancellation; exponential and sum add M + 4. Both enter relative to a weight, and twice, once for the
 * normaliser.
 */

import fc from "fast-check";
import { among, type Case, cases, nearTwo } from "./arbitraries.js";
import type { Bug } from "./backends.js";
import { type Call, expectClose, expectRatio, forward, truthOf, weights } from "./evaluate.js";
import { property } from "./property.js";

const U = 2 ** -53;

interface Plain {
  weights: Float64Array;
  output: Float64Array;
  logSumExp: Float64Array;
  /** Largest |v|. */
  valueSize: number;
}

/** Softmax attention of given scores, with a causal mask or none: the whole of what the two forms share. */
function softmaxAttention(call: Call, score: (q: Float64Array, k: Float64Array, head: number) => number): Plain {
  const { batch, heads, queries, keys, headDim, valueDim = headDim, q, k, v } = call.inputs;
  const keyHeads = call.options.keyHeads ?? heads;
  const weights = new Float64Array(batch * heads * queries * keys);
  const output = new Float64Array(batch * heads * queries * valueDim);
  const logSumExp = new Float64Array(batch * heads * queries);
  for (let row = 0; row < logSumExp.length; row++) {
    const i = row % queries;
    const head = Math.floor(row / queries) % heads;
    const entry = Math.floor(row / queries / heads);
    const first = (entry * keyHeads + Math.floor(head / (heads / keyHeads))) * keys;
    const scores: number[] = [];
    for (let j = 0; j < keys; j++) {
      const at = (first + j) * headDim;
      const masked = call.options.causal && j > i + keys - queries;
      const x = q.subarray(row * headDim, (row + 1) * headDim);
      scores.push(masked ? Number.NEGATIVE_INFINITY : score(x, k.subarray(at, at + headDim), head));
    }
    const top = Math.max(...scores);
    const powers = scores.map((s) => (s === Number.NEGATIVE_INFINITY ? 0 : Math.exp(s - top)));
    const total = powers.reduce((sum, p) => sum + p, 0);
    logSumExp[row] = total === 0 ? Number.NEGATIVE_INFINITY : top + Math.log(total);
    powers.forEach((p, j) => {
      if (total > 0) weights[row * keys + j] = p / total;
      for (let c = 0; c < valueDim; c++) {
        output[row * valueDim + c] += weights[row * keys + j] * v[(first + j) * valueDim + c];
      }
    });
  }
  return { weights, output, logSumExp, valueSize: v.reduce((most, x) => Math.max(most, Math.abs(x)), 0) };
}

const squared = (x: Float64Array, y: Float64Array) => x.reduce((sum, e, c) => sum + (e - y[c]) ** 2, 0);
const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, e, c) => sum + e * y[c], 0);

/** Local calls with plain options: the scale is 1.5 in units of the coordinates, or differs from head to head. */
const local = fc
  .record({
    call: cases({ manifold: "euclidean", alphas: [2], masks: ["causal"], independent: true, minimum: 1 }),
    kappas: fc.array(among([1.5, 4, 0.5, 40]), { minLength: 1, maxLength: 3 }),
  })
  .map(({ call, kappas }) => {
    const unit = 2 ** call.recipe.exponent;
    const kappa = Float64Array.from({ length: call.inputs.heads }, (_, h) => unit * kappas[h % kappas.length]);
    const { causal, keyHeads } = call.options;
    return { call: { ...call, options: { alpha: 2, kappa, causal, keyHeads } }, kappa };
  });

/** Largest (|q| + |k|)^2/kappa^2 of a call: the size of the terms of a dot-product score. */
function termSize(call: Case, kappa: Float64Array): number {
  const { q, k, headDim } = call.inputs;
  let largest = 0;
  for (const x of [q, k]) {
    for (let at = 0; at < x.length; at += headDim)
      largest = Math.max(largest, Math.hypot(...x.subarray(at, at + headDim)));
  }
  return (2 * largest) ** 2 / Math.min(...kappa) ** 2;
}

const noFactor: Bug = {
  name: "kappa twice too large",
  plan: (plan) => ({ ...plan, kappa: plan.kappa.map((x) => 2 * x) }),
};
const multiscale: Bug = {
  name: "the power law at alpha = 2",
  plan: (plan) => ({ ...plan, alpha: plan.alpha.map(() => nearTwo) }),
};

for (const form of ["Gaussian-kernel", "dot-product"] as const) {
  property(`alpha = 2 is ${form} attention`, {
    quick: 40,
    arbitrary: local,
    async check(backend, { call, kappa }) {
      const { headDim, keys } = call.inputs;
      const { bounds } = truthOf(call, backend.unit);
      const plain = softmaxAttention(call, (q, k, h) =>
        form === "dot-product" ? (2 * dot(q, k) - dot(k, k)) / kappa[h] ** 2 : -squared(q, k) / kappa[h] ** 2,
      );
      const own = 2 * U * ((headDim + 4) * termSize(call, kappa) + keys + 4);
      expectRatio("weights", await weights(backend, call), plain.weights, bounds.weights + own);
      const found = await forward(backend, call);
      expectClose("output", found.output, plain.output, bounds.output + own * plain.valueSize);
      if (form === "Gaussian-kernel")
        expectClose("logSumExp", found.logSumExp, plain.logSumExp, bounds.logSumExp + own);
    },
    bugs: [noFactor, multiscale],
  });
}

property("alpha = 2 with keys of one length is dot-product attention without a bias", {
  quick: 40,
  arbitrary: local.map(({ call, kappa }) => ({ call: onePerLength(call), kappa })),
  async check(backend, { call, kappa }) {
    const { bounds } = truthOf(call, backend.unit);
    const plain = softmaxAttention(call, (q, k, h) => (2 * dot(q, k)) / kappa[h] ** 2);
    const own = 2 * U * ((call.inputs.headDim + 4) * termSize(call, kappa) + call.inputs.keys + 4);
    expectRatio("weights", await weights(backend, call), plain.weights, bounds.weights + own);
    const found = await forward(backend, call);
    expectClose("output", found.output, plain.output, bounds.output + own * plain.valueSize);
  },
  bugs: [noFactor, multiscale],
});

/** The call with every key a rotation of its first: its components in turn, which keeps the length. */
function onePerLength(call: Case): Case {
  const { k, headDim } = call.inputs;
  const turned = k.map((_, e) => {
    const row = Math.floor(e / headDim);
    return (row % 2 ? -1 : 1) * k[(e + row) % headDim];
  });
  return { ...call, inputs: { ...call.inputs, k: turned } };
}

property("alpha just below 2 is the power law of 2, and not the local kernel", {
  quick: 40,
  arbitrary: fc.record({
    // One key at the query and one at z: a quarter to three halves, where the two kernels are far apart.
    steps: fc.integer({ min: 16, max: 96 }),
    alpha: among([nearTwo, 2 - 2 ** -16, 2 - 2 ** -12]),
    keys: among([2, 3, 5, 33, 65]),
  }),
  async check(backend, { steps, alpha, keys }) {
    const z = steps / 64;
    const shape = { batch: 1, heads: 1, queries: 1, keys, headDim: 1 };
    const k = Float64Array.from({ length: keys }, (_, j) => (j === 0 ? 0 : z));
    const call = {
      inputs: { ...shape, q: Float64Array.of(0), k, v: k },
      options: { alpha, kappa: 1 },
      dOutput: Float64Array.of(1),
    };
    const found = await weights(backend, call);
    const of = (phi: number) => 1 / (1 + (keys - 1) * phi);
    const power = of((1 + z) ** -3);
    // s changes by (2 - alpha) log1p(z) <= 2 - alpha between alpha and 2, and the weight by at most twice as much.
    const bound = 2 * (2 - alpha) + truthOf(call, backend.unit).bounds.weights + 16 * U;
    expectClose("weight of the near key", [found[0]], [power], bound);
    const distance = Math.abs(found[0] - of(Math.exp(-(z ** 2))));
    // The two kernels differ by more than 0.04 in this range, and weights by more than 0.04/(2 keys).
    if (!(distance > 0.04 / (2 * keys))) throw new Error(`off by continuity: ${distance} from the local kernel`);
  },
  bugs: [
    {
      name: "the local kernel from alpha = 1.9 on",
      plan: (plan) => ({ ...plan, alpha: plan.alpha.map((x) => (x > 1.9 ? 2 : x)) }),
    },
  ],
});
