/**
 * Which tensors of a call that has failed the device refuses. WebGPU tells only when work is recorded or submitted that a buffer
 * belongs to another device or is destroyed; it then refuses the submission as a whole.
 */

import { InvalidArgumentError } from "../../errors.js";
import type { GpuTensor } from "../../types.js";
import { computeStage } from "./passes.js";
import { usage } from "./pool.js";

/** Throws the error of the first of the tensors that the device refuses, if there is one. Arrays are left out. */
export async function refuseUnusable(device: GPUDevice, tensors: Readonly<Record<string, unknown>>): Promise<void> {
  for (const [argument, tensor] of Object.entries(tensors)) {
    if (tensor === undefined || ArrayBuffer.isView(tensor)) continue;
    const { buffer } = tensor as GpuTensor;
    let work: GPUCommandBuffer | undefined;
    const belongs = await accepts(device, () => {
      work = mention(device, buffer);
    });
    if (!belongs) throw new InvalidArgumentError(`${argument}.buffer`, "a buffer of this device", buffer);
    const isAlive = await accepts(device, () => device.queue.submit([work!]));
    if (!isAlive) throw new InvalidArgumentError(`${argument}.buffer`, "a buffer that is not destroyed", buffer);
  }
}

async function accepts(device: GPUDevice, act: () => void): Promise<boolean> {
  device.pushErrorScope("validation");
  act();
  return (await device.popErrorScope()) === null;
}

/** Work that names the buffer and leaves it as it is. */
function mention(device: GPUDevice, buffer: GPUBuffer): GPUCommandBuffer {
  const encoder = device.createCommandEncoder();
  if ((buffer.usage & usage.copyTarget) !== 0) encoder.clearBuffer(buffer, 0, 0);
  else if (buffer.size >= 4) {
    const entry = { binding: 0, visibility: computeStage, buffer: { type: "read-only-storage" } } as const;
    const layout = device.createBindGroupLayout({ entries: [entry] });
    const resource = { buffer, size: 4 };
    const pass = encoder.beginComputePass();
    pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource }] }));
    pass.end();
  }
  return encoder.finish();
}
