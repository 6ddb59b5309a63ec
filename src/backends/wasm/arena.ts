/**
 * Memory of one call: addresses are handed out one after the other and the next call starts again from the first, so the
 * memory is as large as the largest call has been. Views are made when they are needed and never kept, as growing the
 * memory detaches them; what leaves is a copy.
 */

import { FractionalAttentionError } from "../../errors.js";

const page = 65536;
/** Address 0 stays unused, so that it can mean "none". */
const first = 1024;

export class Arena {
  #next = first;

  constructor(readonly memory: WebAssembly.Memory) {}

  /** Forgets the call before. */
  reset(): void {
    this.#next = first;
  }

  /** Address of `bytes` bytes, a multiple of 64; they hold what they held. */
  take(bytes: number): number {
    const address = this.#next;
    const end = address + Math.ceil(bytes / 64) * 64;
    const missing = end - this.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.memory.grow(Math.ceil(missing / page));
      } catch (cause) {
        throw new FractionalAttentionError(
          `wasm: this call needs ${end} bytes of WebAssembly memory, more than there is (at most 4 GiB)`,
          { cause },
        );
      }
    }
    this.#next = end;
    return address;
  }

  /** Address of a copy of `data`. */
  put(data: Float32Array | Int32Array | Uint8Array): number {
    const address = this.take(data.byteLength);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    new Uint8Array(this.memory.buffer).set(bytes, address);
    return address;
  }

  /** Address of `bytes` bytes of 0. */
  zeros(bytes: number): number {
    const address = this.take(bytes);
    new Uint8Array(this.memory.buffer, address, bytes).fill(0);
    return address;
  }

  /** A copy of `length` float32 numbers. */
  floats(address: number, length: number): Float32Array<ArrayBuffer> {
    const copy = new Float32Array(length);
    copy.set(new Float32Array(this.memory.buffer, address, length));
    return copy;
  }

  /** The memory as it is now; do not keep it. */
  view(): DataView {
    return new DataView(this.memory.buffer);
  }
}
