/**
 * What devices hold, seen from outside of them: WebAssembly memories, GPUs and their buffers, workers, and the arrays of
 * calls. Only what begins while it is watched counts.
 */

import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Worker } from "node:worker_threads";
import type { Floats } from "../src/types.js";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Milliseconds that a worker which was told to end may take for it. */
const patience = 3_000;

/** From its construction to `stop`, which a test has to come to. */
export class Held {
  readonly #memories: WeakRef<WebAssembly.Memory>[] = [];
  readonly #workers = new Set<Worker>();
  readonly #buffers = new Set<GPUBuffer>();
  /** GPUs of the devices' own. */
  readonly #gpus = new Set<GPUDevice>();
  readonly #arrays: { name: string; buffer: WeakRef<ArrayBufferLike> }[] = [];
  readonly #ends: (() => void)[] = [];

  constructor() {
    const hire = (worker: Worker) => {
      this.#workers.add(worker);
      worker.once("exit", () => this.#workers.delete(worker));
    };
    process.on("worker", hire);
    const { Memory } = WebAssembly;
    WebAssembly.Memory = new Proxy(Memory, {
      construct: (_, [descriptor]) => {
        const memory = new Memory(descriptor);
        this.#memories.push(new WeakRef(memory));
        return memory;
      },
    });
    this.#ends.push(() => {
      process.off("worker", hire);
      WebAssembly.Memory = Memory;
    });
  }

  /** Looks at what is made on a GPU from now on, and where it is a device's own, at the GPU itself. */
  watchGpu(gpu: GPUDevice, isOwn: boolean): void {
    const { createBuffer, destroy } = gpu;
    gpu.createBuffer = (descriptor) => {
      const buffer = createBuffer.call(gpu, descriptor);
      const end = buffer.destroy;
      buffer.destroy = () => {
        this.#buffers.delete(buffer);
        return end.call(buffer);
      };
      this.#buffers.add(buffer);
      return buffer;
    };
    if (isOwn) this.#gpus.add(gpu);
    gpu.destroy = () => {
      this.#gpus.delete(gpu);
      return destroy.call(gpu);
    };
    this.#ends.push(() => Object.assign(gpu, { createBuffer, destroy }));
  }

  /** Arrays of a call, by name; whoever holds a view holds its buffer. */
  watchArrays(arrays: object): void {
    for (const [name, array] of Object.entries(arrays as Record<string, Floats>)) {
      this.#arrays.push({ name, buffer: new WeakRef(array.buffer) });
    }
  }

  /** Throws unless memories and buffers have `bytes` bytes together, and no array of a call is held. */
  async expectBytes(bytes: number): Promise<void> {
    let leak: string | undefined;
    // Not all goes at once: what a collection has marked before it was let go of survives that collection, and a compiler at
    // work in the background holds what it looks at. A turn holds what it has looked at through a `WeakRef`.
    for (let pause = 0; pause < 2 ** 10; pause = 2 * pause + 1) {
      await setTimeout(pause);
      collectGarbage();
      leak = this.#leak(bytes);
      if (leak === undefined) return;
    }
    throw new Error(`leak: ${leak}`);
  }

  #leak(bytes: number): string | undefined {
    let found = 0;
    for (const memory of this.#memories) found += memory.deref()?.buffer.byteLength ?? 0;
    for (const { size } of this.#buffers) found += size;
    if (found !== bytes) return `${found} bytes are held, not ${bytes}`;
    const array = this.#arrays.find(({ buffer }) => buffer.deref() !== undefined);
    return array && `${array.name} of a call that has ended is held`;
  }

  /** Throws when a GPU of a device's own is left. */
  expectNoGpu(): void {
    if (this.#gpus.size > 0) throw new Error("leak: the GPU of a device that has been disposed of is there");
  }

  /** Workers that have not ended. */
  get workers(): number {
    return this.#workers.size;
  }

  /** Throws when more than `count` workers are left, after some time for those that were told to end. */
  async expectWorkers(count: number): Promise<void> {
    const end = Date.now() + patience;
    while (this.#workers.size > count && Date.now() < end) await setTimeout(5);
    if (this.#workers.size > count) throw new Error(`leak: ${this.#workers.size} workers are at work, not ${count}`);
  }

  /** Looks no longer, and ends what should have ended. */
  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) end();
    for (const worker of this.#workers) await worker.terminate();
    for (const buffer of this.#buffers) buffer.destroy();
    for (const gpu of this.#gpus) gpu.destroy();
  }
}
