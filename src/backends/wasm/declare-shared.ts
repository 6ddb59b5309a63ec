/**
 * Whether the memory that a module imports is shared is a bit of the declaration, so the module for threads is the same code
 * with that bit set. Loaded where there are threads.
 */

import { FractionalAttentionError } from "../../errors.js";

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
