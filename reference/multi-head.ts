/**
 * Multi-head attention (arXiv:2511.10208; equations section 1) around any attention of one head, with its gradients.
 *
 *   Q = X W_Qᵀ + b_Q,  K = Y W_Kᵀ + b_K,  V = Y W_Vᵀ + b_V      Y = X for self-attention
 *   head h takes columns [h D, (h + 1) D), D = d_model/H
 *   output = concat(O_1, ..., O_H) W_Oᵀ + b_O
 *
 * Variants: without `key` the keys are the queries (shared projection, self-attention only); without `query` the queries
 * are X itself (the authors' orthogonal model of one head). Orthogonal weights come from `orthogonal.ts`.
 *
 * Shapes: X [N, C], Y [M, C], C = d_model; masks [N, M], the same for every head. One batch entry at a time.
 */

import { attentionForward, type Head, type HeadOptions, headOptionNames } from "./attention.js";
import { attentionBackward } from "./attention-gradient.js";
import { type Floats, floats, integer, optionalMask, record } from "./check.js";
import {
  type DotProductOptions,
  dotProductAttention,
  dotProductAttentionBackward,
  dotProductOptionNames,
} from "./dot-product.js";
import { InvalidArgumentError } from "./errors.js";
import { checkMap, type Linear, type LinearGradient, linearBackward, linearForward } from "./linear.js";
import { type SinkhornOptions, sinkhornAttention, sinkhornAttentionBackward, sinkhornOptionNames } from "./sinkhorn.js";

/** The four projections, each [C, C] with a bias or without. */
export interface MultiHeadParameters {
  /** W_Q; absent: the queries are X. */
  query?: Linear;
  /** W_K; absent: the keys are the queries. */
  key?: Linear;
  /** W_V */
  value: Linear;
  /** W_O */
  output: Linear;
}

/** One head after its forward pass. */
export interface HeadResult {
  /** [N, D] */
  output: Float64Array;
  /** [N, M] */
  weights: Float64Array;
  /** Gradients of this head for a cotangent [N, D] of its output; absent where an attention has none. */
  backward?: (dOutput: Float64Array) => { dq: Float64Array; dk: Float64Array; dv: Float64Array };
}

/** Any attention of one head, its options fixed. */
export type HeadAttention = (head: Head, mask: Uint8Array | undefined) => HeadResult;

/**
 * Fractional neural attention as the attention of every head; masks come with the call. The values of the options, whose
 * domains depend on the sizes, are checked with the first head.
 * @throws InvalidArgumentError
 */
export function fractionalHeads(options: Omit<HeadOptions, "mask"> = {}): HeadAttention {
  record("options", options, withoutMask(headOptionNames));
  return (head, mask) => {
    const { output, weights, logSumExp } = attentionForward(head, { ...options, mask });
    const backward = (dOutput: Float64Array) =>
      attentionBackward(head, { ...options, mask }, { output, logSumExp, dOutput });
    return { output, weights, backward };
  };
}

/** Dot-product attention as the attention of every head, section 10; otherwise as `fractionalHeads`. */
export function dotProductHeads(options: Omit<DotProductOptions, "mask"> = {}): HeadAttention {
  record("options", options, withoutMask(dotProductOptionNames));
  return (head, mask) => {
    const { output, weights } = dotProductAttention(head, { ...options, mask });
    const backward = (dOutput: Float64Array) => dotProductAttentionBackward(head, { ...options, mask }, dOutput);
    return { output, weights, backward };
  };
}

/** Sinkhorn attention as the attention of every head, section 10; otherwise as `fractionalHeads`. */
export function sinkhornHeads(options: Omit<SinkhornOptions, "mask"> = {}): HeadAttention {
  record("options", options, withoutMask(sinkhornOptionNames));
  return (head, mask) => {
    const { output, weights } = sinkhornAttention(head, { ...options, mask });
    const backward = (dOutput: Float64Array) => sinkhornAttentionBackward(head, { ...options, mask }, dOutput);
    return { output, weights, backward };
  };
}

function withoutMask(names: readonly string[]): string[] {
  return names.filter((name) => name !== "mask");
}

/** Inputs and parameters of a multi-head attention. */
export interface MultiHead {
  /** X, [N, C]. */
  x: Floats;
  /** Y, [M, C], where keys and values come from. Default: X. */
  context?: Floats;
  /** N */
  queries: number;
  /** M. Default: N. */
  keys?: number;
  /** C */
  modelDim: number;
  /** H, a divisor of C. */
  heads: number;
  parameters: MultiHeadParameters;
  /** What each head does. */
  attention: HeadAttention;
  /** 1 = may not attend, [N, M]. */
  mask?: Uint8Array;
}

/** The result of `multiHeadForward`, with what its gradient needs. */
export interface MultiHeadResult {
  /** [N, C] */
  output: Float64Array;
  heads: HeadResult[];
  /** concat(O_h), [N, C]. */
  concatenated: Float64Array;
}

/** Gradients of the four projections; those that are absent have none. */
export interface MultiHeadGradient {
  /** [N, C]; with a context, through the queries only. */
  dx: Float64Array;
  /** [M, C], through keys and values; undefined for self-attention, where it is part of dx. */
  dContext: Float64Array | undefined;
  query: LinearGradient | undefined;
  key: LinearGradient | undefined;
  value: LinearGradient;
  output: LinearGradient;
}

/**
 * Multi-head attention, section 1.
 * @throws InvalidArgumentError
 */
export function multiHeadForward(call: MultiHead): MultiHeadResult {
  const { x, context, queries, keys, modelDim, heads, headDim } = checkMultiHead(call);
  const { parameters, attention, mask } = call;
  const source = context ?? x;
  const q = parameters.query ? linearForward(x, parameters.query, queries, modelDim, modelDim) : x;
  const k = parameters.key ? linearForward(source, parameters.key, keys, modelDim, modelDim) : q;
  const v = linearForward(source, parameters.value, keys, modelDim, modelDim);

  const results: HeadResult[] = [];
  const concatenated = new Float64Array(queries * modelDim);
  for (let h = 0; h < heads; h++) {
    const head: Head = {
      q: takeHead(q, h, queries, modelDim, headDim),
      k: takeHead(k, h, keys, modelDim, headDim),
      v: takeHead(v, h, keys, modelDim, headDim),
      queries,
      keys,
      headDim,
    };
    const result = attention(head, mask);
    results.push(result);
    addHead("attention().output", concatenated, result?.output, h, queries, modelDim, headDim);
  }
  const output = linearForward(concatenated, parameters.output, queries, modelDim, modelDim);
  return { output, heads: results, concatenated };
}

/**
 * Gradients of `multiHeadForward` for the cotangent dOutput [N, C].
 * @param result what the forward pass of the same call returned
 * @throws InvalidArgumentError; also when the attention has no gradient
 */
export function multiHeadBackward(call: MultiHead, result: MultiHeadResult, dOutput: Floats): MultiHeadGradient {
  const { x, context, queries, keys, modelDim, heads, headDim } = checkMultiHead(call);
  const { parameters } = call;
  floats("dOutput", dOutput, queries * modelDim);
  record("result", result);
  if (!Array.isArray(result.heads) || result.heads.length !== heads) {
    throw new InvalidArgumentError("result.heads", `an array of length ${heads}`, result.heads);
  }
  floats("result.concatenated", result.concatenated, queries * modelDim);
  const source = context ?? x;
  const output = linearBackward(result.concatenated, parameters.output, dOutput, queries, modelDim, modelDim);

  const dq = new Float64Array(queries * modelDim);
  const dk = new Float64Array(keys * modelDim);
  const dv = new Float64Array(keys * modelDim);
  for (let h = 0; h < heads; h++) {
    const { backward } = record(`result.heads[${h}]`, result.heads[h]);
    if (typeof backward !== "function")
      throw new InvalidArgumentError("attention", "an attention that has gradients", call.attention);
    const gradient = backward(takeHead(output.dx, h, queries, modelDim, headDim));
    addHead("attention().backward().dq", dq, gradient.dq, h, queries, modelDim, headDim);
    addHead("attention().backward().dk", dk, gradient.dk, h, keys, modelDim, headDim);
    addHead("attention().backward().dv", dv, gradient.dv, h, keys, modelDim, headDim);
  }

  const value = linearBackward(source, parameters.value, dv, keys, modelDim, modelDim);
  const key = parameters.key ? linearBackward(source, parameters.key, dk, keys, modelDim, modelDim) : undefined;
  // Shared keys: what reaches the keys belongs to the queries.
  if (!key) accumulate(dq, dk);
  const query = parameters.query ? linearBackward(x, parameters.query, dq, queries, modelDim, modelDim) : undefined;

  const dx = query?.dx.slice() ?? dq;
  const dSource = value.dx.slice();
  if (key) accumulate(dSource, key.dx);
  if (!context) accumulate(dx, dSource);
  return { dx, dContext: context ? dSource : undefined, query, key, value, output };
}

function checkMultiHead(call: MultiHead) {
  record("call", call);
  const queries = integer("queries", call.queries, 0);
  const modelDim = integer("modelDim", call.modelDim, 1);
  const heads = integer("heads", call.heads, 1);
  if (modelDim % heads !== 0) throw new InvalidArgumentError("heads", `a divisor of modelDim (${modelDim})`, heads);
  const x = floats("x", call.x, queries * modelDim);
  const { keys = queries } = call;
  integer("keys", keys, 0);
  const context = call.context === undefined ? undefined : floats("context", call.context, keys * modelDim);
  if (context === undefined && keys !== queries) {
    throw new InvalidArgumentError("keys", `queries (${queries}) where there is no context`, keys);
  }
  const { query, key, value, output } = record("parameters", call.parameters, ["query", "key", "value", "output"]);
  if (query !== undefined) checkMap("parameters.query", query, modelDim, modelDim);
  if (key !== undefined) checkMap("parameters.key", key, modelDim, modelDim);
  checkMap("parameters.value", value, modelDim, modelDim);
  checkMap("parameters.output", output, modelDim, modelDim);
  if (context !== undefined && key === undefined) {
    throw new InvalidArgumentError("parameters.key", "a projection of the keys where there is a context", undefined);
  }
  optionalMask("mask", call.mask, queries * keys);
  if (typeof call.attention !== "function") throw new InvalidArgumentError("attention", "a function", call.attention);
  return { x, context, queries, keys, modelDim, heads, headDim: modelDim / heads };
}

/** Columns of head h: [rows, C] to [rows, D]. */
function takeHead(x: Floats, h: number, rows: number, modelDim: number, headDim: number): Float64Array {
  const part = new Float64Array(rows * headDim);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < headDim; c++) part[r * headDim + c] = x[r * modelDim + h * headDim + c];
  }
  return part;
}

/** Adds [rows, D], which an attention gave, to the columns of head h of [rows, C]. */
function addHead(
  argument: string,
  x: Float64Array,
  part: Floats,
  h: number,
  rows: number,
  modelDim: number,
  headDim: number,
): void {
  floats(argument, part, rows * headDim);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < headDim; c++) x[r * modelDim + h * headDim + c] += part[r * headDim + c];
  }
}

function accumulate(target: Float64Array, source: Float64Array): void {
  for (let e = 0; e < target.length; e++) target[e] += source[e];
}
