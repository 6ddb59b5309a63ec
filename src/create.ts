/** `createAttention`: picks and opens a device. */

import { oneOf, record } from "../reference/check.js";
import { Attention } from "./attention.js";
import type { Backend } from "./backends/backend.js";
import { createReferenceBackend } from "./backends/reference.js";
import { createWasmBackend } from "./backends/wasm/index.js";
import { checkWasmOptions, type WasmOptions, wasmOptionNames } from "./backends/wasm/options.js";
import type { WebgpuBackendOptions } from "./backends/webgpu/index.js";
import { checkGpuOptions, type GpuOptions, gpuOptionNames } from "./backends/webgpu/options.js";
import { BackendUnavailableError } from "./errors.js";
import type { DeviceName, Floats, RejectedDevice, Tensor } from "./types.js";

/** Options of `createAttention`. */
export interface CreateAttentionOptions<D extends DeviceName | "auto" = DeviceName | "auto">
  extends WasmOptions,
    GpuOptions {
  /** Which device, or `"auto"` for the fastest that runs here. Default `"auto"`. */
  device?: D;
}

/** What a device answers in: float64 on the reference, float32 elsewhere. */
export type ResultArray<D extends DeviceName | "auto"> = D extends "reference"
  ? Float64Array
  : D extends "auto"
    ? Floats
    : Float32Array;

/** Devices in the order in which `"auto"` tries them. */
const devices: readonly DeviceName[] = ["webgpu", "wasm", "reference"];

async function openBackend(device: DeviceName, options: WasmOptions & WebgpuBackendOptions): Promise<Backend<Tensor>> {
  const { gpu, hardwareOnly, ...wasm } = options;
  if (device === "reference") return createReferenceBackend();
  if (device === "wasm") return createWasmBackend(wasm);
  // Not loaded where it is not tried.
  const { createWebgpuBackend } = await import("./backends/webgpu/index.js");
  return createWebgpuBackend({ gpu, hardwareOnly });
}

/**
 * Opens a device for fractional neural attention.
 *
 * @param options `device`: `"webgpu"`, `"wasm"` (float32 SIMD), `"reference"` (float64, the oracle), or `"auto"`; `threads`, `wasm` and
 *   `relaxed` for the wasm device, `gpu` for webgpu. Under `"auto"` webgpu is taken on a real GPU or on the given one, and a
 *   wasm device that cannot have its threads runs on one, and says so.
 * @returns the open device; `device` says which one it is, `rejected` which others were tried and why they were not taken
 * @throws InvalidArgumentError for an option outside its domain
 * @throws BackendUnavailableError when the device that was asked for, or every device, cannot run here
 */
export async function createAttention<D extends DeviceName | "auto" = "auto">(
  options: CreateAttentionOptions<D> = {},
): Promise<Attention<ResultArray<D>>> {
  record("options", options, ["device", ...wasmOptionNames, ...gpuOptionNames]);
  const { device: given = "auto" } = options;
  const wanted = oneOf<DeviceName | "auto">("device", given, ["auto", ...devices]);
  checkWasmOptions(options);
  checkGpuOptions(options);
  const { threads, wasm, relaxed, gpu } = options;
  const hardwareOnly = wanted === "auto";
  const rejected: RejectedDevice[] = [];
  for (const device of wanted === "auto" ? devices : [wanted]) {
    const fewer = wanted === "auto" && device === "wasm" && (threads ?? 1) > 1 ? [threads, 1] : [threads];
    for (const count of fewer) {
      try {
        return new Attention(await openBackend(device, { threads: count, wasm, relaxed, gpu, hardwareOnly }), rejected);
      } catch (error) {
        rejected.push(...reasons(device, error));
      }
    }
  }
  throw new BackendUnavailableError(rejected);
}

function reasons(device: DeviceName, error: unknown): readonly RejectedDevice[] {
  if (error instanceof BackendUnavailableError) return error.causes as readonly RejectedDevice[];
  return [{ device, reason: error instanceof Error ? error.message : String(error) }];
}
