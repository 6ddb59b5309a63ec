/**
 * Agreement: every device against the float64 reference, and the reference against a literal evaluation of the equations
 * that shares no code with it. The bounds are those of `judge-float32.ts` and `judge-reference.ts`, derived there.
 */

import { describe, expect, test } from "vitest";
import type { Backend } from "../src/backends/backend.js";
import { createReferenceBackend } from "../src/backends/reference.js";
import { createAttention } from "../src/index.js";
import type { Plan } from "../src/plan.js";
import { judgeReference } from "../src/verify/judge-reference.js";
import { cases } from "./arbitraries.js";
import { backends, leftOut, reference } from "./backends.js";
import { backward, expectClose, expectRatio, forward, restOfTruth, truthOf, viewed, weights } from "./evaluate.js";
import { property } from "./property.js";

describe("devices", () => {
  test(`run: ${backends.map(({ name }) => name).join("; ")}`, () => {
    expect(backends.map(({ name }) => name)).toEqual(expect.arrayContaining(["reference", "wasm", "wasm, 2 threads"]));
  });
  for (const { name, reason } of leftOut) {
    test(`left out: ${name}, because ${reason}`, () => {
      expect(reason).not.toBe("");
    });
  }
});

property("forward, weights and gradients agree with the reference", {
  quick: 80,
  arbitrary: cases(),
  // It would be compared with itself.
  on: (backend) => backend !== reference,
  async check(backend, call) {
    const truth = truthOf(call, backend.unit);
    const rest = restOfTruth(call, truth);
    const found = await forward(backend, call);
    expectClose("output", found.output, truth.output, truth.rows.output);
    expectClose("logSumExp", found.logSumExp, truth.logSumExp, truth.rows.logSumExp);
    expectRatio("weights", await weights(backend, call), rest.weights, truth.bounds.weights);
    const gradient = await backward(backend, call, found);
    for (const name of ["dq", "dk", "dv", "dAlpha", "dKappa"] as const) {
      expectClose(name, gradient[name], rest[name], truth.rows[name]);
    }
  },
  bugs: [
    { name: "kappa off by 1e-6", plan: (plan) => ({ ...plan, kappa: plan.kappa.map((kappa) => kappa * 1.000001) }) },
    { name: "causal is ignored", plan: (plan) => ({ ...plan, causal: false }) },
    { name: "a window wider by one", plan: (plan) => ({ ...plan, window: plan.window < 0 ? -1 : plan.window + 1 }) },
    {
      name: "the mask of the first head for all",
      plan: (p) => ({ ...p, mask: p.mask && { ...p.mask, headStride: 0 } }),
    },
    {
      name: "dk of the last key lost",
      gradient: (g) => ({ ...g, dk: g.dk.map((x, e) => (e + 1 < g.dk.length ? x : 0)) }),
    },
    { name: "dKappa with the wrong sign", gradient: (g) => ({ ...g, dKappa: g.dKappa.map((x) => -x) }) },
  ],
});

const wasm = backends.find(({ name }) => name === "wasm")!;
const three = { ...wasm, attention: await createAttention({ device: "wasm", threads: 3 }) };

property("threads change no bit of a forward result", {
  quick: 40,
  arbitrary: cases(),
  async check(backend, call) {
    const one = await forward(wasm, call);
    for (const device of [backend, three]) {
      const many = await forward(device, call);
      for (const name of ["output", "logSumExp"] as const) {
        const bits = viewed(backend, one[name]);
        if (!many[name].every((x, e) => Object.is(x, bits[e]))) expect(many[name]).toEqual(bits);
      }
    }
  },
  on: (backend) => backend.name === "wasm, 2 threads",
  // Results of another device are equal up to rounding and no more.
  bugs: [{ name: "another order of rounding" }],
});

// Their sums over queries are of as many parts as there are threads.
property("gradients by several threads are those by one within the bounds of both", {
  arbitrary: cases(),
  async check(backend, call) {
    const result = await forward(wasm, call);
    const one = await backward(wasm, call, result);
    const { bounds } = truthOf(call, wasm.unit);
    for (const device of [backend, three]) {
      const many = await backward(device, call, result);
      for (const name of ["dq", "dk", "dv", "dAlpha", "dKappa"] as const) {
        expectClose(name, many[name], one[name], 2 * bounds[name]);
      }
    }
  },
  on: (backend) => backend.name === "wasm, 2 threads",
  bugs: [
    {
      name: "dk of the last key lost",
      gradient: (g) => ({ ...g, dk: g.dk.map((x, e) => (e + 1 < g.dk.length ? x : 0)) }),
    },
  ],
});

const oracle = createReferenceBackend();

property("the reference agrees with the literal evaluation", {
  quick: 100,
  arbitrary: cases({ numericBandwidth: true, maximum: 17 }),
  check(backend, call) {
    const judged = backend.attention === reference.attention ? oracle : offByKappa;
    for (const { tensor, error, bound } of judgeReference(judged, call, "", call.recipe.seed)) {
      if (tensor !== "slope") expectClose(tensor, [error], [0], bound);
    }
  },
  on: (backend) => backend === reference,
  bugs: [{ name: "kappa off by 1e-10" }],
});

/** What the planted bug of the last property is. */
const offByKappa: Backend = {
  ...oracle,
  forwardSync: (plan, tensors) => oracle.forwardSync!(offPlan(plan), tensors),
  weightsSync: (plan, tensors) => oracle.weightsSync!(offPlan(plan), tensors),
};

function offPlan(plan: Plan): Plan {
  return { ...plan, kappa: plan.kappa.map((kappa) => kappa * (1 + 1e-10)) };
}

test("the reference stays a number where eps^(1/alpha) vanishes", async () => {
  const inputs = { q: Float64Array.of(0, 1), k: Float64Array.of(0, 1), v: Float64Array.of(1, 2) };
  const call = { ...inputs, batch: 1, heads: 1, queries: 2, keys: 2, headDim: 1 };
  for (const degreeNormalization of [0, 1]) {
    const options = { alpha: 1e-3, bandwidth: 0.2, degreeNormalization };
    const found = await reference.attention.forward(call, options);
    // 0.2^1000 is 0: each query is at its own key and infinitely far from the other.
    expect([...found.output]).toEqual([1, 2]);
    const gradient = await reference.attention.backward(call, options, { ...found, dOutput: Float64Array.of(1, -1) });
    expect([...gradient.dq, ...gradient.dk, ...gradient.dAlpha, ...gradient.dKappa].map(Math.abs)).toEqual([
      0, 0, 0, 0, 0, 0,
    ]);
    expect([...gradient.dv]).toEqual([1, -1]);
  }
});
