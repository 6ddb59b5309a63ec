/** Scores of a model on documents. */

import { type Scores, score } from "../data/metrics.js";
import type { Batch, Classifier, MaskOverride } from "../models/types.js";
import { collate, type Encoded, sortedBatches } from "./batches.js";

/**
 * Scores of a model.
 * @param batch documents at a time; at most the batch that the model was made for
 * @param override the masks of a batch (dynamic inference)
 */
export async function evaluateEncoded(
  model: Pick<Classifier, "predict" | "config">,
  encoded: Encoded,
  batch: number,
  override?: (batch: Batch) => MaskOverride | Promise<MaskOverride>,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Scores> {
  const { classes } = model.config;
  const probabilities = new Float32Array(encoded.tokens.length * classes);
  const batches = sortedBatches(encoded, batch);
  for (const [b, indices] of batches.entries()) {
    onProgress(b, batches.length);
    const { labels: _labels, ...data } = collate(encoded, indices);
    const found = await model.predict(data, await override?.(data));
    for (const [row, i] of indices.entries()) {
      probabilities.set(found.probabilities.subarray(row * classes, (row + 1) * classes), i * classes);
    }
  }
  return score(probabilities, encoded.labels, classes);
}
