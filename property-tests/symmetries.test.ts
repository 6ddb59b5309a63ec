/**
 * What attention does not depend on (equations section 8), on every device: rigid motions, a common scale, the order of
 * keys and of queries.
 *
 * Two runs are compared. The bound of a run is that of `judge-float32.ts`, from the arithmetic alone, and two runs may
 * differ by the sum of their bounds. The moves of the inputs are exact in float32 (see `arbitraries.ts`): they add nothing.
 */

import fc from "fast-check";
import { createRandom } from "../reference/random.js";
import { makePlan } from "../src/plan.js";
import type { ShapedMask } from "../src/types.js";
import { among, type Case, cases } from "./arbitraries.js";
import type { Bug, TestBackend } from "./backends.js";
import { backward, type Call, expectClose, expectRatio, forward, truthOf, weights } from "./evaluate.js";
import { property } from "./property.js";

/** Throws unless two calls give the same output, logSumExp and weights within the bounds of both. */
async function expectSame(backend: TestBackend, call: Call, moved: Call): Promise<void> {
  const before = truthOf(call, backend.unit).bounds;
  const after = truthOf(moved, backend.unit).bounds;
  const [x, y] = [await forward(backend, call), await forward(backend, moved)];
  expectClose("output", y.output, x.output, before.output + after.output);
  expectClose("logSumExp", y.logSumExp, x.logSumExp, before.logSumExp + after.logSumExp);
  const [a, b] = [await weights(backend, call), await weights(backend, moved)];
  expectRatio("weights", b, a, before.weights + after.weights);
}

/** The call with its points changed, row by row. */
function withPoints(call: Case, change: (row: Float64Array) => Float64Array): Case {
  const { headDim } = call.inputs;
  const each = (x: Float64Array) => {
    const all = x.slice();
    for (let at = 0; at < x.length; at += headDim) all.set(change(x.subarray(at, at + headDim)), at);
    return all;
  };
  return { ...call, inputs: { ...call.inputs, q: each(call.inputs.q), k: each(call.inputs.k) } };
}

/** Some permutation of 0 ... n - 1. */
function permutation(n: number, seed: number): number[] {
  const random = createRandom(seed);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** x [blocks, order.length, width] with the rows of each block in another order: new row i is old row order[i]. */
function reordered<T extends Float64Array | Uint8Array>(x: T, order: readonly number[], width: number): T {
  const all = x.slice() as T;
  const block = order.length * width;
  for (let at = 0; at < x.length; at += block) {
    order.forEach((from, to) => {
      all.set(x.subarray(at + from * width, at + (from + 1) * width), at + to * width);
    });
  }
  return all;
}

/** Geometry that knows one direction from the others. */
const oneDirection: Bug = {
  name: "the first component of queries counts a little more",
  tensors: ({ q, k, v }, { headDim }) => ({ q: q.map((x, e) => (e % headDim === 0 ? x * 1.001 : x)), k, v }),
};

property("translating queries and keys together changes nothing, in Euclidean space", {
  quick: 30,
  arbitrary: fc.record({ call: cases({ manifold: "euclidean" }), seed: fc.nat(99) }),
  check(backend, { call, seed }) {
    const random = createRandom(seed);
    const unit = 2 ** call.recipe.exponent;
    const way = Float64Array.from({ length: call.inputs.headDim }, () => (unit * (random.integer(1025) - 512)) / 8);
    const translated = withPoints(call, (row) => row.map((x, c) => x + way[c]));
    return expectSame(backend, call, translated);
  },
  bugs: [oneDirection],
});

/** Half of a Hadamard matrix on four components in turn, signed exchanges on what is left: orthogonal and exact. */
function rotated(row: Float64Array, seed: number): Float64Array {
  const random = createRandom(seed);
  const turned = reordered(row, permutation(row.length, seed), 1);
  const y = turned.map((x) => (random.integer(2) ? -x : x));
  for (let at = 0; at + 4 <= y.length; at += 4) {
    const [a, b, c, d] = y.subarray(at, at + 4);
    y.set([(a + b + c + d) / 2, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2], at);
  }
  return y;
}

property("rotating queries and keys together changes nothing", {
  quick: 30,
  arbitrary: fc.record({ call: cases(), seed: fc.nat(99) }),
  check(backend, { call, seed }) {
    return expectSame(
      backend,
      call,
      withPoints(call, (row) => rotated(row, seed)),
    );
  },
  bugs: [oneDirection],
});

property("scaling queries, keys and kappa together changes nothing, in Euclidean space", {
  quick: 30,
  arbitrary: fc.record({ call: cases({ manifold: "euclidean" }), factor: among([2, 3, 0.5, 0.75, 5, 1024, 2 ** -12]) }),
  check(backend, { call, factor }) {
    const kappa = makePlan(call.inputs, call.options).kappa.map(Math.fround);
    const before = { ...call, options: { ...call.options, kappa } };
    const scaled = withPoints(call, (row) => row.map((x) => factor * x));
    // A float32 times 3 or 5 may need a bit more than float32 has: a relative 2^-24 of kappa, which is one of the 8
    // roundings that a score is allowed. In float64 the product is exact.
    return expectSame(backend, before, {
      ...scaled,
      options: { ...call.options, kappa: kappa.map((x) => factor * x) },
    });
  },
  bugs: [{ name: "kappa is ignored", plan: (plan) => ({ ...plan, kappa: plan.kappa.map(() => 1) }) }],
});

property("a vector on the sphere has a direction and no length", {
  quick: 30,
  arbitrary: fc.record({ call: cases({ manifold: "sphere" }), factor: among([2, 0.25, 1024, 2 ** -12]) }),
  check(backend, { call, factor }) {
    const k = call.inputs.k.map((x) => factor * x);
    return expectSame(backend, call, { ...call, inputs: { ...call.inputs, k } });
  },
  bugs: [{ name: "distances of the plane", plan: (plan) => ({ ...plan, manifold: "euclidean" }) }],
});

/** Masks that do not know about positions. */
const unordered = ["mask", "distanceThreshold"] as const;

/** The call with its keys, values and the mask's columns in another order. */
function withKeys(call: Case, order: readonly number[]): Case {
  const { k, v, headDim, valueDim = headDim } = call.inputs;
  const inputs = { ...call.inputs, k: reordered(k, order, headDim), v: reordered(v, order, valueDim) };
  const mask = call.options.mask as ShapedMask | undefined;
  if (!mask) return { ...call, inputs };
  return { ...call, inputs, options: { ...call.options, mask: { ...mask, data: reordered(mask.data, order, 1) } } };
}

property("the order of the keys does not matter", {
  quick: 30,
  arbitrary: fc.record({ call: cases({ masks: unordered }), seed: fc.nat(99) }),
  async check(backend, { call, seed }) {
    const order = permutation(call.inputs.keys, seed);
    const other = withKeys(call, order);
    const { bounds } = truthOf(call, backend.unit);
    const [x, y] = [await forward(backend, call), await forward(backend, other)];
    expectClose("output", y.output, x.output, 2 * bounds.output);
    expectClose("logSumExp", y.logSumExp, x.logSumExp, 2 * bounds.logSumExp);
    const there = reordered(Float64Array.from(await weights(backend, call)), order, 1);
    expectRatio("weights", await weights(backend, other), there, 2 * bounds.weights);
    const [g, h] = [await backward(backend, call, x), await backward(backend, other, y)];
    const { headDim, valueDim = headDim } = call.inputs;
    expectClose("dq", h.dq, g.dq, 2 * bounds.dq);
    expectClose("dk", h.dk, reordered(Float64Array.from(g.dk), order, headDim), 2 * bounds.dk);
    expectClose("dv", h.dv, reordered(Float64Array.from(g.dv), order, valueDim), 2 * bounds.dv);
  },
  bugs: [
    {
      name: "later keys weigh a little more",
      weights: (w, { keys }) => w.map((x, e) => x * (1 + 1e-6 * (e % keys))),
    },
    {
      name: "the last key is left out",
      plan: (plan) => ({ ...plan, keyLengths: plan.keyLengths.map((n) => Math.max(0, n - 1)) }),
    },
  ],
});

property("the order of the queries is that of the output's rows", {
  quick: 30,
  arbitrary: fc.record({ call: cases({ masks: unordered }), seed: fc.nat(99) }),
  async check(backend, { call, seed }) {
    const { q, queries, keys, headDim, valueDim = headDim } = call.inputs;
    const order = permutation(queries, seed);
    const given = call.options.mask as ShapedMask | undefined;
    const mask = given && given.shape[2] > 1 ? { ...given, data: reordered(given.data, order, keys) } : given;
    const inputs = { ...call.inputs, q: reordered(q, order, headDim) };
    const other = {
      ...call,
      inputs,
      options: { ...call.options, mask },
      dOutput: reordered(call.dOutput, order, valueDim),
    };
    const { bounds } = truthOf(call, backend.unit);
    const [x, y] = [await forward(backend, call), await forward(backend, other)];
    const rows = (values: ArrayLike<number>, width: number) => reordered(Float64Array.from(values), order, width);
    expectClose("output", y.output, rows(x.output, valueDim), 2 * bounds.output);
    expectClose("logSumExp", y.logSumExp, rows(x.logSumExp, 1), 2 * bounds.logSumExp);
    const [g, h] = [await backward(backend, call, x), await backward(backend, other, y)];
    expectClose("dq", h.dq, rows(g.dq, headDim), 2 * bounds.dq);
    expectClose("dk", h.dk, g.dk, 2 * bounds.dk);
    expectClose("dAlpha", h.dAlpha, g.dAlpha, 2 * bounds.dAlpha);
  },
  bugs: [
    {
      name: "the last query is left out",
      plan: (plan) => ({ ...plan, queryLengths: plan.queryLengths.map((n) => Math.max(0, n - 1)) }),
    },
  ],
});
