/**
 * What a device has to offer. A backend sees a resolved plan and arrays whose types and lengths have been checked; it
 * answers in fresh arrays of its own precision, which never alias its memory. Options, defaults, argument errors, the
 * caller's `out`, queueing and disposal are the business of `attention.ts`.
 *
 * What stands in masked keys or in rows beyond the lengths must never matter, even NaN. A row that attends to a NaN or
 * Infinity in q, k or v is NaN throughout (a bad value leaves its logSumExp alone); other rows are right.
 */

import type { Plan } from "../plan.js";
import type { BackwardInputs, BackwardResult, DeviceName, Floats, ForwardResult } from "../types.js";

/** Queries, keys and values of a call. `weights` gets no values. */
export interface Tensors {
  readonly q: Floats;
  readonly k: Floats;
  readonly v: Floats;
}

/** A device. The synchronous methods are there where the device can answer without waiting. */
export interface Backend {
  readonly device: DeviceName;
  /** Array types of q, k, v that the device reads; the first is what it answers in. */
  readonly arrays: readonly (Float32ArrayConstructor | Float64ArrayConstructor)[];

  /** The tensors may be read later: `attention.ts` hands over arrays that the caller no longer reaches. */
  forward(plan: Plan, tensors: Tensors, signal?: AbortSignal): Promise<ForwardResult>;
  backward(plan: Plan, tensors: Tensors, saved: BackwardInputs, signal?: AbortSignal): Promise<BackwardResult>;
  weights(plan: Plan, tensors: Omit<Tensors, "v">, signal?: AbortSignal): Promise<Floats>;

  forwardSync?(plan: Plan, tensors: Tensors): ForwardResult;
  backwardSync?(plan: Plan, tensors: Tensors, saved: BackwardInputs): BackwardResult;
  weightsSync?(plan: Plan, tensors: Omit<Tensors, "v">): Floats;

  /** Bytes of memory that the device holds between calls, where it holds any. */
  readonly memoryBytes?: number;

  /** Frees everything; idempotent. */
  dispose(): void;
}

/** A device that can be lost. */
export interface LosableBackend extends Backend {
  /** Goes on with a new GPU, the caller's where one is given. */
  recreate(gpu?: { device: GPUDevice }): Promise<void>;
}
