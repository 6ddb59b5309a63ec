/**
 * What a trained model's attention does on held-out documents: the mechanism that the paper claims (arXiv:2511.10208), measured.
 *
 *   walk        spectral gap and hops of the attention matrix against the length of the text   (equations sections 12, 14)
 *   reach       weight against the distance in the text, and against the distance of query and key
 *   diffusion   two coordinates of the diffusion map of one document                                        (section 13)
 *   dynamic     scores under masks that the model never saw: at random, and the far pairs                   (section 16)
 *   truncated   scores when only the beginning of every document is read
 *
 * Attention is that of the first layer, mean over its heads. Texts are cut to the length asked for, so every length sees the
 * same kind of text; at a length only documents that are as long take part.
 */

import { diffusionMap } from "../../reference/diffusion-map.js";
import { headWeights, reversibleKernel, summarizeAttention } from "../analysis/weights.js";
import type { Document } from "../data/corpus.js";
import { InvalidArgumentError } from "../errors.js";
import type { AttentionKind, Classifier, LayerAttention } from "../models/types.js";
import { collate, encodeDocuments, evenly } from "./batches.js";
import type { Checkpoint } from "./checkpoint.js";
import { pairDistances, type ScoredAt, scoreNearestPairs, scoreRandomMasks } from "./dynamic.js";
import { evaluateEncoded } from "./evaluate.js";

/** How much to measure. */
export interface AnalyzeOptions {
  /** Lengths of text. */
  readonly lengths: readonly number[];
  /** Documents at each length, at most. */
  readonly mails: number;
  /** Held-out documents that are scored, at most, evenly spread over the part. */
  readonly documents: number;
  /** Of the random masks. */
  readonly seed: number;
}

/** Means over documents of one length. */
export interface WalkAt {
  readonly length: number;
  readonly mails: number;
  /** 1 − λ₂, by real part and by modulus. */
  readonly gapByRealPart: number;
  readonly gapByModulus: number;
  readonly meanHops: number;
  /** The largest of any document. */
  readonly maxHops: number;
  /** Pairs that no path joins, of all documents. */
  readonly unreachable: number;
  readonly effectiveLinks: number;
  readonly reach: number;
}

/** Mean weight of the pairs of a bin, in units of the uniform weight 1/N. */
export interface WeightBin {
  /** Middle of the bin: tokens apart, or the distance over the mean distance. */
  readonly at: number;
  readonly weight: number;
}

/** Everything about one model. */
export interface ModelAnalysis {
  readonly name: string;
  readonly attention: AttentionKind;
  /** Order of the first head, as trained; none for the baselines. */
  readonly alpha: number | undefined;
  readonly width: number;
  readonly heads: number;
  readonly layers: number;
  readonly walk: readonly WalkAt[];
  readonly byTextDistance: readonly WeightBin[];
  readonly byDistance: readonly WeightBin[];
  /** Of the first document at `length`; nothing where the attention is not reversible. */
  readonly diffusion:
    | {
        readonly id: string;
        readonly tokens: readonly string[];
        readonly points: readonly (readonly [number, number])[];
        readonly eigenvalues: readonly number[];
      }
    | undefined;
  /** Against the probability p with which a pair is masked. */
  readonly bernoulli: readonly ScoredAt[];
  /** Against the share of pairs that is kept, the nearest ones; only for one layer with one head. */
  readonly nearest: readonly ScoredAt[];
  /** Against the number of tokens that are read. */
  readonly truncated: readonly ScoredAt[];
}

const batchSize = 16;

/**
 * Measures one model.
 * @param documents the held-out documents
 */
export async function analyzeModel(
  name: string,
  { model, vocabulary, run }: Pick<Checkpoint, "vocabulary" | "run"> & { readonly model: Classifier },
  documents: readonly Document[],
  { lengths, mails, documents: most, seed }: AnalyzeOptions,
  onProgress: (done: number, total: number, label: string) => void = () => {},
): Promise<ModelAnalysis> {
  const usable = lengths.filter((length) => length <= run.data.length);
  const spread = evenly(documents, most);
  const { config } = model;
  const hasDistances = config.layers === 1 && config.heads === 1;
  const curves = hasDistances ? 2 : 1;
  const total = usable.length * 2 + 1 + curves * Math.ceil(spread.length / batchSize);
  let done = 0;
  const next = (label: string) => onProgress(done++, total, `${name}: ${label}`);
  const reversible = config.qkShare;
  const encode = (some: readonly Document[], length: number) => encodeDocuments(some, vocabulary, length);
  const attend = async (document: Document, length: number) => {
    const { labels: _labels, ...batch } = collate(encode([document], length), [0]);
    return (await model.attention(batch))[0];
  };
  const longEnough = (length: number) => documents.filter(({ tokens }) => tokens.length >= length).slice(0, mails);

  const walk: WalkAt[] = [];
  let alpha: number | undefined;
  for (const length of usable) {
    next(`attention at ${length} tokens`);
    const summaries = [];
    for (const document of longEnough(length)) {
      const layer = await attend(document, length);
      alpha = layer.alpha[0];
      for (let head = 0; head < config.heads; head++) {
        summaries.push(summarizeAttention(weightsOf(layer, length, config.heads, head), length, { reversible }));
      }
    }
    if (summaries.length > 0) walk.push(meanWalk(length, summaries));
  }

  next("attention against distance");
  const middle = usable.filter((length) => length <= 200 && longEnough(length).length > 0).at(-1);
  const text = new Bins(textEdges(middle ?? 2));
  const space = new Bins(Array.from({ length: 21 }, (_, i) => i / 8));
  let diffusion: ModelAnalysis["diffusion"];
  if (middle !== undefined) {
    for (const document of longEnough(middle)) {
      const layer = await attend(document, middle);
      for (let head = 0; head < config.heads; head++) {
        const weights = weightsOf(layer, middle, config.heads, head);
        const distances = pairDistances(layer, config, middle, 0, head);
        const mean = distances.reduce((a, b) => a + b, 0) / (middle * (middle - 1));
        for (let i = 0; i < middle; i++) {
          for (let j = 0; j < middle; j++) {
            if (i === j) continue;
            text.add(Math.abs(i - j), weights[i * middle + j] * middle);
            space.add(distances[i * middle + j] / mean, weights[i * middle + j] * middle);
          }
        }
      }
      if (diffusion === undefined && reversible) {
        diffusion = diffusionOf(document, weightsOf(layer, middle, config.heads, 0), middle);
      }
    }
  }

  const held = encode(spread, run.data.length);
  const bernoulli = await scoreRandomMasks(model, held, batchSize, seed, () => next("random masks"));
  const nearest = hasDistances ? await scoreNearestPairs(model, held, batchSize, () => next("the nearest pairs")) : [];
  const truncated: ScoredAt[] = [];
  for (const at of usable) {
    next(`the first ${at} tokens`);
    truncated.push({ at, scores: await evaluateEncoded(model, encode(spread, at), batchSize) });
  }
  const { attention, width, heads, layers } = config;
  return {
    name,
    attention,
    alpha: attention.startsWith("fna") ? (alpha ?? config.alpha) : undefined,
    width,
    heads,
    layers,
    walk,
    byTextDistance: text.means(),
    byDistance: space.means(),
    diffusion,
    bernoulli,
    nearest,
    truncated,
  };
}

function weightsOf({ weights }: LayerAttention, size: number, heads: number, head: number): Float64Array {
  return headWeights(weights, { batch: 1, heads, queries: size, keys: size }, head);
}

function meanWalk(length: number, summaries: readonly ReturnType<typeof summarizeAttention>[]): WalkAt {
  const mean = (value: (summary: (typeof summaries)[number]) => number) =>
    summaries.reduce((sum, summary) => sum + value(summary), 0) / summaries.length;
  return {
    length,
    mails: summaries.length,
    gapByRealPart: mean(({ gap }) => gap.byRealPart),
    gapByModulus: mean(({ gap }) => gap.byModulus),
    meanHops: mean(({ hops }) => hops.mean),
    maxHops: Math.max(...summaries.map(({ hops }) => hops.max)),
    unreachable: summaries.reduce((sum, { hops }) => sum + hops.unreachable, 0),
    effectiveLinks: mean(({ effectiveLinks }) => effectiveLinks),
    reach: mean(({ reach }) => reach),
  };
}

/** The diffusion map of one document's attention; undefined where no path joins some of its tokens. */
function diffusionOf({ id, tokens }: Document, weights: Float64Array, size: number): ModelAnalysis["diffusion"] {
  let kernel: Float64Array;
  try {
    kernel = reversibleKernel(weights, size);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return undefined;
    throw error;
  }
  const { embedding, eigenvalues } = diffusionMap(kernel, size, { components: 2 });
  return {
    id,
    tokens: tokens.slice(0, size),
    points: Array.from({ length: size }, (_, i) => [embedding[2 * i], embedding[2 * i + 1]] as const),
    eigenvalues: Array.from(eigenvalues.subarray(0, 10)),
  };
}

/** 1, 2, 4, … and the length: bins that double, because weights fall as powers. */
function textEdges(length: number): number[] {
  const edges: number[] = [];
  for (let edge = 1; edge < length; edge *= 2) edges.push(edge);
  return [...edges, length];
}

/** Means over bins [edge, next edge). */
class Bins {
  readonly #sums: Float64Array;
  readonly #counts: Float64Array;

  constructor(readonly edges: readonly number[]) {
    this.#sums = new Float64Array(edges.length - 1);
    this.#counts = new Float64Array(edges.length - 1);
  }

  add(at: number, value: number): void {
    let bin = this.edges.length - 2;
    while (bin >= 0 && this.edges[bin] > at) bin--;
    if (bin < 0 || at >= this.edges[bin + 1]) return;
    this.#sums[bin] += value;
    this.#counts[bin]++;
  }

  /** Middles and means of the bins that hold anything. */
  means(): WeightBin[] {
    return [...this.#sums].flatMap((sum, bin) => {
      const count = this.#counts[bin];
      return count === 0 ? [] : [{ at: (this.edges[bin] + this.edges[bin + 1]) / 2, weight: sum / count }];
    });
  }
}
