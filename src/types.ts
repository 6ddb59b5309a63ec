/**
 * The public shapes: what a caller hands in and gets back. The domains are checked in `validate.ts`, the defaults are
 * resolved in `plan.ts`; nothing else knows about either.
 *
 * Letters in comments: B batch, H heads, K key/value heads, N queries, M keys, D head dimension, V value dimension.
 */

/** Names of the devices that can compute attention. */
export type DeviceName = "reference" | "wasm" | "webgpu";

/** Arrays of float32, which every device takes, or of float64, which the reference device takes as well. */
export type Floats = Float32Array | Float64Array;

/**
 * A tensor of float32 on the GPU of the webgpu device, row-major and contiguous from byte `offset` on. As an input its
 * buffer has the usage STORAGE, as a place for results COPY_DST.
 */
export interface GpuTensor {
  readonly buffer: GPUBuffer;
  /** In bytes, a multiple of 4. Default 0. */
  readonly offset?: number;
}

/** A tensor in memory or, for the webgpu device, on its GPU. */
export type Tensor = Floats | GpuTensor;

/** Sizes of one attention call. All tensors are row-major and contiguous. */
export interface AttentionShape {
  /** B, at least 0. */
  batch: number;
  /** H, query heads, at least 1. */
  heads: number;
  /** N, queries per head, at least 0. */
  queries: number;
  /** M, keys per head, at least 0. */
  keys: number;
  /** D, components of a query and of a key, at least 1. */
  headDim: number;
  /** V, components of a value, at least 1. Default: `headDim`. */
  valueDim?: number;
}

/** Queries, keys and values with their sizes. K is `options.keyHeads`, H unless given. */
export interface AttentionInputs<T extends Tensor = Floats> extends AttentionShape {
  /** Queries, [B, H, N, D]. */
  q: T;
  /** Keys, [B, K, M, D]. */
  k: T;
  /** Values, [B, K, M, V]. */
  v: T;
}

/** Inputs of `weights`, which has no use for values. */
export type WeightsInputs<T extends Tensor = Floats> = Omit<AttentionInputs<T>, "v"> & { v?: T };

/** What `forward` found and `backward` needs again. */
export interface ForwardResult<T extends Tensor = Floats> {
  /** Attention output, [B, H, N, V]; rows with nothing to attend to are 0. */
  output: T;
  /** L_i = log sum_j exp(s_ij - a log N_C,j), [B, H, N]; -Infinity where there is nothing to attend to. */
  logSumExp: T;
}

/** A forward result and the cotangent of its output. */
export interface BackwardInputs<T extends Tensor = Floats> extends ForwardResult<T> {
  /** Gradient of the loss with respect to `output`, [B, H, N, V]. */
  dOutput: T;
}

/** Gradients with respect to the raw inputs, and to the order and length scale of each query head. */
export interface BackwardResult<T extends Tensor = Floats> {
  /** [B, H, N, D] */
  dq: T;
  /** [B, K, M, D] */
  dk: T;
  /** [B, K, M, V] */
  dv: T;
  /** [H], summed over the batch; 0 for heads with alpha = 2, whose order is a constant. */
  dAlpha: T;
  /** [H], summed over the batch; with respect to the resolved kappa. */
  dKappa: T;
}

/** The caller's places for results: arrays of exact lengths, or tensors on the GPU; they overlap neither the inputs nor each other. */
export interface OutputArrays<T extends Tensor = Floats> extends Partial<ForwardResult<T>>, Partial<BackwardResult<T>> {
  /** [B, H, N, M] */
  weights?: T;
}

/** A mask with its shape, for the rare lengths that fit several shapes. */
export interface ShapedMask {
  /** 1 = may not attend. */
  data: Uint8Array;
  /** [B or 1, H or 1, N or 1, M] */
  shape: readonly [number, number, number, number];
}

/** One number for all heads, or one number per head. */
export type PerHead = number | Float32Array | Float64Array;

/** Options of one attention call; all are optional and default to the paper's. Masks are OR-ed. */
export interface AttentionOptions<T extends Tensor = Floats> {
  /** Order of the Levy process, in (0, 2], one or one per head. Below 2 the kernel has a power-law tail; at 2 it is the Gaussian. Default 1.2. */
  alpha?: PerHead;
  /** Where distances are measured; `"sphere"` normalises q and k to unit length first. Default `"euclidean"`. */
  manifold?: "euclidean" | "sphere";
  /** d_M of the exponent d_M + alpha, above 0 and at most 1e30. Default: `headDim`, on the sphere max(1, headDim - 1). */
  intrinsicDim?: number;
  /** Radius of the sphere: above 0, one per head, or (pi^(1/d_M) - 1)/pi. Default `"rescaled"` for alpha < 2, 1 at alpha = 2. */
  radius?: "rescaled" | PerHead;
  /** Length scale: the paper's, `"dim"` (D, or sqrt(D) at alpha = 2), `"none"` (1), or above 0, one or one per head. Default `"paper"`, which is 1 on the sphere. */
  kappa?: "paper" | "dim" | "none" | PerHead;
  /** eps > 0, or measured per batch entry and head and held constant for the gradient. Default 1. */
  bandwidth?: number | "median" | "mean";
  /** How eps divides the distance: eps^(1/alpha) or eps^(1/2). Default `"1/alpha"`. */
  bandwidthExponent?: "1/alpha" | "1/2";
  /** Which pairs a measured bandwidth looks at. `"all"` is the authors' reading and leaks masked tokens. Default `"unmasked"`. */
  bandwidthPairs?: "unmasked" | "all";
  /** a of the diffusion-map normalisation, from 0 to 1e30. Above 0 the column sums see all queries, so `causal` is then not causal. Default 0. */
  degreeNormalization?: number;
  /** No query attends to a later position. Default false. */
  causal?: boolean;
  /** Half width w: |i - j| <= w, apart from global tokens. Default: none. */
  window?: number;
  /** How many leading tokens attend and are attended everywhere within the window mask. Default 0. */
  globalTokens?: number;
  /** No token attends to its own position. Default false. */
  excludeSelf?: boolean;
  /** Valid keys of each batch entry, [B], in [0, M]. Default: all. */
  keyLengths?: Int32Array;
  /** Valid queries of each batch entry, [B], in [0, N]; the others are zero rows. Default: `keyLengths` if N = M, otherwise all. */
  queryLengths?: Int32Array;
  /** 1 = may not attend; a bare array is [B or 1, H or 1, N or 1, M], recognised by its length. */
  mask?: Uint8Array | ShapedMask;
  /** Masks pairs with d_g/kappa >= this. Default: none. */
  distanceThreshold?: number;
  /** Grouped-query attention: number of key/value heads, a divisor of `heads`. Default: `heads`. */
  keyHeads?: number;
  /** Where results go. Default: fresh arrays, or fresh buffers with `output: "gpu"`. */
  out?: OutputArrays<T>;
  /** Whether results come as arrays or stay on the GPU: see `GpuAttentionOptions`. Default `"arrays"`. */
  output?: "arrays";
  /** Stops a call that has not finished; its promise rejects with the signal's reason and nothing is written. */
  signal?: AbortSignal;
}

/** Options of a call of the webgpu device whose results stay on its GPU. */
export interface GpuAttentionOptions extends Omit<AttentionOptions<GpuTensor>, "output"> {
  /**
   * Each result is a `GpuTensor` in a buffer of its own, of exactly its size, with the usages STORAGE, COPY_SRC and COPY_DST,
   * or in the buffer that `out` has for it. Fresh buffers belong to the caller, who destroys them. The promise resolves when
   * the work is in the queue of the device: what is submitted later sees the results.
   */
  output: "gpu";
}

/** The GPU of a webgpu device. */
export interface GpuDescription {
  /** The device: where input buffers are made, and where results stay. Ours to destroy unless it was given to us. */
  readonly device: GPUDevice;
  /** What its adapter says of itself. */
  readonly adapter: string;
  /** Whether a CPU does the work. */
  readonly isSoftware: boolean;
}

/** A device that was asked for and cannot be used here. */
export interface RejectedDevice {
  readonly device: DeviceName;
  readonly reason: string;
}
