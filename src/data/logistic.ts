/**
 * Multinomial logistic regression on bags of words: the sanity line of text classification. It sees which words a document
 * has and how often, and nothing of their order.
 *
 *   x_w = log(1 + count of word w), scaled to unit length;  p = softmax(W x + b)
 *   minimise  mean −log p_label + (λ/2)‖W‖²        b is free
 *
 * Full-batch accelerated gradient descent (Nesterov 1983 with restarts where the objective grows) with the step 1/(½·(1 + 1) + λ): the
 * Hessian of the mean loss is at most ½(‖x‖² + 1) = 1. Float64, no randomness: the same documents give the same numbers.
 */

import type { Document } from "./corpus.js";
import type { Vocabulary } from "./vocabulary.js";

/** A trained regression. */
export interface LogisticRegression {
  readonly classes: number;
  /** [C, words] */
  readonly weights: Float64Array;
  /** [C] */
  readonly biases: Float64Array;
  /** Probabilities of one document, [C]. */
  predict(tokens: readonly string[]): Float64Array;
}

/** The words that occur and their x. */
type Bag = { readonly words: Int32Array; readonly values: Float64Array };
type Labelled = Pick<Document, "tokens" | "label">;

/**
 * Fits the regression.
 * @param lambda λ ≥ 0. The default is 10⁻⁴
 * @param iterations steps of gradient descent
 */
export function fitLogistic(
  documents: readonly Labelled[],
  vocabulary: Vocabulary,
  classes: number,
  { lambda = 1e-4, iterations = 300 } = {},
): LogisticRegression {
  const size = vocabulary.size;
  const bags = documents.map(({ tokens }) => bagOf(tokens, vocabulary));
  const count = classes * (size + 1);
  let parameters = new Float64Array(count);
  let previous = parameters.slice();
  let ahead = parameters.slice();
  let momentum = 1;
  let lastLoss = Number.POSITIVE_INFINITY;
  const gradient = new Float64Array(count);
  for (let step = 0; step < iterations; step++) {
    const loss = objective(ahead, bags, documents, size, classes, lambda, gradient);
    if (loss > lastLoss) {
      // The momentum has carried too far: begin again from where the loss was least.
      momentum = 1;
      ahead = parameters.slice();
      lastLoss = Number.POSITIVE_INFINITY;
      continue;
    }
    lastLoss = loss;
    previous = parameters;
    parameters = ahead.map((value, p) => value - gradient[p] / (1 + lambda));
    const next = (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2;
    const factor = (momentum - 1) / next;
    ahead = parameters.map((value, p) => value + factor * (value - previous[p]));
    momentum = next;
  }
  const weights = parameters.slice(0, classes * size);
  const biases = parameters.slice(classes * size);
  return {
    classes,
    weights,
    biases,
    predict: (tokens) => softmaxOf(bagOf(tokens, vocabulary), parameters, size, classes),
  };
}

function bagOf(tokens: readonly string[], vocabulary: Vocabulary): Bag {
  const counts = new Map<number, number>();
  for (const token of tokens) {
    const id = vocabulary.id(token);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const raw = Float64Array.from(counts.values(), (count) => Math.log1p(count));
  const norm = Math.hypot(...raw);
  return { words: Int32Array.from(counts.keys()), values: raw.map((value) => value / norm) };
}

function softmaxOf({ words, values }: Bag, parameters: Float64Array, size: number, classes: number): Float64Array {
  const logits = new Float64Array(classes);
  for (let c = 0; c < classes; c++) {
    let sum = 0;
    for (let w = 0; w < words.length; w++) sum += values[w] * parameters[c * size + words[w]];
    logits[c] = sum + parameters[classes * size + c];
  }
  const most = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((logit) => Math.exp(logit - most));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
}

/** The loss with its penalty; its gradient goes into `gradient`. */
function objective(
  parameters: Float64Array,
  bags: readonly Bag[],
  documents: readonly Labelled[],
  size: number,
  classes: number,
  lambda: number,
  gradient: Float64Array,
): number {
  let loss = 0;
  gradient.fill(0);
  for (let i = 0; i < bags.length; i++) {
    const p = softmaxOf(bags[i], parameters, size, classes);
    const { label } = documents[i];
    loss -= Math.log(Math.max(p[label], Number.MIN_VALUE)) / bags.length;
    const { words, values } = bags[i];
    for (let c = 0; c < classes; c++) {
      const error = (p[c] - (c === label ? 1 : 0)) / bags.length;
      for (let w = 0; w < words.length; w++) gradient[c * size + words[w]] += error * values[w];
      gradient[classes * size + c] += error;
    }
  }
  for (let p = 0; p < classes * size; p++) {
    loss += (lambda / 2) * parameters[p] * parameters[p];
    gradient[p] += lambda * parameters[p];
  }
  return loss;
}
