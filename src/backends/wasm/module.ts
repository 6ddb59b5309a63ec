/**
 * From whatever the caller has to a compiled module: the inlined bytes of the build unless a module, bytes, a response or an
 * address is given. The one import of the module is its memory, declared with a maximum.
 */

import type { Kernels } from "./layout.js";
import { nodeModule } from "./node.js";

/** An instance and the memory that it works in. */
export interface Engine {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
}

/**
 * Bytes of the inlined base64 text. Node loads streams, and above all `Response`, when they are first touched, which would take
 * longer than all the rest of opening the device; its zlib is there already.
 */
export async function inflate(base64: string): Promise<Uint8Array<ArrayBuffer>> {
  const text = atob(base64);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < packed.length; i++) packed[i] = text.charCodeAt(i);
  const zlib = nodeModule("node:zlib");
  if (zlib !== undefined) return new Uint8Array(zlib.inflateRawSync(packed));
  const stream = new Response(packed).body!.pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Compiles bytes, with the memory import declared shared if asked. */
export async function compile(bytes: Uint8Array<ArrayBuffer>, shared: boolean): Promise<WebAssembly.Module> {
  return WebAssembly.compile(shared ? (await import("./declare-shared.js")).declareShared(bytes) : bytes);
}

/** A fresh instance. The memory starts with one page and grows. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Engine {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return { memory, kernels: instance.exports as unknown as Kernels };
}
