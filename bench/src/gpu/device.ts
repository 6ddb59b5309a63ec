/**
 * One GPU for everybody: Dawn in Node through the package `webgpu`, put where a page has it, so that every library takes the
 * same adapter; and the times that its own clock gives for our passes.
 */

import { describeAdapter } from "../../../src/backends/webgpu/adapter.js";
import { load } from "../load.js";

/** What the libraries compute on. */
export interface Gpu {
  readonly device: GPUDevice;
  /** What the adapter says of itself, and whether it is a CPU. */
  readonly adapter: string;
  readonly isSoftware: boolean;
  /** Milliseconds of each of our passes of what `work` submits, by name; undefined where the device has no clock. */
  passTimes(work: () => Promise<unknown>): Promise<ReadonlyMap<string, number> | undefined>;
}

/** @throws Error where there is no adapter */
export async function openGpu(): Promise<Gpu> {
  const dawn = await load<{ create(flags: string[]): GPU; globals: object }>("webgpu");
  Object.assign(globalThis, dawn.globals);
  takeSharedMemory();
  const gpu = dawn.create([]);
  const navigator = { gpu, hardwareConcurrency: 1, userAgent: "Node", platform: process.platform };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error("there is no WebGPU adapter (scripts/webgpu-env.sh offers one on a CPU)");
  const hasClock = adapter.features.has("timestamp-query");
  const device = await adapter.requestDevice({ requiredFeatures: hasClock ? ["timestamp-query"] : [] });
  const passTimes = async (work: () => Promise<unknown>) => {
    if (!hasClock) {
      await work();
      return undefined;
    }
    return timePasses(device, work);
  };
  return { device, ...describeAdapter(adapter.info), passTimes };
}

/** Dawn in Node writes no buffers from shared memory, as browsers do and onnxruntime-web needs: it gets a copy. */
function takeSharedMemory(): void {
  const { prototype } = globalThis.GPUQueue;
  const { writeBuffer } = prototype;
  prototype.writeBuffer = function (this: GPUQueue, buffer, offset, data: Uint8Array, from, size) {
    const isShared = ArrayBuffer.isView(data) && data.buffer instanceof SharedArrayBuffer;
    return writeBuffer.call(this, buffer, offset, isShared ? new Uint8Array(data) : data, from, size);
  } as GPUQueue["writeBuffer"];
}

/** GPUBufferUsage and GPUMapMode; the types of this project know no globals of WebGPU but its interfaces. */
export const bufferUsage = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128, queryResolve: 512 } as const;
export const mapRead = 1;

/** Most passes of one call. */
const mostPasses = 512;

/** Runs `work` with two timestamps around each compute pass that it records. */
async function timePasses(device: GPUDevice, work: () => Promise<unknown>): Promise<Map<string, number>> {
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 * mostPasses });
  const names: string[] = [];
  const createCommandEncoder = device.createCommandEncoder;
  device.createCommandEncoder = (descriptor) => {
    const encoder = createCommandEncoder.call(device, descriptor);
    const beginComputePass = encoder.beginComputePass;
    encoder.beginComputePass = (pass) => {
      const at = 2 * (names.push(pass?.label ?? "unnamed") - 1);
      const timestampWrites = { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 };
      return beginComputePass.call(encoder, { ...pass, timestampWrites });
    };
    return encoder;
  };
  try {
    await work();
  } finally {
    device.createCommandEncoder = createCommandEncoder;
  }
  const size = 16 * names.length;
  const resolved = device.createBuffer({ size, usage: bufferUsage.queryResolve | bufferUsage.copySource });
  const reader = device.createBuffer({ size, usage: bufferUsage.mapRead | bufferUsage.copyTarget });
  const encoder = device.createCommandEncoder();
  encoder.resolveQuerySet(querySet, 0, 2 * names.length, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, reader, 0, size);
  device.queue.submit([encoder.finish()]);
  await reader.mapAsync(mapRead);
  const nanoseconds = new BigUint64Array(reader.getMappedRange().slice(0));
  const times = new Map<string, number>();
  for (const [pass, name] of names.entries()) {
    const milliseconds = Number(nanoseconds[2 * pass + 1] - nanoseconds[2 * pass]) / 1e6;
    times.set(name, (times.get(name) ?? 0) + milliseconds);
  }
  resolved.destroy();
  reader.destroy();
  querySet.destroy();
  return times;
}
