/**
 * The golden group multihead: six classes of the authors' multi-head attention against the reference, outputs, weights,
 * distances and the gradients of input and parameters, those of orthogonal weights through the matrix exponential.
 */

import type { HeadOptions } from "../../reference/attention.js";
import type { Linear, LinearGradient } from "../../reference/linear.js";
import {
  dotProductHeads,
  fractionalHeads,
  type HeadAttention,
  type MultiHead,
  type MultiHeadGradient,
  multiHeadBackward,
  multiHeadForward,
} from "../../reference/multi-head.js";
import { type OrthogonalParameter, orthogonalWeight, orthogonalWeightBackward } from "../../reference/orthogonal.js";
import type { Check } from "./check.js";
import { compareWithin } from "./compare.js";
import { type GoldenCase, isTensor, tensor } from "./golden.js";

/** Gradients that are zero in theory are rounding noise in the file: its README asks for this absolute tolerance. */
const absoluteTolerance = 1e-12;

/** The four projections by the authors' names. */
const projections = { query: "WQ", key: "WK", value: "WV", output: "linear" } as const;

/** Checks multihead.json, forward and gradients. */
export function checkMultiHead(cases: readonly GoldenCase[]): Check[] {
  return cases.flatMap(checkCase);
}

function checkCase(c: GoldenCase): Check[] {
  const dOutput = tensor(c.inputs, "dout").data;
  const { calls, orthogonal } = readMultiHead(c);

  const output: number[] = [];
  const dx: number[] = [];
  const weights: number[] = [];
  const gradients: MultiHeadGradient[] = [];
  for (const [b, call] of calls.entries()) {
    const { length } = call.x;
    const result = multiHeadForward(call);
    const gradient = multiHeadBackward(call, result, dOutput.subarray(b * length, (b + 1) * length));
    output.push(...result.output);
    for (const head of result.heads) weights.push(...head.weights);
    dx.push(...gradient.dx);
    gradients.push(gradient);
  }

  const checks = [
    check(c, "output", output, tensor(c.outputs, "output").data),
    check(c, "weights", weights, tensor(c.outputs, "attn_weights").data),
    check(c, "dx", dx, tensor(c.grads, "dx").data),
  ];
  const expected = c.grads?.params as Record<string, unknown>;
  const { modelDim } = calls[0];
  const named = parameterGradients(gradients, orthogonal, modelDim);
  for (const name of Object.keys(expected)) {
    checks.push(check(c, name, named[name] ?? [], tensor(expected as never, name).data));
  }
  for (const [name, parameter] of Object.entries(orthogonal)) {
    const effective = c.effective_weights as Record<string, never>;
    checks.push(
      check(c, `effective ${name}`, orthogonalWeight(parameter, modelDim), tensor(effective, `${name}.weight`).data),
    );
  }
  return checks;
}

/** The calls of a case, one for each entry of its batch, and its orthogonal parameters by their projections. */
export function readMultiHead(c: GoldenCase): {
  calls: MultiHead[];
  orthogonal: Readonly<Record<string, OrthogonalParameter>>;
} {
  const x = tensor(c.inputs, "x");
  const mask = tensor(c.inputs, "attn_mask").data;
  const [batch, tokens, modelDim] = x.shape;
  const { parameters, orthogonal } = readParameters(c, modelDim);
  const calls = Array.from({ length: batch }, (_, b) => ({
    x: x.data.subarray(b * tokens * modelDim, (b + 1) * tokens * modelDim),
    queries: tokens,
    modelDim,
    heads: c.config.n_heads as number,
    parameters,
    attention: attentionOf(c),
    mask: maskOf(c, mask.subarray(b * tokens * tokens, (b + 1) * tokens * tokens), tokens),
  }));
  return { calls, orthogonal };
}

function check(c: GoldenCase, name: string, actual: ArrayLike<number>, expected: Float64Array): Check {
  return compareWithin(c.id, name, actual, expected, c.expect.rtol as number, absoluteTolerance);
}

function readParameters(c: GoldenCase, size: number) {
  const orthogonal: Record<string, OrthogonalParameter> = {};
  const read = (name: string): Linear | undefined => {
    const state = c.state_dict;
    const parametrization = `${name}.parametrizations.weight`;
    const stored = state?.[`${name}.bias`];
    const bias = isTensor(stored) ? stored.data : undefined;
    if (isTensor(state?.[`${parametrization}.original`])) {
      const parameter = {
        original: tensor(state, `${parametrization}.original`).data,
        base: tensor(state, `${parametrization}.0.base`).data,
      };
      orthogonal[name] = parameter;
      return { weight: orthogonalWeight(parameter, size), bias };
    }
    return isTensor(state?.[`${name}.weight`]) ? { weight: tensor(state, `${name}.weight`).data, bias } : undefined;
  };
  const [query, key, value, output] = Object.values(projections).map(read);
  if (!value || !output) throw new Error(`${c.id} has no value or output projection`);
  return { parameters: { query, key, value, output }, orthogonal };
}

/** Gradients under the names of the state dict, summed over the batch. */
function parameterGradients(
  gradients: MultiHeadGradient[],
  orthogonal: Record<string, OrthogonalParameter>,
  size: number,
): Record<string, Float64Array> {
  const named: Record<string, Float64Array> = {};
  for (const [role, name] of Object.entries(projections)) {
    const parts = gradients.map((g) => g[role as keyof typeof projections]).filter((g): g is LinearGradient => !!g);
    if (parts.length === 0) continue;
    const weight = sum(parts.map((g) => g.weight));
    named[`${name}.bias`] = sum(parts.map((g) => g.bias));
    if (orthogonal[name]) {
      const gradient = orthogonalWeightBackward(orthogonal[name], weight, size);
      named[`${name}.parametrizations.weight.original`] = gradient;
    } else named[`${name}.weight`] = weight;
  }
  return named;
}

function sum(arrays: Float64Array[]): Float64Array {
  return arrays[0].map((_, e) => arrays.reduce((total, array) => total + array[e], 0));
}

function attentionOf(c: GoldenCase): HeadAttention {
  const { config } = c;
  if (config.geometry === "dp") return dotProductHeads({ maskFill: -1e9 });
  const options: HeadOptions = {
    alpha: config.alpha as number,
    intrinsicDim: config.d_intrinsic as number,
    bandwidth: config.bandwidth as number,
    degreeNormalization: config.a as number,
    compatibility: { rowSumFloor: 1e-12 },
  };
  if (config.geometry === "rd") return fractionalHeads({ ...options, kappa: config.dist_scale as number });
  options.manifold = "sphere";
  options.radius = (config.sphere_radius as number | undefined) ?? 1;
  // Their orthogonal spherical model does not normalise its heads: arccos of a product that is not a cosine.
  if (config.class_name === "OPSPFNSAttention") options.compatibility = { ...options.compatibility, arccosLimit: 1 };
  return fractionalHeads(options);
}

/** Padding, and the diagonal where the fractional classes share queries and keys. */
function maskOf(c: GoldenCase, padding: Float64Array, tokens: number): Uint8Array {
  const mask = Uint8Array.from(padding);
  if (c.config.qk_share && c.config.geometry !== "dp") for (let i = 0; i < tokens; i++) mask[i * tokens + i] = 1;
  return mask;
}
