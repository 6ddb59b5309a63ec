/**
 * `Attention`: one object, one device, the same three calls on each. What this file does for every backend: check the
 * arguments, resolve the options into a plan, read the inputs before a promise is handed out, let overlapping
 * calls wait for each other, put results where the caller wants them, and refuse to work after `dispose`.
 */

import { record } from "../reference/check.js";
import type { Backend, LosableBackend, Tensors } from "./backends/backend.js";
import { FractionalAttentionError } from "./errors.js";
import { makePlan, type Plan, sizesOf, type TensorLengths, tensorLengths } from "./plan.js";
import type {
  AttentionInputs,
  AttentionOptions,
  BackwardInputs,
  BackwardResult,
  DeviceName,
  Floats,
  ForwardResult,
  OutputArrays,
  RejectedDevice,
  WeightsInputs,
} from "./types.js";
import { checkOptions, checkOut, checkShape, checkTensor } from "./validate.js";

/** A call whose arguments are checked: the plan, the arrays that the backend may keep, and where results go. */
interface Call {
  readonly plan: Plan;
  readonly lengths: TensorLengths;
  readonly tensors: Tensors;
  readonly signal: AbortSignal | undefined;
}

/** Attention on one device. Made by `createAttention`. */
export class Attention<R extends Floats = Floats> {
  /** The device in use. */
  readonly device: DeviceName;
  /** Devices that were tried before this one, and why they were not taken. */
  readonly rejected: readonly RejectedDevice[];
  readonly #backend: Backend;
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  /** @internal */
  constructor(backend: Backend, rejected: readonly RejectedDevice[] = []) {
    this.#backend = backend;
    this.device = backend.device;
    this.rejected = rejected;
  }

  /** Bytes of memory that the device holds for the largest call so far; 0 on the reference and after `dispose`. */
  get memoryBytes(): number {
    return this.#disposed ? 0 : (this.#backend.memoryBytes ?? 0);
  }

  /**
   * Fractional neural attention: O = A V with A the row-normalised kernel of distances (arXiv:2511.10208).
   *
   * @param inputs q [B, H, N, D], k [B, K, M, D], v [B, K, M, V] and the sizes; read before the promise is returned
   * @param options order, geometry, scale, masks; the paper's defaults
   * @returns output [B, H, N, V] and logSumExp [B, H, N], fresh or in `options.out`
   * @throws InvalidArgumentError (as a rejection) naming the argument, its domain and the value
   */
  async forward(inputs: AttentionInputs, options: AttentionOptions = {}): Promise<ForwardResult<R>> {
    const call = this.#check(inputs, options);
    this.#checkOut(options, call, ["output", "logSumExp"], [inputs.q, inputs.k, inputs.v]);
    const tensors = copyTensors(call.tensors);
    const result = await this.#enqueue(() => this.#backend.forward(call.plan, tensors, call.signal), call.signal);
    return deliver(result, options.out) as ForwardResult<R>;
  }

  /**
   * Gradients of `forward` for a cotangent dO of its output, from the output and logSumExp that it returned.
   *
   * @param inputs as in `forward`
   * @param options as in `forward`
   * @param saved output and dOutput [B, H, N, V], logSumExp [B, H, N]
   * @returns dq, dk, dv in the shapes of q, k, v; dAlpha and dKappa [H]
   * @throws InvalidArgumentError (as a rejection) naming the argument, its domain and the value
   */
  async backward(
    inputs: AttentionInputs,
    options: AttentionOptions,
    saved: BackwardInputs,
  ): Promise<BackwardResult<R>> {
    const call = this.#check(inputs, options);
    this.#checkSaved(saved, call, inputs, options);
    const tensors = copyTensors(call.tensors);
    const { output, logSumExp, dOutput } = saved;
    const kept = { output: output.slice(), logSumExp: logSumExp.slice(), dOutput: dOutput.slice() };
    const run = () => this.#backend.backward(call.plan, tensors, kept, call.signal);
    return deliver(await this.#enqueue(run, call.signal), options.out) as BackwardResult<R>;
  }

  /**
   * The attention matrix A itself, for looking and for analysis: every row sums to 1, or is 0 where a query has nothing
   * to attend to.
   *
   * @param inputs as in `forward`; v is not needed
   * @param options as in `forward`
   * @returns [B, H, N, M], fresh or `options.out.weights`
   * @throws InvalidArgumentError (as a rejection) naming the argument, its domain and the value
   */
  async weights(inputs: WeightsInputs, options: AttentionOptions = {}): Promise<R> {
    const call = this.#check(inputs, options, false);
    this.#checkOut(options, call, ["weights"], [inputs.q, inputs.k, inputs.v]);
    const tensors = copyTensors(call.tensors);
    const run = () => this.#backend.weights(call.plan, tensors, call.signal);
    const weights = await this.#enqueue(run, call.signal);
    return deliver({ weights }, options.out).weights as R;
  }

  /** `forward` without waiting, on devices that can. @throws FractionalAttentionError where the device cannot */
  forwardSync(inputs: AttentionInputs, options: AttentionOptions = {}): ForwardResult<R> {
    const run = this.#sync("forwardSync");
    const call = this.#check(inputs, options);
    this.#checkOut(options, call, ["output", "logSumExp"], [inputs.q, inputs.k, inputs.v]);
    return deliver(run(call.plan, call.tensors), options.out) as ForwardResult<R>;
  }

  /** `backward` without waiting, on devices that can. @throws FractionalAttentionError where the device cannot */
  backwardSync(inputs: AttentionInputs, options: AttentionOptions, saved: BackwardInputs): BackwardResult<R> {
    const run = this.#sync("backwardSync");
    const call = this.#check(inputs, options);
    this.#checkSaved(saved, call, inputs, options);
    return deliver(run(call.plan, call.tensors, saved), options.out) as BackwardResult<R>;
  }

  /** `weights` without waiting, on devices that can. @throws FractionalAttentionError where the device cannot */
  weightsSync(inputs: WeightsInputs, options: AttentionOptions = {}): R {
    const run = this.#sync("weightsSync");
    const call = this.#check(inputs, options, false);
    this.#checkOut(options, call, ["weights"], [inputs.q, inputs.k, inputs.v]);
    return deliver({ weights: run(call.plan, call.tensors) }, options.out).weights as R;
  }

  /**
   * Goes on with a new GPU after `DeviceLostError`, behind the calls that are waiting.
   *
   * @param gpu the caller's device; a new one of our own where it is left out
   * @throws FractionalAttentionError on devices that cannot be lost
   * @throws BackendUnavailableError when there is no adapter any more
   */
  async recreate(gpu?: { device: GPUDevice }): Promise<void> {
    this.#refuseDisposed();
    const backend = this.#backend;
    if (!("recreate" in backend)) {
      throw new FractionalAttentionError(`recreate: ${this.device} is not a device that can be lost`);
    }
    await this.#enqueue(() => (backend as LosableBackend).recreate(gpu), undefined);
  }

  /** Frees the device. Calls that are waiting or come later are refused. May be called any number of times. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#backend.dispose();
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #refuseDisposed(): void {
    if (this.#disposed) throw new FractionalAttentionError("attention: this object has been disposed");
  }

  #sync<Name extends "forwardSync" | "backwardSync" | "weightsSync">(name: Name): NonNullable<Backend[Name]> {
    this.#refuseDisposed();
    const method = this.#backend[name];
    if (method === undefined) {
      const later = name.replace("Sync", "");
      throw new FractionalAttentionError(`${name}: ${this.device} cannot answer without waiting; await ${later}()`);
    }
    return method.bind(this.#backend) as NonNullable<Backend[Name]>;
  }

  /** Checks shape, options and tensors, in this order, and resolves the plan; it allocates nothing before. */
  #check(inputs: WeightsInputs, options: AttentionOptions, withValues = true): Call {
    this.#refuseDisposed();
    checkShape(inputs);
    checkOptions(options, inputs);
    const lengths = tensorLengths(sizesOf(inputs, options));
    const { arrays } = this.#backend;
    checkTensor("q", inputs.q, lengths.q, arrays, "[batch, heads, queries, headDim]");
    checkTensor("k", inputs.k, lengths.k, arrays, "[batch, keyHeads, keys, headDim]");
    const { v } = inputs;
    if (withValues || v !== undefined) checkTensor("v", v, lengths.v, arrays, "[batch, keyHeads, keys, valueDim]");
    const tensors = { q: inputs.q, k: inputs.k, v: v ?? new arrays[0](0) };
    return { plan: makePlan(inputs, options), lengths, tensors, signal: options.signal };
  }

  #checkSaved(saved: BackwardInputs, call: Call, inputs: AttentionInputs, options: AttentionOptions): void {
    record("saved", saved);
    const { lengths } = call;
    const { arrays } = this.#backend;
    checkTensor("output", saved.output, lengths.output, arrays, "[batch, heads, queries, valueDim]");
    checkTensor("logSumExp", saved.logSumExp, lengths.logSumExp, arrays, "[batch, heads, queries]");
    checkTensor("dOutput", saved.dOutput, lengths.output, arrays, "[batch, heads, queries, valueDim]");
    const read = [inputs.q, inputs.k, inputs.v, saved.output, saved.logSumExp, saved.dOutput];
    this.#checkOut(options, call, ["dq", "dk", "dv", "dAlpha", "dKappa"], read);
  }

  #checkOut(options: AttentionOptions, call: Call, results: readonly string[], read: (Floats | undefined)[]): void {
    checkOut(options.out, outLengths(call.lengths), results, this.#backend.arrays[0], read);
  }

  /** Runs after the calls before it, however those end. */
  #enqueue<Result>(run: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    signal?.throwIfAborted();
    const result = this.#last.then(() => {
      this.#refuseDisposed();
      signal?.throwIfAborted();
      return run();
    });
    this.#last = result.catch(() => {});
    return result;
  }
}

/** Every array that `out` may hold. One `out` may serve several calls; each looks at what it produces. */
function outLengths(lengths: TensorLengths): Record<keyof OutputArrays, number> {
  return {
    output: lengths.output,
    logSumExp: lengths.logSumExp,
    weights: lengths.weights,
    dq: lengths.q,
    dk: lengths.k,
    dv: lengths.v,
    dAlpha: lengths.perHead,
    dKappa: lengths.perHead,
  };
}

function copyTensors({ q, k, v }: Tensors): Tensors {
  return { q: q.slice(), k: k.slice(), v: v.slice() };
}

/** Copies each result into the caller's array of that name, if there is one, and returns what the caller will hold. */
function deliver<Result extends object>(result: Result, out: AttentionOptions["out"]): Result {
  if (out === undefined) return result;
  const delivered: Record<string, Floats> = { ...result } as Record<string, Floats>;
  for (const name of Object.keys(result)) {
    const target = (out as Record<string, Floats | undefined>)[name];
    if (target === undefined) continue;
    target.set(delivered[name]);
    delivered[name] = target;
  }
  return delivered as Result;
}
