/**
 * A batch in the memory of a model: laid out for the shards, and read back once they are done.
 */

import { FractionalAttentionError } from "../errors.js";
import { type CheckedBatch, dealTexts } from "./batch.js";
import { type EncoderProgram, type Pass, rowsOf, type ShardText } from "./encoder-program.js";
import { type Engine, runProgram } from "./engine.js";
import type { LayerAttention, Prediction, ResolvedConfig, StepResult } from "./types.js";
import type { HeadScales } from "./weights.js";

/** A batch laid out: what each shard runs. */
export interface Placed {
  readonly batch: CheckedBatch;
  /** The texts of each shard by their place in the batch. */
  readonly dealt: number[][];
  readonly passes: Pass[];
}

/** What a call asks for beside the batch. */
export interface PlacementOptions {
  readonly mask: Uint8Array | undefined;
  /** Infinity for none. */
  readonly threshold: number;
  /** Orders and scales of each layer. */
  readonly heads: readonly HeadScales[];
  /** See `Pass`. */
  readonly dropoutKeys: readonly number[] | undefined;
}

export class BatchMemory {
  constructor(
    readonly engine: Engine,
    readonly config: ResolvedConfig,
    readonly shards: readonly EncoderProgram[],
    /** Texts of a shard at most. */
    readonly most: number,
    readonly training: boolean,
    /** Where masks and weights that only analysis needs begin: behind everything else. */
    readonly end: number,
  ) {
    this.#grow(end);
  }

  #grow(bytes: number): void {
    const { memory } = this.engine;
    const missing = bytes - memory.buffer.byteLength;
    if (missing <= 0) return;
    try {
      memory.grow(Math.ceil(missing / 65536));
    } catch (cause) {
      const message = `classifier: this model and batch need ${bytes} bytes of WebAssembly memory (at most 4 GiB)`;
      throw new FractionalAttentionError(message, { cause });
    }
  }

  /** Lays a batch out in the memory and says what each shard has to do. */
  place(batch: CheckedBatch, options: PlacementOptions): Placed {
    const { config } = this;
    const { mask, threshold, heads, dropoutKeys } = options;
    const masks = this.#writeMasks(batch, mask);
    const rows = Array.from(batch.lengths, (length) => (config.compatibility.poolPadding ? batch.padded : length));
    const dealt = dealTexts(rows, this.shards.length, this.most);
    const view = new DataView(this.engine.memory.buffer);
    const passes = this.shards.map((shard, s): Pass => {
      let first = 0;
      const texts = dealt[s].map((b): ShardText => {
        const text = { first, rows: rows[b], keys: batch.lengths[b], mask: masks.at(b), maskPitch: masks.pitch };
        first += rows[b];
        return text;
      });
      const pass: Pass = { texts, distanceThreshold: threshold, dropoutKeys };
      this.#writeShard(shard, pass, batch, dealt[s]);
      for (let l = 0; l < config.layers; l++) {
        shard.attention.writeHeads(view, l, heads[l].alpha, heads[l].kappa, threshold);
        texts.forEach((text, t) => {
          const gradients = this.training ? shard.textGradients(text) : undefined;
          shard.attention.write(view, l, t, shard.textTensors(pass, l, text), gradients);
        });
      }
      return pass;
    });
    return { batch, dealt, passes };
  }

  /** Tables of a shard: tokens, positions, names of rows, first rows, labels. */
  #writeShard({ buffers }: EncoderProgram, pass: Pass, batch: CheckedBatch, texts: readonly number[]): void {
    const { kernels, memory } = this.engine;
    const { buffer } = memory;
    const rows = rowsOf(pass);
    const tokens = new Int32Array(buffer, buffers.tokens, rows);
    const starts = new Int32Array(buffer, buffers.starts, texts.length + 1);
    const labels = new Int32Array(buffer, buffers.labels, texts.length);
    pass.texts.forEach(({ first, rows: count, keys }, t) => {
      const b = texts[t];
      tokens.set(batch.tokens.subarray(b * batch.padded, b * batch.padded + count), first);
      const at = 4 * first;
      kernels.number_rows(buffers.positions + at, buffers.rowIds + at, count, keys, b * this.config.maxLength);
      starts[t] = first;
      labels[t] = batch.labels?.[b] ?? 0;
    });
    starts[texts.length] = rows;
  }

  /** Masks in bytes behind everything else: those of the call, or padding that takes part as queries. */
  #writeMasks(batch: CheckedBatch, mask: Uint8Array | undefined) {
    const { padded, texts, lengths } = batch;
    if (mask !== undefined) {
      this.#grow(this.end + mask.length);
      new Uint8Array(this.engine.memory.buffer).set(mask, this.end);
      const stride = mask.length === padded ** 2 ? 0 : padded ** 2;
      return { pitch: padded, at: (b: number) => this.end + b * stride };
    }
    const { attention, compatibility } = this.config;
    if (!compatibility.poolPadding || !attention.startsWith("fna")) return { pitch: 0, at: () => 0 };
    this.#grow(this.end + texts * padded);
    const bytes = new Uint8Array(this.engine.memory.buffer, this.end, texts * padded);
    for (let p = 0; p < bytes.length; p++) bytes[p] = Number(p % padded >= lengths[Math.floor(p / padded)]);
    return { pitch: 0, at: (b: number) => this.end + b * padded };
  }

  /** Loss and accuracy of all shards. */
  result({ batch, passes }: Placed): StepResult {
    const view = new DataView(this.engine.memory.buffer);
    let loss = 0;
    let right = 0;
    passes.forEach(({ texts }, s) => {
      if (texts.length === 0) return;
      const { result } = this.shards[s].buffers;
      loss += view.getFloat64(result, true);
      right += view.getFloat64(result + 8, true);
    });
    return { loss, accuracy: right / batch.texts };
  }

  prediction({ batch, dealt }: Placed): Prediction {
    const { buffer } = this.engine.memory;
    const { classes } = this.config;
    const logits = new Float32Array(batch.texts * classes);
    const probabilities = new Float32Array(batch.texts * classes);
    dealt.forEach((texts, s) => {
      const { buffers } = this.shards[s];
      texts.forEach((b, t) => {
        const row = (address: number) => new Float32Array(buffer, address + 4 * t * classes, classes);
        logits.set(row(buffers.logits), b * classes);
        probabilities.set(row(buffers.probabilities), b * classes);
      });
    });
    return { logits, probabilities };
  }

  /** Queries, keys and weights of a layer, as padded arrays; the weights are formed now. */
  layer({ batch, dealt, passes }: Placed, l: number, { alpha, kappa }: HeadScales): LayerAttention {
    const { config } = this;
    const { heads, width } = config;
    const { texts, padded } = batch;
    const headDim = width / heads;
    const queries = new Float32Array(texts * padded * width);
    const keys = new Float32Array(texts * padded * width);
    const weights = new Float32Array(texts * heads * padded ** 2);
    // Masks are at the end; the weights of one text come behind them.
    const to = Math.ceil((this.end + texts * padded ** 2) / 64) * 64;
    this.#grow(to + 4 * heads * padded ** 2);
    const { kernels, memory } = this.engine;
    dealt.forEach((members, s) => {
      const shard = this.shards[s];
      members.forEach((b, t) => {
        const text = passes[s].texts[t];
        const tensors = shard.textTensors(passes[s], l, text);
        const { rows } = text;
        kernels.layers_open(shard.buffers.layersScratch, shard.scratchWidth);
        runProgram(kernels, shard.attention.weights(l, t, tensors, to));
        for (let h = 0; h < heads; h++) {
          const points = (address: number) =>
            new Float32Array(memory.buffer, address + 4 * h * rows * headDim, rows * headDim);
          const row = (b * heads + h) * padded;
          queries.set(points(tensors.queries), row * headDim);
          keys.set(points(tensors.keyRows), row * headDim);
          for (let i = 0; i < rows; i++) {
            const line = new Float32Array(memory.buffer, to + 4 * (h * rows + i) * rows, rows);
            weights.set(line, (row + i) * padded);
          }
        }
      });
    });
    const isFractional = config.attention.startsWith("fna");
    const none = new Float64Array(0);
    return { queries, keys, weights, alpha: isFractional ? alpha : none, kappa: isFractional ? kappa : none };
  }
}
