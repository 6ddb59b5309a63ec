/**
 * One device at work: compiled passes, pooled buffers, errors by the name of their pass, reading back. A call records its
 * passes, submits them together, and waits once.
 */

import { DeviceLostError, FractionalAttentionError } from "../../errors.js";
import { type Compiled, compile, type Pass, type Variant } from "./passes.js";
import { type Kind, kinds, Pool, usage } from "./pool.js";

/** A buffer for a pass, by the name of the binding. */
export type Bindings = Readonly<Record<string, GPUBufferBinding>>;

export class Runner {
  readonly device: GPUDevice;
  readonly pool: Pool;
  readonly #compiled = new Map<string, Promise<Compiled>>();
  #commands: GPUCommandBuffer[] = [];
  #checks: Promise<void>[] = [];
  #lost: string | undefined;

  constructor(device: GPUDevice) {
    this.device = device;
    this.pool = new Pool(device);
    device.lost.then(({ reason, message }) => {
      this.#lost = message || reason || "for no reason given";
    });
  }

  /** A pass ready to run. Compiled once for each variant; those that a call needs compile side by side. */
  pass(pass: Pass, variant: Variant): Promise<Compiled> {
    const key = [pass.name, ...pass.by.map((part) => variant[part])].join(" ");
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const made = compile(this.device, pass, variant).catch((cause) => {
      this.#compiled.delete(key);
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new FractionalAttentionError(`webgpu: ${pass.name} does not compile here: ${detail}`, { cause });
    });
    this.#compiled.set(key, made);
    return made;
  }

  /** A pooled buffer with any content. */
  take(bytes: number, kind: Kind = "storage"): GPUBufferBinding {
    // Creation fails by a scope, not by an exception.
    return this.#checked("allocation", () => ({
      buffer: this.pool.take(kind, bytes),
      size: Math.max(16, align(bytes)),
    }));
  }

  /** A pooled buffer with these numbers. */
  put(data: Float32Array | Uint32Array | Uint8Array, kind: Kind = "storage", least = 0): GPUBufferBinding {
    const binding = this.take(Math.max(data.byteLength, least), kind);
    this.write(binding.buffer, data);
    return binding;
  }

  /** Writes numbers to the start of a buffer. */
  write(target: GPUBuffer, data: Float32Array | Uint32Array | Uint8Array): void {
    const { buffer, byteOffset, byteLength } = data;
    if (byteLength > 0) this.device.queue.writeBuffer(target, 0, buffer as ArrayBuffer, byteOffset, byteLength);
  }

  /** A buffer of zeros outside the pool, for whoever asked for it to destroy. */
  create(label: string, bytes: number): GPUBuffer {
    const size = Math.max(4, bytes);
    return this.#checked(label, () => this.device.createBuffer({ label, size, usage: kinds.storage }));
  }

  /** Records one dispatch. */
  dispatch(name: string, compiled: Compiled, bindings: Bindings, x: number, y = 1, z = 1): void {
    this.#checked(name, () => {
      const encoder = this.device.createCommandEncoder({ label: name });
      const pass = encoder.beginComputePass({ label: name });
      pass.setPipeline(compiled.pipeline);
      const entries = compiled.names.map((binding, at) => ({ binding: at, resource: bindings[binding] }));
      pass.setBindGroup(0, this.device.createBindGroup({ label: name, layout: compiled.layout, entries }));
      pass.dispatchWorkgroups(x, y, z);
      pass.end();
      this.#commands.push(encoder.finish());
    });
  }

  /** Records anything else on an encoder. */
  encode(label: string, record: (encoder: GPUCommandEncoder) => void): void {
    this.#checked(label, () => {
      const encoder = this.device.createCommandEncoder({ label });
      record(encoder);
      this.#commands.push(encoder.finish());
    });
  }

  /** Hands over what was recorded. */
  submit(): void {
    const commands = this.#commands;
    this.#commands = [];
    if (commands.length > 0) this.#checked("submission", () => this.device.queue.submit(commands));
  }

  /** Submits, and copies what the bindings hold. */
  async read(bindings: readonly GPUBufferBinding[], lengths: readonly number[]): Promise<ArrayBuffer[]> {
    const readers = bindings.map((_, at) => this.pool.take("reading", lengths[at]));
    this.encode("read back", (encoder) => {
      bindings.forEach(({ buffer, offset = 0 }, at) => {
        encoder.copyBufferToBuffer(buffer, offset, readers[at], 0, lengths[at]);
      });
    });
    this.submit();
    await this.settle();
    await Promise.all(readers.map((buffer, at) => buffer.mapAsync(usage.mapRead, 0, lengths[at])));
    return readers.map((buffer, at) => {
      const copy = buffer.getMappedRange(0, lengths[at]).slice(0);
      buffer.unmap();
      return copy;
    });
  }

  /** Waits for the work so far, so that a signal can be heard in time. */
  async finish(): Promise<void> {
    this.submit();
    await this.device.queue.onSubmittedWorkDone();
    await this.settle();
  }

  /** Waits for the verdicts on what was recorded, and throws the first error. */
  async settle(): Promise<void> {
    const checks = this.#checks;
    this.#checks = [];
    for (const verdict of await Promise.allSettled(checks)) {
      if (verdict.status === "rejected") throw verdict.reason;
    }
  }

  /** Runs a call; its buffers are free again afterwards, and a failure on a lost device says so. */
  async call<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#refuseLost();
    try {
      return await run();
    } catch (cause) {
      // The news of the loss may come after the failure that it caused.
      await Promise.race([this.device.lost, new Promise((resolve) => setTimeout(resolve, 50))]);
      this.#refuseLost();
      throw cause;
    } finally {
      this.#commands = [];
      await Promise.allSettled(this.#checks.splice(0));
      this.pool.releaseAll();
    }
  }

  /** Frees the buffers. The device is its owner's to destroy. */
  dispose(): void {
    this.pool.dispose();
    this.#compiled.clear();
  }

  #refuseLost(): void {
    if (this.#lost === undefined) return;
    throw new DeviceLostError(`webgpu: the device was lost (${this.#lost}); recreate() opens another`);
  }

  #checked<Result>(label: string, act: () => Result): Result {
    this.device.pushErrorScope("out-of-memory");
    this.device.pushErrorScope("validation");
    try {
      return act();
    } finally {
      for (let scope = 0; scope < 2; scope++) this.#checks.push(this.#verdict(label, this.device.popErrorScope()));
    }
  }

  async #verdict(label: string, popped: Promise<GPUError | null>): Promise<void> {
    const error = await popped.catch(() => null);
    if (error !== null) throw new FractionalAttentionError(`webgpu: ${label}: ${error.message}`);
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}
