/** The wasm device apart from its numbers: memory, endings, where its module comes from, the relaxed build, threads. */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { createRandom } from "../reference/random.js";
import { Attention } from "../src/attention.js";
import { Arena } from "../src/backends/wasm/arena.js";
import { createWasmBackend } from "../src/backends/wasm/index.js";
import { type Engine, instantiate } from "../src/backends/wasm/module.js";
import { isBetter } from "../src/backends/wasm/relaxed.js";
import { finish } from "../src/backends/wasm/run.js";
import { backwardSteps, forwardSteps, weightsSteps } from "../src/backends/wasm/steps.js";
import { makePlan } from "../src/plan.js";
import type { AttentionOptions } from "../src/types.js";
import { inputKinds, randomProblem } from "../src/verify/battery.js";
import { judgeFloat32 } from "../src/verify/judge-float32.js";
import { difference, inputsOf, normals } from "./float32-inputs.js";
import { Held } from "./held.js";
import { slowSteps } from "./slow-steps.js";

const u = 2 ** -24;
const wasm = await createWasmBackend();
const device = new Attention<Float32Array>(wasm);
const threaded = await createWasmBackend({ threads: 2 });
afterAll(() => {
  threaded.dispose();
  device.dispose();
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("memory", () => {
  test("results do not alias it, and it neither grows nor remembers over calls of varying shapes", async () => {
    const backend = await createWasmBackend();
    const own = new Attention<Float32Array>(backend);
    const random = createRandom(11);
    const first = inputsOf({ queries: 50, headDim: 4 });
    const expected = own.forwardSync(first, { window: 4 });
    const kept = expected.output.slice();
    const problems = Array.from({ length: 40 }, () => randomProblem(random, "normal", true, 60));
    const run = () => {
      for (const { inputs, options, dOutput } of problems) {
        const narrow = {
          ...inputs,
          q: Float32Array.from(inputs.q),
          k: Float32Array.from(inputs.k),
          v: Float32Array.from(inputs.v),
        };
        const result = own.forwardSync(narrow, options);
        own.backwardSync(narrow, options, { ...result, dOutput: Float32Array.from(dOutput) });
      }
    };
    run();
    const size = backend.memoryBytes;
    for (let round = 0; round < 5; round++) run();
    expect(backend.memoryBytes).toBe(size);
    expect(expected.output).toEqual(kept);
    expect(own.forwardSync(first, { window: 4 })).toEqual(expected);
  });

  test("guard bytes between its buffers stay untouched", () => {
    const guard = 64;
    const guards: number[] = [];
    class Guarded extends Arena {
      override reset(): void {
        super.reset();
        guards.length = 0;
      }
      override take(bytes: number): number {
        // A buffer ends where the multiple of 64 does that holds it; the scratch of the kernels is one buffer here.
        const address = super.take(Math.ceil(bytes / 64) * 64 + guard);
        const at = address + Math.ceil(bytes / 64) * 64;
        new Uint8Array(this.memory.buffer, at, guard).fill(0xa5);
        guards.push(at);
        return address;
      }
    }
    const module = new WebAssembly.Module(readFileSync(new URL("../build/wasm/attention.wasm", import.meta.url)));
    const engine = instantiate(module, new WebAssembly.Memory({ initial: 1, maximum: 65536 }));
    const random = createRandom(31);
    for (let c = 0; c < 60; c++) {
      const { inputs, options, dOutput } = randomProblem(random, inputKinds[c % inputKinds.length], true, 140);
      const plan = makePlan(inputs, options);
      const [q, k, v] = [inputs.q, inputs.k, inputs.v].map((x) => Float32Array.from(x));
      const arena = new Guarded(engine.memory);
      const intact = () =>
        guards.length > 0 &&
        guards.every((at) => new Uint8Array(engine.memory.buffer, at, guard).every((b) => b === 0xa5));
      const forward = finish(forwardSteps(engine, plan, { q, k, v }, arena));
      expect(intact(), `forward ${c}`).toBe(true);
      finish(backwardSteps(engine, plan, { q, k, v }, { ...forward, dOutput: Float32Array.from(dOutput) }, arena));
      expect(intact(), `backward ${c}`).toBe(true);
      finish(weightsSteps(engine, plan, { q, k }, arena));
      expect(intact(), `weights ${c}`).toBe(true);
    }
  });

  test("a call that needs more than there is says so", () => {
    const plan = makePlan({ batch: 1, heads: 1, queries: 1, keys: 1, headDim: 1 }, {});
    const huge = { ...plan, queries: 2 ** 30, valueDim: 8 };
    const one = new Float32Array(1);
    expect(() => wasm.forwardSync(huge, { q: one, k: one, v: one })).toThrow(/more than there is/);
  });
});

describe("endings", () => {
  test("a signal stops a call between its steps", async () => {
    const inputs = inputsOf({ heads: 8, queries: 512 });
    const controller = new AbortController();
    const reason = new Error("enough");
    slowSteps();
    const result = device.forward(inputs, { signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await expect(result).rejects.toBe(reason);
  });

  test("a call without waiting may come between the steps of one that waits", async () => {
    const inputs = inputsOf({ heads: 4, queries: 512, headDim: 32 });
    const small = inputsOf({ queries: 20 });
    const expected = [device.forwardSync(inputs), device.forwardSync(small)];
    slowSteps();
    const later = device.forward(inputs, { signal: new AbortController().signal });
    await new Promise((resolve) => setImmediate(resolve));
    expect(device.forwardSync(small)).toEqual(expected[1]);
    expect(await later).toEqual(expected[0]);
  });

  test("a disposed device refuses", async () => {
    const backend = await createWasmBackend();
    backend.dispose();
    backend.dispose();
    const plan = makePlan({ batch: 1, heads: 1, queries: 1, keys: 1, headDim: 1 }, {});
    const one = new Float32Array(1);
    expect(() => backend.forwardSync(plan, { q: one, k: one, v: one })).toThrow(/disposed/);
  });
});

describe("where the module comes from", () => {
  const file = new URL("../build/wasm/attention.wasm", import.meta.url);
  const sources: [string, () => WebAssembly.Module | Uint8Array<ArrayBuffer> | Response | URL | string][] = [
    ["a module", () => new WebAssembly.Module(readFileSync(file))],
    ["bytes", () => new Uint8Array(readFileSync(file))],
    ["a response", () => new Response(readFileSync(file))],
    ["a file address", () => file],
    ["a data address", () => `data:application/wasm;base64,${readFileSync(file).toString("base64")}`],
  ];
  const inputs = inputsOf({ queries: 9 });
  test.each(sources)("%s", async (_, source) => {
    const given = new Attention(await createWasmBackend({ wasm: source() }));
    expect(given.forwardSync(inputs)).toEqual(device.forwardSync(inputs));
  });

  test("what is no module is refused by a typed error", async () => {
    await expect(createWasmBackend({ wasm: Uint8Array.of(1, 2, 3) })).rejects.toThrow(/cannot run here/);
    await expect(createWasmBackend({ wasm: new Response("", { status: 404 }) })).rejects.toThrow(/404/);
  });

  test("each module is at most 32 kB", () => {
    for (const name of ["attention.wasm", "attention.relaxed.wasm"]) {
      expect(readFileSync(new URL(`../build/wasm/${name}`, import.meta.url)).length).toBeLessThanOrEqual(32_000);
    }
  });
});

describe("the relaxed build", () => {
  test("is taken only where it runs, is right and is faster, and then is within the same bounds", async () => {
    const backend = await createWasmBackend({ relaxed: true });
    const bytes = await readFile(new URL("../build/wasm/attention.relaxed.wasm", import.meta.url));
    if (!WebAssembly.validate(bytes)) {
      expect(backend.build).toBe("plain");
      expect(backend.forwardSync(makePlan(inputsOf({}), {}), inputsOf({}))).toEqual(device.forwardSync(inputsOf({})));
      return;
    }
    expect(["plain", "relaxed"]).toContain(backend.build);
    const relaxed = new Attention(await createWasmBackend({ wasm: bytes }));
    const random = createRandom(77);
    for (let c = 0; c < 60; c++) {
      const problem = randomProblem(random, inputKinds[c % inputKinds.length], true, 80);
      for (const check of await judgeFloat32(relaxed, problem, `relaxed ${c}`)) {
        expect(check.error, `${check.case} ${check.tensor}`).toBeLessThanOrEqual(check.bound);
      }
    }
  });

  test("is probed against the plain build, and not taken where it is the same", async () => {
    // An engine without relaxed SIMD cannot run it: the plain build stands in for it.
    vi.resetModules();
    vi.doMock("../src/generated/attention-relaxed-wasm.js", () => import("../src/generated/attention-wasm.js"));
    const { createWasmBackend: createAnew } = await import("../src/backends/wasm/index.js");
    const backend = await createAnew({ relaxed: true });
    vi.doUnmock("../src/generated/attention-relaxed-wasm.js");
    expect(backend.build).toBe("plain");
  });

  test("a build that is wrong, or no faster, is not taken", async () => {
    const open = (bytes: Uint8Array<ArrayBuffer>) =>
      instantiate(new WebAssembly.Module(bytes), new WebAssembly.Memory({ initial: 1, maximum: 65536 }));
    const bytes = new Uint8Array(readFileSync(new URL("../build/wasm/attention.wasm", import.meta.url)));
    const plain = open(bytes);
    const doubling: Engine = {
      ...plain,
      kernels: {
        ...plain.kernels,
        forward_unit(b, h, from, to) {
          plain.kernels.forward_unit(b, h, from, to);
          new Float32Array(plain.memory.buffer).forEach((x, e, all) => {
            all[e] = 2 * x;
          });
        },
      },
    };
    expect(isBetter(plain, doubling)).toBe(false);
    const slow: Engine = {
      ...plain,
      kernels: {
        ...plain.kernels,
        forward_unit(b, h, from, to) {
          for (let n = 0; n < 2; n++) plain.kernels.forward_unit(b, h, from, to);
        },
      },
    };
    expect(isBetter(plain, slow)).toBe(false);
    expect(isBetter(slow, plain)).toBe(true);
  });
});

describe("threads", () => {
  const variants: AttentionOptions[] = [
    {},
    { causal: true, alpha: 2 },
    { manifold: "sphere", degreeNormalization: 0.5 },
    { bandwidth: "median" },
  ];
  test.each(variants)("forward has the bits of one thread, gradients those of the run before: %o", async (options) => {
    const many = new Attention<Float32Array>(threaded);
    for (const shape of [
      { batch: 2, heads: 3, queries: 70, headDim: 8 },
      { queries: 300, headDim: 5, valueDim: 2 },
    ]) {
      const inputs = inputsOf(shape, 21);
      const expected = device.forwardSync(inputs, options);
      const found = await many.forward(inputs, options);
      expect(found).toEqual(expected);
      const saved = { ...expected, dOutput: normals(expected.output.length, 2) };
      const gradient = await many.backward(inputs, options, saved);
      expect(await many.backward(inputs, options, saved)).toEqual(gradient);
      const one = device.backwardSync(inputs, options, saved);
      expect(gradient.dq).toEqual(one.dq);
      for (const name of ["dk", "dv"] as const) {
        // Two partial sums in place of one: the order of at most 300 additions.
        const size = one[name].reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        expect(difference(gradient[name], one[name])).toBeLessThan(300 * u * size);
      }
    }
  });

  test("tensors are read before the promise returns, by a call that starts at once and by one that waits", async () => {
    const many = new Attention<Float32Array>(threaded);
    const options: AttentionOptions = { bandwidth: "median", degreeNormalization: 1 };
    const fresh = () => inputsOf({ heads: 3, queries: 70 }, 5);
    const { output, logSumExp } = device.forwardSync(fresh(), options);
    const dOutput = normals(output.length, 9);
    const gradient = await many.backward(fresh(), options, { output, logSumExp, dOutput });
    const weights = device.weightsSync(fresh(), options);
    for (const isWaiting of [false, true]) {
      const changed: Float32Array[] = [];
      const own = (array: Float32Array) => {
        changed.push(array.slice());
        return changed[changed.length - 1];
      };
      const call = () => {
        const { q, k, v, ...shape } = fresh();
        return { ...shape, q: own(q as Float32Array), k: own(k as Float32Array), v: own(v as Float32Array) };
      };
      const saved = () => ({ output: own(output), logSumExp: own(logSumExp), dOutput: own(dOutput) });
      for (const [start, expected] of [
        [() => many.forward(call(), options), { output, logSumExp }],
        [() => many.backward(call(), options, saved()), gradient],
        [() => many.weights(call(), options), weights],
      ] as const) {
        const first = isWaiting ? many.forward(fresh(), options) : undefined;
        const result = start();
        for (const tensor of changed) tensor.fill(Number.NaN);
        expect(await result).toEqual(expected);
        await first;
      }
    }
  });

  test("a signal stops the workers, and the next call is served", async () => {
    const many = new Attention<Float32Array>(threaded);
    const inputs = inputsOf({ heads: 8, queries: 1024, headDim: 32 });
    const controller = new AbortController();
    const result = many.forward(inputs, { signal: controller.signal });
    setImmediate(() => controller.abort());
    await expect(result).rejects.toThrow(/abort/i);
    const small = inputsOf({ queries: 40 });
    expect(await many.forward(small)).toEqual(device.forwardSync(small));
  });

  test("disposal ends a call under way", async () => {
    const backend = await createWasmBackend({ threads: 2 });
    const inputs = inputsOf({ heads: 8, queries: 1024, headDim: 32 });
    const result = backend.forward(makePlan(inputs, {}), inputs);
    backend.dispose();
    await expect(result).rejects.toThrow(/disposed/);
  });

  test("a disposed device lets go of its memory, also while there is a reference to the device", async () => {
    const held = new Held();
    try {
      const backend = await createWasmBackend({ threads: 2 });
      await held.expectBytes(backend.memoryBytes);
      backend.dispose();
      // Workers hold it until they have ended.
      await held.expectWorkers(0);
      await held.expectBytes(0);
      expect(backend.memoryBytes).toBe(0);
    } finally {
      await held.stop();
    }
  });

  test("a process that forgot to dispose of them still ends", async () => {
    const directory = await mkdtemp(join(tmpdir(), "wasm-threads-"));
    const outfile = join(directory, "device.mjs");
    const entryPoint = fileURLToPath(new URL("../src/backends/wasm/index.ts", import.meta.url));
    await build({ entryPoints: [entryPoint], bundle: true, format: "esm", platform: "neutral", outfile });
    const program = `
      import { createWasmBackend } from ${JSON.stringify(pathToFileURL(outfile).href)};
      const plan = ${JSON.stringify({ ...makePlan(inputsOf({}), {}), alpha: 0, kappa: 0, radius: 0, keyLengths: 0, queryLengths: 0 })};
      Object.assign(plan, { alpha: [1.2], kappa: [1], radius: [1], distanceThreshold: Infinity });
      Object.assign(plan, { keyLengths: Int32Array.of(40), queryLengths: Int32Array.of(40) });
      const x = new Float32Array(320).fill(1);
      const backend = await createWasmBackend({ threads: 2 });
      const { output } = await backend.forward(plan, { q: x, k: x, v: x });
      console.log(output[319], backend.threads);
    `;
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { timeout: 20_000 });
    expect((await run).stdout).toBe("1 2\n");
    await rm(directory, { recursive: true });
  });

  test("of a device serve one call at a time, for whoever calls it past the queue of the public face", async () => {
    const inputs = inputsOf({ heads: 4, queries: 70 });
    const plan = makePlan(inputs, {});
    const [first, second] = [threaded.forward(plan, inputs), threaded.forward(plan, inputs)];
    await expect(second).rejects.toThrow(/calls on threads must wait for each other/);
    expect(await first).toEqual(device.forwardSync(inputs));
  });

  test("a module without a memory to share is refused", async () => {
    const none = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    await expect(createWasmBackend({ threads: 2, wasm: none })).rejects.toThrow(/does not import one memory/);
  });

  test("without shared memory they are refused by a typed error", async () => {
    const { SharedArrayBuffer: kept } = globalThis;
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    try {
      await expect(createWasmBackend({ threads: 2 })).rejects.toMatchObject({ name: "BackendUnavailableError" });
    } finally {
      globalThis.SharedArrayBuffer = kept;
    }
  });

  test("a compiled module cannot be shared, which is said", async () => {
    const module = new WebAssembly.Module(readFileSync(new URL("../build/wasm/attention.wasm", import.meta.url)));
    await expect(createWasmBackend({ threads: 2, wasm: module })).rejects.toThrow(/bytes/);
  });
});
