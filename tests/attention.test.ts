/** The public face on the reference device: devices, calls, masks, lifecycle. What is computed is judged elsewhere. */

import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { attentionForward } from "../reference/attention.js";
import { createRandom } from "../reference/random.js";
import { rescaledRadius } from "../reference/scale.js";
import { Attention } from "../src/attention.js";
import { createReferenceBackend } from "../src/backends/reference.js";
import {
  type AttentionInputs,
  type AttentionOptions,
  BackendUnavailableError,
  createAttention,
  FractionalAttentionError,
  InvalidArgumentError,
  mergePartials,
  preset,
} from "../src/index.js";
import { makePlan } from "../src/plan.js";
import { inputKinds, randomProblem } from "../src/verify/battery.js";
import { judgeReference } from "../src/verify/judge-reference.js";
import { positionMasked } from "../src/verify/literal.js";
import { slowSteps } from "./slow-steps.js";

const attention = await createAttention({ device: "reference" });
afterEach(() => {
  vi.restoreAllMocks();
});

function inputs(shape: Partial<AttentionInputs> = {}, seed = 1): AttentionInputs<Float64Array> {
  const sizes = { batch: 2, heads: 2, queries: 4, keys: 5, headDim: 3, valueDim: 2, ...shape };
  const random = createRandom(seed);
  const normals = (length: number) => Float64Array.from({ length }, () => random.normal());
  return {
    ...sizes,
    q: normals(sizes.batch * sizes.heads * sizes.queries * sizes.headDim),
    k: normals(sizes.batch * sizes.heads * sizes.keys * sizes.headDim),
    v: normals(sizes.batch * sizes.heads * sizes.keys * sizes.valueDim),
  };
}

describe("createAttention", () => {
  test("says which device is in use and which were not taken", async () => {
    expect(attention.device).toBe("reference");
    expect(attention.rejected).toEqual([]);
    const automatic = await createAttention();
    expect(["reference", "wasm", "webgpu"]).toContain(automatic.device);
    for (const { device, reason } of automatic.rejected) expect(`${device}: ${reason}`).toMatch(/^web|^wasm/);
  });

  test("threads that a given module cannot have are left out, and the reason is said", async () => {
    const wasm = new WebAssembly.Module(readFileSync(new URL("../build/wasm/attention.wasm", import.meta.url)));
    const automatic = await createAttention({ threads: 2, wasm });
    expect(automatic.device).toBe("wasm");
    const reason = "wasm: with threads give bytes, a response or an address, not a module";
    expect(automatic.rejected.at(-1)).toEqual({ device: "wasm", reason });
    automatic.dispose();
  });

  test("a device that cannot answer at once says so, unless it is disposed", () => {
    const { forwardSync: _, ...later } = createReferenceBackend();
    const attention = new Attention(later);
    expect(() => attention.forwardSync(inputs())).toThrow(
      "forwardSync: reference cannot answer without waiting; await forward()",
    );
    attention.dispose();
    expect(() => attention.forwardSync(inputs())).toThrow(/disposed/);
  });

  test("the wasm device answers in float32, and refuses float64 by name", async () => {
    const wasm = await createAttention({ device: "wasm" });
    const call = inputs();
    await expect(wasm.forward(call)).rejects.toThrow(
      /^q: expected a Float32Array of length 48 .*, got Float64Array of length 48$/,
    );
    const narrow = {
      ...call,
      q: Float32Array.from(call.q),
      k: Float32Array.from(call.k),
      v: Float32Array.from(call.v),
    };
    const { output } = await wasm.forward(narrow, { alpha: 1.4 });
    expect(output).toBeInstanceOf(Float32Array);
    const truth = await attention.forward(narrow, { alpha: 1.4 });
    // A few hundred roundings of numbers of order 1.
    output.forEach((o, e) => {
      expect(Math.abs(o - truth.output[e])).toBeLessThan(256 * 2 ** -24);
    });
    wasm.dispose();
    wasm.dispose();
    await expect(wasm.forward(narrow)).rejects.toThrow(/disposed/);
  });

  test("the wasm device refuses a length scale that float32 cannot hold, which the reference can", async () => {
    const wasm = await createAttention({ device: "wasm" });
    const call = { q: Float32Array.of(0, 1), k: Float32Array.of(0.5, 3), v: Float32Array.of(1, 2) };
    const shape = { batch: 1, heads: 1, queries: 2, keys: 2, headDim: 1 };
    const options = { alpha: 2, kappa: 1e-19 };
    expect(() => wasm.forwardSync({ ...call, ...shape }, options)).toThrow(
      /^kappa: expected .* >= 2.77\d*e-17 in float32, got 1e-19$/,
    );
    expect([...attention.forwardSync({ ...call, ...shape }, options).output]).toEqual([1, 1]);
    // Small coordinates with a small scale are fine.
    const small = { ...shape, q: call.q.map((x) => x * 1e-19), k: call.k.map((x) => x * 1e-19), v: call.v };
    const { output } = wasm.forwardSync(small, options);
    const truth = attention.forwardSync(small, options).output;
    output.forEach((o, e) => {
      // Scores of up to 9 and a dozen roundings.
      expect(Math.abs(o - truth[e])).toBeLessThan(128 * 2 ** -24);
    });
    wasm.dispose();
  });

  test("one out may serve forward and backward, each looking at what it produces", async () => {
    const call = inputs();
    const out = { output: new Float64Array(32), dq: new Float64Array(48) };
    const result = await attention.forward(call, { out });
    const { dq } = await attention.backward(call, { out }, { ...result, dOutput: result.output });
    expect([result.output, dq]).toEqual([out.output, out.dq]);
    expect(dq).toBe(out.dq);
  });

  test("refuses an unknown device by name, and one that cannot run with the reason", async () => {
    await expect(createAttention({ device: "tpu" as "wasm" })).rejects.toThrow(
      /^device: expected .*"wasm".*, got "tpu"$/,
    );
    // Whatever this machine has.
    vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => null } });
    await expect(createAttention({ device: "webgpu" })).rejects.toThrow(BackendUnavailableError);
    await expect(createAttention({ device: "webgpu" })).rejects.toThrow(/webgpu: .*no adapter/);
    vi.unstubAllGlobals();
  });
});

describe("the battery", () => {
  test.each(inputKinds)("random problems of kind %s agree with the literal evaluation and with slopes", (kind) => {
    const random = createRandom(2026);
    const backend = createReferenceBackend();
    const tensors = new Map<string, number>();
    for (let c = 0; c < 60; c++) {
      for (const check of judgeReference(backend, randomProblem(random, kind), `${kind} ${c}`, c)) {
        tensors.set(check.tensor, (tensors.get(check.tensor) ?? 0) + 1);
        expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
      }
    }
    // No silent skipping: most problems are within reach of the literal evaluation and have a slope.
    expect(tensors.get("row sums")).toBe(60);
    expect(tensors.get("weights")).toBeGreaterThan(40);
    if (kind !== "duplicates") expect(tensors.get("slope")).toBeGreaterThan(20);
  });
});

describe("calls", () => {
  test("float32 inputs are read as they are, and results are float64", async () => {
    const wide = inputs();
    const narrow = {
      ...wide,
      q: Float32Array.from(wide.q),
      k: Float32Array.from(wide.k),
      v: Float32Array.from(wide.v),
    };
    const rounded = {
      ...wide,
      q: Float64Array.from(narrow.q),
      k: Float64Array.from(narrow.k),
      v: Float64Array.from(narrow.v),
    };
    const result = await attention.forward(narrow);
    expect(result.output).toBeInstanceOf(Float64Array);
    expect(result).toEqual(await attention.forward(rounded));
  });

  test("each head is the attention of that head alone, with its own order and scale", async () => {
    const call = inputs({ heads: 4 });
    const alpha = Float32Array.of(0.5, 1, 1.5, 2);
    const kappa = Float32Array.of(1, 2, 3, 4);
    const { output, logSumExp } = await attention.forward(call, { alpha, kappa });
    for (let s = 0; s < 8; s++) {
      const alone = attentionForward(
        {
          ...call,
          q: call.q.subarray(s * 12, s * 12 + 12),
          k: call.k.subarray(s * 15, s * 15 + 15),
          v: call.v.subarray(s * 10, s * 10 + 10),
        },
        { alpha: alpha[s % 4], kappa: kappa[s % 4] },
      );
      expect(output.subarray(s * 8, s * 8 + 8)).toEqual(alone.output);
      expect(logSumExp.subarray(s * 4, s * 4 + 4)).toEqual(alone.logSumExp);
    }
  });

  test("grouped heads read head floor(h K / H) and add up in its gradients", async () => {
    const call = inputs({ heads: 4 });
    const grouped = { ...call, k: call.k.subarray(0, 2 * 2 * 15), v: call.v.subarray(0, 2 * 2 * 10) };
    const repeat = (x: Float64Array, size: number) =>
      Float64Array.from({ length: 8 * size }, (_, e) => x[Math.floor(e / size / 2) * size + (e % size)]);
    const spread = { ...call, k: repeat(grouped.k, 15), v: repeat(grouped.v, 10) };
    const result = await attention.forward(grouped, { keyHeads: 2 });
    expect(result).toEqual(await attention.forward(spread));
    const dOutput = result.output.map((_, e) => Math.sin(e));
    const together = await attention.backward(grouped, { keyHeads: 2 }, { ...result, dOutput });
    const apart = await attention.backward(spread, {}, { ...result, dOutput });
    expect(together.dq).toEqual(apart.dq);
    for (let e = 0; e < 15; e++) expect(together.dk[e]).toBe(apart.dk[e] + apart.dk[15 + e]);
    expect(together.dAlpha).toEqual(apart.dAlpha);
    expect(together.dAlpha.length).toBe(4);
  });

  test("with and without waiting give the same bits", async () => {
    const call = inputs();
    const result = await attention.forward(call, { causal: true });
    expect(attention.forwardSync(call, { causal: true })).toEqual(result);
    const saved = { ...result, dOutput: result.output.map((o) => o + 1) };
    expect(attention.backwardSync(call, { causal: true }, saved)).toEqual(
      await attention.backward(call, { causal: true }, saved),
    );
    expect(attention.weightsSync(call, { causal: true })).toEqual(await attention.weights(call, { causal: true }));
  });

  test("weights needs no values, and its rows sum to 1", async () => {
    const { v: _, ...call } = inputs();
    const weights = await attention.weights(call, { alpha: 0.7 });
    for (let row = 0; row < weights.length; row += 5) {
      const sum = weights.subarray(row, row + 5).reduce((s, w) => s + w, 0);
      expect(Math.abs(sum - 1)).toBeLessThan(16 * 2 ** -53);
    }
  });

  test.each([{ batch: 0 }, { queries: 0 }, { keys: 0 }])("sizes of 0 are sizes: %o", async (shape) => {
    const call = inputs(shape);
    const { output, logSumExp } = await attention.forward(call, { alpha: 1.5, degreeNormalization: 1 });
    expect(output.every((o) => o === 0)).toBe(true);
    expect(logSumExp.every((l) => l === Number.NEGATIVE_INFINITY)).toBe(true);
    const gradient = await attention.backward(call, {}, { output, logSumExp, dOutput: output });
    expect(gradient.dq.every((g) => g === 0)).toBe(true);
    expect(gradient.dq.length).toBe(call.q.length);
    expect((await attention.weights(call)).length).toBe(call.batch * 2 * call.queries * call.keys);
  });
});

describe("masks", () => {
  const combinations: AttentionOptions[] = [
    { causal: true },
    { window: 1, globalTokens: 1 },
    { excludeSelf: true },
    { keyLengths: Int32Array.of(2, 0) },
    { queryLengths: Int32Array.of(1, 3), causal: true },
    { keyLengths: Int32Array.of(4, 3), queryLengths: Int32Array.of(4, 2), window: 0, causal: true },
    { mask: { data: Uint8Array.from({ length: 20 }, (_, e) => (e % 3) & 1), shape: [1, 1, 4, 5] } },
    { mask: Uint8Array.from({ length: 5 }, (_, e) => e & 1) },
    { mask: { data: Uint8Array.from({ length: 10 }, (_, e) => e % 2), shape: [2, 1, 1, 5] } },
    { mask: { data: Uint8Array.from({ length: 10 }, (_, e) => e % 2), shape: [1, 2, 1, 5] }, causal: true, window: 2 },
    { mask: Uint8Array.from({ length: 80 }, (_, e) => ((e * 7) % 3) & 1), excludeSelf: true },
  ];

  test.each(combinations)("%o: a pair has weight 0 where the plan masks it and only there", async (options) => {
    const call = inputs();
    const weights = await attention.weights(call, options);
    const plan = makePlan(call, options);
    let e = 0;
    for (let b = 0; b < 2; b++)
      for (let h = 0; h < 2; h++)
        for (let i = 0; i < 4; i++)
          for (let j = 0; j < 5; j++)
            expect(weights[e++] === 0, `${b} ${h} ${i} ${j}`).toBe(positionMasked(plan, b, h, i, j));
  });

  test("causal is aligned at the last key, and queryLengths follow keyLengths only when queries = keys", async () => {
    const wide = await attention.weights(inputs({ batch: 1, heads: 1 }), { causal: true });
    expect([...wide.subarray(0, 5)].map((w) => w > 0)).toEqual([true, true, false, false, false]);
    const square = inputs({ batch: 1, heads: 1, queries: 5 });
    const { logSumExp } = await attention.forward(square, { keyLengths: Int32Array.of(3) });
    expect([...logSumExp].map(Number.isFinite)).toEqual([true, true, true, false, false]);
    const cross = await attention.forward(inputs({ batch: 1, heads: 1 }), { keyLengths: Int32Array.of(3) });
    expect([...cross.logSumExp].every(Number.isFinite)).toBe(true);
  });

  test("the distance threshold masks pairs at least that far apart in units of kappa", async () => {
    const call = {
      q: Float64Array.of(0),
      k: Float64Array.of(1, 2, 3),
      batch: 1,
      heads: 1,
      queries: 1,
      keys: 3,
      headDim: 1,
    };
    const weights = await attention.weights(call, { kappa: 2, distanceThreshold: 1 });
    expect([...weights].map((w) => w > 0)).toEqual([true, false, false]);
  });

  test("a masked key may hold anything", async () => {
    const call = inputs({ batch: 1 });
    const options: AttentionOptions = { keyLengths: Int32Array.of(3), degreeNormalization: 1, bandwidth: "median" };
    const spoiled = inputs({ batch: 1 });
    for (let h = 0; h < 2; h++) {
      spoiled.k.fill(Number.NaN, h * 15 + 9, h * 15 + 15);
      spoiled.v.fill(Number.POSITIVE_INFINITY, h * 10 + 6, h * 10 + 10);
    }
    const clean = await attention.forward(call, options);
    expect(await attention.forward(spoiled, options)).toEqual(clean);
    const dOutput = clean.output.map((_, e) => e);
    expect(await attention.backward(spoiled, options, { ...clean, dOutput })).toEqual(
      await attention.backward(call, options, { ...clean, dOutput }),
    );
  });
});

describe("numbers that are not finite", () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "%s spoils the rows that attend to it",
    async (bad) => {
      const call = inputs({ batch: 1, heads: 1, queries: 5 });
      const clean = await attention.forward(call, { causal: true });
      const rows = (x: Float64Array, width: number) =>
        Array.from({ length: 5 }, (_, i) => x.subarray(i * width, (i + 1) * width));
      for (const [name, at, first] of [
        ["q", 6, 2],
        ["k", 6, 2],
        ["v", 4, 2],
      ] as const) {
        const spoiled = { ...call, [name]: call[name].slice() };
        spoiled[name][at] = bad;
        const { output, logSumExp } = await attention.forward(spoiled, { causal: true });
        rows(output, 2).forEach((row, i) => {
          const hit = name === "q" ? i === first : i >= first;
          expect(
            hit ? row.every(Number.isNaN) : row.every((o, c) => o === clean.output[i * 2 + c]),
            `${name} ${i}`,
          ).toBe(true);
          expect(Number.isNaN(logSumExp[i])).toBe(hit && name !== "v");
        });
      }
    },
  );
});

describe("results and lifecycle", () => {
  test("out receives the results, and only a finished call writes to it", async () => {
    const call = inputs();
    const plain = await attention.forward(call);
    const out = { output: new Float64Array(plain.output.length) };
    const result = await attention.forward(call, { out });
    expect(result.output).toBe(out.output);
    expect(result).toEqual(plain);
    const dq = new Float64Array(call.q.length);
    const saved = { ...plain, dOutput: plain.output };
    expect((await attention.backward(call, { out: { dq } }, saved)).dq).toBe(dq);
    const weights = new Float64Array(80);
    expect(await attention.weights(call, { out: { weights } })).toBe(weights);
    expect(await attention.weights(call)).toEqual(weights);

    const untouched = { output: new Float64Array(plain.output.length).fill(7) };
    await expect(attention.forward({ ...call, q: call.q.subarray(1) }, { out: untouched })).rejects.toThrow(
      InvalidArgumentError,
    );
    expect(untouched.output.every((o) => o === 7)).toBe(true);
  });

  test("inputs are read before the promise returns, and overlapping calls each get their own numbers", async () => {
    const call = inputs();
    const expected = await attention.forward(call);
    const pending = attention.forward(call);
    const other = attention.forward({ ...call, q: call.q.map((x) => 2 * x) });
    call.q.fill(0);
    call.k.fill(0);
    call.v.fill(0);
    expect(await pending).toEqual(expected);
    expect((await other).output).not.toEqual(expected.output);
    expect(attention.rejected).toEqual([]);
  });

  test("places are read before the promise returns, and the record of them is then the caller's to change", async () => {
    const call = inputs();
    const expected = await attention.forward(call);
    const place = new Float64Array(expected.output.length);
    const options: AttentionOptions = { out: { output: place } };
    const pending = attention.forward(call, options);
    options.out!.output = new Float64Array(1);
    options.out = { logSumExp: new Float64Array(1) };
    expect((await pending).output).toBe(place);
    expect(await pending).toEqual(expected);
  });

  test("a signal stops a call before and during the work, and the next call is right", async () => {
    const call = inputs();
    const out = { output: new Float64Array(16 * 2).fill(7) };
    await expect(attention.forward(call, { signal: AbortSignal.abort() })).rejects.toThrow(
      expect.objectContaining({ name: "AbortError" }),
    );
    const large = inputs({ batch: 8, heads: 8, queries: 96, keys: 96 });
    const controller = new AbortController();
    slowSteps();
    const stopped = attention.forward(large, { signal: controller.signal });
    const next = attention.forward(call, { out });
    setImmediate(() => controller.abort(new Error("enough")));
    await expect(stopped).rejects.toThrow("enough");
    expect(await next).toEqual(await attention.forward(call));
  });

  test("an aborted signal refuses a call at once, not behind those that wait", async () => {
    const settled: string[] = [];
    const first = attention.forward(inputs()).then(() => settled.push("first"));
    const second = attention.forward(inputs(), { signal: AbortSignal.abort() }).catch(() => settled.push("refused"));
    await Promise.all([first, second]);
    expect(settled).toEqual(["refused", "first"]);
  });

  test("an aborted signal stops a call without waiting before it computes", () => {
    const reason = new Error("enough");
    const options = { signal: AbortSignal.abort(reason) };
    const call = inputs();
    const saved = { ...attention.forwardSync(call), dOutput: new Float64Array(32) };
    const compute = { forwardSync: vi.fn(), backwardSync: vi.fn(), weightsSync: vi.fn() };
    const idle = new Attention({ ...createReferenceBackend(), ...compute });
    expect(() => idle.forwardSync(call, options)).toThrow(reason);
    expect(() => idle.backwardSync(call, options, saved)).toThrow(reason);
    expect(() => idle.weightsSync(call, options)).toThrow(reason);
    for (const call of Object.values(compute)) expect(call).not.toHaveBeenCalled();
  });

  test.each<[string, object, object]>([
    ['inputs: expected one of q, .*, got "valuedim"', { valuedim: 2 }, {}],
    ["queries: expected an integer in \\[0, 2147483647\\], got 2147483648", { queries: 2 ** 31 }, {}],
    ["window: expected an integer in \\[0, 2147483647\\], got 2147483648", {}, { window: 2 ** 31 }],
    ["window: expected an integer of at least 0, got 0.5", {}, { window: 0.5 }],
    [
      "weights: expected an integer in \\[0, 2147483647\\], got 40000000000",
      { batch: 1, heads: 1, queries: 200_000, keys: 200_000 },
      {},
    ],
    ...[new Uint8ClampedArray(20), [true], true, new Uint8Array(3)].map((mask): [string, object, object] => [
      "mask: expected a Uint8Array of shape \\[2 or 1, 2 or 1, 4 or 1, 5\\], or { data, shape }, got ",
      {},
      { mask },
    ]),
    [
      'mask: expected one of data, shape, got "foo"',
      {},
      { mask: { data: new Uint8Array(5), shape: [1, 1, 1, 5], foo: 1 } },
    ],
  ])("%s", async (message, over, options) => {
    await expect(attention.weights({ ...inputs(), ...over }, options)).rejects.toThrow(new RegExp(`^${message}`));
  });

  test.each([0, Float32Array.of(1, 0), 2.1, Float32Array.of(2.1, 1)])("no order is 0 or above 2: %o", async (alpha) => {
    await expect(attention.forward(inputs(), { alpha })).rejects.toThrow(
      /^alpha(\[\d\])?: expected a number in \(0, 2\]/,
    );
  });

  test("dispose is idempotent and refuses later calls", async () => {
    const own = await createAttention({ device: "reference" });
    const waiting = own.forward(inputs());
    own.dispose();
    own.dispose();
    await expect(waiting).rejects.toThrow(FractionalAttentionError);
    await expect(own.forward(inputs())).rejects.toThrow(/disposed/);
    expect(() => own.forwardSync(inputs())).toThrow(/disposed/);
    expect((await attention.forward(inputs())).output.length).toBe(32);
  });

  test("the end of a block with using is a dispose", async () => {
    const outside = await createAttention({ device: "reference" });
    {
      using own = outside;
      expect((await own.forward(inputs())).output.length).toBe(32);
    }
    await expect(outside.forward(inputs())).rejects.toThrow(/disposed/);
  });
});

describe("mergePartials", () => {
  test("halves of the keys combine to the whole, empty ones included", async () => {
    const call = inputs();
    const whole = await attention.forward(call, { alpha: 1.3 });
    const masks = [0, 1, 2].map((part) =>
      Uint8Array.from({ length: 5 }, (_, j) => (part < 2 && j < 2 === (part === 0) ? 0 : 1)),
    );
    const parts = [];
    for (const mask of masks) parts.push(await attention.forward(call, { alpha: 1.3, mask }));
    const merged = mergePartials(parts);
    // Three exponentials and a division on each side: a few ulps of values of order 1.
    for (const name of ["output", "logSumExp"] as const) {
      merged[name].forEach((x, e) => {
        expect(Math.abs(x - whole[name][e])).toBeLessThan(16 * 2 ** -53 * (1 + Math.abs(whole[name][e])));
      });
    }
    expect(mergePartials([parts[2], parts[2]])).toEqual(parts[2]);
    expect(mergePartials([whole])).toEqual(whole);
  });

  test("parts without queries combine to a whole without queries", async () => {
    const none = await attention.forward(inputs({ queries: 0 }));
    expect(mergePartials([none, none])).toEqual({ output: new Float64Array(0), logSumExp: new Float64Array(0) });
  });

  test("outputs that are no rows of the log-sum-exps are refused", () => {
    const part = (rows: number, numbers: number) => ({
      output: new Float64Array(numbers),
      logSumExp: new Float64Array(rows),
    });
    expect(() => mergePartials([part(2, 3)])).toThrow(/^parts\[0\]\.output: expected a multiple of 2 numbers/);
    expect(() => mergePartials([part(0, 3)])).toThrow(/^parts\[0\]\.output: expected a multiple of 0 numbers/);
  });

  test("gradients of the parts under the whole's output add up to the whole's", async () => {
    const call = inputs();
    const whole = await attention.forward(call);
    const saved = { ...whole, dOutput: whole.output.map((_, e) => Math.cos(e)) };
    const expected = await attention.backward(call, {}, saved);
    const halves: (typeof expected)[] = [];
    for (const first of [true, false]) {
      const mask = Uint8Array.from({ length: 5 }, (_, j) => (j < 2 === first ? 0 : 1));
      halves.push(await attention.backward(call, { mask }, saved));
    }
    for (const name of ["dq", "dk", "dv", "dAlpha", "dKappa"] as const) {
      const largest = Math.max(...expected[name].map(Math.abs));
      expected[name].forEach((g, e) => {
        // Sums of five terms in another order.
        expect(Math.abs(halves[0][name][e] + halves[1][name][e] - g)).toBeLessThan(64 * 2 ** -53 * largest);
      });
    }
  });
});

describe("preset", () => {
  test("the paper's is what a call without options does", async () => {
    expect(await attention.forward(inputs(), preset("paper"))).toEqual(await attention.forward(inputs()));
    const sphere = await attention.forward(inputs(), preset("paper", { manifold: "sphere" }));
    expect(sphere).toEqual(await attention.forward(inputs(), { manifold: "sphere" }));
  });

  test("the authors' differ in scale, exponent, diagonal and dimension as their programs do", () => {
    const plan = (options: AttentionOptions) => makePlan(inputs({ headDim: 8 }), options);
    expect(plan(preset("authors-text", { sharedQueryKey: true })).excludeSelf).toBe(true);
    expect(plan(preset("authors-vision", { sharedQueryKey: true })).excludeSelf).toBe(false);
    expect(plan(preset("authors-vision")).kappa[0]).toBe(8);
    expect(plan({ ...preset("authors-translation"), alpha: 2 }).kappa[0]).toBe(Math.sqrt(8));
    expect(plan(preset("authors-translation")).bandwidthExponent).toBe("1/2");
    expect(plan(preset("authors-text", { manifold: "sphere", headDim: 8, heads: 1 })).intrinsicDim).toBe(7);
    expect(plan(preset("authors-text", { manifold: "sphere", headDim: 8, heads: 2 })).intrinsicDim).toBe(8);
    const vision = plan(preset("authors-vision", { manifold: "sphere", headDim: 8 }));
    expect([vision.intrinsicDim, vision.radius[0]]).toEqual([8, rescaledRadius(7)]);
    expect(() => preset("authors-translation", { manifold: "sphere" })).toThrow(/^context.manifold: /);
    expect(() => preset("authors-vision", { manifold: "sphere" })).toThrow(/^context.headDim: /);
  });
});
