/**
 * The smallest model with the face of a classifier: the mean of one score vector per token, trained with momentum. Tests of
 * what surrounds a model (batches, checkpoints, runs) use it, so that they fail only for their own reasons.
 */

import { InvalidArgumentError } from "../../src/errors.js";
import type { CreateClassifier } from "../../src/learn/train.js";
import { resolveConfig } from "../../src/models/config.js";
import { NonFiniteError } from "../../src/models/errors.js";
import type { Batch, Classifier, ModelState, Prediction } from "../../src/models/types.js";

/** Makes one; `poison` is the step whose gradient is NaN. */
export function linearClassifier(poison = -1): CreateClassifier {
  return async (options, { seed = 1, threads = 1 }) => {
    const config = resolveConfig(options);
    const { vocabulary, classes } = config;
    const weights = new Float32Array(vocabulary * classes);
    const first = new Float32Array(weights.length);
    const second = new Float32Array(weights.length);
    let steps = 0;
    const shape = [vocabulary, classes];
    const predict = ({ tokens, lengths }: Batch): Prediction => {
      const logits = new Float32Array(lengths.length * classes);
      const size = tokens.length / lengths.length;
      for (let b = 0; b < lengths.length; b++) {
        for (let i = 0; i < lengths[b]; i++) {
          for (let c = 0; c < classes; c++)
            logits[b * classes + c] += weights[tokens[b * size + i] * classes + c] / lengths[b];
        }
      }
      const probabilities = new Float32Array(logits.length);
      for (let b = 0; b < lengths.length; b++) {
        const row = logits.subarray(b * classes, (b + 1) * classes);
        const powers = [...row].map((x) => Math.exp(x - Math.max(...row)));
        const total = powers.reduce((a, c) => a + c);
        powers.forEach((power, c) => {
          probabilities[b * classes + c] = power / total;
        });
      }
      return { logits, probabilities };
    };
    const model: Partial<Classifier> = {
      config,
      seed,
      threads,
      parameterCount: weights.length,
      get steps() {
        return steps;
      },
      async step(batch, { learningRate }) {
        if (steps === poison) throw new NonFiniteError("embedding.weight", steps, Number.NaN);
        const { probabilities } = predict(batch);
        const { tokens, lengths, labels } = batch;
        const size = tokens.length / lengths.length;
        const gradient = new Float32Array(weights.length);
        let loss = 0;
        let right = 0;
        for (let b = 0; b < lengths.length; b++) {
          const row = probabilities.subarray(b * classes, (b + 1) * classes);
          loss -= Math.log(row[labels[b]]) / lengths.length;
          if (row.indexOf(Math.max(...row)) === labels[b]) right++;
          for (let i = 0; i < lengths[b]; i++) {
            for (let c = 0; c < classes; c++) {
              gradient[tokens[b * size + i] * classes + c] +=
                (row[c] - (c === labels[b] ? 1 : 0)) / lengths[b] / lengths.length;
            }
          }
        }
        for (let p = 0; p < weights.length; p++) {
          first[p] = 0.9 * first[p] + 0.1 * gradient[p];
          second[p] = 0.99 * second[p] + 0.01 * gradient[p] ** 2;
          weights[p] -= (100 * learningRate * first[p]) / (Math.sqrt(second[p]) + 1e-3);
        }
        steps++;
        return { loss, accuracy: right / lengths.length };
      },
      predict: async (batch) => predict(batch),
      state: () => ({
        seed,
        step: steps,
        parameters: { "embedding.weight": { shape, data: weights.slice() } },
        firstMoments: { "embedding.weight": { shape, data: first.slice() } },
        secondMoments: { "embedding.weight": { shape, data: second.slice() } },
      }),
      load(state: ModelState) {
        const tensor = state.parameters["embedding.weight"];
        if (tensor?.shape.join() !== shape.join()) {
          throw new InvalidArgumentError(
            "embedding.weight",
            `the shape ${shape.join(" x ")}`,
            tensor?.shape.join(" x "),
          );
        }
        weights.set(tensor.data);
        first.set(state.firstMoments?.["embedding.weight"].data ?? []);
        second.set(state.secondMoments?.["embedding.weight"].data ?? []);
        steps = state.step;
      },
      dispose() {},
      [Symbol.dispose]() {},
    };
    return model as Classifier;
  };
}
