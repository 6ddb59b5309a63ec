/** Scores of a model on documents. */

import { type Scores, score } from "../data/metrics.js";
import type { Batch, Classifier, MaskOverride } from "../models/types.js";
import { collate, type Encoded, sortedBatches } from "./batches.js";

/** The masks of a batch at each point of a curve; undefined for those that the model has by itself. */
export type OverridesOf = (batch: Batch) => Promise<(point: number) => MaskOverride | undefined>;

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
  onProgress?: (done: number, total: number) => void,
): Promise<Scores> {
  const overridesOf: OverridesOf = async (data) => {
    const masks = await override?.(data);
    return () => masks;
  };
  const [scores] = await evaluateCurve(model, encoded, batch, 1, overridesOf, onProgress);
  return scores;
}

/** Scores of a model at each of some points, which differ in the masks; `overridesOf` is asked once for a batch. */
export async function evaluateCurve(
  model: Pick<Classifier, "predict" | "config">,
  encoded: Encoded,
  batch: number,
  points: number,
  overridesOf: OverridesOf,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Scores[]> {
  const { classes } = model.config;
  const curve = Array.from({ length: points }, () => new Float32Array(encoded.tokens.length * classes));
  const batches = sortedBatches(encoded, batch);
  for (const [b, indices] of batches.entries()) {
    onProgress(b, batches.length);
    const { labels: _labels, ...data } = collate(encoded, indices);
    const overrideAt = await overridesOf(data);
    for (const [point, found] of curve.entries()) {
      const { probabilities } = await model.predict(data, overrideAt(point));
      for (const [row, i] of indices.entries()) {
        found.set(probabilities.subarray(row * classes, (row + 1) * classes), i * classes);
      }
    }
  }
  return curve.map((probabilities) => score(probabilities, encoded.labels, classes));
}
