/**
 * The plan: one attention call with every option resolved to plain numbers, once, in one place. Backends see only
 * this, so they cannot disagree about a default. Formulas of the defaults: equations sections 2 and 3.
 *
 * Position of query i in batch entry b: i + keyLengths[b] - queryLengths[b]. A pair (i, j) is masked when any holds:
 *   i >= queryLengths[b]            (a zero row, absent from column sums and from a measured bandwidth)
 *   j >= keyLengths[b]
 *   causal       and j > position
 *   excludeSelf  and j = position
 *   window >= 0  and |position - j| > window, unless j < globalTokens or 0 <= position < globalTokens
 *   mask[b * batchStride + h * headStride + i * queryStride + j] != 0
 *   d_g / kappa >= distanceThreshold
 */

import { rescaledRadius, scaleKappa } from "../reference/scale.js";
import type { AttentionOptions, AttentionShape, PerHead } from "./types.js";

/** A boolean mask and how it is broadcast: stride 0 repeats. Keys always have stride 1. */
export interface PlanMask {
  readonly data: Uint8Array;
  readonly batchStride: number;
  readonly headStride: number;
  readonly queryStride: number;
}

/** One attention call, resolved. */
export interface Plan {
  readonly batch: number;
  readonly heads: number;
  /** Query head h reads key head floor(h * keyHeads / heads). */
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly manifold: "euclidean" | "sphere";
  /** d_M */
  readonly intrinsicDim: number;
  /** Order, one per head, in (0, 2]. */
  readonly alpha: Float64Array;
  /** Length scale, one per head. */
  readonly kappa: Float64Array;
  /** Radius of the sphere, one per head; 1 where the manifold is not the sphere. */
  readonly radius: Float64Array;
  readonly bandwidth: number | "median" | "mean";
  readonly bandwidthExponent: "1/alpha" | "1/2";
  readonly bandwidthPairs: "unmasked" | "all";
  readonly degreeNormalization: number;
  readonly causal: boolean;
  /** Half width, -1 for none. */
  readonly window: number;
  readonly globalTokens: number;
  readonly excludeSelf: boolean;
  /** One per batch entry. */
  readonly keyLengths: Int32Array;
  /** One per batch entry. */
  readonly queryLengths: Int32Array;
  readonly mask: PlanMask | undefined;
  /** Infinity for none. */
  readonly distanceThreshold: number;
}

/** Number of elements of every tensor of a call. */
export interface TensorLengths {
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly output: number;
  readonly logSumExp: number;
  readonly weights: number;
  readonly perHead: number;
}

/** What decides about the lengths of the tensors of a call. */
export type Sizes = Pick<Plan, "batch" | "heads" | "keyHeads" | "queries" | "keys" | "headDim" | "valueDim">;

/** The sizes of a call, with the defaults of `keyHeads` and `valueDim`. */
export function sizesOf(shape: AttentionShape, options: AttentionOptions): Sizes {
  const { batch, heads, queries, keys, headDim, valueDim = headDim } = shape;
  return { batch, heads, keyHeads: options.keyHeads ?? heads, queries, keys, headDim, valueDim };
}

export function tensorLengths(sizes: Sizes): TensorLengths {
  const rows = sizes.batch * sizes.heads * sizes.queries;
  const columns = sizes.batch * sizes.keyHeads * sizes.keys;
  return {
    q: rows * sizes.headDim,
    k: columns * sizes.headDim,
    v: columns * sizes.valueDim,
    output: rows * sizes.valueDim,
    logSumExp: rows,
    weights: rows * sizes.keys,
    perHead: sizes.heads,
  };
}

/** Resolves shape and options that `validate.ts` has already accepted. */
export function makePlan(shape: AttentionShape, options: AttentionOptions): Plan {
  const { batch, heads, queries, keys, headDim } = shape;
  const manifold = options.manifold ?? "euclidean";
  const sphere = manifold === "sphere";
  const intrinsicDim = options.intrinsicDim ?? (sphere ? Math.max(1, headDim - 1) : headDim);
  const alpha = perHead(options.alpha ?? 1.2, heads);

  const kappaOption = options.kappa ?? "paper";
  const kappa =
    typeof kappaOption === "string"
      ? alpha.map((a) => (sphere && kappaOption === "paper" ? 1 : scaleKappa(kappaOption, headDim, a)))
      : perHead(kappaOption, heads);

  const radiusOption = options.radius;
  let radius = new Float64Array(heads).fill(1);
  if (sphere) {
    if (radiusOption === undefined) radius = alpha.map((a) => (a < 2 ? rescaledRadius(intrinsicDim) : 1));
    else if (radiusOption === "rescaled") radius.fill(rescaledRadius(intrinsicDim));
    else radius = perHead(radiusOption, heads);
  }

  const keyLengths = options.keyLengths?.slice() ?? new Int32Array(batch).fill(keys);
  const queryLengths =
    options.queryLengths?.slice() ?? (queries === keys ? keyLengths.slice() : new Int32Array(batch).fill(queries));

  return {
    ...sizesOf(shape, options),
    manifold,
    intrinsicDim,
    alpha,
    kappa,
    radius,
    bandwidth: options.bandwidth ?? 1,
    bandwidthExponent: options.bandwidthExponent ?? "1/alpha",
    bandwidthPairs: options.bandwidthPairs ?? "unmasked",
    degreeNormalization: options.degreeNormalization ?? 0,
    causal: options.causal ?? false,
    window: options.window ?? -1,
    globalTokens: options.globalTokens ?? 0,
    excludeSelf: options.excludeSelf ?? false,
    keyLengths,
    queryLengths,
    mask: options.mask === undefined ? undefined : planMask(options.mask, shape),
    distanceThreshold: options.distanceThreshold ?? Number.POSITIVE_INFINITY,
  };
}

function perHead(value: PerHead, heads: number): Float64Array<ArrayBuffer> {
  return typeof value === "number" ? new Float64Array(heads).fill(value) : Float64Array.from(value);
}

function planMask(mask: NonNullable<AttentionOptions["mask"]>, shape: AttentionShape): PlanMask {
  const shaped = mask instanceof Uint8Array ? { data: mask, shape: maskShapes(mask.length, shape)[0] } : mask;
  const [b, h, n, m] = shaped.shape;
  return {
    data: shaped.data.slice(),
    batchStride: b > 1 ? h * n * m : 0,
    headStride: h > 1 ? n * m : 0,
    queryStride: n > 1 ? m : 0,
  };
}

/**
 * The shapes [B or 1, H or 1, N or 1, M] that have `length` elements, without those that mean the same (a dimension of
 * 1 broadcasts like 1). More than one is an ambiguity that only the caller can resolve.
 */
export function maskShapes(length: number, shape: AttentionShape): [number, number, number, number][] {
  const { batch, heads, queries, keys } = shape;
  const shapes: [number, number, number, number][] = [];
  for (const b of new Set([1, batch])) {
    for (const h of new Set([1, heads])) {
      for (const n of new Set([1, queries])) {
        if (b * h * n * keys === length) shapes.push([b, h, n, keys]);
      }
    }
  }
  // Of an empty tensor every shape is right.
  return length === 0 ? shapes.slice(0, 1) : shapes;
}
