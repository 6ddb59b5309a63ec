/** The webgpu device's life: whose the GPU is, its loss, its buffers, its limits, its errors. */

import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { createRandom } from "../reference/random.js";
import { Attention } from "../src/attention.js";
import { describeAdapter, requestDevice } from "../src/backends/webgpu/adapter.js";
import { createWebgpuBackend } from "../src/backends/webgpu/index.js";
import { packMask } from "../src/backends/webgpu/mask.js";
import { createAttention } from "../src/create.js";
import { DeviceLostError, InvalidArgumentError } from "../src/errors.js";
import { makePlan } from "../src/plan.js";
import type { AttentionInputs, AttentionOptions } from "../src/types.js";
import { createAttention as createWebgpu } from "../src/webgpu.js";
import { Held } from "./held.js";
import { openForTests, patience } from "./webgpu/open.js";

const backend = await openForTests();
const device = backend && new Attention<Float32Array>(backend);
afterAll(() => device?.dispose());

function inputsOf(shape: Partial<AttentionInputs>, seed = 1): AttentionInputs<Float32Array> {
  const { batch = 1, heads = 1, queries = 20, keys = queries, headDim = 4, valueDim = headDim } = shape;
  const random = createRandom(seed);
  const normals = (length: number) => Float32Array.from({ length }, () => random.normal());
  const [rows, columns] = [batch * heads * queries, batch * heads * keys];
  const [q, k, v] = [normals(rows * headDim), normals(columns * headDim), normals(columns * valueDim)];
  return { batch, heads, queries, keys, headDim, valueDim, q, k, v };
}

/** The device with other limits or methods: what is not given is the device's own. */
function altered(own: GPUDevice, changes: Partial<Record<keyof GPUDevice, unknown>>): GPUDevice {
  return new Proxy(own, {
    get(target, name) {
      if (name in changes) return changes[name as keyof GPUDevice];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function withLimits(own: GPUDevice, limits: Partial<GPUSupportedLimits>): GPUSupportedLimits {
  return new Proxy(own.limits, {
    get: (target, name) =>
      name in limits ? limits[name as keyof GPUSupportedLimits] : Reflect.get(target, name, target),
  });
}

async function everything(attention: Attention<Float32Array>, inputs: AttentionInputs, options: AttentionOptions) {
  const result = await attention.forward(inputs, options);
  const gradient = await attention.backward(inputs, options, { ...result, dOutput: result.output });
  return { ...result, ...gradient, weights: await attention.weights(inputs, options) };
}

describe.runIf(backend)("whose the GPU is", { timeout: patience }, () => {
  test("the caller's device survives dispose, and serves two instances at once", async () => {
    const inputs = inputsOf({});
    const own = (await requestDevice()).device;
    const first = (await createAttention({ device: "webgpu", gpu: { device: own } })) as Attention<Float32Array>;
    const second = await createWebgpu({ gpu: { device: own } });
    const [a, b] = await Promise.all([first.forward(inputs), second.forward(inputs)]);
    expect(a).toEqual(b);
    first.dispose();
    first.dispose();
    await expect(first.forward(inputs)).rejects.toThrow(/disposed/);
    expect(await second.forward(inputs)).toEqual(a);
    second.dispose();
    own.createBuffer({ size: 16, usage: 8 }).destroy();
    expect(await Promise.race([own.lost, "alive"])).toBe("alive");
    own.destroy();
  });

  test("a device of our own ends with dispose", async () => {
    const own = await createWebgpuBackend();
    own.dispose();
    expect((await own.gpu.device.lost).reason).toBe("destroyed");
  });

  test.each(["own", "given"])(
    "a call that dispose cuts off says that it was, on a device that is %s",
    async (owner) => {
      const device = owner === "given" ? (await requestDevice()).device : undefined;
      const attention = await createWebgpu(device && { gpu: { device } });
      const { queue } = attention.gpu!.device;
      const submit = queue.submit.bind(queue);
      queue.submit = (commands) => {
        queue.submit = submit;
        attention.dispose();
        return submit(commands);
      };
      await expect(attention.forward(inputsOf({}))).rejects.toThrow(/disposed/);
      device?.destroy();
    },
  );

  test("a call that dispose cuts off leaves no buffer on a device that is given", async () => {
    const { device } = await requestDevice();
    const held = new Held();
    held.watchGpu(device, false);
    try {
      const attention = await createWebgpu({ gpu: { device } });
      const createShaderModule = device.createShaderModule.bind(device);
      // While its passes compile, after which it needs buffers.
      device.createShaderModule = (descriptor) => {
        attention.dispose();
        return createShaderModule(descriptor);
      };
      await expect(attention.forward(inputsOf({}))).rejects.toThrow(/disposed/);
      await held.expectBytes(0);
    } finally {
      await held.stop();
      device.destroy();
    }
  });

  test("results are the caller's alone: the device does not hold them", async () => {
    const held = new Held();
    try {
      held.watchArrays({ weights: await device!.weights(inputsOf({})) });
      await held.expectBytes(0);
    } finally {
      await held.stop();
    }
  });

  test("auto leaves a CPU adapter alone and says why, unless it is given", async () => {
    const attention = await createAttention();
    if (backend!.gpu.isSoftware) {
      expect(attention.device).toBe("wasm");
      expect(attention.rejected[0]).toMatchObject({ device: "webgpu", reason: expect.stringMatching(/is a CPU/) });
    } else expect(attention.device).toBe("webgpu");
    attention.dispose();
    const given = await createAttention({ gpu: { device: backend!.gpu.device } });
    expect(given.device).toBe("webgpu");
    given.dispose();
  });

  test("something else than a device is refused by name", async () => {
    await expect(createWebgpu({ gpu: { device: {} as GPUDevice } })).rejects.toThrow(InvalidArgumentError);
    await expect(createAttention({ gpu: {} as { device: GPUDevice } })).rejects.toThrow(/^gpu\.device: .*GPUDevice/);
  });
});

describe.runIf(backend)("endings", { timeout: patience }, () => {
  test("a loss during a call is a typed error, and recreate goes on", async () => {
    const inputs = inputsOf({ queries: 300 });
    const own = await createWebgpuBackend();
    const attention = new Attention<Float32Array>(own);
    const before = await attention.forward(inputs);
    const during = attention.forward(inputs);
    // After the call has begun, which is not before the next turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
    own.gpu.device.destroy();
    await expect(during).rejects.toThrow(DeviceLostError);
    await expect(attention.weights(inputs)).rejects.toThrow(DeviceLostError);
    await attention.recreate();
    expect(await attention.forward(inputs)).toEqual(before);
    attention.dispose();
    const reference = await createAttention({ device: "reference" });
    await expect(reference.recreate()).rejects.toThrow(/not a device that can be lost/);
  });

  test("a signal stops a call between its passes, and the next call is right", async () => {
    const inputs = inputsOf({});
    const expected = await device!.forward(inputs);
    const controller = new AbortController();
    const reason = new Error("enough");
    const stopped = device!.forward(inputs, { signal: controller.signal });
    controller.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    expect(await device!.forward(inputs)).toEqual(expected);
  });

  test("a pass that does not compile is named, and compiled again by the next call", async () => {
    const { device: own } = await requestDevice();
    let isBroken = true;
    const createShaderModule = (descriptor: GPUShaderModuleDescriptor) =>
      own.createShaderModule(
        isBroken && descriptor.label?.endsWith(" packKeys") ? { ...descriptor, code: "nonsense" } : descriptor,
      );
    const attention = await createWebgpu({ gpu: { device: altered(own, { createShaderModule }) } });
    const inputs = inputsOf({});
    await expect(attention.forward(inputs)).rejects.toThrow(/^webgpu: packKeys does not compile here: /);
    isBroken = false;
    expect(await attention.forward(inputs)).toEqual(await device!.forward(inputs));
    attention.dispose();
    own.destroy();
  });

  test("a disposed backend refuses", async () => {
    const own = await createWebgpuBackend();
    own.dispose();
    const inputs = inputsOf({});
    await expect(own.forward(makePlan(inputs, {}), inputs)).rejects.toThrow(/disposed/);
  });

  test("a bandwidth of more pairs than can be counted is refused", async () => {
    const inputs = inputsOf({ queries: 2 ** 16, headDim: 1 });
    await expect(device!.forward(inputs, { bandwidth: "median" })).rejects.toThrow(/at most 2\^32 pairs of a head/);
  });

  test("an error of the GPU carries the name of its pass", async () => {
    const { device: own } = await requestDevice();
    const createBindGroup = (descriptor: GPUBindGroupDescriptor) =>
      own.createBindGroup(
        descriptor.label === "packKeys" ? { ...descriptor, entries: [...descriptor.entries].slice(1) } : descriptor,
      );
    const broken = await createWebgpu({ gpu: { device: altered(own, { createBindGroup }) } });
    await expect(broken.forward(inputsOf({}))).rejects.toThrow(/^webgpu: packKeys: /);
    broken.dispose();
    own.destroy();
  });
});

describe.runIf(backend)("memory and limits", { timeout: patience }, () => {
  test("a thousand calls need no more buffers than twenty, and dispose frees them", async () => {
    const own = await createWebgpuBackend();
    const attention = new Attention<Float32Array>(own);
    const shapes = [inputsOf({}), inputsOf({ queries: 7 }), inputsOf({ queries: 33, keys: 5 })];
    const counts: number[] = [];
    for (let call = 0; call < 1000; call++) {
      await attention.forward(shapes[call % 3]);
      counts.push(own.bufferCount);
    }
    expect(Math.max(...counts.slice(20))).toBe(Math.max(...counts.slice(0, 20)));
    expect(attention.memoryBytes).toBeLessThan(200_000);
    attention.dispose();
    expect(own.bufferCount).toBe(0);
  });

  test("what one large call needed is freed when calls no longer need it", async () => {
    await device!.weights(inputsOf({ queries: 600 }));
    const large = backend!.memoryBytes;
    expect(large).toBeGreaterThan(4 * 600 * 600);
    for (let call = 0; call < 20; call++) await device!.weights(inputsOf({}));
    expect(backend!.memoryBytes).toBeLessThan(large / 4);
  });

  const options: AttentionOptions[] = [
    { alpha: Float32Array.of(1.2, 2, 1.5, 1), keyHeads: 2, degreeNormalization: 1, causal: true },
    {
      bandwidth: "median",
      keyLengths: Int32Array.of(30, 45, 0),
      mask: {
        data: Uint8Array.from({ length: 3 * 4 * 45 * 45 }, (_, i) => Number(i % 5 === 0)),
        shape: [3, 4, 45, 45],
      },
    },
  ];

  test.each(options)("a device of small bindings gives the same bits: case %#", async (given) => {
    const { keyHeads = 4 } = given;
    const full = inputsOf({ batch: 3, heads: 4, queries: 45, headDim: 6, valueDim: 5 }, 4);
    const inputs = { ...full, k: full.k.slice(0, 3 * keyHeads * 45 * 6), v: full.v.slice(0, 3 * keyHeads * 45 * 5) };
    const expected = await everything(device!, inputs, given);
    const own = backend!.gpu.device;
    // Room for one key head of this call with two query heads and 32 rows of their weights, and little more.
    const most = 12_288;
    let largest = 0;
    const createBindGroup = (descriptor: GPUBindGroupDescriptor) => {
      for (const { binding, resource } of descriptor.entries) {
        // The first two are uniforms.
        if (binding >= 2) largest = Math.max(largest, (resource as GPUBufferBinding).size!);
      }
      return own.createBindGroup(descriptor);
    };
    const limits = withLimits(own, { maxStorageBufferBindingSize: most });
    const starved = await createWebgpu({ gpu: { device: altered(own, { limits, createBindGroup }) } });
    expect(await everything(starved, inputs, given)).toEqual(expected);
    expect(largest).toBeGreaterThan(most / 4);
    expect(largest).toBeLessThanOrEqual(most);
    await expect(starved.forward(inputsOf({ queries: 400 }))).rejects.toThrow(/one key head .* this device has 12288/);
    starved.dispose();
  });

  test("few workgroups along an axis are made up for by more dispatches", async () => {
    const inputs = inputsOf({ queries: 150 });
    const expected = await everything(device!, inputs, {});
    const own = backend!.gpu.device;
    const limits = withLimits(own, { maxComputeWorkgroupsPerDimension: 2 });
    const starved = await createWebgpu({ gpu: { device: altered(own, { limits }) } });
    expect(await everything(starved, inputs, {})).toEqual(expected);
    starved.dispose();
  });
});

describe("without a GPU", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test("software adapters are known by what they say of themselves", () => {
    const info = (fields: Partial<GPUAdapterInfo>) => describeAdapter(fields as GPUAdapterInfo);
    expect(info({ vendor: "google", architecture: "swiftshader" }).isSoftware).toBe(true);
    expect(info({ vendor: "mesa", description: "llvmpipe (LLVM 19.1.7, 256 bits)" }).isSoftware).toBe(true);
    expect(info({ description: "Microsoft Basic Render Driver" }).isSoftware).toBe(true);
    expect(info({ isFallbackAdapter: true }).isSoftware).toBe(true);
    expect(info({ vendor: "nvidia", architecture: "hopper" })).toEqual({ adapter: "nvidia hopper", isSoftware: false });
    expect(info({})).toEqual({ adapter: "unnamed adapter", isSoftware: false });
  });

  test("no adapter, and an adapter without a device, are reported", async () => {
    vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => null } });
    await expect(createWebgpu()).rejects.toThrow(/offers no adapter/);
    const requestAdapter = async () => ({
      info: { vendor: "acme" },
      requestDevice: async () => {
        throw new Error("busy");
      },
    });
    vi.stubGlobal("navigator", { gpu: { requestAdapter } });
    await expect(createWebgpu()).rejects.toThrow(/acme gives no device: busy/);
  });

  test("a mask is packed into bits with a summary of its blocks", () => {
    const data = new Uint8Array(40 * 70);
    for (let i = 0; i < 40; i++) {
      for (let j = 0; j < 70; j++) data[i * 70 + j] = Number((i < 32 && j < 32) || (j >= 64 && i === 35));
    }
    const shape = { batch: 1, heads: 2, queries: 40, keys: 70, headDim: 1 };
    const packed = packMask(makePlan(shape, { mask: { data, shape: [1, 1, 40, 70] } }), 0, 2)!;
    expect(packed).toMatchObject({ offsets: [0, 0], row: 3, blocks: 120, blockRow: 3 });
    expect([...packed.words.subarray(120)]).toEqual([0, 2, 2, 2, 2, 1]);
    expect([...packed.words.subarray(0, 3)]).toEqual([0xffffffff, 0, 0]);
    expect([...packed.words.subarray(105, 108)]).toEqual([0, 0, 0b111111]);
  });
});
