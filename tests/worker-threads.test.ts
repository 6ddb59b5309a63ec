/** Threads apart from their numbers: workers of the kind that browsers have, and workers that fail. */

import { resolveObjectURL } from "node:buffer";
import { Worker as Thread } from "node:worker_threads";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Attention } from "../src/attention.js";
import { createWasmBackend } from "../src/backends/wasm/index.js";
import { Pool } from "../src/backends/wasm/pool.js";
import { openEngine } from "../src/models/engine.js";
import { startThreads } from "../src/models/threads.js";
import { inputsOf } from "./float32-inputs.js";

/** What a page has besides Node's globals. */
const page = `
const { parentPort } = require("node:worker_threads");
globalThis.self = globalThis;
self.postMessage = (message) => parentPort.postMessage(message);
parentPort.on("message", (data) => self.onmessage({ data }));
`;

/** A browser's Worker, as far as the pool uses one, on a thread of Node's. */
class WebWorker {
  onmessage?: (event: { data: unknown }) => void;
  onerror?: (event: { message?: string }) => void;
  readonly #thread: Promise<Thread>;

  constructor(url: string) {
    this.#thread = resolveObjectURL(url)!
      .text()
      .then((source) => {
        const thread = new Thread(`${page}${source}`, { eval: true });
        thread.on("message", (data) => this.onmessage?.({ data }));
        thread.on("error", ({ message }) => this.onerror?.({ message }));
        return thread;
      });
  }

  postMessage(message: unknown): void {
    void this.#thread.then((thread) => thread.postMessage(message));
  }

  terminate(): void {
    void this.#thread.then((thread) => thread.terminate());
  }
}

/** A worker whose script a content security policy keeps from loading. */
class ForbiddenWorker {
  onerror?: (event: { message?: string }) => void;
  postMessage(): void {
    queueMicrotask(() => this.onerror?.({}));
  }
  terminate(): void {}
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("workers of a browser", () => {
  it("give the bits of one thread, and are ended with the device", async () => {
    vi.stubGlobal("Worker", WebWorker);
    const revoke = vi.spyOn(URL, "revokeObjectURL");
    const threaded = new Attention<Float32Array>(await createWasmBackend({ threads: 2 }));
    const one = new Attention<Float32Array>(await createWasmBackend());
    const inputs = inputsOf({ heads: 4, queries: 70 });
    expect(await threaded.forward(inputs)).toEqual(one.forwardSync(inputs));
    threaded.dispose();
    one.dispose();
    expect(revoke).toHaveBeenCalledTimes(2);
    revoke.mockRestore();
  });

  it("that may not be loaded are reported as a device that cannot run here", async () => {
    vi.stubGlobal("Worker", ForbiddenWorker);
    await expect(createWasmBackend({ threads: 2 })).rejects.toMatchObject({
      name: "BackendUnavailableError",
      causes: [{ device: "wasm", reason: expect.stringMatching(/a worker did not start: .*could not be loaded/) }],
    });
  });
});

describe("workers that fail", () => {
  it("hand on what a kernel threw, and take the next task", async () => {
    const { modules, memory } = await openEngine(true);
    const pool = await Pool.start(2, modules[0], memory);
    const run = (kernel: string) =>
      pool.run(kernel as "forward_unit", [[0, 0, 0, 0]], 1024, [2048, 4096], false, undefined);
    await expect(run("no_such_unit")).rejects.toThrow(/wasm worker: .*not a function/);
    await expect(run("no_such_unit")).rejects.toThrow(/wasm worker: .*not a function/);
    pool.dispose();
    await expect(run("forward_unit")).rejects.toThrow(/disposed/);
  });

  it("with another memory than their module wants do not start", async () => {
    const [{ memory }, alone] = [await openEngine(true), await openEngine(false)];
    await expect(Pool.start(1, alone.modules[0], memory)).rejects.toMatchObject({
      name: "BackendUnavailableError",
      causes: [{ device: "wasm", reason: expect.stringMatching(/a worker did not start: wasm worker: .*shared/) }],
    });
    await expect(startThreads(1, { ...alone, memory })).rejects.toThrow(/thread: .*shared/);
  });

  it("of a model hand on what a kernel threw, and end a program that will not be done", async () => {
    const engine = await openEngine(true);
    const threads = await startThreads(2, engine);
    await threads.run([[], []]);
    await expect(threads.run([[["no_such_kernel"]], []])).rejects.toThrow(/thread: .*not a function/);
    const never = threads.run([[["no_such_kernel"]], []]);
    threads.dispose();
    await expect(never).rejects.toThrow(/thread: /);
  });
});
