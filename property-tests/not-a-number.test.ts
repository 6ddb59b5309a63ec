/**
 * NaN and Infinity in q, k and v, on every device, for a = 0 and a numeric bandwidth: they spoil the rows that attend to
 * them and nothing else, and what stands in a masked key never matters. Which rows those are is said by `positionMasked`
 * of the literal evaluation; everything else is compared with the call before anything was spoilt, within the bounds of
 * both runs, and gradients with the oracle's of the spoilt call.
 */

import fc from "fast-check";
import { createReferenceBackend } from "../src/backends/reference.js";
import { positionMasked } from "../src/verify/literal.js";
import { among, type Case, cases, maskNames } from "./arbitraries.js";
import { backward, expectClose, expectRatio, forward, truthOf, weights } from "./evaluate.js";
import { property } from "./property.js";

const oracle = createReferenceBackend();

const places = fc.array(
  fc.record({
    tensor: among(["q", "k", "v"] as const),
    at: fc.nat(9999),
    value: among([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
  }),
  { minLength: 1, maxLength: 3 },
);

/** The call with some of its numbers spoilt. */
function spoilt(call: Case, where: { tensor: "q" | "k" | "v"; at: number; value: number }[]): Case {
  const { q, k, v } = call.inputs;
  const tensors = { q: q.slice(), k: k.slice(), v: v.slice() };
  for (const { tensor, at, value } of where) tensors[tensor][at % tensors[tensor].length] = value;
  return { ...call, inputs: { ...call.inputs, ...tensors } };
}

property("NaN and Infinity spoil the rows that attend to them, and nothing else", {
  quick: 40,
  arbitrary: fc.record({
    // A pair at NaN is beyond no threshold, and whether that masks it is not the question here.
    call: cases({ independent: true, minimum: 1, masks: maskNames.filter((name) => name !== "distanceThreshold") }),
    where: places,
  }),
  async check(backend, { call, where }) {
    const spoiltCall = spoilt(call, where);
    const { plan, output, logSumExp, bounds } = truthOf(call, backend.unit);
    const { heads, keyHeads, queries, keys, headDim, valueDim } = plan;
    const isBad = (x: Float64Array, row: number, width: number) =>
      !x.subarray(row * width, (row + 1) * width).every(Number.isFinite);
    const found = await forward(backend, spoiltCall);
    const whole = await weights(backend, spoiltCall);
    const clean = oracle.weightsSync!(plan, call.inputs);
    const { q, k, v } = spoiltCall.inputs;
    const touched = { rows: new Set<number>(), keys: new Set<number>(), heads: new Set<number>() };
    for (let row = 0; row < logSumExp.length; row++) {
      const [i, h, b] = [row % queries, Math.floor(row / queries) % heads, Math.floor(row / queries / heads)];
      const first = (b * keyHeads + Math.floor((h * keyHeads) / heads)) * keys;
      const seen = Array.from({ length: keys }, (_, j) => j).filter((j) => !positionMasked(plan, b, h, i, j));
      const scores = seen.some((j) => isBad(k, first + j, headDim)) || (seen.length > 0 && isBad(q, row, headDim));
      const values = seen.some((j) => isBad(v, first + j, valueDim));
      if (scores || values) {
        touched.rows.add(row);
        touched.heads.add(h);
        for (const j of seen) touched.keys.add(first + j);
      }
      const nan = (x: ArrayLike<number>) => Array.from(x, () => Number.NaN);
      const cut = <T extends { subarray(from: number, to: number): T }>(x: T, width: number) =>
        x.subarray(row * width, (row + 1) * width);
      expectClose(
        `output of row ${row}`,
        cut(found.output, valueDim),
        scores || values ? nan(cut(output, valueDim)) : cut(output, valueDim),
        bounds.output,
      );
      const level = scores ? Number.NaN : logSumExp[row];
      expectClose(`logSumExp of row ${row}`, [found.logSumExp[row]], [level], bounds.logSumExp);
      const line = cut(whole, keys);
      if (scores) {
        const expected = Array.from(line, (_, j) => (seen.includes(j) ? Number.NaN : 0));
        expectClose(`weights of row ${row}`, line, expected, 0);
      } else expectRatio(`weights of row ${row}`, line, cut(clean as Float64Array, keys), bounds.weights);
    }

    const gradient = await backward(backend, spoiltCall, found);
    const truth = oracle.forwardSync!(plan, spoiltCall.inputs);
    const expected = oracle.backwardSync!(plan, spoiltCall.inputs, { ...truth, dOutput: call.dOutput });
    for (const [name, rows, width] of [
      ["dq", touched.rows, headDim],
      ["dk", touched.keys, headDim],
      ["dv", touched.keys, valueDim],
      ["dAlpha", touched.heads, 1],
      ["dKappa", touched.heads, 1],
    ] as const) {
      // The oracle leaves pairs out that have no slope, at one place or antipodal. A device may multiply NaN by that 0.
      const mended = gradient[name].map((x, e) =>
        Number.isNaN(x) && rows.has(Math.floor(e / width)) ? expected[name][e] : x,
      );
      expectClose(name, mended, expected[name], bounds[name]);
    }
  },
  bugs: [
    { name: "masked keys are looked at", plan: (p) => ({ ...p, causal: false, mask: undefined, excludeSelf: false }) },
    { name: "a NaN is taken for 0", tensors: ({ q, k, v }) => ({ q, k, v: v.map((x) => (Number.isNaN(x) ? 0 : x)) }) },
    {
      name: "a NaN spoils the row before as well",
      forward: ({ output, logSumExp }, { valueDim }) => ({
        output: output.map((x, e) => (Number.isNaN(output[e + valueDim]) ? Number.NaN : x)),
        logSumExp,
      }),
    },
  ],
});
