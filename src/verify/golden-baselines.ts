/**
 * The golden groups of the baselines, against the float64 reference: attention_dot, sinkhorn and the dot-product cases of
 * attention_translation. Every case is reproduced; the authors' text code needs its score of −10⁹ in place of a mask
 * (`maskFill`), and for each of its cases the default reading is checked beside it: the same weights in every row that
 * has a key left, zeros in the others.
 */

import type { Head } from "../../reference/attention.js";
import { euclideanDistances } from "../../reference/distance.js";
import {
  type DotProductOptions,
  dotProductAttention,
  dotProductAttentionBackward,
} from "../../reference/dot-product.js";
import { causalMask, orMasks, thresholdMask } from "../../reference/masks.js";
import { sinkhornAttention } from "../../reference/sinkhorn.js";
import type { Check } from "./check.js";
import { compare } from "./compare.js";
import { type GoldenCase, type GoldenTensor, isTensor, tensor } from "./golden.js";

/** The matrix of batch entry and head `h` (both counted in one index) of a tensor [B, H, rows, columns]. */
function slice({ data, shape }: GoldenTensor, h: number): Float64Array {
  const size = shape[2] * shape[3];
  return data.slice(h * size, (h + 1) * size);
}

/** The tensor [B, H, rows, columns] as one head after the other. */
function stack(parts: readonly Float64Array[]): Float64Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const all = new Float64Array(length);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** All heads of a case; with `k` absent, queries are the keys as well. */
function headsOf(c: GoldenCase): Head[] {
  const q = tensor(c.inputs, "q");
  const k = isTensor(c.inputs.k) ? c.inputs.k : q;
  const v = tensor(c.inputs, "v");
  const [batch, heads, queries, headDim] = q.shape;
  return Array.from({ length: batch * heads }, (_, h) => ({
    q: slice(q, h),
    k: slice(k, h),
    v: slice(v, h),
    queries,
    keys: k.shape[2],
    headDim,
    valueDim: v.shape[3],
  }));
}

const toMask = (x: Float64Array | undefined): Uint8Array | undefined => x && Uint8Array.from(x);

/** Forward and gradients of all heads against a case. */
function checkHeads(c: GoldenCase, heads: readonly Head[], options: readonly DotProductOptions[]): Check[] {
  const rtol = c.expect.rtol as number;
  const dout = tensor(c.inputs, "dout");
  const forward = heads.map((head, h) => dotProductAttention(head, options[h]));
  const backward = heads.map((head, h) => dotProductAttentionBackward(head, options[h], slice(dout, h)));
  const check = (part: GoldenCase["outputs"] | undefined, name: string, actual: readonly Float64Array[]) =>
    compare(c.id, name, stack(actual), tensor(part, name).data, rtol);
  const checks = [
    check(
      c.outputs,
      "output",
      forward.map((f) => f.output),
    ),
    check(
      c.outputs,
      "attn_weights",
      forward.map((f) => f.weights),
    ),
    check(
      c.grads,
      "dv",
      backward.map((b) => b.dv),
    ),
  ];
  if (isTensor(c.grads?.dk)) {
    checks.push(
      check(
        c.grads,
        "dq",
        backward.map((b) => b.dq),
      ),
      check(
        c.grads,
        "dk",
        backward.map((b) => b.dk),
      ),
    );
  } else {
    // Shared queries and keys: the derivative through both roles is their sum.
    checks.push(
      check(
        c.grads,
        "dq",
        backward.map((b) => b.dq.map((x, p) => x + b.dk[p])),
      ),
    );
  }
  return checks;
}

/** Checks attention_dot.json: forward and gradients, the distances that it lists, and the default reading of masks. */
export function checkDot(cases: readonly GoldenCase[]): Check[] {
  return cases.flatMap((c) => {
    const rtol = c.expect.rtol as number;
    const { mask_fill: maskFill, dist_threshold: threshold, training } = c.config;
    const heads = headsOf(c);
    const distances = heads.map((h) => euclideanDistances(h.q, h.k, h.queries, h.keys, h.headDim));
    const masks = heads.map((head, h) =>
      orMasks(
        head.queries * head.keys,
        toMask(slice(tensor(c.inputs, "attn_mask"), h)),
        toMask(isTensor(c.inputs.eval_mask) ? c.inputs.eval_mask.data : undefined),
        toMask(isTensor(c.inputs.train_mask) ? c.inputs.train_mask.data : undefined),
        typeof threshold === "number" && !training ? thresholdMask(distances[h], threshold) : undefined,
      ),
    );
    const filled = masks.map((mask) => ({ mask, maskFill: maskFill as number }));

    // The published weights as they are without the fill: rows without any key become zeros.
    const weights = tensor(c.outputs, "attn_weights").data.slice();
    const keys = heads[0].keys;
    const masked = Uint8Array.from(masks.flatMap((mask) => [...mask]));
    for (let row = 0; row < weights.length; row += keys) {
      if (masked.subarray(row, row + keys).every((m) => m === 1)) weights.fill(0, row, row + keys);
    }
    const ours = heads.map((head, h) => dotProductAttention(head, { mask: masks[h] }).weights);
    return [
      ...checkHeads(c, heads, filled),
      compare(c.id, "g_dist", stack(distances), tensor(c.outputs, "g_dist").data, rtol),
      compare(c.id, "attn_weights without fill", stack(ours), weights, rtol),
    ];
  });
}

/** Checks the cases of attention_translation.json that are dot-product attention; the others are fractional. */
export function checkTranslationDot(cases: readonly GoldenCase[]): Check[] {
  return cases
    .filter((c) => c.config.method === "scaled_dot_product_attention")
    .flatMap((c) => {
      const heads = headsOf(c);
      const { queries, keys } = heads[0];
      const mask = c.config.use_mask ? causalMask(queries, keys, 0) : undefined;
      const minusInfinity = { mask, maskFill: Number.NEGATIVE_INFINITY };
      return [
        ...checkHeads(
          c,
          heads,
          heads.map(() => minusInfinity),
        ),
        ...checkHeads(
          c,
          heads,
          heads.map(() => ({ mask })),
        ).map((check) => ({
          ...check,
          tensor: `${check.tensor} without fill`,
        })),
      ];
    });
}

/** y = x Wᵀ + b for x [rows, width], W [out, width]. */
function linear(x: Float64Array, weight: GoldenTensor, bias: GoldenTensor | undefined): Float64Array {
  const [out, width] = weight.shape;
  const rows = x.length / width;
  const y = new Float64Array(rows * out);
  for (let i = 0; i < rows; i++) {
    for (let o = 0; o < out; o++) {
      let sum = bias?.data[o] ?? 0;
      for (let c = 0; c < width; c++) sum += x[i * width + c] * weight.data[o * width + c];
      y[i * out + o] = sum;
    }
  }
  return y;
}

/** [B, N, H·D] as [B, H, N, D]. */
function splitHeads(x: Float64Array, batch: number, length: number, heads: number): GoldenTensor {
  const headDim = x.length / (batch * length * heads);
  const data = new Float64Array(x.length);
  for (let p = 0; p < x.length; p++) {
    const c = p % headDim;
    const h = Math.floor(p / headDim) % heads;
    const i = Math.floor(p / (headDim * heads)) % length;
    const b = Math.floor(p / (headDim * heads * length));
    data[((b * heads + h) * length + i) * headDim + c] = x[p];
  }
  return { shape: [batch, heads, length, headDim], data };
}

/** The inverse of `splitHeads`. */
function mergeHeads(x: Float64Array, batch: number, length: number, heads: number): Float64Array {
  const positions = splitHeads(Float64Array.from(x.keys()), batch, length, heads).data;
  const data = new Float64Array(x.length);
  for (let p = 0; p < x.length; p++) data[positions[p]] = x[p];
  return data;
}

interface SinkhornRun {
  readonly output: Float64Array;
  readonly weights: Float64Array;
}

function runSinkhorn(c: GoldenCase, mask: GoldenTensor): SinkhornRun {
  const iterations = c.config.n_it as number;
  const results = headsOf(c).map((head, h) => sinkhornAttention(head, { iterations, mask: toMask(slice(mask, h)) }));
  return { output: stack(results.map((r) => r.output)), weights: stack(results.map((r) => r.weights)) };
}

/** A layer with projections before and after: the heads in the middle are run as a case of their own. */
function runSinkhornLayer(c: GoldenCase): SinkhornRun {
  const x = tensor(c.inputs, "x");
  const [batch, length] = x.shape;
  const heads = c.config.n_heads as number;
  const project = (name: string, input: Float64Array): Float64Array => {
    const bias = c.state_dict?.[`${name}.bias`];
    return linear(input, tensor(c.state_dict, `${name}.weight`), isTensor(bias) ? bias : undefined);
  };
  const headed = (name: string): GoldenTensor => splitHeads(project(name, x.data), batch, length, heads);
  const attnMask = tensor(c.inputs, "attn_mask").data;
  const perBatch = length * length;
  // One mask for each batch entry, the same for all of its heads.
  const mask = Array.from({ length: batch * heads }, (_, h) => {
    const b = Math.floor(h / heads);
    return attnMask.slice(b * perBatch, (b + 1) * perBatch);
  });
  const inputs = { q: headed("WQ"), k: c.config.qk_share ? null : headed("WK"), v: headed("WV") };
  const run = runSinkhorn({ ...c, inputs }, { shape: [batch, heads, length, length], data: stack(mask) });
  return { weights: run.weights, output: project("linear", mergeHeads(run.output, batch, length, heads)) };
}

/**
 * Checks sinkhorn.json, forward. Each case also lists what the authors' code gives with its marginals in float32, which
 * must agree to the tolerance stated for it.
 */
export function checkSinkhorn(cases: readonly GoldenCase[]): Check[] {
  return cases.flatMap((c) => {
    const { output, weights } =
      c.tags?.[0] === "multihead" ? runSinkhornLayer(c) : runSinkhorn(c, tensor(c.inputs, "attn_mask"));
    const rtol = c.expect.rtol as number;
    const single = c.code_float32_marginals as GoldenCase["outputs"];
    const singleRtol = c.expect.rtol_code_float32_marginals as number;
    return [
      compare(c.id, "output", output, tensor(c.outputs, "output").data, rtol),
      compare(c.id, "attn_weights", weights, tensor(c.outputs, "attn_weights").data, rtol),
      compare(c.id, "output, float32 marginals", output, tensor(single, "output").data, singleRtol),
      compare(c.id, "attn_weights, float32 marginals", weights, tensor(single, "attn_weights").data, singleRtol),
    ];
  });
}
