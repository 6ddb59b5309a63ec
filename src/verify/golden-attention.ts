/**
 * The golden groups of the attention core: kernel, attention_euclidean, attention_spherical and the fractional cases of
 * attention_translation, against the float64 reference.
 *
 * The vectors follow the authors' conventions, so the reference runs under its named compatibility switches: their floor
 * of 1e-12 under the row sums, the order's derivative along the local branch at alpha = 2, measured bandwidths over all
 * pairs, spherical gradients of free tensors, and in the older spherical class an arccos clamped at 1 − 1e-7.
 */

import { attentionForward, type Head, type HeadOptions } from "../../reference/attention.js";
import { attentionBackward } from "../../reference/attention-gradient.js";
import { distanceToScore, markovMatrix } from "../../reference/kernel.js";
import { authorsLongformerMask, causalMask, orMasks } from "../../reference/masks.js";
import type { BandwidthExponent } from "../../reference/scale.js";
import type { Check } from "./check.js";
import { compare, holds, relativeError } from "./compare.js";
import { type GoldenCase, isTensor, tensor } from "./golden.js";

/** Tolerance of kernel.json, which states none: float64 kernels recomputed elsewhere agree to 4e-15. */
const kernelTolerance = 1e-13;

/**
 * Cases whose published numbers are NaN and are not reproduced: a > 0 together with a key that no query attends to,
 * where the authors form 0 · ∞. Here such a key has no weight; every number must be finite and rows sum to 1 or 0.
 */
export const refusedAttentionCases: Readonly<Record<string, string>> = {
  e057: "a = 1 with padded keys: the authors' column sums of 0 give NaN; here a padded key has no weight",
  e058: "a = 1/2 with padded keys: the authors' column sums of 0 give NaN; here a padded key has no weight",
  t008: "a = 1/2 where a column underflows to 0: NaN there; in log space nothing underflows",
};

/** Checks kernel.json: point kernels, and the diffusion-map construction with row sums on both sides. */
export function checkKernel(cases: readonly GoldenCase[]): Check[] {
  return cases.flatMap((c) => {
    const config = c.config as Record<string, number>;
    const exponent = exponentOf(c);
    const check = (name: string, actual: ArrayLike<number>) =>
      compare(c.id, name, actual, tensor(c.outputs, name).data, kernelTolerance);
    if (isTensor(c.inputs.C)) {
      const { data, shape } = c.inputs.C;
      const m = markovMatrix(data, shape[0], config.alpha, config.d, config.a, config.bandwidth, exponent);
      return [
        check("K", m.kernel),
        check("D", m.degree),
        check("K_tilde", m.normalized),
        check("D_tilde", m.normalizedDegree),
      ];
    }
    const divided = tensor(c.inputs, "g_dist").data.map((d) => d / (config.dist_scale ?? 1));
    // The point kernels were run with a bandwidth and a dimension even where the local branch ignores the latter.
    const dim = config.d_intrinsic ?? config.d ?? 1;
    const scores = distanceToScore(divided, config.alpha, dim, config.bandwidth, exponent);
    return [isTensor(c.outputs.score) ? check("score", scores) : check("K", scores)];
  });
}

/** Checks attention_euclidean.json, forward and gradients. */
export function checkEuclidean(cases: readonly GoldenCase[]): Check[] {
  return cases.flatMap((c) => checkAttention(c, euclideanOptions(c), { dKappa: "d_dist_scale" }));
}

/** Checks attention_spherical.json, forward and gradients. */
export function checkSpherical(cases: readonly GoldenCase[]): Check[] {
  return cases.flatMap((c) => checkAttention(c, sphericalOptions(c), { dRadius: "d_sphere_radius" }));
}

/** Checks the fractional cases of attention_translation.json; its dot-product cases are a baseline. */
export function checkTranslation(cases: readonly GoldenCase[]): Check[] {
  return cases
    .filter((c) => c.config.method === "rdfns_attention")
    .flatMap((c) => checkAttention(c, translationOptions(c), {}));
}

/** Options of a Euclidean case. */
export function euclideanOptions(c: GoldenCase): HeadOptions {
  return { ...commonOptions(c), kappa: c.config.dist_scale as number };
}

/** Options of a spherical case. */
export function sphericalOptions(c: GoldenCase): HeadOptions {
  const { config } = c;
  const common = commonOptions(c);
  // The rescaled radius acts below 2 only; the text classifier never rescales at 2.
  let radius = typeof config.sphere_radius === "number" ? config.sphere_radius : 1;
  const compatibility = { ...common.compatibility, freeSphereGradient: true };
  if (!isOlder(c)) return { ...common, manifold: "sphere", radius, compatibility };
  // The older class rescales by d^(1/alpha), twice that below 2, in place of a radius.
  const [alpha, dim] = [config.alpha as number, config.head_dim as number];
  radius = config.is_rescale_dist ? 1 / (dim ** (1 / alpha) * (alpha < 2 ? 2 : 1)) : 1;
  return { ...common, manifold: "sphere", radius, compatibility: { ...compatibility, arccosLimit: 1 - 1e-7 } };
}

/** Options of a fractional case of the translation code, its causal mask among them. */
export function translationOptions(c: GoldenCase): HeadOptions {
  const [, , queries, dim] = tensor(c.inputs, "q").shape;
  const keys = tensor(c.inputs, "k").shape[2];
  return {
    ...commonOptions(c),
    kappa: c.config.dist_scale as number,
    intrinsicDim: (c.config.d_intrinsic as number | null) ?? dim,
    mask: c.config.use_mask ? causalMask(queries, keys, 0) : undefined,
  };
}

/** The older duplicate of the spherical class, which keeps the diagonal of shared queries and keys. */
function isOlder(c: GoldenCase): boolean {
  return c.config.geometry === "sphere" && (c.tags?.includes("legacy class") ?? false);
}

function exponentOf(c: GoldenCase): BandwidthExponent {
  return c.config.bandwidth_exponent === "1/alpha" ? "1/alpha" : "1/2";
}

function commonOptions(c: GoldenCase): HeadOptions {
  const { config } = c;
  const options: HeadOptions = {
    alpha: config.alpha as number,
    bandwidth: config.bandwidth as number | "median" | "mean",
    bandwidthExponent: exponentOf(c),
    bandwidthPairs: "all",
    degreeNormalization: config.a as number,
    compatibility: { rowSumFloor: 1e-12, localOrderGradient: true },
  };
  if (typeof config.d_intrinsic === "number") options.intrinsicDim = config.d_intrinsic;
  // Their threshold acts in evaluation only.
  if (typeof config.dist_threshold === "number" && !config.training) options.distanceThreshold = config.dist_threshold;
  return options;
}

/** All masks of a case for one batch entry and head, [N, M]. */
export function caseMask(c: GoldenCase, slice: number, queries: number, keys: number): Uint8Array {
  const pairs = queries * keys;
  const part = (name: string, from: number): Uint8Array | undefined => {
    const mask = c.inputs[name];
    return isTensor(mask) ? Uint8Array.from(mask.data.subarray(from, from + pairs)) : undefined;
  };
  const diagonal = new Uint8Array(pairs);
  // Shared queries and keys lose their diagonal, except in the older class.
  if (c.config.qk_share && !isOlder(c)) for (let i = 0; i < queries; i++) diagonal[i * keys + i] = 1;
  const evaluation = c.config.training ? undefined : part("eval_mask", 0);
  return orMasks(pairs, part("attn_mask", slice * pairs), evaluation, part("train_mask", 0), diagonal);
}

/** Runs every batch entry and head of a case and compares what the file has. */
function checkAttention(
  c: GoldenCase,
  options: HeadOptions,
  scaleGradient: { dKappa?: string; dRadius?: string },
): Check[] {
  const q = tensor(c.inputs, "q");
  const k = isTensor(c.inputs.k) ? c.inputs.k : q;
  const v = tensor(c.inputs, "v");
  const [batch, heads, queries, headDim] = q.shape;
  const keys = k.shape[2];
  const valueDim = v.shape[3];
  const refused = Object.hasOwn(refusedAttentionCases, c.id);
  const withGradients = c.grads !== undefined && isTensor(c.grads.dq);

  const output: number[] = [];
  const weights: number[] = [];
  const distance: number[] = [];
  const dq: number[] = [];
  const dk: number[] = [];
  const dv: number[] = [];
  const scalars = { dAlpha: 0, dKappa: 0, dRadius: 0 };
  for (let s = 0; s < batch * heads; s++) {
    const head: Head = {
      q: q.data.subarray(s * queries * headDim, (s + 1) * queries * headDim),
      k: k.data.subarray(s * keys * headDim, (s + 1) * keys * headDim),
      v: v.data.subarray(s * keys * valueDim, (s + 1) * keys * valueDim),
      queries,
      keys,
      headDim,
      valueDim,
    };
    const mask = options.mask ?? caseMask(c, s, queries, keys);
    const result = attentionForward(head, { ...options, mask });
    output.push(...result.output);
    weights.push(...result.weights);
    distance.push(...result.distance.map((d) => d / (options.kappa ?? 1)));
    if (!withGradients) continue;
    const dOutput = tensor(c.inputs, "dout").data.subarray(s * queries * valueDim, (s + 1) * queries * valueDim);
    const saved = { output: result.output, logSumExp: result.logSumExp, dOutput };
    const gradient = attentionBackward(head, { ...options, mask }, saved);
    dq.push(...gradient.dq);
    dk.push(...gradient.dk);
    dv.push(...gradient.dv);
    for (const name of ["dAlpha", "dKappa", "dRadius"] as const) scalars[name] += gradient[name];
  }

  if (refused) return refusedChecks(c, [output, weights], weights, keys);
  const tolerance = c.expect.rtol as number;
  const checks = [
    compare(c.id, "output", output, tensor(c.outputs, "output").data, tolerance),
    compare(c.id, "weights", weights, tensor(c.outputs, "attn_weights").data, tolerance),
  ];
  if (isTensor(c.outputs.g_dist)) checks.push(distanceCheck(c, distance, tolerance));
  if (isTensor(c.inputs.train_mask)) {
    const inverted = authorsLongformerMask(queries);
    checks.push(holds(c.id, "train_mask", relativeError(inverted, c.inputs.train_mask.data) === 0));
  }
  if (!withGradients) return checks;

  if (c.inputs.k === null) for (let e = 0; e < dq.length; e++) dq[e] += dk[e];
  const gradients = { dq, dk: c.inputs.k === null ? dq : dk, dv };
  for (const [name, actual] of Object.entries(gradients)) {
    if (isTensor(c.grads?.[name])) checks.push(compare(c.id, name, actual, tensor(c.grads, name).data, tolerance));
  }
  const named: Record<string, number> = { dalpha: scalars.dAlpha };
  if (scaleGradient.dKappa) named[scaleGradient.dKappa] = scalars.dKappa;
  if (scaleGradient.dRadius) named[scaleGradient.dRadius] = scalars.dRadius;
  for (const [name, actual] of Object.entries(named)) {
    const expected = c.grads?.[name];
    if (typeof expected === "number") checks.push(compare(c.id, name, [actual], [expected], tolerance));
  }
  return checks;
}

/**
 * Rescaled distances. On the sphere the file overwrites masked pairs and its arccos is good to an absolute tolerance
 * only, which the case states.
 */
function distanceCheck(c: GoldenCase, distance: number[], tolerance: number): Check {
  const expected = tensor(c.outputs, "g_dist").data;
  const absolute = c.expect.g_dist_atol;
  if (typeof absolute !== "number") return compare(c.id, "g_dist", distance, expected, tolerance);
  const mask = tensor(c.inputs, "attn_mask").data;
  let error = 0;
  for (let p = 0; p < expected.length; p++) {
    const deviation = mask[p] ? 0 : Math.abs(distance[p] - expected[p]);
    error = Math.max(error, deviation);
  }
  return { case: c.id, tensor: "g_dist", error, bound: absolute };
}

/** What must hold where the file has NaN: finite numbers, and rows of weights that sum to 1 or are empty. */
function refusedChecks(c: GoldenCase, tensors: number[][], weights: number[], keys: number): Check[] {
  const finite = tensors.every((numbers) => numbers.every(Number.isFinite));
  let worst = 0;
  for (let row = 0; row < weights.length; row += keys) {
    let sum = 0;
    for (let j = 0; j < keys; j++) sum += weights[row + j];
    worst = Math.max(worst, Math.min(Math.abs(sum - 1), Math.abs(sum)));
  }
  // A row is a sum of M rounded exponentials whose true sum is 1.
  return [
    holds(c.id, "finite", finite),
    { case: c.id, tensor: "row sums", error: worst, bound: (keys + 8) * 2 ** -53 },
  ];
}
