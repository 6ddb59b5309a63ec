/**
 * How good predictions are.
 *
 *   accuracy      share of documents whose largest probability is that of their class
 *   ROC AUC       probability that a positive document scores above a negative one, ties counting half: the
 *                 Mann–Whitney statistic  (R⁺ − n⁺(n⁺ + 1)/2) / (n⁺ n⁻),  R⁺ the sum of the positives' mid-ranks
 *   calibration   Σ_b |B_b|/n · |accuracy(B_b) − confidence(B_b)| over 10 bins of the largest probability (ECE)
 */

import { InvalidArgumentError } from "../errors.js";

/**
 * Area under the ROC curve.
 * @param scores any numbers that grow with the belief in the positive class, [n]
 * @param positive 1 for a positive document, [n]
 * @returns NaN when one of the classes is missing
 * @throws InvalidArgumentError for a score that is NaN, or lengths that differ
 */
export function rocAuc(scores: ArrayLike<number>, positive: ArrayLike<number>): number {
  if (scores.length !== positive.length) {
    throw new InvalidArgumentError("positive", `as many entries as scores (${scores.length})`, positive.length);
  }
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
  const odd = order.find((i) => Number.isNaN(scores[i]));
  if (odd !== undefined) throw new InvalidArgumentError(`scores[${odd}]`, "a number", Number.NaN);
  let rankSum = 0;
  let count = 0;
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && scores[order[end]] === scores[order[start]]) end++;
    const midRank = (start + 1 + end) / 2;
    for (let r = start; r < end; r++) {
      if (positive[order[r]]) {
        rankSum += midRank;
        count++;
      }
    }
  }
  return (rankSum - (count * (count + 1)) / 2) / (count * (scores.length - count));
}

/** What an evaluation says. */
export interface Scores {
  readonly documents: number;
  readonly accuracy: number;
  /** Mean of −log of the probability given to the right class. */
  readonly loss: number;
  /** Area under the ROC curve of the second of two classes; undefined for more classes. */
  readonly auc: number | undefined;
  /** Expected calibration error over 10 bins. */
  readonly calibration: number;
}

/**
 * Scores of predictions.
 * @param probabilities [n, C], rows sum to 1
 * @param labels [n]
 */
export function score(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number): Scores {
  const n = labels.length;
  if (probabilities.length !== n * classes) {
    throw new InvalidArgumentError("probabilities", `${n * classes} numbers (${n} x ${classes})`, probabilities.length);
  }
  const bins = Array.from({ length: 10 }, () => ({ right: 0, confidence: 0 }));
  let right = 0;
  let loss = 0;
  for (let i = 0; i < n; i++) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (probabilities[i * classes + c] > probabilities[i * classes + best]) best = c;
    const confidence = probabilities[i * classes + best];
    const hit = best === labels[i] ? 1 : 0;
    const bin = bins[Math.min(9, Math.floor(confidence * 10))];
    right += hit;
    bin.right += hit;
    bin.confidence += confidence;
    loss -= Math.log(probabilities[i * classes + labels[i]]);
  }
  return {
    documents: n,
    accuracy: right / n,
    loss: loss / n,
    auc:
      classes === 2
        ? rocAuc(
            Array.from(labels, (_, i) => probabilities[2 * i + 1]),
            labels,
          )
        : undefined,
    calibration: bins.reduce((sum, bin) => sum + Math.abs(bin.right - bin.confidence), 0) / n,
  };
}
