/**
 * The `wasm` device: float32 SIMD kernels of `assembly/`, in a memory that grows to the largest call and is used again.
 * Results are copies. With threads, the calls that wait run on a pool of workers over shared memory, and those that do not
 * wait run on the caller's thread. The bits of a forward result do not depend on the number of threads, those of gradients
 * only where a head's queries are split between threads, and never on the run.
 */

import { BackendUnavailableError, FractionalAttentionError } from "../../errors.js";
import { attentionWasm } from "../../generated/attention-wasm.js";
import type { Backend } from "../backend.js";
import { compile, type Engine, inflate, instantiate } from "./module.js";
import { checkWasmOptions, type WasmOptions } from "./options.js";
import { finish, finishUnless } from "./run.js";
import { backwardSteps, forwardSteps, type Steps, weightsSteps } from "./steps.js";
import type * as Threaded from "./threaded.js";

export type { WasmOptions } from "./options.js";
export type { WasmSource } from "./source.js";

/** The wasm device, and which of its builds is in use. */
export interface WasmBackend extends Required<Omit<Backend, "gpu" | "checkGpuTensor">> {
  readonly build: "plain" | "relaxed" | "given";
  readonly threads: number;
}

const pages = 65536;

/**
 * Opens the device.
 * @throws InvalidArgumentError for an option outside its domain
 * @throws BackendUnavailableError where WebAssembly SIMD, or with threads shared memory or workers, are missing
 */
export async function createWasmBackend(options: WasmOptions = {}): Promise<WasmBackend> {
  checkWasmOptions(options);
  const { threads = 1 } = options;
  const threaded = threads > 1 ? await import("./threaded.js") : undefined;
  threaded?.refuseWithoutSharing();
  const { module, build } = await openModule(options, threads > 1);
  const fresh = () => instantiate(module, new WebAssembly.Memory({ initial: 1, maximum: pages, shared: threads > 1 }));
  const engine = fresh();
  if (threaded === undefined) return new WasmDevice(engine, fresh, build);
  const pool = await threaded.Pool.start(threads, module, engine.memory);
  return new WasmDevice(engine, fresh, build, { pool, ...threaded });
}

/** The pool and the calls that use it. */
interface Threads extends Pick<typeof Threaded, "forwardThreaded" | "backwardThreaded"> {
  readonly pool: Threaded.Pool;
}

async function openModule(
  options: WasmOptions,
  shared: boolean,
): Promise<{ module: WebAssembly.Module; build: WasmBackend["build"] }> {
  try {
    if (options.wasm !== undefined) {
      const { readSource } = await import("./source.js");
      const source = await readSource(options.wasm);
      if (!(source instanceof WebAssembly.Module)) return { module: await compile(source, shared), build: "given" };
      if (shared)
        throw new FractionalAttentionError("wasm: with threads give bytes, a response or an address, not a module");
      return { module: source, build: "given" };
    }
    const plain = await inflate(attentionWasm);
    const relaxed = options.relaxed
      ? await (await import("./relaxed.js")).probeRelaxed(await compile(plain, false))
      : undefined;
    return { module: await compile(relaxed ?? plain, shared), build: relaxed ? "relaxed" : "plain" };
  } catch (cause) {
    if (cause instanceof FractionalAttentionError) throw cause;
    const reason = `WebAssembly with SIMD cannot run here: ${cause instanceof Error ? cause.message : cause}`;
    throw new BackendUnavailableError([{ device: "wasm", reason }]);
  }
}

class WasmDevice implements WasmBackend {
  readonly device = "wasm";
  readonly arrays = [Float32Array];
  readonly build: WasmBackend["build"];
  readonly threads: number;
  /** Copies are what threads would wait for. One thread starts after the caller's code, which may think better of it. */
  readonly readsAtOnce: boolean;
  #engine: Engine | undefined;
  readonly #fresh: () => Engine;
  readonly #workers: Threads | undefined;
  /** Whether a call that waits holds the memory. */
  #busy = false;

  constructor(engine: Engine, fresh: () => Engine, build: WasmBackend["build"], workers?: Threads) {
    this.#engine = engine;
    this.#fresh = fresh;
    this.#workers = workers;
    this.build = build;
    this.threads = workers?.pool.threads ?? 1;
    this.readsAtOnce = workers !== undefined;
  }

  readonly forward: Required<Backend>["forward"] = (plan, tensors, signal) =>
    this.#later((engine) =>
      this.#workers
        ? this.#workers.forwardThreaded(this.#workers.pool, engine, plan, tensors, signal)
        : finishUnless(forwardSteps(engine, plan, tensors), signal),
    );

  readonly backward: Required<Backend>["backward"] = (plan, tensors, saved, signal) =>
    this.#later((engine) =>
      this.#workers
        ? this.#workers.backwardThreaded(this.#workers.pool, engine, plan, tensors, saved, signal)
        : finishUnless(backwardSteps(engine, plan, tensors, saved), signal),
    );

  readonly weights: Required<Backend>["weights"] = (plan, tensors, signal) =>
    this.#later((engine) => finishUnless(weightsSteps(engine, plan, tensors), signal));

  readonly forwardSync: Required<Backend>["forwardSync"] = (plan, tensors) =>
    this.#now((engine) => forwardSteps(engine, plan, tensors));

  readonly backwardSync: Required<Backend>["backwardSync"] = (plan, tensors, saved) =>
    this.#now((engine) => backwardSteps(engine, plan, tensors, saved));

  readonly weightsSync: Required<Backend>["weightsSync"] = (plan, tensors) =>
    this.#now((engine) => weightsSteps(engine, plan, tensors));

  get memoryBytes(): number {
    return this.#engine?.memory.buffer.byteLength ?? 0;
  }

  /** Ends the workers and lets go of the memory. */
  dispose(): void {
    this.#engine = undefined;
    this.#workers?.pool.dispose();
  }

  #open(): Engine {
    if (this.#engine === undefined) throw new FractionalAttentionError("attention: this object has been disposed");
    // A call that waits may be between two steps: others must not touch its memory.
    return this.#busy ? this.#fresh() : this.#engine;
  }

  #now<Result>(steps: (engine: Engine) => Steps<Result>): Result {
    return finish(steps(this.#open()));
  }

  async #later<Result>(run: (engine: Engine) => Promise<Result>): Promise<Result> {
    if (this.#busy && this.#workers)
      throw new FractionalAttentionError("wasm: calls on threads must wait for each other");
    const engine = this.#open();
    const alone = !this.#busy;
    this.#busy = true;
    try {
      return await run(engine);
    } finally {
      if (alone) this.#busy = false;
    }
  }
}
