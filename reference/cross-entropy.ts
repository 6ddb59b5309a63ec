/**
 * Softmax and cross-entropy of a classifier (arXiv:2511.10208; equations section 11), with the gradient in the logits:
 *
 *   p_bk = exp(l_bk − log Σ_k exp l_bk),   loss = −mean_b log p_b,label(b),   dl = (p − onehot)/B
 *
 * The authors' training feeds p, not l, to a cross-entropy that takes logits (`twice`):
 *
 *   loss = −mean_b log softmax(p_b)_label(b),   g = (softmax(p) − onehot)/B,   dl = p (g − Σ_k g p)
 *
 * Shapes: logits, p, dl [B, K], labels [B].
 */

import { type Floats, flag, floats, int32s, integer } from "./check.js";

/** What `softmaxCrossEntropy` returns. */
export interface CrossEntropy {
  loss: number;
  /** [B, K] */
  probabilities: Float64Array;
  /** dl, [B, K]. */
  dLogits: Float64Array;
}

/** Softmax of each row of [rows, classes]. @throws InvalidArgumentError */
export function softmax(logits: Floats, rows: number, classes: number): Float64Array {
  return logSoftmax(logits, rows, classes).map(Math.exp);
}

/**
 * Loss, probabilities and gradient.
 * @param twice the authors' reading; default false
 * @throws InvalidArgumentError
 */
export function softmaxCrossEntropy(logits: Floats, labels: Int32Array, classes: number, twice = false): CrossEntropy {
  int32s("labels", labels);
  flag("twice", twice);
  integer("classes", classes, 1);
  for (const label of labels) integer("labels", label, 0, classes - 1);
  const rows = labels.length;
  const probabilities = softmax(logits, rows, classes);
  const logs = logSoftmax(twice ? probabilities : logits, rows, classes);
  let loss = 0;
  const dLogits = logs.map(
    (log, p) => (Math.exp(log) - (p % classes === labels[Math.floor(p / classes)] ? 1 : 0)) / rows,
  );
  for (let b = 0; b < rows; b++) {
    loss -= logs[b * classes + labels[b]] / rows;
    if (!twice) continue;
    let along = 0;
    for (let p = b * classes; p < (b + 1) * classes; p++) along += dLogits[p] * probabilities[p];
    for (let p = b * classes; p < (b + 1) * classes; p++) dLogits[p] = probabilities[p] * (dLogits[p] - along);
  }
  return { loss, probabilities, dLogits };
}

function logSoftmax(x: Floats, rows: number, classes: number): Float64Array {
  integer("rows", rows, 0);
  integer("classes", classes, 1);
  floats("logits", x, rows * classes);
  const logs = new Float64Array(rows * classes);
  for (let b = 0; b < rows; b++) {
    const row = x.subarray(b * classes, (b + 1) * classes);
    const largest = Math.max(...row);
    let sum = 0;
    for (const value of row) sum += Math.exp(value - largest);
    for (let k = 0; k < classes; k++) logs[b * classes + k] = row[k] - largest - Math.log(sum);
  }
  return logs;
}
