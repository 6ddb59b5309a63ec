/** The wasm device on other platforms than Node, as far as Node can stand in for them; tests/browser.test.ts has a real one. */

import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Attention } from "../src/attention.js";
import { createWasmBackend } from "../src/backends/wasm/index.js";
import type { WasmSource } from "../src/backends/wasm/source.js";
import { inputsOf } from "./float32-inputs.js";
import { slowSteps } from "./slow-steps.js";

const device = new Attention<Float32Array>(await createWasmBackend());

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("without Node's own modules", () => {
  beforeEach(() => {
    // As in a page whose bundler brought a `process` along.
    vi.stubGlobal("process", Object.create(process, { getBuiltinModule: { value: undefined } }));
  });

  it("the inlined module is inflated by a stream", async () => {
    using other = new Attention<Float32Array>(await createWasmBackend());
    expect(other.forwardSync(inputsOf({}))).toEqual(device.forwardSync(inputsOf({})));
  });

  it("and without a Worker, threads are refused as a device that cannot run here", async () => {
    await expect(createWasmBackend({ threads: 2 })).rejects.toMatchObject({
      name: "BackendUnavailableError",
      causes: [{ device: "wasm", reason: "a worker did not start: there are no workers here" }],
    });
  });
});

it("without setImmediate a call that waits still pauses, and a signal stops it", async () => {
  const many = inputsOf({ heads: 8, queries: 512 });
  const expected = device.forwardSync(many);
  vi.stubGlobal("setImmediate", undefined);
  slowSteps();
  const { signal } = new AbortController();
  expect(await device.forward(many, { signal })).toEqual(expected);
  const controller = new AbortController();
  const stopped = device.forward(many, { signal: controller.signal });
  // Comes through in the turn of the event loop that the first pause gives away.
  setImmediate(() => controller.abort(new Error("enough")));
  await expect(stopped).rejects.toThrow("enough");
});

it("a page that is not cross-origin isolated cannot have threads, and is told the headers", async () => {
  vi.stubGlobal("crossOriginIsolated", false);
  await expect(createWasmBackend({ threads: 2 })).rejects.toThrow(/Cross-Origin-Embedder-Policy: require-corp/);
});

describe("a module that is fetched", () => {
  const bytes = new Uint8Array(readFileSync(new URL("../build/wasm/attention.wasm", import.meta.url)));

  it.each<[string, WasmSource]>([
    ["a relative address", "kernels/attention.wasm"],
    ["an absolute address", "https://example.org/attention.wasm"],
    ["a URL", new URL("https://example.org/attention.wasm")],
  ])("from %s", async (_name, wasm) => {
    const fetched = vi.fn(async () => new Response(bytes));
    vi.stubGlobal("fetch", fetched);
    using other = new Attention<Float32Array>(await createWasmBackend({ wasm }));
    expect(fetched).toHaveBeenCalledTimes(1);
    expect(String(fetched.mock.calls[0])).toBe(String(wasm));
    expect(other.forwardSync(inputsOf({}))).toEqual(device.forwardSync(inputsOf({})));
  });

  it("but is not there is refused with the status", async () => {
    vi.stubGlobal("fetch", async () => new Response("", { status: 404 }));
    await expect(createWasmBackend({ wasm: "attention.wasm" })).rejects.toThrow(/answered 404/);
  });

  it("or given as bytes where there is no Response", async () => {
    vi.stubGlobal("Response", undefined);
    using other = new Attention<Float32Array>(await createWasmBackend({ wasm: bytes.slice().buffer }));
    expect(other.forwardSync(inputsOf({}))).toEqual(device.forwardSync(inputsOf({})));
    await expect(createWasmBackend({ wasm: {} as ArrayBuffer })).rejects.toThrow(
      /^wasm: expected a WebAssembly.Module/,
    );
  });

  it("or given as a buffer, whole", async () => {
    using other = new Attention<Float32Array>(await createWasmBackend({ wasm: bytes.slice().buffer }));
    expect(other.forwardSync(inputsOf({}))).toEqual(device.forwardSync(inputsOf({})));
  });
});
