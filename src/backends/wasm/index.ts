/**
 * The `wasm` device: float32 SIMD kernels of `assembly/`, in a memory that grows to the largest call and is used again.
 */

import { attentionWasm } from "../../generated/attention-wasm.js";
import type { Plan } from "../../plan.js";
import type { BackwardInputs } from "../../types.js";
import type { Backend, Tensors } from "../backend.js";
import { compile, type Engine, inflate, instantiate, readSource, type WasmSource } from "./module.js";
import { backwardSteps, forwardSteps, type Steps, weightsSteps } from "./steps.js";

export type { WasmSource } from "./module.js";

/** Options of the wasm device; all are optional. */
export interface WasmBackendOptions {
  /** The module in place of the inlined one: compiled, its bytes, or where to read it. */
  wasm?: WasmSource;
}

function freshEngine(module: WebAssembly.Module): Engine {
  return instantiate(module, new WebAssembly.Memory({ initial: 1, maximum: 65536 }));
}

function finish<Result>(steps: Steps<Result>): Result {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** Opens the device. */
export async function createWasmBackend(options: WasmBackendOptions = {}): Promise<Backend> {
  const source = options.wasm === undefined ? await inflate(attentionWasm) : await readSource(options.wasm);
  const module = source instanceof WebAssembly.Module ? source : await compile(source, false);
  let engine: Engine | undefined = freshEngine(module);
  const open = () => engine!;
  return {
    device: "wasm",
    arrays: [Float32Array],
    forward: async (plan: Plan, tensors: Tensors) => finish(forwardSteps(open(), plan, tensors)),
    backward: async (plan: Plan, tensors: Tensors, saved: BackwardInputs) =>
      finish(backwardSteps(open(), plan, tensors, saved)),
    weights: async (plan: Plan, tensors: Omit<Tensors, "v">) => finish(weightsSteps(open(), plan, tensors)),
    forwardSync: (plan, tensors) => finish(forwardSteps(open(), plan, tensors)),
    backwardSync: (plan, tensors, saved) => finish(backwardSteps(open(), plan, tensors, saved)),
    weightsSync: (plan, tensors) => finish(weightsSteps(open(), plan, tensors)),
    dispose() {
      engine = undefined;
    },
  };
}
