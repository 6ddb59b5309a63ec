/**
 * Buffers that are used again. Sizes are rounded up to four steps per power of two, so that calls of similar shapes share
 * them; what no call has taken for a while is destroyed, so that one large call does not hold its memory for ever.
 */

/** GPUBufferUsage and GPUMapMode, which are globals only in browsers. */
export const usage = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 } as const;

export const kinds = {
  storage: usage.storage | usage.copySource | usage.copyTarget,
  uniform: usage.uniform | usage.copyTarget,
  reading: usage.mapRead | usage.copyTarget,
} as const;

export type Kind = keyof typeof kinds;

interface Pooled {
  readonly buffer: GPUBuffer;
  readonly kind: Kind;
  /** Number of the last call that took it. */
  call: number;
}

/** Calls after which an idle buffer is destroyed. */
const patience = 16;

export class Pool {
  /** None after `dispose`: a call that it has cut off fails at its next buffer, which nobody would destroy. */
  #device: GPUDevice | undefined;
  readonly #idle: Pooled[] = [];
  readonly #taken: Pooled[] = [];
  #call = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Buffers that exist. */
  get count(): number {
    return this.#idle.length + this.#taken.length;
  }

  /** Their sizes. */
  get bytes(): number {
    return [...this.#idle, ...this.#taken].reduce((sum, { buffer }) => sum + buffer.size, 0);
  }

  /** A buffer of at least `bytes`, with any content, until `releaseAll`. */
  take(kind: Kind, bytes: number): GPUBuffer {
    const size = roundUp(Math.max(bytes, 16), this.#device!.limits.maxBufferSize);
    const at = this.#idle.findIndex((entry) => entry.kind === kind && entry.buffer.size === size);
    const entry: Pooled =
      at >= 0
        ? this.#idle.splice(at, 1)[0]
        : {
            buffer: this.#device!.createBuffer({ label: `fractional-attention ${kind}`, size, usage: kinds[kind] }),
            kind,
            call: 0,
          };
    entry.call = this.#call;
    this.#taken.push(entry);
    return entry.buffer;
  }

  /** Buffers that are taken. */
  get taken(): number {
    return this.#taken.length;
  }

  /** The end of a chunk: everything is idle again but what was taken before the first `keep`. */
  release(keep: number): void {
    this.#idle.push(...this.#taken.splice(keep));
  }

  /** The end of a call: everything is idle again. */
  releaseAll(): void {
    this.release(0);
    this.#call++;
    for (let at = this.#idle.length - 1; at >= 0; at--) {
      if (this.#call - this.#idle[at].call > patience) this.#idle.splice(at, 1)[0].buffer.destroy();
    }
  }

  dispose(): void {
    this.#device = undefined;
    for (const { buffer } of [...this.#idle.splice(0), ...this.#taken.splice(0)]) buffer.destroy();
  }
}

function roundUp(bytes: number, most: number): number {
  const step = 2 ** Math.max(4, Math.floor(Math.log2(bytes)) - 2);
  const size = Math.ceil(bytes / step) * step;
  return size <= most ? size : Math.ceil(bytes / 16) * 16;
}
