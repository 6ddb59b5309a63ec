/**
 * Tensors that stay on the GPU: the same bits as with arrays, wherever inputs lie and results go; work of other code before and
 * after a call; and what is refused, by name.
 */

import { afterAll, describe, expect, test } from "vitest";
import { createRandom } from "../reference/random.js";
import { Attention } from "../src/attention.js";
import { requestDevice } from "../src/backends/webgpu/adapter.js";
import { createAttention, InvalidArgumentError } from "../src/index.js";
import type {
  AttentionInputs,
  AttentionOptions,
  BackwardInputs,
  GpuAttentionOptions,
  GpuTensor,
  Tensor,
} from "../src/types.js";
import { createAttention as createWebgpu } from "../src/webgpu.js";
import { openForTests, patience } from "./webgpu/open.js";

const backend = await openForTests();
const device = (backend && new Attention<Float32Array>(backend)) as Attention<Float32Array>;
afterAll(() => device?.dispose());

/** GPUBufferUsage and GPUMapMode, which Node has no globals for. */
const [MAP_READ, COPY_SRC, COPY_DST, STORAGE] = [1, 4, 8, 128];

function normals(length: number, seed: number): Float32Array<ArrayBuffer> {
  const random = createRandom(seed);
  return Float32Array.from({ length }, () => random.normal());
}

/** B = 2, H = 4 over K = 2, N = 25, M = 33, D = 5, V = 3: nothing is a multiple of anything. */
const sizes = { batch: 2, heads: 4, queries: 25, keys: 33, headDim: 5, valueDim: 3 };
const options: AttentionOptions = {
  keyHeads: 2,
  causal: true,
  bandwidth: 1.5,
  alpha: Float32Array.of(1.2, 2, 0.7, 1.5),
};
const arrays = { q: normals(1000, 1), k: normals(660, 2), v: normals(396, 3), dOutput: normals(600, 4) };
const inputs: AttentionInputs<Float32Array> = { ...sizes, q: arrays.q, k: arrays.k, v: arrays.v };

const made: GPUBuffer[] = [];
afterAll(() => {
  for (const buffer of made) buffer.destroy();
});

function makeBuffer(size: number, usage: number, gpu = device.gpu!.device): GPUBuffer {
  const buffer = gpu.createBuffer({ size, usage });
  made.push(buffer);
  return buffer;
}

/** A tensor from byte `offset` on, before which stands what must not be read. */
function upload(data: Float32Array, offset = 0): GpuTensor {
  const buffer = makeBuffer(offset + data.byteLength, STORAGE | COPY_DST);
  const { queue } = device.gpu!.device;
  queue.writeBuffer(buffer, 0, new Float32Array(offset / 4).fill(Number.NaN));
  queue.writeBuffer(buffer, offset, data as Float32Array<ArrayBuffer>);
  return offset === 0 ? { buffer } : { buffer, offset };
}

async function download({ buffer, offset = 0 }: GpuTensor, length: number): Promise<Float32Array> {
  const gpu = device.gpu!.device;
  const reader = makeBuffer(4 * length, MAP_READ | COPY_DST);
  const encoder = gpu.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, offset, reader, 0, 4 * length);
  gpu.queue.submit([encoder.finish()]);
  await reader.mapAsync(1);
  return new Float32Array(reader.getMappedRange().slice(0));
}

/** Results that stayed on the GPU, as arrays as long as those expected; fresh buffers are exactly as large. */
async function downloadAll(found: object, expected: object): Promise<Record<string, Float32Array>> {
  const read: Record<string, Float32Array> = {};
  for (const [name, array] of Object.entries(expected)) {
    const tensor = (found as Record<string, GpuTensor>)[name];
    read[name] = await download(tensor, array.length);
  }
  return read;
}

describe.runIf(backend)("the same bits as with arrays", { timeout: patience }, () => {
  const onGpu: GpuAttentionOptions = { ...(options as object), output: "gpu" };

  test("inputs at offsets that no binding may have, and some of them arrays", async () => {
    const expected = await device.forward(inputs, options);
    const mixed = { ...inputs, q: upload(arrays.q, 4), k: upload(arrays.k, 300) };
    expect(await device.forward(mixed, options)).toEqual(expected);
    const saved = { ...expected, dOutput: arrays.dOutput };
    const gradient = await device.backward(inputs, options, saved);
    const onDevice: BackwardInputs<Tensor> = {
      output: upload(expected.output, 12),
      logSumExp: upload(expected.logSumExp, 516),
      dOutput: upload(arrays.dOutput),
    };
    expect(await device.backward({ ...mixed, v: upload(arrays.v, 256) }, options, onDevice)).toEqual(gradient);
    expect(await device.weights({ ...sizes, q: mixed.q, k: mixed.k }, options)).toEqual(
      await device.weights(inputs, options),
    );
  });

  test("results in fresh buffers, which one call hands to the next", async () => {
    const expected = await device.forward(inputs, options);
    const found = await device.forward(inputs, onGpu);
    const gradient = await device.backward(inputs, onGpu, { ...found, dOutput: upload(arrays.dOutput) });
    const weights = await device.weights(inputs, onGpu);
    expect(await downloadAll(found, expected)).toEqual(expected);
    const slopes = await device.backward(inputs, options, { ...expected, dOutput: arrays.dOutput });
    expect(await downloadAll(gradient, slopes)).toEqual(slopes);
    const matrix = await device.weights(inputs, options);
    expect(await download(weights, matrix.length)).toEqual(matrix);
    for (const { buffer } of [...Object.values(found), ...Object.values(gradient), weights] as GpuTensor[]) {
      expect(buffer.usage).toBe(STORAGE | COPY_SRC | COPY_DST);
      buffer.destroy();
    }
    expect([found.output.buffer.size, gradient.dAlpha.buffer.size, weights.buffer.size]).toEqual([2400, 16, 4 * 6600]);
  });

  test("results in the caller's buffers, and nothing beside them changes", async () => {
    const expected = await device.forward(inputs, options);
    const place = makeBuffer(4 * (600 + 200) + 44, COPY_DST | COPY_SRC);
    const whole = normals(811, 9);
    device.gpu!.device.queue.writeBuffer(place, 0, whole);
    const out = { output: { buffer: place, offset: 8 }, logSumExp: { buffer: place, offset: 8 + 2400 + 4 } };
    const before = backend!.bufferCount;
    const found = await device.forward(inputs, { ...onGpu, out });
    expect(found).toEqual(out);
    whole.set(expected.output, 2);
    whole.set(expected.logSumExp, 603);
    expect(await download({ buffer: place }, 811)).toEqual(whole);
    expect(backend!.bufferCount - before).toBeLessThanOrEqual(1);
  });

  test("of a call in several chunks, and of empty tensors", async () => {
    const gpu = device.gpu!.device;
    // Room for one key head of this call with two query heads.
    const limits = new Proxy(gpu.limits, {
      get: (target, name) => (name === "maxStorageBufferBindingSize" ? 8192 : Reflect.get(target, name, target)),
    });
    const starved = new Proxy(gpu, {
      get(target, name) {
        if (name === "limits") return limits;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const small = await createWebgpu({ gpu: { device: starved } });
    const expected = await device.forward(inputs, options);
    const tensors = { ...inputs, q: upload(arrays.q, 8), k: upload(arrays.k, 4) };
    const found = await small.forward(tensors, onGpu);
    expect(await downloadAll(found, expected)).toEqual(expected);
    const slopes = await device.backward(inputs, options, { ...expected, dOutput: arrays.dOutput });
    const gradient = await small.backward(tensors, onGpu, { ...found, dOutput: arrays.dOutput });
    expect(await downloadAll(gradient, slopes)).toEqual(slopes);
    small.dispose();
    const none = { ...sizes, keys: 0, q: arrays.q, k: new Float32Array(0), v: new Float32Array(0) };
    const empty = await device.forward(none, { keyHeads: 2, output: "gpu" });
    expect(await downloadAll(empty, expected)).toEqual(await device.forward(none, { keyHeads: 2 }));
  });
});

describe.runIf(backend)("other code on the device", { timeout: patience }, () => {
  test("a shader makes the queries, another takes the output, and nothing is read in between", async () => {
    const gpu = device.gpu!.device;
    const shader = (code: string) =>
      gpu.createComputePipeline({
        layout: "auto",
        compute: { module: gpu.createShaderModule({ code }), entryPoint: "main" },
      });
    const run = (pipeline: GPUComputePipeline, buffers: GPUBuffer[], groups: number) => {
      const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
      const encoder = gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
      pass.dispatchWorkgroups(groups);
      pass.end();
      gpu.queue.submit([encoder.finish()]);
    };
    const double = shader(`
      @group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> y: array<f32>;
      @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
        if (id.x < arrayLength(&y)) { y[id.x] = 2.0 * x[id.x]; }
      }`);
    const q = makeBuffer(4000, STORAGE);
    run(double, [upload(arrays.q).buffer, q], 16);
    const { output } = await device.forward({ ...inputs, q: { buffer: q } }, { keyHeads: 2, output: "gpu" });
    const twice = makeBuffer(2400, STORAGE | COPY_SRC);
    run(double, [output.buffer, twice], 10);
    const expected = await device.forward({ ...inputs, q: arrays.q.map((x) => 2 * x) }, { keyHeads: 2 });
    expect(await download({ buffer: twice }, 600)).toEqual(expected.output.map((x) => 2 * x));
    output.buffer.destroy();
  });

  test("an object says which GPU it uses", async () => {
    expect(device.gpu).toMatchObject({ adapter: expect.any(String), isSoftware: expect.any(Boolean) });
    const given = await createWebgpu({ gpu: { device: device.gpu!.device } });
    expect(given.gpu!.device).toBe(device.gpu!.device);
    given.dispose();
    const wasm = await createAttention({ device: "wasm" });
    expect(wasm.gpu).toBeUndefined();
    wasm.dispose();
  });
});

describe.runIf(backend)("refused by name, and nothing is written", { timeout: patience }, () => {
  const good = () => makeBuffer(4000, STORAGE | COPY_DST);
  const mapped = () => device.gpu!.device.createBuffer({ size: 4000, usage: STORAGE, mappedAtCreation: true });

  test.each<[string, () => unknown]>([
    ["q", () => ({ buffer: good(), byteOffset: 4 })],
    ["q.buffer", () => ({ buffer: new ArrayBuffer(4000) })],
    ["q.buffer", () => ({ buffer: undefined })],
    ["q.offset", () => ({ buffer: good(), offset: 2 })],
    ["q.offset", () => ({ buffer: good(), offset: -4 })],
    ["q.offset", () => ({ buffer: good(), offset: "0" })],
    ["q.buffer.size", () => ({ buffer: good(), offset: 4 })],
    ["q.buffer.usage", () => ({ buffer: makeBuffer(4000, COPY_DST) })],
    ["q.buffer.mapState", () => ({ buffer: mapped() })],
  ])("as an input: %s, case %#", async (name, tensor) => {
    const call = device.forward({ ...inputs, q: tensor() as GpuTensor }, options);
    await expect(call).rejects.toThrow(InvalidArgumentError);
    await expect(call).rejects.toMatchObject({ argument: name });
  });

  test.each<[string, () => Record<string, unknown>]>([
    ["out.output", () => ({ output: new Float32Array(600) })],
    ["out.output.buffer.size", () => ({ output: { buffer: makeBuffer(2396, COPY_DST) } })],
    ["out.output.buffer.usage", () => ({ output: { buffer: makeBuffer(2400, STORAGE) } })],
    ["out.logSumExp.offset", () => ({ logSumExp: { buffer: good(), offset: 1 } })],
    ["out", () => ({ result: { buffer: good() } })],
    [
      "out.logSumExp",
      () => {
        const buffer = good();
        return { output: { buffer }, logSumExp: { buffer, offset: 2396 } };
      },
    ],
  ])("as a place for results: %s, case %#", async (name, out) => {
    const call = device.forward(inputs, { keyHeads: 2, output: "gpu", out: out() as object });
    await expect(call).rejects.toThrow(InvalidArgumentError);
    await expect(call).rejects.toMatchObject({ argument: name });
  });

  test("a place for results that overlaps what is read", async () => {
    const buffer = makeBuffer(8000, STORAGE | COPY_DST);
    const q = { buffer, offset: 2400 - 4 };
    const call = device.forward({ ...inputs, q }, { keyHeads: 2, output: "gpu", out: { output: { buffer } } });
    await expect(call).rejects.toThrow(/^out\.output: expected a tensor apart from inputs/);
  });

  test("a destroyed buffer and one of another device, of which only the GPU knows", async () => {
    const other = (await requestDevice()).device;
    const destroyed = makeBuffer(4000, STORAGE | COPY_DST);
    destroyed.destroy();
    const foreign = makeBuffer(4000, STORAGE, other);
    const place = makeBuffer(2400, COPY_DST | COPY_SRC);
    const out = { output: { buffer: place } };
    const attempt = (tensors: object, places: object = out) =>
      device.forward({ ...inputs, ...tensors }, { keyHeads: 2, output: "gpu", out: places });
    await expect(attempt({ k: { buffer: destroyed } })).rejects.toThrow(
      /^k\.buffer: expected a buffer that is not destroyed/,
    );
    await expect(attempt({ v: { buffer: foreign } })).rejects.toThrow(/^v\.buffer: expected a buffer of this device/);
    await expect(attempt({}, { output: { buffer: destroyed } })).rejects.toThrow(
      /^out\.output\.buffer: .*not destroyed/,
    );
    const found = await device.forward(inputs, { keyHeads: 2 });
    const saved = { ...found, logSumExp: { buffer: destroyed } };
    const slopes = device.backward(inputs, { keyHeads: 2 }, { ...saved, dOutput: arrays.dOutput });
    await expect(slopes).rejects.toThrow(/^logSumExp\.buffer: expected a buffer that is not destroyed/);
    expect(await download({ buffer: place }, 600)).toEqual(new Float32Array(600));
    // The device is as good as before.
    expect(await device.forward(inputs, { keyHeads: 2 })).toEqual(found);
    other.destroy();
  });
});

describe("on devices without a GPU", () => {
  const small = { batch: 1, heads: 1, queries: 1, keys: 1, headDim: 1 };
  const one = new Float32Array(1);

  test.each(["reference", "wasm"] as const)("%s refuses GPU tensors and GPU results by name", async (name) => {
    const attention = await createAttention({ device: name });
    const buffer = { size: 4, mapAsync() {} } as unknown as GPUBuffer;
    await expect(attention.forward({ ...small, q: { buffer }, k: one, v: one })).rejects.toThrow(
      /^q: expected a Float.* of length 1 .*got an object/,
    );
    await expect(attention.forward({ ...small, q: one, k: one, v: one }, { output: "gpu" })).rejects.toThrow(
      /^output: expected "arrays", got "gpu"/,
    );
    attention.dispose();
  });
});
