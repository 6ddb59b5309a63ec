/**
 * The `webgpu` device: fused, streaming float32 kernels (`wgsl/`) on a device of its own or of the caller's. Options,
 * masks and answers are those of every other device. Results of a run are the same to the bit on the same machine.
 */

import { FractionalAttentionError } from "../../errors.js";
import type { Plan } from "../../plan.js";
import type { BackwardInputs } from "../../types.js";
import type { LosableBackend, Tensors } from "../backend.js";
import { describeAdapter, requestDevice } from "./adapter.js";
import type { Saved, Sources } from "./call.js";
import { checkGpuOptions, type GpuOptions } from "./options.js";
import { Runner } from "./runner.js";
import { type Backward, backward, type Forward, forward, weights } from "./steps.js";

export type { GpuOptions } from "./options.js";

/** What opening takes besides the public options. */
export interface WebgpuBackendOptions extends GpuOptions {
  /** Refuse an adapter of our own choice that is a CPU, as `device: "auto"` does. Default false. */
  hardwareOnly?: boolean;
}

/** The webgpu device, and what it runs on. */
export interface WebgpuBackend extends LosableBackend {
  /** What the adapter says of itself. */
  readonly adapter: string;
  /** Whether a CPU does the work. */
  readonly isSoftware: boolean;
  readonly gpuDevice: GPUDevice;
  /** Buffers that exist on the device for this backend. */
  readonly bufferCount: number;
  readonly memoryBytes: number;

  /** As on every device, and of tensors that are on this device already. */
  forward(plan: Plan, tensors: Tensors | Required<Sources>, signal?: AbortSignal): Promise<Forward>;
  backward(
    plan: Plan,
    tensors: Tensors | Required<Sources>,
    saved: BackwardInputs | Saved,
    signal?: AbortSignal,
  ): Promise<Backward>;
  weights(plan: Plan, tensors: Omit<Tensors, "v"> | Omit<Sources, "v">, signal?: AbortSignal): Promise<Float32Array>;
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
  readonly adapter: string;
  readonly isSoftware: boolean;
}

async function open({ gpu, hardwareOnly }: WebgpuBackendOptions): Promise<Opened> {
  const found = gpu
    ? { device: gpu.device, ...describeAdapter(gpu.device.adapterInfo) }
    : await requestDevice(hardwareOnly);
  const { device, adapter, isSoftware } = found;
  return { runner: new Runner(device), isOwn: gpu === undefined, adapter, isSoftware };
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

  get adapter(): string {
    return this.#opened.adapter;
  }

  get isSoftware(): boolean {
    return this.#opened.isSoftware;
  }

  get gpuDevice(): GPUDevice {
    return this.#opened.runner.device;
  }

  get bufferCount(): number {
    return this.#opened.runner.pool.count;
  }

  get memoryBytes(): number {
    return this.#opened.runner.pool.bytes;
  }

  readonly forward = (plan: Plan, tensors: Tensors | Required<Sources>, signal?: AbortSignal) =>
    this.#call((runner) => forward(runner, plan, tensors as Required<Sources>, signal));

  readonly backward = (
    plan: Plan,
    tensors: Tensors | Required<Sources>,
    saved: BackwardInputs | Saved,
    signal?: AbortSignal,
  ) => this.#call((runner) => backward(runner, plan, tensors as Required<Sources>, saved as Saved, signal));

  readonly weights = (plan: Plan, tensors: Omit<Tensors, "v"> | Omit<Sources, "v">, signal?: AbortSignal) =>
    this.#call((runner) => weights(runner, plan, tensors as Sources, signal));

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

  #call<Result>(run: (runner: Runner) => Promise<Result>): Promise<Result> {
    const result = this.#last.then(() => {
      this.#refuseDisposed();
      const { runner } = this.#opened;
      return runner.call(() => run(runner));
    });
    this.#last = result.catch(() => {});
    return result;
  }
}
