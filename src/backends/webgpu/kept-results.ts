/** Results that stay on the GPU: see `results.ts`. */

import type { GpuTensor, Tensor } from "../../types.js";
import type { Kept } from "../backend.js";
import { namesOf, type Piece, type Results } from "./results.js";
import type { Runner } from "./runner.js";

/** Each in a fresh buffer, which at the end is copied to the caller's where there is one: all of them or none. */
export class OnGpu<Name extends string> implements Results<Name> {
  readonly #runner: Runner;
  readonly #lengths: Readonly<Record<Name, number>>;
  readonly #kept: Kept;
  readonly #buffers = {} as Record<Name, GPUBuffer>;

  constructor(
    runner: Runner,
    lengths: Readonly<Record<Name, number>>,
    kept: Kept,
    fill: Partial<Record<Name, number>>,
  ) {
    this.#runner = runner;
    this.#lengths = lengths;
    this.#kept = kept;
    for (const name of namesOf(lengths)) {
      this.#buffers[name] = runner.create(name, 4 * lengths[name]);
      const value = fill[name];
      if (value !== undefined) runner.write(this.#buffers[name], new Float32Array(lengths[name]).fill(value));
    }
  }

  async store(pieces: readonly Piece<Name>[]): Promise<void> {
    this.#runner.encode("results", (encoder) => {
      for (const { name, from, start = 0, at, length } of pieces) {
        const source = (from.offset ?? 0) + 4 * start;
        encoder.copyBufferToBuffer(from.buffer, source, this.#buffers[name], 4 * at, 4 * length);
      }
    });
    // The next chunk writes to the buffers of this one.
    this.#runner.submit();
    await this.#runner.settle();
  }

  async finish(): Promise<Record<Name, Tensor>> {
    const results = {} as Record<Name, GpuTensor>;
    const replaced: GPUBuffer[] = [];
    this.#runner.encode("results", (encoder) => {
      for (const name of namesOf(this.#lengths)) {
        const own = this.#buffers[name];
        const given = (this.#kept as Partial<Record<Name, GpuTensor>>)[name];
        results[name] = given ?? { buffer: own, offset: 0 };
        if (given === undefined) continue;
        encoder.copyBufferToBuffer(own, 0, given.buffer, given.offset ?? 0, 4 * this.#lengths[name]);
        replaced.push(own);
      }
    });
    this.#runner.submit();
    await this.#runner.settle();
    for (const buffer of replaced) buffer.destroy();
    return results;
  }

  abandon(): void {
    for (const name of namesOf(this.#lengths)) this.#buffers[name]?.destroy();
  }
}
