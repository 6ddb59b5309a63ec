/** onnxruntime-web: WebAssembly with SIMD, one thread. */

import { load } from "../load.js";
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
