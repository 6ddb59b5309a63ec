/**
 * Documents to batches. Which documents make the batch of a step is a function of the seed and the step alone, so a run
 * that goes on after an interruption needs to remember neither generator nor order.
 *
 * Within an epoch the documents are shuffled, cut into pools of eight batches, sorted by length inside a pool, cut into batches,
 * and the batches shuffled: texts of like length share a batch, which saves padding, and the order stays random.
 */

import { createRandom } from "../../reference/random.js";
import type { Document } from "../data/corpus.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { InvalidArgumentError } from "../errors.js";
import type { LabelledBatch } from "../models/types.js";
import { fnv1a } from "../text/hash.js";

/** Documents as numbers, unpadded. */
export interface Encoded {
  /** Of each document its ids, at least one. */
  readonly tokens: readonly Int32Array[];
  readonly labels: Int32Array;
}

/**
 * Encodes the first `length` tokens of every document.
 * @throws InvalidArgumentError for a document without tokens
 */
export function encodeDocuments(
  documents: readonly Pick<Document, "id" | "tokens" | "label">[],
  vocabulary: Vocabulary,
  length: number,
): Encoded {
  return {
    tokens: documents.map(({ id, tokens }) => {
      if (tokens.length === 0) throw new InvalidArgumentError(id, "a text with words", "none");
      const out = new Int32Array(Math.min(length, tokens.length));
      vocabulary.encode(tokens, out);
      return out;
    }),
    labels: Int32Array.from(documents, ({ label }) => label),
  };
}

const batchesPerPool = 8;

/** Steps of one pass over the documents. */
export function stepsPerEpoch(documents: number, batch: number): number {
  return Math.ceil(documents / batch);
}

/** The batches of one epoch, as indices of documents. */
export function epochBatches({ tokens }: Encoded, batch: number, seed: number, epoch: number): number[][] {
  const random = createRandom(fnv1a(`order ${seed} ${epoch}`));
  const shuffle = <T>(list: T[]): T[] => {
    for (let i = list.length - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  };
  const order = shuffle([...tokens.keys()]);
  const batches: number[][] = [];
  for (let start = 0; start < order.length; start += batch * batchesPerPool) {
    const pool = order.slice(start, start + batch * batchesPerPool);
    pool.sort((a, b) => tokens[a].length - tokens[b].length);
    for (let at = 0; at < pool.length; at += batch) batches.push(pool.slice(at, at + batch));
  }
  return shuffle(batches);
}

/** The documents from the shortest to the longest, in batches: for evaluation, where the order does not matter. */
export function sortedBatches({ tokens }: Encoded, batch: number): number[][] {
  const order = [...tokens.keys()].sort((a, b) => tokens[a].length - tokens[b].length);
  return Array.from({ length: Math.ceil(order.length / batch) }, (_, i) => order.slice(i * batch, (i + 1) * batch));
}

/** Some documents side by side, padded to the longest of them. */
export function collate({ tokens, labels }: Encoded, indices: readonly number[]): LabelledBatch {
  const longest = indices.reduce((length, i) => Math.max(length, tokens[i].length), 1);
  const batch: LabelledBatch = {
    tokens: new Int32Array(indices.length * longest),
    lengths: new Int32Array(indices.length),
    labels: new Int32Array(indices.length),
  };
  for (const [row, i] of indices.entries()) {
    batch.tokens.set(tokens[i], row * longest);
    batch.lengths[row] = tokens[i].length;
    batch.labels[row] = labels[i];
  }
  return batch;
}

/** At most `count` of a list, evenly spread over it. */
export function evenly<T>(list: readonly T[], count: number): T[] {
  const taken = Math.min(count, list.length);
  return Array.from({ length: taken }, (_, i) => list[Math.floor((i * list.length) / taken)]);
}
