/**
 * The two wasm modules of a model, attention and the layers around it, in one memory, and programs for them. A program is
 * a list of kernel calls with their arguments, so that it can run here or, sent as a message, on another thread over the
 * same memory.
 */

import type { Kernels as AttentionKernels } from "../backends/wasm/layout.js";
import { compile, inflate } from "../backends/wasm/module.js";
import { BackendUnavailableError } from "../errors.js";
import { attentionWasm } from "../generated/attention-wasm.js";
import { layersWasm } from "../generated/layers-wasm.js";

/** One kernel call: its name and arguments. */
export type KernelCall = readonly [name: string, ...args: number[]];

/** Kernels by name. */
export type KernelTable = Readonly<Record<string, (...args: number[]) => number>>;

/** The modules compiled, and what they work in. */
export interface Engine {
  readonly memory: WebAssembly.Memory;
  /** Compiled for this memory, for further instances. */
  readonly modules: readonly WebAssembly.Module[];
  readonly kernels: KernelTable & Pick<AttentionKernels, "scratch_bytes">;
}

const maximumPages = 65536;

/**
 * Compiles the modules around a fresh memory.
 * @param shared whether other threads are to see the memory
 * @throws BackendUnavailableError where WebAssembly SIMD, or shared memory, is missing
 */
export async function openEngine(shared: boolean): Promise<Engine> {
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: maximumPages, shared });
    const modules = await Promise.all(
      [attentionWasm, layersWasm].map(async (text) => compile(await inflate(text), shared)),
    );
    return { memory, modules, kernels: instantiateKernels(modules, memory) as Engine["kernels"] };
  } catch (cause) {
    const reason = `WebAssembly with SIMD${shared ? " and shared memory" : ""} cannot run here`;
    throw new BackendUnavailableError([{ device: "wasm", reason: `${reason}: ${(cause as Error).message}` }]);
  }
}

/** One instance of each module; their exports have no name in common. */
export function instantiateKernels(modules: readonly WebAssembly.Module[], memory: WebAssembly.Memory): KernelTable {
  const exports = modules.map((module) => new WebAssembly.Instance(module, { env: { memory } }).exports);
  return Object.assign({}, ...exports) as KernelTable;
}

/** Runs a program. */
export function runProgram(kernels: KernelTable, program: readonly KernelCall[]): void {
  for (const [name, ...args] of program) kernels[name](...args);
}
