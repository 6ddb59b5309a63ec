/**
 * A pool of workers over one shared memory. A task is a kernel and its units (b, h, from, to); the workers take units from a
 * common counter, so that a slow core does less, and as a unit writes only what is its own, the bits of the result do not
 * depend on who did it. Workers hold a Node process open only while a task is under way.
 */

import { BackendUnavailableError, FractionalAttentionError } from "../../errors.js";
import { nodeModule } from "./node.js";
import { nodeWorkerSource, webWorkerSource } from "./worker-source.js";

/** Names of kernels that take units. */
export type UnitKernel = "bandwidth_unit" | "column_sums_unit" | "forward_unit" | "backward_part";

/** What both kinds of workers can do. */
interface Channel {
  post(message: unknown): void;
  /** Holds the process open, or not. */
  hold(on: boolean): void;
  end(): void;
}

/** Stops a task: no counter reaches this by adding one at a time. */
const beyondAll = 2 ** 30;

export class Pool {
  readonly #channels: Channel[] = [];
  readonly #next = new Int32Array(new SharedArrayBuffer(4));
  /** Answers that the task under way still waits for. */
  #waiting = 0;
  #settle: ((failure?: Error) => void) | undefined;
  #failure: Error | undefined;

  private constructor() {}

  /** Starts `threads` workers. @throws BackendUnavailableError when one does not start */
  static async start(threads: number, module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Pool> {
    const pool = new Pool();
    try {
      for (let thread = 0; thread < threads; thread++) {
        pool.#channels.push(
          openChannel(
            (failure) =>
              pool.#answer(failure === "" ? undefined : new FractionalAttentionError(`wasm worker: ${failure}`)),
            (error) => pool.#fail(error),
          ),
        );
      }
      await pool.#broadcast(() => ({ module, memory }));
    } catch (error) {
      pool.dispose();
      const reason = `a worker did not start: ${(error as Error).message}`;
      throw new BackendUnavailableError([{ device: "wasm", reason }]);
    }
    return pool;
  }

  get threads(): number {
    return this.#channels.length;
  }

  /** Runs `kernel` on every unit. `scratch` has one address per thread. Stops after the units under way when the signal says so. */
  async run(
    kernel: UnitKernel,
    units: readonly (readonly number[])[],
    record: number,
    scratch: readonly number[],
    backward: boolean,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    signal?.throwIfAborted();
    Atomics.store(this.#next, 0, 0);
    const stop = () => Atomics.store(this.#next, 0, beyondAll);
    signal?.addEventListener("abort", stop);
    try {
      const task = {
        record,
        backward: Number(backward),
        kernel,
        units: Int32Array.from(units.flat()),
        next: this.#next,
      };
      await this.#broadcast((thread) => ({ ...task, scratch: scratch[thread] }));
    } finally {
      signal?.removeEventListener("abort", stop);
    }
    signal?.throwIfAborted();
  }

  /** Ends the workers, and lets go of them, as they hold the memory; a task under way fails. */
  dispose(): void {
    this.#fail(new FractionalAttentionError("attention: this object has been disposed"));
    for (const channel of this.#channels.splice(0)) channel.end();
  }

  #broadcast(message: (thread: number) => unknown): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      let failed: Error | undefined;
      this.#waiting = this.#channels.length;
      this.#settle = (failure) => {
        failed ??= failure;
        if (this.#failure === undefined && --this.#waiting > 0) return;
        this.#settle = undefined;
        for (const channel of this.#channels) channel.hold(false);
        if (failed) reject(failed);
        else resolve();
      };
      for (const [thread, channel] of this.#channels.entries()) {
        channel.hold(true);
        channel.post(message(thread));
      }
    });
  }

  #answer(failure: Error | undefined): void {
    this.#settle?.(failure);
  }

  /** The pool is of no more use. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.#settle?.(error);
  }
}

/** A worker of whatever kind there is here. */
function openChannel(answer: (failure: string) => void, fail: (error: Error) => void): Channel {
  if (typeof Worker === "function") {
    const url = URL.createObjectURL(new Blob([webWorkerSource], { type: "text/javascript" }));
    const worker = new Worker(url);
    worker.onmessage = (event) => answer(event.data);
    worker.onerror = (event) =>
      fail(new FractionalAttentionError(`wasm worker: ${event.message || "could not be loaded"}`));
    return {
      post: (message) => worker.postMessage(message),
      hold() {},
      end() {
        worker.terminate();
        URL.revokeObjectURL(url);
      },
    };
  }
  const threads = nodeModule("node:worker_threads");
  if (threads === undefined) throw new FractionalAttentionError("there are no workers here");
  const worker = new threads.Worker(nodeWorkerSource, { eval: true });
  worker.on("message", answer);
  worker.on("error", fail);
  worker.on("exit", () => fail(new FractionalAttentionError("wasm worker: it has ended")));
  return {
    post: (message) => worker.postMessage(message),
    hold: (on) => (on ? worker.ref() : worker.unref()),
    end: () => void worker.terminate(),
  };
}
