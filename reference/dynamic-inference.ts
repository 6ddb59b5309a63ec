/**
 * Masks for dynamic inference: a trained model evaluated with part of its attention taken away (eq. section 16;
 * arXiv:2511.10208).
 *
 *   random      m_ij = 1 with probability p, independently              p = 0, 0.1, …, 1
 *   threshold   m_ij = 1 where d_ij ≥ τ, d the rescaled distance d_g/κ       `thresholdMask` of masks.ts
 *
 * Masks are Uint8Array [N, M], 1 = may not attend. A query may lose all of its keys: its row is then zero (section 6).
 * Random masks of one seed are nested: every pair masked at p is masked at each larger p. A sweep over p with a fixed seed
 * therefore takes away more and more of the same attention and is not blurred by fresh chance at each point.
 *
 * Non-goals: the models and the measurements on them.
 */

import { InvalidArgumentError } from "./errors.js";
import { checkMaskSizes } from "./masks.js";
import { createRandom } from "./random.js";

/**
 * A random mask. eq. section 16. p = 0 masks nothing, p = 1 everything.
 *
 * @param queries N, at least 0
 * @param keys M, at least 0
 * @param probability p in [0, 1]
 * @param seed an integer in [0, 2³² − 1]; the same seed gives the same mask
 * @throws InvalidArgumentError
 */
export function bernoulliMask(queries: number, keys: number, probability: number, seed: number): Uint8Array {
  checkMaskSizes(queries, keys);
  if (typeof probability !== "number" || !(probability >= 0 && probability <= 1)) {
    throw new InvalidArgumentError("probability", "a number in [0, 1]", probability);
  }
  const random = createRandom(seed);
  // One draw for each pair, whatever p is, is what nests the masks; draws lie strictly between 0 and 1.
  return Uint8Array.from({ length: queries * keys }, () => (random.uniform() < probability ? 1 : 0));
}

/** The share of pairs that a mask takes away, in [0, 1]; NaN for an empty mask. */
export function maskedFraction(mask: Uint8Array): number {
  if (!(mask instanceof Uint8Array)) throw new InvalidArgumentError("mask", "a Uint8Array", mask);
  let masked = 0;
  for (const m of mask) if (m) masked++;
  return masked / mask.length;
}
