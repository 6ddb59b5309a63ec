/** Threads of a model: each has its own instances of the kernels over the one memory, and runs the programs it is sent. */

import { BackendUnavailableError, FractionalAttentionError } from "../errors.js";
import type { Engine, KernelCall } from "./engine.js";

/** Threads beside the caller's. */
export interface Threads {
  /** One program for each thread; resolves when all have been run. */
  run(programs: readonly (readonly KernelCall[])[]): Promise<void>;
  dispose(): void;
}

/** What a thread runs, as text, so that no second file has to be found or served; plain JavaScript for Node's workers. */
const source = `"use strict";
const { parentPort } = require("node:worker_threads");
let kernels;
parentPort.on("message", (message) => {
  try {
    if (message.modules) {
      const { modules, memory } = message;
      kernels = Object.assign({}, ...modules.map((module) => new WebAssembly.Instance(module, { env: { memory } }).exports));
    } else for (const [name, ...args] of message.program) kernels[name](...args);
    parentPort.postMessage("");
  } catch (error) {
    parentPort.postMessage(String((error && error.message) || error));
  }
});
`;

/**
 * Starts `count` threads.
 * @throws BackendUnavailableError where there are no worker threads
 */
export async function startThreads(count: number, engine: Engine): Promise<Threads> {
  const { Worker } = await import("node:worker_threads").catch((cause) => {
    const reason = `threads above 1 need Node's worker threads: ${cause.message}`;
    throw new BackendUnavailableError([{ device: "wasm", reason }]);
  });
  const workers = Array.from({ length: count }, () => new Worker(source, { eval: true }));
  const answer = (worker: (typeof workers)[number], message: unknown) =>
    new Promise<void>((resolve, reject) => {
      const settle = (error: Error | undefined) => {
        worker.off("message", onMessage).off("error", settle).off("exit", onExit);
        if (error) reject(error);
        else resolve();
      };
      const onMessage = (text: string) => settle(text ? new FractionalAttentionError(`thread: ${text}`) : undefined);
      const onExit = () => settle(new FractionalAttentionError("thread: it ended before it answered"));
      worker.on("message", onMessage).on("error", settle).on("exit", onExit);
      // A thread that is waiting for work does not keep the program alive, one that works does.
      worker.ref();
      worker.postMessage(message);
    }).finally(() => worker.unref());
  const { modules, memory } = engine;
  const dispose = () => {
    for (const worker of workers) void worker.terminate();
  };
  await Promise.all(workers.map((worker) => answer(worker, { modules, memory }))).catch((error) => {
    dispose();
    throw error;
  });
  return {
    run: async (programs) => {
      const answers = programs.map((program, w) => (program.length > 0 ? answer(workers[w], { program }) : undefined));
      await Promise.all(answers);
    },
    dispose,
  };
}
