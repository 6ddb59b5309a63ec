/**
 * The encoder classifier (arXiv:2511.10208; equations section 11), forward and backward, one text after another:
 *
 *   x_i = E[token_i] + P[i + 1]                                   P[0] for padding
 *   L times:  u = x, or x/|x| row by row on the sphere
 *             s = u + drop(MHA(u) ρ),  y = LayerNorm(s)           ρ = 1/√L with `residualScale`, else 1
 *             x = LayerNorm(y + drop(W₂ relu(W₁ y + b₁) + b₂))
 *   logits = W pool(x) + b
 *
 * Attention is any of section 10 and 2 to 6; W_Q and W_K may be orthogonal (`orthogonal.ts`). Learned orders and scales
 * are α = 2/(1 + e^−a) of `alpha_logit` and κ = e^l of `log_kappa`, one per head:
 *
 *   da = dα α (1 − α/2),   dl = dκ κ
 *
 * Padding takes no part, unless `poolPadding` asks for the authors' reading: padded positions are queries and are
 * pooled, and only as keys are they masked. Parameters are named as in the authors' state dict. The layers are in
 * `encoder-text.ts`.
 * Shapes: N tokens of a text, C width, H heads, D = C/H, K classes.
 */

import { softmaxCrossEntropy } from "./cross-entropy.js";
import { checkEncoderCall } from "./encoder-check.js";
import {
  type EncoderConfig,
  type EncoderStep,
  Gradients,
  linearOf,
  type NamedFloats,
  named,
  TextPass,
} from "./encoder-text.js";
import { linearBackward, linearForward } from "./linear.js";
import { orthogonalWeightBackward } from "./orthogonal.js";

export type { EncoderConfig, EncoderStep, NamedFloats } from "./encoder-text.js";

/** Texts, padded to one length, with their classes. */
export interface EncoderBatch {
  /** [B, N] */
  tokens: Int32Array;
  /** [B], in [1, N]. */
  lengths: Int32Array;
  /** [B] */
  labels: Int32Array;
}

/** Result of `encoderForward`; `backward` gives the gradients of the mean loss. */
export interface EncoderResult {
  loss: number;
  /** [B, K] */
  logits: Float64Array;
  /** [B, K] */
  probabilities: Float64Array;
  /** [B, C] */
  pooled: Float64Array;
  /** For each layer and text the weights of each head, [N', N'], N' the positions that take part. */
  weights: Float64Array[][][];
  backward: () => Record<string, Float64Array>;
}

/**
 * The model on a batch.
 * @param parameters every trained tensor, and for orthogonal weights their `0.base`
 * @throws InvalidArgumentError
 */
export function encoderForward(
  config: EncoderConfig,
  parameters: NamedFloats,
  batch: EncoderBatch,
  dropoutAt?: EncoderStep,
): EncoderResult {
  checkEncoderCall(config, parameters, batch, dropoutAt);
  const { width, classes, layers } = config;
  const texts = batch.lengths.length;
  const padded = batch.tokens.length / Math.max(1, texts);
  const gradients = new Gradients();
  const pooled = new Float64Array(texts * width);
  const weights: Float64Array[][][] = Array.from({ length: layers }, () => []);
  const backs: ((dPooled: Float64Array) => void)[] = [];
  for (let b = 0; b < texts; b++) {
    const text = new TextPass(config, parameters, gradients, b, dropoutAt);
    const tokens = batch.tokens.subarray(b * padded, (b + 1) * padded);
    pooled.set(text.forward(tokens, batch.lengths[b]), b * width);
    text.weights.forEach((ofLayer, l) => void weights[l].push(ofLayer));
    backs.push((dPooled) => text.backward(dPooled));
  }
  const head = linearOf(parameters, "linear");
  const logits = linearForward(pooled, head, texts, width, classes);
  const { loss, probabilities, dLogits } = softmaxCrossEntropy(
    logits,
    batch.labels,
    classes,
    config.compatibility.softmaxTwice,
  );
  const backward = () => {
    const gradient = linearBackward(pooled, head, dLogits, texts, width, classes);
    gradients.add("linear.weight", gradient.weight);
    gradients.add("linear.bias", gradient.bias);
    backs.forEach((back, b) => void back(gradient.dx.subarray(b * width, (b + 1) * width)));
    return orthogonalGradients(config, parameters, gradients.named);
  };
  return { loss, logits, probabilities, pooled, weights, backward };
}

/** Gradients of effective weights become those of their parameters. */
function orthogonalGradients(config: EncoderConfig, parameters: NamedFloats, gradients: Record<string, Float64Array>) {
  for (const name of Object.keys(parameters)) {
    const match = /^(.*)\.parametrizations\.weight\.original$/.exec(name);
    const effective = match && gradients[`${match[1]}.weight`];
    if (!match || !effective) continue;
    const parameter = {
      original: parameters[name],
      base: named(parameters, `${match[1]}.parametrizations.weight.0.base`),
    };
    gradients[name] = orthogonalWeightBackward(parameter, effective, config.width);
    delete gradients[`${match[1]}.weight`];
  }
  return gradients;
}
