/** onnxruntime-web: WebAssembly with SIMD on one thread, or WebGPU. */

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { load, locate } from "../load.js";
import type { Contestant } from "./contestant.js";
import { type Ort, ortContestants } from "./ort.js";

/**
 * Its start puts a global `Worker` into Node, for threads that are not used here. Others take that for a browser's and
 * fail, so it is taken away again.
 */
async function withoutGlobalWorker<T>(start: () => Promise<T>): Promise<T> {
  const before = "Worker" in globalThis;
  const result = await start();
  if (!before) Reflect.deleteProperty(globalThis, "Worker");
  return result;
}

export async function loadOrtWeb(): Promise<Contestant[]> {
  const ort = await load<Ort>("onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  const { env, Tensor, InferenceSession } = ort;
  const create: Ort["InferenceSession"]["create"] = (model, options) =>
    withoutGlobalWorker(() => InferenceSession.create(model, options));
  return ortContestants({ env, Tensor, InferenceSession: { create } }, "onnxruntime-web", "wasm");
}

/** On the WebGPU of `navigator.gpu`. In Node it looks for its module on the network, so that it is given its bytes. */
export async function loadOrtWebgpu(): Promise<Contestant[]> {
  const folder = dirname(locate("onnxruntime-web"));
  const ort = await load<Ort>(join(folder, "ort.webgpu.bundle.min.mjs"));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await readFile(join(folder, "ort-wasm-simd-threaded.asyncify.wasm"));
  return ortContestants(ort, "onnxruntime-web", "webgpu");
}
