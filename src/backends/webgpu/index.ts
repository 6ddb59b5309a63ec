/**
 * The `webgpu` device: fused, streaming float32 kernels (`wgsl/`) on a device of its own or of the caller's. Options,
 * masks and answers are those of every other device. Results of a run are the same to the bit on the same machine.
 */

import { FractionalAttentionError } from "../../errors.js";
import type { Plan } from "../../plan.js";
import type { BackwardInputs, BackwardResult, ForwardResult, GpuDescription, Tensor } from "../../types.js";
import type { Kept, LosableBackend, Tensors } from "../backend.js";
import { describeAdapter, requestDevice } from "./adapter.js";
import { checkGpuOptions, type GpuOptions } from "./options.js";
import type { Runner } from "./runner.js";
import { checkGpuTensor } from "./tensors.js";

export type { GpuOptions } from "./options.js";

/** What opening takes besides the public options. */
export interface WebgpuBackendOptions extends GpuOptions {
  /** Refuse an adapter of our own choice that is a CPU, as `device: "auto"` does. Default false. */
  hardwareOnly?: boolean;
}

/** The webgpu device. */
export interface WebgpuBackend extends LosableBackend<Tensor> {
  readonly gpu: GpuDescription;
  /** Buffers that exist on the device for this backend. */
  readonly bufferCount: number;
  readonly memoryBytes: number;
}

/**
 * Opens the device.
 * @throws BackendUnavailableError where there is no WebGPU, no adapter, or only a CPU and that is not wanted
 */
export async function createWebgpuBackend(options: WebgpuBackendOptions = {}): Promise<WebgpuBackend> {
  return new WebgpuDevice(await open(options), options);
}

interface Opened {
  readonly runner: Runner;
  readonly isOwn: boolean;
  readonly gpu: GpuDescription;
}

async function open({ gpu, hardwareOnly }: WebgpuBackendOptions): Promise<Opened> {
  const found = gpu
    ? { device: gpu.device, ...describeAdapter(gpu.device.adapterInfo) }
    : await requestDevice(hardwareOnly);
  const { Runner } = await import("./engine.js");
  return { runner: new Runner(found.device), isOwn: gpu === undefined, gpu: found };
}

class WebgpuDevice implements WebgpuBackend {
  readonly device = "webgpu";
  readonly arrays = [Float32Array];
  readonly #options: WebgpuBackendOptions;
  #opened: Opened;
  #isDisposed = false;
  /** Calls share buffers, so they follow each other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(opened: Opened, options: WebgpuBackendOptions) {
    this.#opened = opened;
    this.#options = options;
  }

  get gpu(): GpuDescription {
    return this.#opened.gpu;
  }

  get bufferCount(): number {
    return this.#opened.runner.pool.count;
  }

  get memoryBytes(): number {
    return this.#opened.runner.pool.bytes;
  }

  readonly checkGpuTensor = checkGpuTensor;

  forward(plan: Plan, tensors: Tensors<Tensor>, signal?: AbortSignal, kept?: Kept): Promise<ForwardResult<Tensor>> {
    return this.#call({ ...tensors }, kept, async (runner) => {
      const { forward } = await import("./engine.js");
      return forward(runner, plan, tensors, signal, kept);
    });
  }

  backward(
    plan: Plan,
    tensors: Tensors<Tensor>,
    saved: BackwardInputs<Tensor>,
    signal?: AbortSignal,
    kept?: Kept,
  ): Promise<BackwardResult<Tensor>> {
    const named = { ...tensors, ...saved };
    return this.#call(named, kept, async (runner) => {
      const { backward } = await import("./on-demand.js");
      return backward(runner, plan, tensors, saved, signal, kept);
    });
  }

  weights(plan: Plan, tensors: Omit<Tensors<Tensor>, "v">, signal?: AbortSignal, kept?: Kept): Promise<Tensor> {
    return this.#call({ ...tensors }, kept, async (runner) => {
      const { weights } = await import("./on-demand.js");
      return weights(runner, plan, tensors, signal, kept);
    });
  }

  async recreate(gpu?: GpuOptions["gpu"]): Promise<void> {
    this.#refuseDisposed();
    checkGpuOptions({ gpu });
    const opened = await open({ ...this.#options, gpu });
    this.#close();
    this.#opened = opened;
  }

  /** Frees the buffers, and the device where it is our own. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#close();
  }

  #close(): void {
    this.#opened.runner.dispose();
    if (this.#opened.isOwn) this.#opened.runner.device.destroy();
  }

  #refuseDisposed(): void {
    if (this.#isDisposed) throw new FractionalAttentionError("attention: this object has been disposed");
  }

  /** Runs a call after those before it. When it fails, the tensors that the device refuses are the reason to give. */
  #call<Result>(
    tensors: Readonly<Record<string, Tensor>>,
    kept: Kept | undefined,
    run: (runner: Runner) => Promise<Result>,
  ): Promise<Result> {
    const result = this.#last.then(async () => {
      this.#refuseDisposed();
      const { runner } = this.#opened;
      try {
        return await runner.call(async () => {
          try {
            return await run(runner);
          } catch (error) {
            const { refuseUnusable } = await import("./on-demand.js");
            const places = Object.entries(kept ?? {}).map(([name, tensor]) => [`out.${name}`, tensor]);
            await refuseUnusable(runner.device, { ...tensors, ...Object.fromEntries(places) });
            throw error;
          }
        });
      } catch (error) {
        // A call that dispose has cut off fails in one way or another, mostly as on a lost device.
        this.#refuseDisposed();
        throw error;
      }
    });
    // That it has ended, not how: its results are the caller's alone.
    const settled = () => {};
    this.#last = result.then(settled, settled);
    return result;
  }
}
