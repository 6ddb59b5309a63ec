/** Options of the webgpu device, and their checks. */

import { record } from "../../../reference/check.js";
import { InvalidArgumentError } from "../../../reference/errors.js";

/** Options of the webgpu device; all are optional. */
export interface GpuOptions {
  /** The caller's device, with any limits, which `dispose` leaves alone. Default: one of our own. */
  gpu?: { device: GPUDevice };
}

/** Names of the options. */
export const gpuOptionNames = ["gpu"] as const satisfies (keyof GpuOptions)[];

/** Checks them. Devices of another realm or of a polyfill are no instances of a class that is known here. */
export function checkGpuOptions({ gpu }: GpuOptions): void {
  if (gpu === undefined) return;
  record("gpu", gpu, ["device"]);
  const { device } = gpu;
  if (typeof device?.createBuffer !== "function" || typeof device.queue?.submit !== "function") {
    throw new InvalidArgumentError("gpu.device", "a GPUDevice", device);
  }
}
