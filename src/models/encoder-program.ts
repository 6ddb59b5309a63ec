/**
 * The encoder as programs (equations section 11): one pass forward and one back over a shard. Layer by layer, so that
 * other models can put the same layer between another beginning and another end.
 *
 *   s = u + drop(MHA(u)) rho,  y = LayerNorm(s);   x' = LayerNorm(y + drop(W2 relu(W1 y + b1) + b2))
 */

import type { AttentionCalls, TextGradients, TextTensors } from "./attention-calls.js";
import type { KernelCall } from "./engine.js";
import type { GradientBuffers, LayerBuffers, ShardBuffers } from "./layout.js";
import { type LinearMap, linearBackwardCalls, linearForwardCall, productMode } from "./linear.js";
import type { ResolvedConfig } from "./types.js";

/** ε of the layer normalisations. */
const epsilon = 1e-6;

/** Weight and bias of a normalisation, and offsets of their gradients. */
export interface NormMap {
  readonly weight: number;
  readonly bias: number;
  readonly weightGradient: number;
  readonly biasGradient: number;
}

/** One layer's parameters; `query` and `key` may be missing. */
export interface LayerMaps {
  readonly query: LinearMap | undefined;
  readonly key: LinearMap | undefined;
  readonly value: LinearMap;
  readonly output: LinearMap;
  readonly firstNorm: NormMap;
  readonly inner: LinearMap;
  readonly outer: LinearMap;
  readonly secondNorm: NormMap;
}

/** All parameters of a model. */
export interface ModelMaps {
  readonly embedding: number;
  readonly embeddingGradient: number;
  /** 0 for none. */
  readonly positionTable: number;
  readonly layers: readonly LayerMaps[];
  readonly head: LinearMap;
}

/** A text of a shard: its first row, its positions, and how many of them are not padding. */
export interface ShardText {
  readonly first: number;
  readonly rows: number;
  readonly keys: number;
  /** See `TextTensors`. */
  readonly mask: number;
  readonly maskPitch: number;
}

/** What a program is for. */
export interface Pass {
  readonly texts: readonly ShardText[];
  readonly distanceThreshold: number;
  /** Keys of dropout by site, or undefined for none. */
  readonly dropoutKeys: readonly number[] | undefined;
}

/** Writes programs over one shard's memory. */
export class EncoderProgram {
  constructor(
    readonly config: ResolvedConfig,
    readonly maps: ModelMaps,
    readonly buffers: ShardBuffers,
    readonly attention: AttentionCalls,
    /** Region of the shard's gradients; 0 without training. */
    readonly gradientRegion: number,
    readonly scratchWidth: number,
  ) {}

  /** From tokens to logits. */
  forward(pass: Pass): KernelCall[] {
    const { buffers, maps, config } = this;
    const { width } = config;
    const rows = rowsOf(pass);
    const { tokens, positions, embedded, pooled, where, starts, logits } = buffers;
    const program: KernelCall[] = [
      ["layers_open", buffers.layersScratch, this.scratchWidth],
      [
        "embed_forward",
        ...[tokens, maps.embedding, maps.positionTable === 0 ? 0 : positions, maps.positionTable],
        ...[embedded, rows, width],
      ],
    ];
    let x = embedded;
    buffers.layers.forEach((layer, l) => {
      program.push(...this.#layerForward(pass, l, x));
      x = layer.second;
    });
    const texts = pass.texts.length;
    program.push(["pool_forward", x, starts, pooled, where, texts, width, Number(config.pooling === "mean")]);
    program.push(linearForwardCall(maps.head, pooled, logits, texts, productMode.store));
    return program;
  }

  /** Probabilities, and with labels the loss over `total` texts; with training the gradient of the logits. */
  loss(texts: number, total: number, labelled: boolean): KernelCall {
    const { labels, logits, probabilities, dLogits, result, work, gradients } = this.buffers;
    const { classes, compatibility } = this.config;
    return [
      "cross_entropy",
      ...[logits, labelled ? labels : 0, probabilities, labelled && gradients ? dLogits : 0, result, work],
      ...[texts, classes, total, Number(compatibility.softmaxTwice)],
    ];
  }

  /** From the gradient of the logits to those of the parameters, added in the shard's region. */
  backward(pass: Pass): KernelCall[] {
    const { buffers, maps, config, gradientRegion } = this;
    const { width } = config;
    const { main } = this.#gradients;
    const texts = pass.texts.length;
    const { dLogits, dPooled, pooled, starts, where } = buffers;
    const program: KernelCall[] = [
      ...linearBackwardCalls(maps.head, gradientRegion, pooled, dLogits, dPooled, texts, productMode.store),
      ["pool_backward", dPooled, starts, main, where, texts, width, Number(config.pooling === "mean")],
    ];
    for (let l = config.layers - 1; l >= 0; l--) program.push(...this.#layerBackward(pass, l));
    const toEmbedding = gradientRegion + maps.embeddingGradient;
    program.push(["embed_backward", buffers.tokens, main, toEmbedding, rowsOf(pass), width]);
    return program;
  }

  get #gradients(): GradientBuffers {
    const { gradients } = this.buffers;
    if (gradients === undefined) throw new Error("this memory was laid out without gradients");
    return gradients;
  }

  #layerForward(pass: Pass, l: number, x: number): KernelCall[] {
    const { config } = this;
    const { width, attention } = config;
    const buffer = this.buffers.layers[l];
    const maps = this.maps.layers[l];
    const rows = rowsOf(pass);
    const program: KernelCall[] = [];
    if (attention === "fna-sphere") program.push(["unit_forward", x, buffer.input, buffer.norms, rows, width]);
    program.push(...this.#projectionForward(pass, maps.query, buffer.input, buffer.queries));
    program.push(...this.#projectionForward(pass, maps.key, buffer.input, buffer.keys));
    program.push(...this.#projectionForward(pass, maps.value, buffer.input, buffer.values));
    pass.texts.forEach((text, t) => {
      program.push(...this.attention.forward(l, t, this.textTensors(pass, l, text)));
    });
    program.push(...this.#headsCalls("merge_heads", pass, buffer.output, buffer.merged));
    const { first, firstSum, firstStats, inner, second, secondSum, secondStats } = buffer;
    program.push(
      linearForwardCall(maps.output, buffer.merged, firstSum, rows, productMode.store),
      ...this.#drop(pass, 2 * l, firstSum, firstSum),
      ["add", buffer.input, firstSum, rows * width],
      this.#normForward(maps.firstNorm, firstSum, first, firstStats, rows),
      linearForwardCall(maps.inner, first, inner, rows, productMode.relu),
      linearForwardCall(maps.outer, inner, secondSum, rows, productMode.store),
      ...this.#drop(pass, 2 * l + 1, secondSum, secondSum),
      ["add", first, secondSum, rows * width],
      this.#normForward(maps.secondNorm, secondSum, second, secondStats, rows),
    );
    return program;
  }

  /** dx of the layer's input over dx of its output, both in `main`. */
  #layerBackward(pass: Pass, l: number): KernelCall[] {
    const { config, gradientRegion: region } = this;
    const { width, ffnWidth, attention } = config;
    const buffer = this.buffers.layers[l];
    const maps = this.maps.layers[l];
    const rows = rowsOf(pass);
    const { main, other, dropped, inner } = this.#gradients;
    const outerDrop = this.#drop(pass, 2 * l + 1, other, dropped);
    const dOuter = outerDrop.length > 0 ? dropped : other;
    const attentionDrop = this.#drop(pass, 2 * l, main, dropped);
    const dAttention = attentionDrop.length > 0 ? dropped : main;
    return [
      this.#normBackward(maps.secondNorm, buffer.secondSum, buffer.secondStats, main, other, rows),
      ...outerDrop,
      ...linearBackwardCalls(maps.outer, region, buffer.inner, dOuter, inner, rows, productMode.store),
      ["relu_backward", buffer.inner, inner, rows * ffnWidth],
      ...linearBackwardCalls(maps.inner, region, buffer.first, inner, other, rows, productMode.add),
      this.#normBackward(maps.firstNorm, buffer.firstSum, buffer.firstStats, other, main, rows),
      ...attentionDrop,
      ...this.#attentionBackward(pass, l, dAttention),
      ...(attention === "fna-sphere"
        ? [["unit_backward", buffer.input, buffer.norms, main, rows, width] as KernelCall]
        : []),
    ];
  }

  /** Adds to `main` what reaches the layer's input through the attention. */
  #attentionBackward(pass: Pass, l: number, dBranch: number): KernelCall[] {
    const { config, gradientRegion: region } = this;
    const { width, heads } = config;
    const buffer = this.buffers.layers[l];
    const maps = this.maps.layers[l];
    const rows = rowsOf(pass);
    const { main, dOutput, dQueries, dKeys, dValues } = this.#gradients;
    const { projected } = this.buffers;
    const dMerged = heads === 1 ? dOutput : projected;
    const program = linearBackwardCalls(maps.output, region, buffer.merged, dBranch, dMerged, rows, productMode.store);
    program.push(...this.#headsCalls("split_heads", pass, dMerged, dOutput));
    pass.texts.forEach((text, t) => {
      const tensors = this.textTensors(pass, l, text);
      program.push(...this.attention.backward(l, t, tensors, this.textGradients(text)));
    });
    if (config.qkShare) program.push(["add", dKeys, dQueries, rows * width]);
    const back = (map: LinearMap | undefined, gradient: number) => {
      const merged = heads === 1 ? gradient : projected;
      program.push(...this.#headsCalls("merge_heads", pass, gradient, merged));
      if (map === undefined) program.push(["add", merged, main, rows * width]);
      else program.push(...linearBackwardCalls(map, region, buffer.input, merged, main, rows, productMode.add));
    };
    back(maps.query, dQueries);
    if (!config.qkShare) back(maps.key, dKeys);
    back(maps.value, dValues);
    return program;
  }

  #projectionForward(pass: Pass, map: LinearMap | undefined, x: number, y: number): KernelCall[] {
    if (map === undefined) return [];
    const merged = this.config.heads === 1 ? y : this.buffers.projected;
    return [
      linearForwardCall(map, x, merged, rowsOf(pass), productMode.store),
      ...this.#headsCalls("split_heads", pass, merged, y),
    ];
  }

  /** From rows with heads side by side to the layout of the heads, or back, text by text. */
  #headsCalls(kernel: "split_heads" | "merge_heads", pass: Pass, from: number, to: number): KernelCall[] {
    const { heads, width } = this.config;
    if (heads === 1) return [];
    return pass.texts.map(({ first, rows }) => {
      const offset = 4 * first * width;
      return [kernel, from + offset, to + offset, rows, heads, width / heads];
    });
  }

  /** y = rho drop(x); nothing where that is x. */
  #drop(pass: Pass, site: number, x: number, y: number): KernelCall[] {
    const { dropout, width, residualScale, layers } = this.config;
    const scale = residualScale && site % 2 === 0 ? 1 / Math.sqrt(layers) : 1;
    const probability = pass.dropoutKeys === undefined ? 0 : dropout;
    if (probability === 0 && scale === 1) return [];
    const key = pass.dropoutKeys?.[site] ?? 0;
    const threshold = Math.round(probability * 2 ** 24);
    const factor = scale / (1 - probability);
    return [["drop", x, y, this.buffers.rowIds, rowsOf(pass), width, key, threshold, factor]];
  }

  #normForward(norm: NormMap, x: number, y: number, stats: number, rows: number): KernelCall {
    return ["norm_forward", x, norm.weight, norm.bias, y, stats, rows, this.config.width, epsilon];
  }

  #normBackward(norm: NormMap, x: number, stats: number, dy: number, dx: number, rows: number): KernelCall {
    const { gradientRegion: region, config } = this;
    const gradients = [region + norm.weightGradient, region + norm.biasGradient];
    return ["norm_backward", x, norm.weight, dy, stats, dx, ...gradients, rows, config.width];
  }

  /** Where the tensors of a text are in a layer. */
  textTensors(pass: Pass, l: number, text: ShardText): TextTensors {
    const { width, heads } = this.config;
    const buffer: LayerBuffers = this.buffers.layers[l];
    const offset = 4 * text.first * width;
    return {
      rows: text.rows,
      keys: text.keys,
      queries: buffer.queries + offset,
      keyRows: buffer.keys + offset,
      values: buffer.values + offset,
      output: buffer.output + offset,
      logSumExp: buffer.logSumExp + 4 * text.first * heads,
      mask: text.mask,
      maskPitch: text.maskPitch,
      distanceThreshold: pass.distanceThreshold,
    };
  }

  /** Where the gradients of a text's attention go. */
  textGradients(text: ShardText): TextGradients {
    const { dOutput, dQueries, dKeys, dValues } = this.#gradients;
    const offset = 4 * text.first * this.config.width;
    return {
      dOutput: dOutput + offset,
      dQueries: dQueries + offset,
      dKeys: dKeys + offset,
      dValues: dValues + offset,
    };
  }
}

/** Rows of a shard in use. */
export function rowsOf({ texts }: Pick<Pass, "texts">): number {
  const last = texts[texts.length - 1];
  return last === undefined ? 0 : last.first + last.rows;
}
