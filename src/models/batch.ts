/** Batches: checked, and dealt out to shards. */

import { integer, record } from "../../reference/check.js";
import { InvalidArgumentError } from "../errors.js";
import type { Batch, LabelledBatch, MaskOverride, ResolvedConfig, StepOptions } from "./types.js";

/** A batch whose arrays are right: its number of texts and their padded length. */
export interface CheckedBatch {
  readonly tokens: Int32Array;
  readonly lengths: Int32Array;
  readonly labels: Int32Array | undefined;
  readonly texts: number;
  readonly padded: number;
}

/**
 * Checks a batch of at most `most` texts.
 * @throws InvalidArgumentError
 */
export function checkBatch(batch: Batch | LabelledBatch, config: ResolvedConfig, most: number): CheckedBatch {
  record("batch", batch, ["tokens", "lengths", "labels"]);
  const lengths = integers("lengths", batch.lengths);
  const texts = integer("lengths.length", lengths.length, 1, most);
  const tokens = integers("tokens", batch.tokens);
  const padded = tokens.length / texts;
  if (!Number.isInteger(padded) || padded < 1 || padded > config.maxLength) {
    const domain = `an Int32Array of length ${texts} times an integer in [1, ${config.maxLength}]`;
    throw new InvalidArgumentError("tokens", domain, tokens);
  }
  for (let b = 0; b < texts; b++) {
    integer(`lengths[${b}]`, lengths[b], 1, padded);
    const used = config.compatibility.poolPadding ? padded : lengths[b];
    for (let i = 0; i < used; i++) {
      const token = tokens[b * padded + i];
      if (token < 0 || token >= config.vocabulary) {
        throw new InvalidArgumentError(`tokens[${b * padded + i}]`, `an id in [0, ${config.vocabulary})`, token);
      }
    }
  }
  if (!("labels" in batch) || batch.labels === undefined) {
    return { tokens, lengths, labels: undefined, texts, padded };
  }
  const labels = integers("labels", batch.labels, texts);
  for (let b = 0; b < texts; b++) integer(`labels[${b}]`, labels[b], 0, config.classes - 1);
  return { tokens, lengths, labels, texts, padded };
}

/** As `checkBatch`, with labels. @throws InvalidArgumentError */
export function checkLabelled(batch: LabelledBatch, config: ResolvedConfig, most: number): CheckedBatch {
  const checked = checkBatch(batch, config, most);
  if (checked.labels === undefined) {
    throw new InvalidArgumentError("labels", `an Int32Array of length ${checked.texts}`, undefined);
  }
  return checked;
}

/** Masks of a call beside the model's own. @throws InvalidArgumentError */
export function checkOverride(override: MaskOverride, config: ResolvedConfig, batch: CheckedBatch) {
  const { mask, distanceThreshold } = record("override", override, ["mask", "distanceThreshold"]);
  const pairs = batch.padded ** 2;
  if (mask !== undefined) {
    const fits = mask instanceof Uint8Array && (mask.length === pairs || mask.length === batch.texts * pairs);
    if (!fits) {
      const domain = `a Uint8Array of length ${pairs} or ${batch.texts * pairs} ([1 or ${batch.texts}, ${batch.padded}, ${batch.padded}])`;
      throw new InvalidArgumentError("mask", domain, mask);
    }
    if (config.compatibility.poolPadding) {
      throw new InvalidArgumentError("mask", "none for a model whose padding takes part (poolPadding)", mask);
    }
  }
  if (distanceThreshold !== undefined) {
    if (!config.attention.startsWith("fna")) {
      throw new InvalidArgumentError(
        "distanceThreshold",
        `none for ${config.attention} attention, which has no distances`,
        distanceThreshold,
      );
    }
    if (typeof distanceThreshold !== "number" || Number.isNaN(distanceThreshold)) {
      throw new InvalidArgumentError("distanceThreshold", "a number", distanceThreshold);
    }
  }
  return { mask, threshold: distanceThreshold ?? Number.POSITIVE_INFINITY };
}

/** Constants of a step with their defaults. @throws InvalidArgumentError */
export function checkStep(options: StepOptions): Required<StepOptions> {
  const names = ["learningRate", "beta1", "beta2", "epsilon"] as const;
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = record("options", options, names);
  const within = (name: string, value: number, domain: string, fits: boolean) => {
    if (typeof value !== "number" || !fits) throw new InvalidArgumentError(name, domain, value);
  };
  within("learningRate", learningRate, "a finite number above 0", Number.isFinite(learningRate) && learningRate > 0);
  within("beta1", beta1, "a number in [0, 1)", beta1 >= 0 && beta1 < 1);
  within("beta2", beta2, "a number in [0, 1)", beta2 >= 0 && beta2 < 1);
  within("epsilon", epsilon, "a finite number above 0", Number.isFinite(epsilon) && epsilon > 0);
  return { learningRate, beta1, beta2, epsilon };
}

function integers(argument: string, value: unknown, length?: number): Int32Array {
  if (!(value instanceof Int32Array) || (length !== undefined && value.length !== length)) {
    throw new InvalidArgumentError(
      argument,
      `an Int32Array${length === undefined ? "" : ` of length ${length}`}`,
      value,
    );
  }
  return value;
}

/**
 * Which texts each shard takes, at most `most` each: the longest first, always to the shard with the least work, which
 * grows with the square of a length and a multiple of it. Within a shard texts keep their order. A function of the
 * lengths alone, so that it is the same in every run.
 */
export function dealTexts(rows: ArrayLike<number>, shards: number, most: number): number[][] {
  // A row costs about as much in the layers as 150 pairs do in attention, at a width of 64.
  const cost = (text: number) => rows[text] * (rows[text] + 150);
  const order = Array.from(rows, (_, text) => text).sort((a, b) => cost(b) - cost(a) || a - b);
  const dealt: number[][] = Array.from({ length: shards }, () => []);
  const work = new Float64Array(shards);
  for (const text of order) {
    let least = -1;
    for (let s = 0; s < shards; s++) {
      if (dealt[s].length < most && (least < 0 || work[s] < work[least])) least = s;
    }
    dealt[least].push(text);
    work[least] += cost(text);
  }
  return dealt.map((texts) => texts.sort((a, b) => a - b));
}
