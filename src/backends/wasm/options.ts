/** Options of the wasm device, and their checks. */

import { flag, integer, record } from "../../../reference/check.js";
import { InvalidArgumentError } from "../../../reference/errors.js";
import type { WasmSource } from "./source.js";

/** Options of the wasm device; all are optional. */
export interface WasmOptions {
  /** Threads of the calls that wait. Above 1: a pool of workers over shared memory (Node, cross-origin-isolated pages). Default 1. */
  threads?: number;
  /** A `WebAssembly.Module`, bytes, a `Response` or an address in place of the inlined module. With threads not a compiled one. */
  wasm?: WasmSource;
  /** Use fused multiply-add (relaxed SIMD) where a probe finds it right and faster; ignored when `wasm` is given. Default false. */
  relaxed?: boolean;
}

/** Names of the options. */
export const wasmOptionNames = ["threads", "wasm", "relaxed"] as const satisfies (keyof WasmOptions)[];

/** Checks them. @throws InvalidArgumentError */
export function checkWasmOptions(options: WasmOptions): void {
  record("options", options);
  const { wasm } = options;
  if (wasm !== undefined && typeof wasm !== "string" && !ArrayBuffer.isView(wasm)) {
    // Only where there is something to ask about: to touch Response takes Node longer than to open the device.
    const known = [WebAssembly.Module, ArrayBuffer, URL, ...(typeof Response === "undefined" ? [] : [Response])];
    if (!known.some((type) => wasm instanceof type)) {
      throw new InvalidArgumentError("wasm", "a WebAssembly.Module, bytes, a Response or an address", wasm);
    }
  }
  if (options.threads !== undefined) integer("threads", options.threads, 1, 256);
  flag("relaxed", options.relaxed);
}
