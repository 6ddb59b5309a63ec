/**
 * Where the results of a call come together, chunk by chunk: in fresh arrays, or in buffers that stay on the GPU. Whoever
 * calls sees all of them or none.
 */

import type { Tensor } from "../../types.js";
import type { Kept } from "../backend.js";
import type { Runner } from "./runner.js";

/** What a chunk has found of a result: `length` numbers of a buffer from number `start` on, which begin at `at` in the whole. */
export interface Piece<Name extends string> {
  readonly name: Name;
  readonly from: GPUBufferBinding;
  readonly start?: number;
  readonly at: number;
  readonly length: number;
}

/** Results by name. */
export interface Results<Name extends string> {
  /** Takes what a chunk has found; afterwards its buffers may be used again. */
  store(pieces: readonly Piece<Name>[]): Promise<void>;
  /** All of them, whole. */
  finish(): Promise<Record<Name, Tensor>>;
  /** Frees what was made for results that nobody will get. */
  abandon(): void;
}

/**
 * Results of the given lengths, 0 unless `fill` says otherwise.
 * @param kept that they stay on the GPU, and the caller's buffers for some of them
 */
export async function openResults<Name extends string>(
  runner: Runner,
  lengths: Readonly<Record<Name, number>>,
  kept: Kept | undefined,
  fill: Partial<Record<Name, number>> = {},
): Promise<Results<Name>> {
  if (kept === undefined) return new InArrays(runner, lengths, fill);
  const { OnGpu } = await import("./on-demand.js");
  return new OnGpu(runner, lengths, kept, fill);
}

export const namesOf = <Name extends string>(record: Readonly<Record<Name, unknown>>) => Object.keys(record) as Name[];

class InArrays<Name extends string> implements Results<Name> {
  readonly #runner: Runner;
  readonly #arrays = {} as Record<Name, Float32Array<ArrayBuffer>>;

  constructor(runner: Runner, lengths: Readonly<Record<Name, number>>, fill: Partial<Record<Name, number>>) {
    this.#runner = runner;
    for (const name of namesOf(lengths)) this.#arrays[name] = new Float32Array(lengths[name]).fill(fill[name] ?? 0);
  }

  async store(pieces: readonly Piece<Name>[]): Promise<void> {
    const bindings = [...new Set(pieces.map(({ from }) => from))];
    const bytes = bindings.map((binding) =>
      Math.max(...pieces.filter((p) => p.from === binding).map((p) => 4 * ((p.start ?? 0) + p.length))),
    );
    const read = await this.#runner.read(bindings, bytes);
    for (const { name, from, start = 0, at, length } of pieces) {
      this.#arrays[name].set(new Float32Array(read[bindings.indexOf(from)], 4 * start, length), at);
    }
  }

  async finish(): Promise<Record<Name, Tensor>> {
    return this.#arrays;
  }

  abandon(): void {}
}
