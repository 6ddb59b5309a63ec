/** Dynamic inference: the masks of the curves are those of the reference, and the distances those of query and key. */

import { describe, expect, it } from "vitest";
import { euclideanDistances } from "../../reference/distance.js";
import { bernoulliMask } from "../../reference/dynamic-inference.js";
import { thresholdMask } from "../../reference/masks.js";
import { createRandom } from "../../reference/random.js";
import type { Encoded } from "../../src/learn/batches.js";
import { pairDistances, scoreNearestPairs, scoreRandomMasks } from "../../src/learn/dynamic.js";
import { evaluateEncoded } from "../../src/learn/evaluate.js";
import type { Classifier, ClassifierConfig } from "../../src/models/index.js";
import { createClassifier } from "../../src/models/index.js";

const batch = 3;
const { integer } = createRandom(4);
const held: Encoded = {
  tokens: Array.from({ length: 8 }, (_, i) => Int32Array.from({ length: 4 + 2 * i }, () => integer(20))),
  labels: Int32Array.from({ length: 8 }, (_, i) => i % 2),
};
const tenths = Array.from({ length: 11 }, (_, i) => i / 10);

/** An untrained model, far from sure of anything, so that a pair more or less changes its scores. */
async function withModel(config: Partial<ClassifierConfig>, run: (model: Classifier) => Promise<void>): Promise<void> {
  using model = await createClassifier(
    { width: 8, vocabulary: 20, maxLength: 20, orthogonal: true, qkShare: true, ...config },
    { batch, training: false },
  );
  await run(model);
}

describe("scoreRandomMasks", () => {
  it("scores under bernoulliMask, point by point", () =>
    withModel({}, async (model) => {
      const curve = await scoreRandomMasks(model, held, batch, 9);
      expect(curve.map(({ at }) => at)).toEqual(tenths);
      for (const { at, scores } of curve) {
        const wanted = await evaluateEncoded(model, held, batch, ({ tokens, lengths }) => {
          const size = tokens.length / lengths.length;
          return { mask: bernoulliMask(size, size, at, 9) };
        });
        expect(scores).toEqual(wanted);
      }
      expect(new Set(curve.map(({ scores }) => scores.loss)).size).toBe(11);
    }));
});

describe("scoreNearestPairs", () => {
  it.each<Partial<ClassifierConfig>>([{}, { qkShare: false, orthogonal: false, attention: "dot-product" }])(
    "scores under thresholdMask, at the quantiles of the distances: %o",
    (config) =>
      withModel(config, async (model) => {
        const distances: number[] = [];
        for (const tokens of held.tokens) {
          const [layer] = await model.attention({ tokens, lengths: Int32Array.of(tokens.length) });
          const all = euclideanDistances(layer.queries, layer.keys, tokens.length, tokens.length, 8);
          distances.push(...all.filter((_, p) => p % (tokens.length + 1) !== 0));
        }
        distances.sort((a, b) => a - b);
        const curve = await scoreNearestPairs(model, held, batch);
        for (const { at, scores } of curve) {
          const threshold =
            at === 0 ? 0 : at === 1 ? Number.POSITIVE_INFINITY : distances[Math.floor(at * distances.length)];
          const wanted = await evaluateEncoded(model, held, batch, async ({ tokens, lengths }) => {
            const size = tokens.length / lengths.length;
            const [{ queries, keys }] = await model.attention({ tokens, lengths });
            const mask = new Uint8Array(lengths.length * size * size);
            for (let row = 0; row < lengths.length; row++) {
              const part = (points: Float32Array) => points.subarray(row * size * 8, (row + 1) * size * 8);
              const apart = euclideanDistances(part(queries), part(keys), size, size, 8);
              mask.set(thresholdMask(apart, threshold), row * size * size);
            }
            return { mask };
          });
          // A pair that lies on the threshold by one of two roundings may fall to either side: none does here.
          expect(scores).toEqual(wanted);
        }
        expect(curve[0].scores.loss).not.toBe(curve[10].scores.loss);
      }),
  );
});

describe("pairDistances", () => {
  it("on the sphere are chords of the directions, and a point without one stays where it is", () =>
    withModel({ attention: "fna-sphere" }, async (model) => {
      const points = Float32Array.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
      const none = new Float64Array(0);
      const layer = { queries: points, keys: points, weights: new Float32Array(9), alpha: none, kappa: none };
      const found = pairDistances(layer, model.config, 3);
      expect([...found]).toEqual([0, Math.SQRT2, 1, Math.SQRT2, 0, 1, 1, 1, 0]);
    }));
});
