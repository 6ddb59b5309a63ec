/**
 * From whatever the caller has to a compiled module: the inlined bytes of the build unless a module, bytes, a response or an
 * address is given. The one import of the module is its memory, declared with a maximum; whether that memory is shared is a
 * bit of the declaration, so the module for threads is the same code with that bit set.
 */

import { FractionalAttentionError } from "../../errors.js";
import type { Kernels } from "./layout.js";

/** An instance and the memory that it works in. */
export interface Engine {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
}

/** Bytes of the inlined base64 text. */
export async function inflate(base64: string): Promise<Uint8Array<ArrayBuffer>> {
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Compiles bytes, with the memory import declared shared if asked. */
export async function compile(bytes: Uint8Array<ArrayBuffer>, shared: boolean): Promise<WebAssembly.Module> {
  return WebAssembly.compile(shared ? declareShared(bytes) : bytes);
}

/** A fresh instance. The memory starts with one page and grows. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Engine {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return { memory, kernels: instance.exports as unknown as Kernels };
}

/** A copy of a module whose memory import has the limits flag 1 (has a maximum), with the flag 3 (and is shared). */
export function declareShared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = copy[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const skip = () => {
    const length = number();
    at += length;
  };
  while (at < copy.length) {
    const section = copy[at++];
    const end = number() + at;
    if (section === 2) {
      // One import: count, module name, field name, kind 2 = memory, limits.
      const count = number();
      skip();
      skip();
      if (count === 1 && copy[at] === 2 && copy[at + 1] === 1) {
        copy[at + 1] = 3;
        return copy;
      }
    }
    at = end;
  }
  throw new FractionalAttentionError("wasm: this module does not import one memory with a maximum");
}
