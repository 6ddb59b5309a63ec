/**
 * What a device has to offer. A backend sees a resolved plan and arrays whose types and lengths have been checked; it
 * answers in fresh arrays of its own precision, which never alias its memory. Options, defaults, argument errors, the
 * caller's `out`, queueing and disposal are the business of `attention.ts`.
 *
 * What stands in masked keys or in rows beyond the lengths must never matter, even NaN. A row that attends to a NaN or
 * Infinity in q, k or v is NaN throughout (a bad value leaves its logSumExp alone); other rows are right.
 */

import type { Plan } from "../plan.js";
import type {
  BackwardInputs,
  BackwardResult,
  DeviceName,
  Floats,
  ForwardResult,
  GpuDescription,
  GpuTensor,
  OutputArrays,
  Tensor,
} from "../types.js";

/** Queries, keys and values of a call. `weights` gets no values. */
export interface Tensors<T extends Tensor = Floats> {
  readonly q: T;
  readonly k: T;
  readonly v: T;
}

/** Given to a device with `gpu` alone: results stay there, in the caller's buffers where it has some for them. */
export type Kept = OutputArrays<GpuTensor>;

/** A device that reads tensors of type T. The synchronous methods are there where it can answer without waiting. */
export interface Backend<T extends Tensor = Floats> {
  readonly device: DeviceName;
  /** Array types of q, k, v that the device reads; the first is what it answers in. */
  readonly arrays: readonly (Float32ArrayConstructor | Float64ArrayConstructor)[];

  /**
   * Whether the calls read their tensors before they return a promise. Otherwise these may be read later: `attention.ts` hands
   * over arrays that the caller no longer reaches.
   */
  readonly readsAtOnce?: boolean;
  forward(plan: Plan, tensors: Tensors<T>, signal?: AbortSignal, kept?: Kept): Promise<ForwardResult<T>>;
  backward(
    plan: Plan,
    tensors: Tensors<T>,
    saved: BackwardInputs<T>,
    signal?: AbortSignal,
    kept?: Kept,
  ): Promise<BackwardResult<T>>;
  weights(plan: Plan, tensors: Omit<Tensors<T>, "v">, signal?: AbortSignal, kept?: Kept): Promise<T>;

  forwardSync?(plan: Plan, tensors: Tensors): ForwardResult;
  backwardSync?(plan: Plan, tensors: Tensors, saved: BackwardInputs): BackwardResult;
  weightsSync?(plan: Plan, tensors: Omit<Tensors, "v">): Floats;

  /** The GPU that tensors may stay on. */
  readonly gpu?: GpuDescription;
  /** Checks a tensor on the GPU under the name of its argument; false for an input that is meant to be something else. */
  checkGpuTensor?(argument: string, tensor: unknown, length: number, use: "input" | "result"): boolean;

  /** Bytes of memory that the device holds between calls, where it holds any. */
  readonly memoryBytes?: number;

  /** Frees everything; idempotent. */
  dispose(): void;
}

/** A device that can be lost. */
export interface LosableBackend<T extends Tensor = Floats> extends Backend<T> {
  /** Goes on with a new GPU, the caller's where one is given. */
  recreate(gpu?: { device: GPUDevice }): Promise<void>;
}
