/**
 * What is computed: self-attention of `slices` = B·H independent heads, N queries and keys of D components, values of D
 * components, Euclidean distances, the paper's length scale (arXiv:2511.10208; equations sections 3 and 4). Inputs are
 * N(0, 1), rounded to float32; a seed and the sizes fix them.
 */

import { createRandom } from "../../reference/random.js";
import { scaleKappa } from "../../reference/scale.js";

/** B·H, N and D. */
export interface Size {
  readonly slices: number;
  readonly length: number;
  readonly dim: number;
}

/** Which pairs there are: all, key ≤ query, or |query − key| ≤ 64. */
export type Mask = "full" | "causal" | "window";

/** `"forward"`, or both passes: the output of the second is dq, dk, dv for a given dO. */
export type Direction = "forward" | "forward+backward";

/** Results by name, [B·H, N, D] each. */
export type Results = Partial<Record<"output" | "dq" | "dk" | "dv", Float32Array | Float64Array>>;

/** Half width of the window mask. */
export const windowHalf = 64;

/** What a problem is, without its numbers. */
export interface Settings extends Size {
  readonly alpha: number;
  readonly mask: Mask;
}

/** Inputs and the numbers that the options resolve to. All arrays are [B·H, N, D]. */
export interface Problem extends Settings {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  /** Gradient of the loss with respect to the output. */
  readonly dOutput: Float32Array;
  /** κ, the paper's. */
  readonly kappa: number;
  /** d_M + α, the exponent of the multiscale kernel. */
  readonly exponent: number;
}

/** "8x512x32" */
export function sizeName({ slices, length, dim }: Size): string {
  return `${slices}x${length}x${dim}`;
}

/** Numbers of q that a size may have: a quarter of a gigabyte in float32. */
const mostNumbers = 2 ** 26;

/** "8x512x32" to numbers; undefined for anything else, and for sizes that no memory holds a few tensors of. */
export function parseSize(word: string): Size | undefined {
  const match = /^(\d{1,6})x(\d{1,6})x(\d{1,6})$/.exec(word.trim());
  if (match === null) return undefined;
  const [slices, length, dim] = match.slice(1).map(Number);
  const numbers = slices * length * dim;
  return numbers > 0 && numbers <= mostNumbers ? { slices, length, dim } : undefined;
}

/** Pairs of a query and a key, masks aside. */
export function pairs({ slices, length }: Size): number {
  return slices * length * length;
}

/** Inputs of a size. */
export function makeProblem(size: Size, alpha: number, mask: Mask = "full", seed = 1): Problem {
  const random = createRandom(seed);
  const normal = () => Float32Array.from({ length: size.slices * size.length * size.dim }, () => random.normal());
  return {
    ...size,
    alpha,
    mask,
    q: normal(),
    k: normal(),
    v: normal(),
    dOutput: normal(),
    kappa: scaleKappa("paper", size.dim, alpha),
    exponent: size.dim + alpha,
  };
}

/** First key of query i, and the one after its last. */
export function keyRange({ mask, length }: Settings, i: number): readonly [number, number] {
  if (mask === "causal") return [0, i + 1];
  if (mask === "window") return [Math.max(0, i - windowHalf), Math.min(length, i + windowHalf + 1)];
  return [0, length];
}

/** Pairs that the mask leaves. */
export function unmaskedPairs(settings: Settings): number {
  let each = 0;
  for (let i = 0; i < settings.length; i++) {
    const [first, last] = keyRange(settings, i);
    each += last - first;
  }
  return settings.slices * each;
}
