/**
 * Tokens to vectors, without a trained model: what a token means is how it is spelt, and where it stands.
 *
 *   xᵢ = √D · uᵢ + pᵢ
 *   uᵢ = Σ_g G(g) / ‖Σ_g G(g)‖           g: the token itself and its character 3-, 4- and 5-grams, with ‹ and › as its ends
 *   pᵢ = (sin ω₀t, cos ω₀t, sin ω₁t, …)   t = i + 1,  ω_k = 10000^(−2k/D)                  (eq. section 11; arXiv:2511.10208)
 *
 * G(g) is a fixed D-dimensional Gaussian vector drawn from a generator that is seeded with a hash of g (32-bit FNV-1a of
 * its UTF-8 bytes). Two tokens are near when they share letters: "river" and "rivers" are, "river" and "stream" are not.
 * √D·u has components of unit variance, which is the scale of the embedding table in the paper's models before training,
 * and the scale for which both the 1/√D of dot-product attention and the paper's κ are made.
 *
 * The same tokens give the same float32 numbers everywhere, but for engines whose log, sin and cos differ in the last
 * bit of a float64.
 *
 * Shapes: [N, D], row-major. Non-goals: meaning. Trained vectors replace these where a checkpoint is loaded (`vectors.ts`).
 */

import { integer } from "../../reference/check.js";
import { createRandom } from "../../reference/random.js";
import { fnv1a } from "./hash.js";

/**
 * Embeddings of tokens at the positions 1 … N.
 * @param tokens N strings
 * @param dim D, at least 2
 * @returns [N, D]
 * @throws InvalidArgumentError
 */
export function embed(tokens: readonly string[], dim: number): Float32Array {
  integer("dim", dim, 2);
  const vectors = new Map<string, Float64Array>();
  const result = new Float32Array(tokens.length * dim);
  const scale = Math.sqrt(dim);
  for (let i = 0; i < tokens.length; i++) {
    let word = vectors.get(tokens[i]);
    if (word === undefined) {
      word = wordVector(tokens[i], dim);
      vectors.set(tokens[i], word);
    }
    const position = positionVector(i + 1, dim);
    for (let c = 0; c < dim; c++) result[i * dim + c] = scale * word[c] + position[c];
  }
  return result;
}

/**
 * The unit vector u of one token's letters.
 * @returns [D]
 * @throws InvalidArgumentError
 */
export function wordVector(token: string, dim: number): Float64Array {
  integer("dim", dim, 2);
  const sum = new Float64Array(dim);
  for (const gram of characterNgrams(token)) {
    const random = createRandom(fnv1a(gram));
    for (let c = 0; c < dim; c++) sum[c] += random.normal();
  }
  const norm = Math.hypot(...sum);
  return sum.map((x) => x / norm);
}

/**
 * The sinusoidal vector of position t; its last component is a sine when D is odd.
 * @returns [D]
 * @throws InvalidArgumentError
 */
export function positionVector(t: number, dim: number): Float64Array {
  integer("t", t, 0);
  integer("dim", dim, 2);
  const vector = new Float64Array(dim);
  for (let c = 0; c < dim; c++) {
    const angle = t * 10000 ** (-(2 * (c >> 1)) / dim);
    vector[c] = c % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  }
  return vector;
}

/**
 * The token between its end marks, and every run of 3 to 5 code points in it; each once. The whole comes even when it is
 * shorter or longer than that, so no token is without any and no two tokens share all.
 */
export function characterNgrams(token: string): string[] {
  const marked = `‹${token}›`;
  const letters = [...marked];
  const grams = new Set([marked]);
  for (const size of [3, 4, 5]) {
    for (let start = 0; start + size <= letters.length; start++) {
      grams.add(letters.slice(start, start + size).join(""));
    }
  }
  return [...grams];
}
