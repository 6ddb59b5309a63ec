/** Defaults as the plan resolves them, arguments that are copied, and checks that a device would repeat (eq. sections 2, 3). */

import { expect, test } from "vitest";
import { attentionForward } from "../reference/attention.js";
import { type AttentionOptions, createAttention, type ForwardResult, mergePartials, preset } from "../src/index.js";
import { makePlan } from "../src/plan.js";
import { checkOptions } from "../src/validate.js";

const attention = await createAttention({ device: "reference" });
const shape = { batch: 1, heads: 2, queries: 3, keys: 3, headDim: 4 };
const ramp = (length: number) => Float64Array.from({ length }, (_, e) => Math.sin(3 * e + 1));
const inputs = () => ({ ...shape, q: ramp(24), k: ramp(24).reverse(), v: ramp(24) });

test.each(["euclidean", "sphere"] as const)(
  "defaults are those of the reference, head by head: %s",
  async (manifold) => {
    const call = inputs();
    const alpha = Float64Array.of(1.3, 2);
    const { output } = await attention.forward(call, { manifold, alpha });
    for (let h = 0; h < 2; h++) {
      const part = (x: Float64Array) => x.subarray(12 * h, 12 * h + 12);
      const head = { ...shape, q: part(call.q), k: part(call.k), v: part(call.v) };
      expect(part(output)).toEqual(attentionForward(head, { manifold, alpha: alpha[h] }).output);
    }
  },
);

test("arrays among the options are read before the promise returns", async () => {
  const given = () => ({
    alpha: Float64Array.of(1.2, 1.7),
    kappa: Float64Array.of(1, 2),
    keyLengths: Int32Array.of(2),
    queryLengths: Int32Array.of(3),
    mask: Uint8Array.of(0, 0, 1, 0, 0, 0, 1, 0, 0),
  });
  const expected = await attention.forward(inputs(), given());
  const options = given();
  const first = attention.forward(inputs());
  const second = attention.forward(inputs(), options);
  for (const array of Object.values(options)) array.fill(1);
  await first;
  expect(await second).toEqual(expected);
});

test.each<[string, AttentionOptions]>([
  ["alpha: expected a number in (0, 2], or a Float32Array of one per head (2), got 2.5", { alpha: 2.5 }],
  ["alpha[1]: expected a number in (0, 2], got 2.5", { alpha: Float64Array.of(2, 2.5) }],
  ["keyLengths[0]: expected an integer in [0, 3], got 4", { keyLengths: Int32Array.of(4) }],
  ["queryLengths[0]: expected an integer in [0, 3], got -1", { queryLengths: Int32Array.of(-1) }],
])("refused before any device sees it: %s", (message, options) => {
  expect(() => checkOptions(options, shape)).toThrow(message);
});

test("an empty part of a merge may hold anything", () => {
  const part = (output: number, logSumExp: number): ForwardResult<Float64Array> => ({
    output: Float64Array.of(output),
    logSumExp: Float64Array.of(logSumExp),
  });
  const merged = mergePartials([part(Number.NaN, Number.NEGATIVE_INFINITY), part(3, 0.5)]);
  expect([...merged.output, ...merged.logSumExp]).toEqual([3, 0.5]);
});

test("the authors' programs measure bandwidths over all pairs, the paper's preset over those unmasked", () => {
  const pairs = (options: AttentionOptions) => makePlan(shape, options).bandwidthPairs;
  expect(pairs(preset("paper"))).toBe("unmasked");
  for (const name of ["authors-text", "authors-vision", "authors-translation"] as const) {
    expect(pairs(preset(name))).toBe("all");
  }
});
