/**
 * Where everything of a model lies in its memory, decided once from the configuration, so that no step allocates.
 *
 *   parameters | moments | gradients of each shard | weights in panels | tables | a shard's activations and scratch, ...
 *
 * A shard is the part of a batch that one thread works on. Texts are not padded: a shard's rows are the positions of its
 * texts, one text after the other. Addresses are in bytes, multiples of 64; sizes are in float32.
 */

import { roundUp8 } from "./linear.js";
import { type ParameterSpec, sizeOf } from "./parameters.js";
import type { ResolvedConfig } from "./types.js";

/** Hands out addresses. */
export class Addresses {
  /** The first is left unused, so that 0 can mean "none". */
  next = 1024;

  /** Address of `count` float32 numbers, or as many integers. */
  floats(count: number): number {
    return this.bytes(4 * count);
  }

  bytes(count: number): number {
    const address = this.next;
    this.next += Math.ceil(count / 64) * 64;
    return address;
  }
}

/** Where the parameters are. All regions of trained parameters have the same order and gaps. */
export interface ParameterLayout {
  /** Offset in bytes of each trained parameter from the start of its region. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Floats of a region, a multiple of 16. */
  readonly floats: number;
  /** Offsets of the gradients of orthogonal weights behind those of the parameters. */
  readonly effectiveOffsets: ReadonlyMap<string, number>;
  /** Floats of a region of gradients. */
  readonly gradientFloats: number;
}

/** Orders the parameters in a region. */
export function layOutParameters(specs: readonly ParameterSpec[]): ParameterLayout {
  const region = new Addresses();
  region.next = 0;
  const offsets = new Map<string, number>();
  for (const { name, shape, trained } of specs) if (trained) offsets.set(name, region.floats(sizeOf(shape)));
  const floats = region.next / 4;
  const effectiveOffsets = new Map<string, number>();
  for (const { name, shape } of specs) {
    const weight = orthogonalName(name);
    if (weight !== undefined) effectiveOffsets.set(weight, region.floats(sizeOf(shape)));
  }
  return { offsets, floats, effectiveOffsets, gradientFloats: region.next / 4 };
}

/** The weight that an `original` is the parameter of, or undefined. */
export function orthogonalName(name: string): string | undefined {
  return /^(.*)\.parametrizations\.weight\.original$/.exec(name)?.[1];
}

/** A layer's activations. Where two names may be one array they have one address. */
export interface LayerBuffers {
  /** The input of the layer, [R, C]; on the sphere of unit length, with 1/norm [R]. */
  readonly input: number;
  readonly norms: number;
  /** In the layout of the heads: for each text [H, rows, D]. */
  readonly queries: number;
  readonly keys: number;
  readonly values: number;
  readonly output: number;
  /** [H, rows] of each text. */
  readonly logSumExp: number;
  /** Output with heads side by side, [R, C]. */
  readonly merged: number;
  /** Before and after the first normalisation, [R, C], with mean and 1/deviation [R, 2]. */
  readonly firstSum: number;
  readonly first: number;
  readonly firstStats: number;
  /** Inside the feed-forward part, [R, F]. */
  readonly inner: number;
  readonly secondSum: number;
  readonly second: number;
  readonly secondStats: number;
}

/** The memory of one shard. */
export interface ShardBuffers {
  /** [R] token ids, positions, and what dropout calls the rows. */
  readonly tokens: number;
  readonly positions: number;
  readonly rowIds: number;
  /** [T + 1] first row of each text; [T] classes. */
  readonly starts: number;
  readonly labels: number;
  /** [R, C] */
  readonly embedded: number;
  readonly layers: readonly LayerBuffers[];
  readonly pooled: number;
  readonly where: number;
  readonly logits: number;
  readonly probabilities: number;
  readonly dLogits: number;
  readonly dPooled: number;
  /** Two float64: the shard's part of the loss, right answers. */
  readonly result: number;
  readonly work: number;
  /** Projections on their way to the layout of the heads, [R, C]. */
  readonly projected: number;
  /** Gradients that all layers share; absent without training. */
  readonly gradients: GradientBuffers | undefined;
  readonly layersScratch: number;
}

/** [R, C] each, `inner` [R, F]. */
export interface GradientBuffers {
  readonly main: number;
  readonly other: number;
  readonly dropped: number;
  readonly dQueries: number;
  readonly dKeys: number;
  readonly dValues: number;
  readonly dOutput: number;
  readonly inner: number;
}

/** Lays out a shard of at most `texts` texts. */
export function layOutShard(
  at: Addresses,
  config: ResolvedConfig,
  texts: number,
  training: boolean,
  scratchBytes: (width: number) => number,
): ShardBuffers {
  const { width, ffnWidth, heads, classes, attention, layers, maxLength } = config;
  const rows = texts * maxLength;
  const row = (count: number) => at.floats(rows * count);
  const tables = { tokens: row(1), positions: row(1), rowIds: row(1), starts: at.floats(texts + 1) };
  const embedded = row(width);
  let input = embedded;
  const buffers: LayerBuffers[] = [];
  for (let l = 0; l < layers; l++) {
    const sphere = attention === "fna-sphere";
    const layerInput = sphere ? row(width) : input;
    const queries = config.orthogonal && heads === 1 ? layerInput : row(width);
    const output = row(width);
    const second = row(width);
    buffers.push({
      input: layerInput,
      norms: sphere ? row(1) : 0,
      queries,
      keys: config.qkShare ? queries : row(width),
      values: row(width),
      output,
      logSumExp: row(heads),
      merged: heads === 1 ? output : row(width),
      firstSum: row(width),
      first: row(width),
      firstStats: row(2),
      inner: row(ffnWidth),
      secondSum: row(width),
      second,
      secondStats: row(2),
    });
    input = second;
  }
  return {
    ...tables,
    labels: at.floats(texts),
    embedded,
    layers: buffers,
    pooled: at.floats(texts * width),
    where: at.floats(texts * width),
    logits: at.floats(texts * roundUp8(classes)),
    probabilities: at.floats(texts * classes),
    dLogits: at.floats(texts * classes),
    dPooled: at.floats(texts * width),
    result: at.bytes(16),
    work: at.bytes(3 * 8 * classes),
    projected: row(width),
    gradients: training
      ? {
          main: row(width),
          other: row(width),
          dropped: row(width),
          dQueries: row(width),
          dKeys: row(width),
          dValues: row(width),
          dOutput: row(width),
          inner: row(ffnWidth),
        }
      : undefined,
    layersScratch: at.bytes(scratchBytes(widestRow(config))),
  };
}

/** The longest row of any matrix that a product or a normalisation sees. */
export function widestRow({ width, ffnWidth, classes, maxLength }: ResolvedConfig): number {
  return roundUp8(Math.max(width, ffnWidth, classes, maxLength));
}
