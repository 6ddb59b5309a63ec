/**
 * The wasm device alone, for the smallest bundle: the same `Attention`, without the reference and without a choice of
 * devices.
 */

import { record } from "../reference/check.js";
import { Attention } from "./attention.js";
import { createWasmBackend, type WasmOptions } from "./backends/wasm/index.js";
import { wasmOptionNames } from "./backends/wasm/options.js";

export { Attention } from "./attention.js";
export type { WasmOptions, WasmSource } from "./backends/wasm/index.js";
export { BackendUnavailableError, FractionalAttentionError, InvalidArgumentError } from "./errors.js";
export type * from "./types.js";

/**
 * Opens the wasm device.
 * @param options `threads`, `wasm`, `relaxed`, as for `createAttention` of the whole package
 * @throws InvalidArgumentError for an option outside its domain
 * @throws BackendUnavailableError where WebAssembly SIMD, or with threads shared memory or workers, are missing
 */
export async function createAttention(options: WasmOptions = {}): Promise<Attention<Float32Array>> {
  record("options", options, wasmOptionNames);
  return new Attention(await createWasmBackend(options));
}
