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
 * Bounds: each number of a gradient is off by at most the bound of its row in `judge-float32.ts`, so a sum of numbers times
 * x is off by the sum of |x| times as much. What is summed up here is in float64, whose roundings are 2^-52 of the same
 * sums at most.
 *
 * A softmax over one key has no gradient, on a sphere of one dimension nothing can turn, and far points at alpha = 2 have no
 * weights: most cases have none of that, so that there are forces to be summed up (`pulling`).
 */

import fc from "fast-check";
import type { Backend } from "../src/backends/backend.js";
import { createReferenceBackend } from "../src/backends/reference.js";
import { makePlan } from "../src/plan.js";
import type { BackwardResult } from "../src/types.js";
import { judgeReference } from "../src/verify/judge-reference.js";
import { among, type Case, cases, type Domain, maskNames, nearTwo } from "./arbitraries.js";
import { type Bug, reference, type TestBackend } from "./backends.js";
import { backward, type Call, expectClose, forward, kept, truthOf, withoutKeys } from "./evaluate.js";
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
    minimum: 2,
    minimumDim: 2,
    maximum: 9,
    clouds: ["normal", "offset", "clustered"],
    // The loss jumps where a pair crosses a distance threshold, however small the step.
    masks: maskNames.filter((name) => name !== "distanceThreshold"),
  }),
  check(backend, call) {
    const judged = backend.attention === reference.attention ? oracle : offBySlope;
    // `judge-reference.ts` leaves calls out that are within 1e-2 of a kink, and derives the bound, 0 where all is masked.
    const slope = judgeReference(judged, call, "", call.recipe.seed).find(({ tensor }) => tensor === "slope");
    // Another case takes the place of one that is left out.
    fc.pre(slope !== undefined && slope.bound > 0);
    expectClose("slope", [slope!.error], [0], slope!.bound);
  },
  on: (backend) => backend === reference,
  bugs: [{ name: "dk off by 1e-5" }],
});

const orders = [1.2, 1, 1.5, 0.5, 1.9, nearTwo, 1e-3, 2].map(Math.fround);

/** Calls of a domain, most of them with gradients that are not 0. */
function pulling(domain: Domain = {}): fc.Arbitrary<Case> {
  const usual = cases({
    ...domain,
    minimum: 2,
    minimumDim: 2,
    alphas: orders,
    clouds: ["normal", "steps", "duplicates", "clustered", "offset", "antipodal"],
    masks: (domain.masks ?? maskNames).filter((name) => !/Lengths|Threshold/.test(name)),
  });
  return fc.oneof({ arbitrary: usual, weight: 5 }, { arbitrary: cases(domain), weight: 1 });
}

const sum = (x: ArrayLike<number>) => Array.from(x).reduce((total, e) => total + e, 0);
/** Sum of |x|. */
const size = (x: ArrayLike<number>) => sum(Array.from(x, Math.abs));
const products = (x: ArrayLike<number>, y: ArrayLike<number>) => Array.from(x, (e, at) => e * y[at]);

/** By how much the sum of x times the numbers of a tensor may be off whose rows have these bounds. */
function boundOf(x: ArrayLike<number>, rows: Float64Array): number {
  const width = x.length / rows.length;
  // A bound may be infinite, and 0 times that is 0 here.
  return sum(Array.from(x, (e, at) => (e === 0 ? 0 : Math.abs(e) * rows[Math.floor(at / width)])));
}

/** Part `at` of x in `count` parts of equal length. */
function partOf(x: Float64Array, at: number, count: number): Float64Array {
  return x.subarray((at * x.length) / count, ((at + 1) * x.length) / count);
}

/** Throws unless the terms add up to 0 within the bound and the roundings of their sum. */
function expectBalance(what: string, terms: readonly number[], bound: number): void {
  expectClose(what, [sum(terms)], [0], bound + 2 ** -52 * (terms.length + 4) * size(terms));
}

/** Gradients that are right in all but the sign of the keys' part. */
const noReaction: Bug = { name: "dk with the wrong sign", gradient: (g) => ({ ...g, dk: g.dk.map((x) => -x) }) };

/** Gradients of a call, in float64. */
async function gradientOf(backend: TestBackend, call: Call): Promise<BackwardResult<Float64Array>> {
  const { dq, dk, dv, dAlpha, dKappa } = await backward(backend, call, await forward(backend, call));
  const [q, k, v, alpha, kappa] = [dq, dk, dv, dAlpha, dKappa].map((x) => Float64Array.from(x));
  return { dq: q, dk: k, dv: v, dAlpha: alpha, dKappa: kappa };
}

property("the forces on queries and keys cancel, in Euclidean space", {
  quick: 30,
  arbitrary: pulling({ manifold: "euclidean" }),
  async check(backend, call) {
    const { dq, dk } = await gradientOf(backend, call);
    const { rows } = truthOf(call, backend.unit);
    const { batch, headDim, heads } = call.inputs;
    // The keys of a head and all queries that attend to them may be moved together.
    const groups = batch * (call.options.keyHeads ?? heads);
    for (let g = 0; g < groups; g++) {
      const bound = sum(partOf(rows.dq, g, groups)) + sum(partOf(rows.dk, g, groups));
      const forces = [...partOf(dq, g, groups), ...partOf(dk, g, groups)];
      for (let c = 0; c < headDim; c++) {
        const along = forces.filter((_, e) => e % headDim === c);
        expectBalance(`sum of component ${c}`, along, bound);
      }
    }
  },
  bugs: [noReaction],
});

property("q . dq + k . dk + kappa dKappa = 0, in Euclidean space", {
  quick: 30,
  arbitrary: pulling({ manifold: "euclidean" }),
  async check(backend, call) {
    const { dq, dk, dKappa } = await gradientOf(backend, call);
    const { rows, plan } = truthOf(call, backend.unit);
    const { q, k } = call.inputs;
    const terms = [...products(q, dq), ...products(k, dk), ...products(plan.kappa, dKappa)];
    const bound = boundOf(q, rows.dq) + boundOf(k, rows.dk) + boundOf(plan.kappa, rows.dKappa);
    expectBalance("the sum", terms, bound);
  },
  bugs: [noReaction, { name: "dKappa halved", gradient: (g) => ({ ...g, dKappa: g.dKappa.map((x) => x / 2) }) }],
});

property("gradients on the sphere are orthogonal to their points", {
  quick: 30,
  arbitrary: pulling({ manifold: "sphere" }),
  async check(backend, call) {
    const gradient = await gradientOf(backend, call);
    const { rows } = truthOf(call, backend.unit);
    for (const [name, x] of [
      ["dq", call.inputs.q],
      ["dk", call.inputs.k],
    ] as const) {
      rows[name].forEach((bound, row) => {
        const [point, force] = [x, gradient[name]].map((all) => partOf(all, row, rows[name].length));
        expectBalance(`${name} along point ${row}`, products(point, force), size(point) * bound);
      });
    }
  },
  bugs: [
    {
      name: "gradients of the plane",
      gradient: (g, plan) => ({ ...g, dq: g.dq.map((x, e) => (e % plan.headDim === 0 ? x * 1.01 : x)) }),
    },
  ],
});

/** The terms of sum a ^ b over the rows, in the plane of two components. */
function torques(a: Float64Array, b: Float64Array, headDim: number, c: number, d: number): number[] {
  const terms: number[] = [];
  for (let at = 0; at < a.length; at += headDim) terms.push(a[at + c] * b[at + d], -a[at + d] * b[at + c]);
  return terms;
}

property("the torques on queries and keys cancel", {
  quick: 30,
  arbitrary: pulling(),
  async check(backend, call) {
    const { dq, dk } = await gradientOf(backend, call);
    const { rows } = truthOf(call, backend.unit);
    const { q, k, headDim, batch, heads } = call.inputs;
    // The keys of a head and all queries that attend to them may be turned together.
    const groups = batch * (call.options.keyHeads ?? heads);
    for (let g = 0; g < groups; g++) {
      const [ownQ, ownDq, ownK, ownDk] = [q, dq, k, dk].map((x) => partOf(x, g, groups));
      const [rowsQ, rowsK] = [rows.dq, rows.dk].map((x) => partOf(x, g, groups));
      for (let c = 0; c + 1 < headDim; c++) {
        const arms = (x: Float64Array) => x.map((e, at) => (at % headDim === c || at % headDim === c + 1 ? e : 0));
        const terms = [...torques(ownQ, ownDq, headDim, c, c + 1), ...torques(ownK, ownDk, headDim, c, c + 1)];
        expectBalance(`in the plane of ${c}`, terms, boundOf(arms(ownQ), rowsQ) + boundOf(arms(ownK), rowsK));
      }
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
  arbitrary: fc.record({ call: pulling({ independent: true, masks: ["distanceThreshold"] }), cut: fc.nat(99) }),
  async check(backend, { call, cut }) {
    const { keys, headDim, valueDim = headDim } = call.inputs;
    const whole = await forward(backend, call);
    const expected = await backward(backend, call, whole);
    const { rows } = truthOf(call, backend.unit);
    const at = keys === 0 ? 0 : cut % (keys + 1);
    const ranges = [Array.from({ length: at }, (_, j) => j), Array.from({ length: keys - at }, (_, j) => at + j)];
    const parts: BackwardResult[] = [];
    for (const keep of ranges) parts.push(await backward(backend, withoutKeys(call, keep), whole));
    const [left, right] = parts;
    // Each part is summed and rounded like the whole: three results within one bound each.
    for (const name of ["dq", "dAlpha", "dKappa"] as const) {
      const both = Array.from(left[name], (x, e) => x + right[name][e]);
      expectClose(name, both, expected[name], rows[name], 3);
    }
    for (const [name, width] of [
      ["dk", headDim],
      ["dv", valueDim],
    ] as const) {
      const all = Float64Array.from(expected[name]);
      ranges.forEach((keep, part) => {
        const own = kept(rows[name], keys, 1, keep);
        expectClose(name, parts[part][name], kept(all, keys, width, keep), own, 2);
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
    const { rows } = truthOf(call, backend.unit);
    const { v, batch, heads, headDim, valueDim = headDim } = call.inputs;
    const { dOutput } = call;
    expectBalance(
      "v . dv - O . dO",
      [...products(v, dv), ...products(dOutput, found.output).map((x) => -x)],
      boundOf(v, rows.dv) + boundOf(dOutput, rows.output),
    );

    // The keys of a head collect what arrives at all queries that attend to them.
    const groups = batch * (call.options.keyHeads ?? heads);
    const arriving = dOutput.map((x, e) =>
      found.logSumExp[Math.floor(e / valueDim)] === Number.NEGATIVE_INFINITY ? 0 : x,
    );
    for (let g = 0; g < groups; g++) {
      const [carried, arrived] = [Float64Array.from(dv), arriving].map((x) => partOf(x, g, groups));
      for (let c = 0; c < valueDim; c++) {
        const [dvs, dOs] = [carried, arrived].map((x) => Array.from(x).filter((_, e) => e % valueDim === c));
        const terms = [...dvs, ...dOs.map((x) => -x)];
        expectBalance(`dv of component ${c}`, terms, sum(partOf(rows.dv, g, groups)));
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
    const { rows } = truthOf(call, backend.unit);
    for (const name of ["dq", "dk", "dv", "dAlpha", "dKappa"] as const) {
      expectClose(
        `4 ${name}`,
        four[name],
        Array.from(one[name], (x) => 4 * x),
        rows[name],
        8,
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
