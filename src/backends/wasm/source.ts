/** A module of the caller's in place of the inlined one; loaded only where there is one. */

import { FractionalAttentionError } from "../../errors.js";
import { nodeModule } from "./node.js";

/** Where a module can come from. */
export type WasmSource = WebAssembly.Module | BufferSource | Response | URL | string;

/** Bytes of a source, or the module that it already is. */
export async function readSource(source: WasmSource): Promise<Uint8Array<ArrayBuffer> | WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source.slice(0));
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
  }
  if (source instanceof URL || typeof source === "string") return readAddress(source);
  if (!source.ok) throw new FractionalAttentionError(`wasm: ${source.url} answered ${source.status}`);
  return new Uint8Array(await source.arrayBuffer());
}

/** Node's fetch does not read files, and a relative address has no base there. */
async function readAddress(address: URL | string): Promise<Uint8Array<ArrayBuffer>> {
  const url = address instanceof URL || !URL.canParse(address) ? address : new URL(address);
  const files = url instanceof URL && url.protocol === "file:" ? nodeModule("node:fs/promises") : undefined;
  if (files !== undefined) return new Uint8Array(await files.readFile(url));
  const response = await fetch(url);
  if (!response.ok) throw new FractionalAttentionError(`wasm: ${response.url} answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
