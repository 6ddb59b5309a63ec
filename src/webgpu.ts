/**
 * The webgpu device alone, for the smallest bundle: the same `Attention`, without the other devices and without a choice.
 */

import { record } from "../reference/check.js";
import { Attention } from "./attention.js";
import { createWebgpuBackend } from "./backends/webgpu/index.js";
import { checkGpuOptions, type GpuOptions, gpuOptionNames } from "./backends/webgpu/options.js";

export { Attention } from "./attention.js";
export type { GpuOptions } from "./backends/webgpu/options.js";
export { BackendUnavailableError, DeviceLostError, FractionalAttentionError, InvalidArgumentError } from "./errors.js";
export type * from "./types.js";

/**
 * Opens the webgpu device, on any adapter there is.
 * @param options `gpu`, as for `createAttention` of the whole package
 * @throws InvalidArgumentError for an option outside its domain
 * @throws BackendUnavailableError where there is no WebGPU or no adapter
 */
export async function createAttention(options: GpuOptions = {}): Promise<Attention<Float32Array>> {
  record("options", options, gpuOptionNames);
  checkGpuOptions(options);
  return new Attention(await createWebgpuBackend(options));
}
