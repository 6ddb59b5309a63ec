/**
 * Gradients (equations section 9) by what they have to satisfy: the slope of the reference's own loss, and on every device
 * the identities that follow from a symmetry of the output. With L = sum O . dO:
 *
 *   Euclidean   no change under translation     sum_i dq_i + sum_j dk_j = 0
 *               none under q, k, kappa -> c     kappa dKappa + q . dq + k . dk = 0    (a measured bandwidth is a constant)
 *   both        no change under rotation        sum_i q_i ^ dq_i + sum_j k_j ^ dk_j = 0
 *   sphere      no change along q or k          q_i . dq_i = 0,  k_j . dk_j = 0
 *   values      O is linear in v                sum_j v_j . dv_j = sum_i O_i . dO_i
 *   rows        weights sum to 1                sum_j dv_j = sum of dO_i over rows that are not empty
 *   parts       dS is made of L and O alone     the parts' gradients, given the whole's L and O, sum to the whole's
 *
 * Bounds: each number of a gradient is off by at most the bound of its tensor in `judge-float32.ts`, so a sum of numbers
 * times x is off by the sum of |x| times as much. What is summed up here is in float64, whose roundings are 2^-52 of the
 * same sums at most.
 */

import fc from "fast-check";
import type { Backend } from "../src/backends/backend.js";
import { createReferenceBackend } from "../src/backends/reference.js";
import { makePlan } from "../src/plan.js";
import type { BackwardResult } from "../src/types.js";
import { judgeReference } from "../src/verify/judge-reference.js";
import { among, cases, maskNames } from "./arbitraries.js";
import { type Bug, reference } from "./backends.js";
import { backward, expectClose, forward, kept, truthOf, withoutKeys } from "./evaluate.js";
import { property } from "./property.js";

const oracle = createReferenceBackend();

/** The bug of the slope: a factor in one of the gradients. */
const offBySlope: Backend = {
  ...oracle,
  backwardSync(plan, tensors, saved) {
    const gradient = oracle.backwardSync!(plan, tensors, saved);
    return { ...gradient, dk: gradient.dk.map((x) => x * 1.00001) };
  },
};

property("the slope of the reference's loss in a random direction is its gradient", {
  quick: 40,
  arbitrary: cases({
    numericBandwidth: true,
    ordinary: true,
    maximum: 9,
    clouds: ["normal", "offset", "antipodal"],
    // The loss jumps where a pair crosses a distance threshold, however small the step.
    masks: maskNames.filter((name) => name !== "distanceThreshold"),
  }),
  check(backend, call) {
    const judged = backend.attention === reference.attention ? oracle : offBySlope;
    // `judge-reference.ts` leaves calls out that are within 1e-2 of a kink, and derives the bound.
    for (const { tensor, error, bound } of judgeReference(judged, call, "", call.recipe.seed)) {
      if (tensor === "slope") expectClose("slope", [error], [0], bound);
    }
  },
  on: (backend) => backend === reference,
  bugs: [{ name: "dk off by 1e-5" }],
});

/** Sum of |x|. */
const size = (x: ArrayLike<number>) => Array.from(x).reduce((sum, e) => sum + Math.abs(e), 0);
const product = (x: ArrayLike<number>, y: ArrayLike<number>) =>
  Array.from(x).reduce((sum, e, at) => sum + e * y[at], 0);

/** Gradients that are right in all but the sign of the keys' part. */
const noReaction: Bug = { name: "dk with the wrong sign", gradient: (g) => ({ ...g, dk: g.dk.map((x) => -x) }) };

property("the forces on queries and keys cancel, in Euclidean space", {
  quick: 30,
  arbitrary: cases({ manifold: "euclidean" }),
  async check(backend, call) {
    const { dq, dk } = await backward(backend, call, await forward(backend, call));
    const { bounds } = truthOf(call, backend.unit);
    const { batch, headDim } = call.inputs;
    // All heads of a batch entry may be moved together.
    for (let b = 0; b < batch; b++) {
      for (let c = 0; c < headDim; c++) {
        const along = (x: ArrayLike<number>) =>
          Array.from(x)
            .slice((b * x.length) / batch, ((b + 1) * x.length) / batch)
            .filter((_, e) => e % headDim === c);
        const [q, k] = [along(dq), along(dk)];
        const bound =
          q.length * bounds.dq + k.length * bounds.dk + 2 ** -52 * (q.length + k.length) * (size(q) + size(k));
        expectClose(
          `sum of component ${c}`,
          [
            size([
              product(
                q,
                q.map(() => 1),
              ) +
                product(
                  k,
                  k.map(() => 1),
                ),
            ]),
          ],
          [0],
          bound,
        );
      }
    }
  },
  bugs: [noReaction],
});

property("q . dq + k . dk + kappa dKappa = 0, in Euclidean space", {
  quick: 30,
  arbitrary: cases({ manifold: "euclidean" }),
  async check(backend, call) {
    const { dq, dk, dKappa } = await backward(backend, call, await forward(backend, call));
    const { bounds, plan } = truthOf(call, backend.unit);
    const { q, k } = call.inputs;
    const total = product(q, dq) + product(k, dk) + product(plan.kappa, dKappa);
    const bound = size(q) * bounds.dq + size(k) * bounds.dk + size(plan.kappa) * bounds.dKappa;
    const rounding = 2 ** -52 * (q.length + k.length + 8);
    const terms =
      size(q.map((x, e) => x * dq[e])) +
      size(k.map((x, e) => x * dk[e])) +
      size(plan.kappa.map((x, h) => x * dKappa[h]));
    expectClose("the sum", [total], [0], bound + rounding * terms);
  },
  bugs: [noReaction, { name: "dKappa halved", gradient: (g) => ({ ...g, dKappa: g.dKappa.map((x) => x / 2) }) }],
});

property("gradients on the sphere are orthogonal to their points", {
  quick: 30,
  arbitrary: cases({ manifold: "sphere" }),
  async check(backend, call) {
    const gradient = await backward(backend, call, await forward(backend, call));
    const { bounds } = truthOf(call, backend.unit);
    const { q, k, headDim } = call.inputs;
    for (const [name, x, dx] of [
      ["dq", q, gradient.dq],
      ["dk", k, gradient.dk],
    ] as const) {
      for (let at = 0; at < x.length; at += headDim) {
        const [point, force] = [x.subarray(at, at + headDim), dx.subarray(at, at + headDim)];
        const bound = size(point) * bounds[name] + 2 ** -52 * headDim * size(point) * size(force);
        expectClose(`${name} along its point`, [product(point, force)], [0], bound);
      }
    }
  },
  bugs: [
    {
      name: "gradients of the plane",
      gradient: (g, plan) => ({ ...g, dq: g.dq.map((x, e) => (e % plan.headDim === 0 ? x * 1.01 : x)) }),
    },
  ],
});

/** Sum over the rows of a ^ b in the plane of two components. */
function torque(a: ArrayLike<number>, b: ArrayLike<number>, headDim: number, c: number, d: number): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += headDim) sum += a[at + c] * b[at + d] - a[at + d] * b[at + c];
  return sum;
}

property("the torques on queries and keys cancel", {
  quick: 30,
  arbitrary: cases(),
  async check(backend, call) {
    const { dq, dk } = await backward(backend, call, await forward(backend, call));
    const { bounds } = truthOf(call, backend.unit);
    const { q, k, headDim } = call.inputs;
    for (let c = 0; c + 1 < headDim; c++) {
      const total = torque(q, dq, headDim, c, c + 1) + torque(k, dk, headDim, c, c + 1);
      const arms = (x: ArrayLike<number>) => Array.from(x).filter((_, e) => e % headDim === c || e % headDim === c + 1);
      const [sizeQ, sizeK] = [size(arms(q)), size(arms(k))];
      const rounding = 2 ** -52 * (q.length + k.length) * (sizeQ * size(arms(dq)) + sizeK * size(arms(dk)));
      expectClose(`in the plane of ${c}`, [total], [0], sizeQ * bounds.dq + sizeK * bounds.dk + rounding);
    }
  },
  bugs: [
    noReaction,
    {
      name: "a force that is not along the pair",
      gradient: (g, { headDim }) => ({ ...g, dq: g.dq.map((x, e) => (e % headDim === 0 ? 1.01 * x : x)) }),
    },
  ],
});

property("points that coincide, or are antipodal, pull nowhere", {
  quick: 30,
  arbitrary: fc
    .record({ call: cases({ minimum: 1, clouds: ["normal", "steps", "offset"] }), factor: among([1, 2, -1, -0.5]) })
    .map(({ call, factor }) => {
      const { q, k, headDim } = call.inputs;
      // On the plane only the same point is at distance 0; on the sphere any multiple is at an end of the angle's range.
      const multiple = call.options.manifold === "sphere" ? factor : 1;
      const point = q.slice(0, headDim);
      const inputs = { ...call.inputs, q: q.map((_, e) => point[e % headDim]) };
      return { ...call, inputs: { ...inputs, k: k.map((_, e) => multiple * point[e % headDim]) } };
    }),
  async check(backend, call) {
    const { dq, dk } = await backward(backend, call, await forward(backend, call));
    // Multiples by powers of 2 have the same direction to the last bit, and the slope of the pair is 0 and not nearly 0.
    for (const x of [dq, dk]) expectClose("the pull", Array.from(x, Math.abs), new Float64Array(x.length), 0);
  },
  bugs: [
    { name: "a softened distance", tensors: ({ q, k, v }) => ({ q: q.map((x) => x + 1e-9 * Math.abs(x)), k, v }) },
    { name: "queries drift", gradient: (g) => ({ ...g, dq: g.dq.map((x) => x + 1e-30) }) },
  ],
});

property("parts of the keys have their share of the gradient of the whole, for a = 0 and a numeric bandwidth", {
  quick: 30,
  arbitrary: fc.record({ call: cases({ independent: true, masks: ["distanceThreshold"] }), cut: fc.nat(99) }),
  async check(backend, { call, cut }) {
    const { keys, headDim, valueDim = headDim } = call.inputs;
    const whole = await forward(backend, call);
    const expected = await backward(backend, call, whole);
    const { bounds } = truthOf(call, backend.unit);
    const at = keys === 0 ? 0 : cut % (keys + 1);
    const ranges = [Array.from({ length: at }, (_, j) => j), Array.from({ length: keys - at }, (_, j) => at + j)];
    const parts: BackwardResult[] = [];
    for (const keep of ranges) parts.push(await backward(backend, withoutKeys(call, keep), whole));
    const [left, right] = parts;
    // Each part is summed and rounded like the whole: three results within one bound each.
    for (const name of ["dq", "dAlpha", "dKappa"] as const) {
      const sum = Array.from(left[name], (x, e) => x + right[name][e]);
      expectClose(name, sum, expected[name], 3 * bounds[name]);
    }
    for (const [name, width] of [
      ["dk", headDim],
      ["dv", valueDim],
    ] as const) {
      const all = Float64Array.from(expected[name]);
      ranges.forEach((keep, part) => {
        expectClose(name, parts[part][name], kept(all, keys, width, keep), 2 * bounds[name]);
      });
    }
  },
  bugs: [
    { name: "dq as an average over keys", gradient: (g, { keys }) => ({ ...g, dq: g.dq.map((x) => x / (1 + keys)) }) },
    {
      name: "dv of the first key lost",
      gradient: (g, p) => ({ ...g, dv: g.dv.map((x, e) => (e < p.valueDim ? 0 : x)) }),
    },
  ],
});

property("dv carries what the output is made of", {
  quick: 30,
  arbitrary: cases(),
  async check(backend, call) {
    const found = await forward(backend, call);
    const { dv } = await backward(backend, call, found);
    const { bounds } = truthOf(call, backend.unit);
    const { v, batch, headDim, valueDim = headDim } = call.inputs;
    const { dOutput } = call;
    const terms = size(v.map((x, e) => x * dv[e])) + size(dOutput.map((x, e) => x * found.output[e]));
    const rounding = 2 ** -52 * (v.length + dOutput.length) * terms;
    expectClose(
      "v . dv",
      [product(v, dv)],
      [product(dOutput, found.output)],
      size(v) * bounds.dv + size(dOutput) * bounds.output + rounding,
    );

    const isEmpty = (row: number) => found.logSumExp[row] === Number.NEGATIVE_INFINITY;
    for (let b = 0; b < batch; b++) {
      for (let c = 0; c < valueDim; c++) {
        const part = (x: ArrayLike<number>) =>
          Array.from(x, (e, at) => [e, at] as const).filter(
            ([, at]) => Math.floor(at / (x.length / batch)) === b && at % valueDim === c,
          );
        const arrives = part(dOutput)
          .filter(([, at]) => !isEmpty(Math.floor(at / valueDim)))
          .map(([e]) => e);
        const carried = part(dv).map(([e]) => e);
        const sum = (x: number[]) => x.reduce((s, e) => s + e, 0);
        const bound =
          carried.length * bounds.dv + 2 ** -52 * (carried.length + arrives.length) * (size(carried) + size(arrives));
        expectClose(`dv of component ${c}`, [sum(carried)], [sum(arrives)], bound);
      }
    }
  },
  bugs: [
    {
      name: "dv of the last value lost",
      gradient: (g) => ({ ...g, dv: g.dv.map((x, e) => (e + 1 < g.dv.length ? x : 0)) }),
    },
  ],
});

property("the gradient is linear in what arrives, and kappa and alpha have no say where nothing does", {
  quick: 20,
  arbitrary: cases(),
  async check(backend, call) {
    const found = await forward(backend, call);
    const one = await backward(backend, call, found);
    const none = await backward(backend, { ...call, dOutput: call.dOutput.map(() => 0) }, found);
    // Powers of 2 change no mantissa.
    const four = await backward(backend, { ...call, dOutput: call.dOutput.map((x) => 4 * x) }, found);
    const { bounds } = truthOf(call, backend.unit);
    for (const name of ["dq", "dk", "dv", "dAlpha", "dKappa"] as const) {
      expectClose(
        `4 ${name}`,
        four[name],
        Array.from(one[name], (x) => 4 * x),
        8 * bounds[name],
      );
      expectClose(
        `no ${name}`,
        Array.from(none[name], Math.abs),
        Array.from(none[name], () => 0),
        0,
      );
    }
    const { alpha } = makePlan(call.inputs, call.options);
    alpha.forEach((order, h) => {
      if (order === 2) expectClose("dAlpha at alpha = 2", [Math.abs(one.dAlpha[h])], [0], 0);
    });
  },
  bugs: [{ name: "a decay of the queries", gradient: (g) => ({ ...g, dq: g.dq.map((x) => x + 1e-6) }) }],
});
