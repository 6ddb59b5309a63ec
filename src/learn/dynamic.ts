/**
 * Dynamic inference (equations section 16): scores of a trained model under masks that it never saw, at random and of the
 * far pairs, and the distances of query and key behind the latter.
 *
 * A curve goes through the documents once: what its masks are made of, random numbers or distances, is computed once for a
 * batch and compared with every point of the curve.
 */

import { createRandom } from "../../reference/random.js";
import type { Scores } from "../data/metrics.js";
import type { Classifier, LayerAttention, ResolvedConfig } from "../models/types.js";
import { collate, type Encoded, evenly } from "./batches.js";
import { evaluateCurve, type OverridesOf } from "./evaluate.js";

/** A point of a curve of scores. */
export interface ScoredAt {
  readonly at: number;
  readonly scores: Scores;
}

/** 0, 0.1, …, 1: shares of pairs. */
export const tenths = Array.from({ length: 11 }, (_, i) => i / 10);

/** Scores of a model under masks for each of `tenths`. */
async function scoreTenths(
  model: Pick<Classifier, "predict" | "config">,
  held: Encoded,
  batch: number,
  masksOf: OverridesOf,
  onBatch: () => void,
): Promise<ScoredAt[]> {
  const scores = await evaluateCurve(model, held, batch, tenths.length, masksOf, onBatch);
  return tenths.map((at, p) => ({ at, scores: scores[p] }));
}

/**
 * Scores when every pair is masked with a probability, for each of `tenths`. The masks are those of `bernoulliMask` of the
 * reference with the same seed: nested, and the same for all documents of a batch.
 */
export function scoreRandomMasks(
  model: Pick<Classifier, "predict" | "config">,
  held: Encoded,
  batch: number,
  seed: number,
  onBatch: () => void = () => {},
): Promise<ScoredAt[]> {
  const longest = held.tokens.reduce((length, tokens) => Math.max(length, tokens.length), 1);
  const random = createRandom(seed);
  const draws = Float64Array.from({ length: longest ** 2 }, () => random.uniform());
  const masksOf: OverridesOf = async ({ tokens, lengths }) => {
    const mask = new Uint8Array((tokens.length / lengths.length) ** 2);
    return (p) => {
      for (let i = 0; i < mask.length; i++) mask[i] = draws[i] < tenths[p] ? 1 : 0;
      return { mask };
    };
  };
  return scoreTenths(model, held, batch, masksOf, onBatch);
}

/**
 * Scores when only the nearest pairs may attend, for shares of `tenths`: those nearer than a distance below which that
 * share of the pairs of eight documents lies. For one layer with one head.
 */
export async function scoreNearestPairs(
  model: Pick<Classifier, "predict" | "attention" | "config">,
  held: Encoded,
  batch: number,
  onBatch: () => void = () => {},
): Promise<ScoredAt[]> {
  const thresholds = await distanceQuantiles(model, held, tenths);
  const masksOf: OverridesOf = async ({ tokens, lengths }) => {
    const rows = lengths.length;
    const size = tokens.length / rows;
    const [layer] = await model.attention({ tokens, lengths });
    // How many points mask a pair; thresholds ascend, so these are the first ones.
    const masking = new Uint8Array(rows * size * size);
    for (let row = 0; row < rows; row++) {
      const distances = pairDistances(layer, model.config, size, row);
      for (let i = 0; i < distances.length; i++) {
        let points = 0;
        while (points < thresholds.length && distances[i] >= thresholds[points]) points++;
        masking[row * size * size + i] = points;
      }
    }
    const mask = new Uint8Array(masking.length);
    return (p) => {
      for (let i = 0; i < mask.length; i++) mask[i] = p < masking[i] ? 1 : 0;
      return { mask };
    };
  };
  return scoreTenths(model, held, batch, masksOf, onBatch);
}

/** Distances below which the shares of all pairs lie, over eight held-out texts. 0 keeps none, 1 all. */
async function distanceQuantiles(
  model: Pick<Classifier, "attention" | "config">,
  held: Encoded,
  shares: readonly number[],
): Promise<number[]> {
  const parts: Float64Array[] = [];
  for (const i of evenly([...held.tokens.keys()], 8)) {
    const { labels: _labels, ...batch } = collate(held, [i]);
    const size = held.tokens[i].length;
    const distances = pairDistances((await model.attention(batch))[0], model.config, size);
    parts.push(distances.filter((_, p) => p % (size + 1) !== 0));
  }
  const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  all.sort();
  return shares.map((share) =>
    share === 0 ? 0 : share === 1 ? Number.POSITIVE_INFINITY : all[Math.floor(share * all.length)],
  );
}

/**
 * Distances of queries and keys of one text and head; on the sphere chords, whose order is that of the angles.
 * @returns [N, N], of queries by keys; exactly symmetric where the keys are the queries
 */
export function pairDistances(
  { queries, keys }: LayerAttention,
  config: ResolvedConfig,
  size: number,
  row = 0,
  head = 0,
): Float64Array {
  const dim = config.width / config.heads;
  const start = (row * config.heads + head) * size * dim;
  const sphere = config.attention === "fna-sphere";
  const q = pointsOf(queries, start, size, dim, sphere);
  const k = config.qkShare ? q : pointsOf(keys, start, size, dim, sphere);
  const distances = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = config.qkShare ? i + 1 : 0; j < size; j++) {
      let square = 0;
      for (let c = 0; c < dim; c++) {
        const apart = q[i * dim + c] - k[j * dim + c];
        square += apart * apart;
      }
      distances[i * size + j] = Math.sqrt(square);
      if (config.qkShare) distances[j * size + i] = distances[i * size + j];
    }
  }
  return distances;
}

/** Points [N, D] from `start` on, on the sphere of unit length where they have a direction. */
function pointsOf(all: Float32Array, start: number, size: number, dim: number, sphere: boolean): Float32Array {
  const points = all.slice(start, start + size * dim);
  for (let i = 0; sphere && i < size; i++) {
    const point = points.subarray(i * dim, (i + 1) * dim);
    const norm = Math.hypot(...point);
    if (norm > 0) point.set(point.map((x) => x / norm));
  }
  return points;
}
