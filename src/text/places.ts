/**
 * Where the tokens of an attention matrix lie in the plane: the first two coordinates of its diffusion map at τ = 1
 * (eq. section 13; arXiv:2511.10208). Tokens from which a walk goes on alike lie together.
 */

import { diffusionMap } from "../../reference/diffusion-map.js";
import { reversibleKernel } from "../analysis/weights.js";
import { InvalidArgumentError } from "../errors.js";

/** The plane of one attention matrix. */
export interface TokenPlaces {
  /** λ₁ψ₁ and λ₂ψ₂ of each token; the second is 0 when there are only two tokens. */
  readonly points: readonly (readonly [number, number])[];
  /** λ₁, λ₂: how much of each coordinate is left after one step. */
  readonly eigenvalues: readonly [number, number];
}

/**
 * The places of the tokens, or undefined where there is no such map: tokens that fall into groups without any weight
 * between them, and matrices that are not reversible.
 *
 * @param weights A [N, N]
 * @param size N, at least 2
 * @throws InvalidArgumentError for anything else
 */
export function tokenPlaces(weights: Float64Array, size: number): TokenPlaces | undefined {
  let phi: Float64Array;
  try {
    phi = reversibleKernel(weights, size);
  } catch (error) {
    if (error instanceof InvalidArgumentError && /^(tokens all joined|a reversible chain)/.test(error.domain))
      return undefined;
    throw error;
  }
  const components = Math.min(2, size - 1);
  const { embedding, eigenvalues } = diffusionMap(phi, size, { components });
  const points = Array.from(
    { length: size },
    (_, i) => [embedding[i * components], components === 2 ? embedding[i * components + 1] : 0] as const,
  );
  return { points, eigenvalues: [eigenvalues[1], eigenvalues[2] ?? 0] };
}
