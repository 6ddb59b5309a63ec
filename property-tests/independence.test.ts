/**
 * Which numbers a row depends on (equations sections 6 to 8), on every device. With a = 0 and a numeric bandwidth a row
 * knows its own query and the keys that it attends to: a masked key is as good as deleted, the past does not see the future,
 * and blocks of keys can be attended to apart. With a > 0 or a measured bandwidth the rows of a head share a normaliser,
 * and all of this ends, except for whole keys: that too is tested.
 *
 * Keys that are masked for all, among up to 65 of them, also move the rest over the edges of tiles: results do not depend on
 * how a device divides the keys.
 *
 * Two runs are compared, each within its own bound of `judge-float32.ts`; they may differ by the sum.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRandom } from "../reference/random.js";
import { mergePartials } from "../src/index.js";
import type { AttentionOptions } from "../src/types.js";
import { among, type Case, cases } from "./arbitraries.js";
import { backends } from "./backends.js";
import {
  backward,
  type Call,
  expectClose,
  expectRatio,
  forward,
  kept,
  truthOf,
  weights,
  withoutKeys,
} from "./evaluate.js";
import { property } from "./property.js";

property("a key that is masked for all is as good as deleted, whatever the normalisation", {
  quick: 30,
  arbitrary: fc.record({ call: cases({ masks: ["distanceThreshold"], minimum: 1 }), seed: fc.nat(99) }),
  async check(backend, { call, seed }) {
    const random = createRandom(seed);
    const { keys, headDim, valueDim = headDim } = call.inputs;
    const mask = Uint8Array.from({ length: keys }, () => (random.integer(3) === 0 ? 1 : 0));
    // Bandwidths over all pairs see masked ones by their definition.
    const options: AttentionOptions = { ...call.options, bandwidthPairs: "unmasked" };
    const masked = { ...call, options: { ...options, mask: { data: mask, shape: [1, 1, 1, keys] as const } } };
    const keep = Array.from(mask.keys()).filter((j) => mask[j] === 0);
    const deleted = withoutKeys({ ...call, options }, keep);
    const { bounds } = truthOf(masked, backend.unit);
    const [x, y] = [await forward(backend, masked), await forward(backend, deleted)];
    expectClose("output", x.output, y.output, 2 * bounds.output);
    expectClose("logSumExp", x.logSumExp, y.logSumExp, 2 * bounds.logSumExp);
    const [g, h] = [await backward(backend, masked, x), await backward(backend, deleted, y)];
    expectClose("dq", g.dq, h.dq, 2 * bounds.dq);
    expectClose("dk", kept(Float64Array.from(g.dk), keys, headDim, keep), h.dk, 2 * bounds.dk);
    expectClose("dv", kept(Float64Array.from(g.dv), keys, valueDim, keep), h.dv, 2 * bounds.dv);
    expectClose("dKappa", g.dKappa, h.dKappa, 2 * bounds.dKappa);
    const gone = Array.from(mask.keys()).filter((j) => mask[j] === 1);
    const zeros = kept(Float64Array.from(g.dk), keys, headDim, gone);
    expectClose(
      "dk of masked keys",
      zeros,
      zeros.map(() => 0),
      0,
    );
  },
  bugs: [{ name: "masks are ignored", plan: (plan) => ({ ...plan, mask: undefined }) }],
});

property("a row is the attention of its query to the keys that it sees, for a = 0 and a numeric bandwidth", {
  quick: 60,
  arbitrary: fc.record({ call: cases({ independent: true, minimum: 1, maximum: 33 }), row: fc.nat(999) }),
  async check(backend, { call, row }) {
    const { q, k, v, batch, heads, queries, keys, headDim, valueDim = headDim } = call.inputs;
    const keyHeads = call.options.keyHeads ?? heads;
    const at = row % (batch * heads * queries);
    const head = Math.floor(at / queries) % heads;
    const column = Math.floor(at / queries / heads) * keyHeads + Math.floor((head * keyHeads) / heads);
    const whole = await weights(backend, call);
    const { output, logSumExp } = await forward(backend, call);
    const { bounds, plan } = truthOf(call, backend.unit);
    // The keys that the row sees are those of the oracle: a device may not be able to hold a small weight.
    const seen = Array.from({ length: keys }, (_, j) => j).filter((j) => isSeen(call, at, j));
    const alone: Call = {
      inputs: {
        q: q.slice(at * headDim, (at + 1) * headDim),
        k: kept(k.subarray(column * keys * headDim, (column + 1) * keys * headDim), keys, headDim, seen),
        v: kept(v.subarray(column * keys * valueDim, (column + 1) * keys * valueDim), keys, valueDim, seen),
        batch: 1,
        heads: 1,
        queries: 1,
        keys: seen.length,
        headDim,
        valueDim,
      },
      options: {
        alpha: plan.alpha[head],
        kappa: plan.kappa[head],
        intrinsicDim: plan.intrinsicDim,
        bandwidth: plan.bandwidth,
        bandwidthExponent: plan.bandwidthExponent,
        manifold: plan.manifold,
        ...(plan.manifold === "sphere" ? { radius: plan.radius[head] } : {}),
      },
      dOutput: call.dOutput.slice(at * valueDim, (at + 1) * valueDim),
    };
    const own = await forward(backend, alone);
    expectClose("output", output.subarray(at * valueDim, (at + 1) * valueDim), own.output, 2 * bounds.output);
    expectClose("logSumExp", [logSumExp[at]], own.logSumExp, 2 * bounds.logSumExp);
    const line = seen.map((j) => whole[at * keys + j]);
    expectRatio("weights", line, await weights(backend, alone), 2 * bounds.weights);
  },
  bugs: [
    { name: "causal is ignored", plan: (plan) => ({ ...plan, causal: false }) },
    { name: "one key too many", plan: (p) => ({ ...p, keyLengths: p.keyLengths.map((n) => Math.min(p.keys, n + 1)) }) },
  ],
});

/** Whether the masks leave key j to row `at`: as plan.ts states them, in other words. */
function isSeen({ inputs, options }: Case, at: number, j: number): boolean {
  const { heads, queries, keys, batch, q, k, headDim } = inputs;
  const [entry, head, i] = [Math.floor(at / queries / heads), Math.floor(at / queries) % heads, at % queries];
  const keyLength = options.keyLengths?.[entry] ?? keys;
  const queryLength = options.queryLengths?.[entry] ?? (queries === keys ? keyLength : queries);
  const here = i + keyLength - queryLength;
  if (i >= queryLength || j >= keyLength) return false;
  if ((options.causal && j > here) || (options.excludeSelf && j === here)) return false;
  const { window, globalTokens = 0 } = options;
  const isGlobal = j < globalTokens || (here >= 0 && here < globalTokens);
  if (window !== undefined && Math.abs(here - j) > window && !isGlobal) return false;
  const mask = options.mask as { data: Uint8Array; shape: readonly number[] } | undefined;
  if (mask) {
    const [b, h, n] = [batch, heads, queries].map((_, axis) => (mask.shape[axis] > 1 ? [entry, head, i][axis] : 0));
    if (mask.data[((b * mask.shape[1] + h) * mask.shape[2] + n) * keys + j]) return false;
  }
  if (options.distanceThreshold === undefined) return true;
  const { plan } = truthOf(
    { inputs, options, dOutput: new Float64Array(batch * heads * queries * (inputs.valueDim ?? headDim)) },
    1,
  );
  const column = (entry * plan.keyHeads + Math.floor((head * plan.keyHeads) / heads)) * keys + j;
  const x = q.subarray(at * headDim, (at + 1) * headDim);
  const y = k.subarray(column * headDim, (column + 1) * headDim);
  let distance = Math.hypot(...x.map((e, c) => e - y[c]));
  if (plan.manifold === "sphere") {
    const [a, b] = [Math.hypot(...x), Math.hypot(...y)];
    const cosine = a === 0 || b === 0 ? 0 : x.reduce((sum, e, c) => sum + (e / a) * (y[c] / b), 0);
    distance = plan.radius[head] * Math.acos(Math.max(-1, Math.min(1, cosine)));
  }
  return distance / plan.kappa[head] < options.distanceThreshold;
}

property("a causal prefix does not see what follows, for a = 0 and a numeric bandwidth", {
  quick: 30,
  arbitrary: fc.record({
    call: cases({ independent: true, minimum: 1, square: true, masks: ["window", "excludeSelf"] }),
    cut: fc.nat(64),
  }),
  async check(backend, { call, cut }) {
    const { q, queries, headDim, valueDim = headDim } = call.inputs;
    const length = 1 + (cut % queries);
    const keep = Array.from({ length }, (_, i) => i);
    const causal = { ...call, options: { ...call.options, causal: true } };
    const short = withoutKeys(causal, keep);
    const dOutput = kept(call.dOutput, queries, valueDim, keep);
    const prefix = {
      ...short,
      inputs: { ...short.inputs, q: kept(q, queries, headDim, keep), queries: length },
      dOutput,
    };
    const { bounds } = truthOf(causal, backend.unit);
    const [x, y] = [await forward(backend, causal), await forward(backend, prefix)];
    expectClose("output", y.output, kept(Float64Array.from(x.output), queries, valueDim, keep), 2 * bounds.output);
    expectClose("logSumExp", y.logSumExp, kept(Float64Array.from(x.logSumExp), queries, 1, keep), 2 * bounds.logSumExp);
  },
  bugs: [
    { name: "causal is ignored", plan: (plan) => ({ ...plan, causal: false }) },
    {
      name: "causal off by one",
      plan: (p) => ({ ...p, queryLengths: p.queryLengths.map((n) => (p.causal ? n - 1 : n)) }),
    },
  ],
});

describe("rows that share a normaliser know each other", () => {
  const shape = { batch: 1, heads: 1, queries: 3, keys: 3, headDim: 1 };
  // Later rows are farther from everything, so that they move a median.
  const points = Float64Array.of(0, 1, 20);
  const call = {
    inputs: { ...shape, q: points, k: Float64Array.of(0.5, 3, 9), v: Float64Array.of(1, -1, 2) },
    dOutput: new Float64Array(3),
  };
  const sharing: AttentionOptions[] = [{ degreeNormalization: 1 }, { bandwidth: "median" }, { bandwidth: "mean" }];
  for (const options of sharing) {
    for (const backend of backends) {
      test(`${JSON.stringify(options)}: causal is not causal, a masked pair is seen by other rows (${backend.name})`, async () => {
        const causal = { ...call, options: { ...options, alpha: 1.2, kappa: 1, causal: true } };
        const whole = await weights(backend, causal);
        const two = { ...withoutKeys(causal, [0, 1]), options: causal.options };
        const prefix = {
          ...two,
          inputs: { ...two.inputs, q: points.slice(0, 2), queries: 2 },
          dOutput: new Float64Array(2),
        };
        const early = await weights(backend, prefix);
        // Row 1 attends to keys 0 and 1 in both, with weights that differ far beyond rounding.
        expect(Math.abs(whole[3] - early[2])).toBeGreaterThan(1e-4);

        const pair = { data: Uint8Array.of(0, 0, 0, 1, 0, 0, 1, 1, 0), shape: [1, 1, 3, 3] as const };
        const free = { ...call, options: { ...options, alpha: 1.2, kappa: 1 } };
        const before = await weights(backend, free);
        const after = await weights(backend, { ...free, options: { ...free.options, mask: pair } });
        // The pairs are of rows 1 and 2, and row 0 changes.
        expect(Math.abs(after[0] - before[0])).toBeGreaterThan(1e-4);
      });
    }
  }
});

property("attention to blocks of keys merges to attention to all of them", {
  quick: 30,
  arbitrary: fc.record({
    call: cases({ independent: true, masks: ["distanceThreshold"] }),
    blocks: among([2, 1, 3, 5]),
    seed: fc.nat(99),
  }),
  async check(backend, { call, blocks, seed }) {
    const random = createRandom(seed);
    const { keys } = call.inputs;
    const block = Array.from({ length: keys }, () => random.integer(blocks));
    const parts = [];
    const { bounds } = truthOf(call, backend.unit);
    let outputBound = bounds.output;
    let levelBound = bounds.logSumExp;
    for (let b = 0; b < blocks; b++) {
      const keep = Array.from(block.keys()).filter((j) => block[j] === b);
      const part = withoutKeys(call, keep);
      parts.push(await forward(backend, part));
      const own = truthOf(part, backend.unit).bounds;
      outputBound = Math.max(outputBound, own.output);
      levelBound = Math.max(levelBound, own.logSumExp);
    }
    const merged = mergePartials(parts);
    const whole = await forward(backend, call);
    const size = call.inputs.v.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    // L is the logarithm of a sum of e^(L_p), each off by the bound of L_p; the result is stored once more.
    const level = 2 * levelBound + 4 * backend.unit * (1 + blocks) * (1 + largest(whole.logSumExp));
    expectClose("logSumExp", merged.logSumExp, whole.logSumExp, level);
    // O is an average of the O_p by e^(L_p - L), each weight off by 2 level and each O_p by its own bound.
    expectClose(
      "output",
      merged.output,
      whole.output,
      2 * outputBound + 2 * Math.expm1(Math.min(700, 2 * level)) * size,
    );
  },
  bugs: [
    {
      name: "logSumExp without the largest score",
      forward: ({ output, logSumExp }) => ({ output, logSumExp: logSumExp.map((l) => l / 2) }),
    },
  ],
});

function largest(x: ArrayLike<number>): number {
  return Array.from(x).reduce((most, e) => (Number.isFinite(e) ? Math.max(most, Math.abs(e)) : most), 0);
}

property("degree-normalised attention of symmetric kernels is reversible", {
  quick: 30,
  arbitrary: fc.record({
    call: cases({ square: true, ungrouped: true, masks: [], minimum: 1, numericBandwidth: true }),
    a: among([1, 0.5, 0, 2]),
  }),
  async check(backend, { call, a }) {
    const inputs = { ...call.inputs, k: call.inputs.q };
    const plain = { ...call, inputs, options: { ...call.options, degreeNormalization: 0 } };
    const degree = { ...plain, options: { ...plain.options, degreeNormalization: a } };
    // Without the normalisation L is log N_R, and N_C = N_R by symmetry; with it log D_i = L_i - a log N_R,i.
    const { logSumExp: rowSum } = await forward(backend, plain);
    const { logSumExp } = await forward(backend, degree);
    const found = await weights(backend, degree);
    const { bounds } = truthOf(degree, backend.unit);
    const level = bounds.logSumExp + a * truthOf(plain, backend.unit).bounds.logSumExp;
    const { keys: size } = call.inputs;
    // In logarithms, since D spans more than numbers do: log D_i A_ij, and the largest of its terms.
    const flow = Array.from(found, (w, p) => {
      const i = Math.floor(p / size);
      return {
        log: Math.log(w) + logSumExp[i] - a * rowSum[i],
        terms: Math.abs(logSumExp[i]) + a * Math.abs(rowSum[i]),
      };
    });
    for (const [p, { log, terms }] of flow.entries()) {
      const at = Math.floor(p / size / size) * size * size + (p % size) * size + (Math.floor(p / size) % size);
      // Weights that a device cannot hold have no logarithm to compare.
      if (found[p] < 2 ** -100 || found[at] < 2 ** -100) continue;
      // On each side a weight is off by e and both L by their bounds; the sums of the logarithms are rounded here.
      const bound = 2 * (2 * bounds.weights + level) + 2 ** -50 * (terms + flow[at].terms + 100);
      expectClose(`log D_i A_ij [${p}]`, [log], [flow[at].log], bound);
    }
  },
  bugs: [
    { name: "a off by 1e-2", plan: (p) => ({ ...p, degreeNormalization: p.degreeNormalization * 1.01 }) },
    { name: "columns are not normalised", plan: (plan) => ({ ...plan, degreeNormalization: 0 }) },
  ],
});
