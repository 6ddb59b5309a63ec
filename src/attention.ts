/**
 * `Attention`: one object, one device, the same three calls on each. What this file does for every backend: check the
 * arguments, resolve the options into a plan, read the inputs before a promise is handed out, let overlapping
 * calls wait for each other, put results where the caller wants them, and refuse to work after `dispose`.
 */

import { integer, oneOf, record } from "../reference/check.js";
import type { Backend, Kept, LosableBackend, Tensors } from "./backends/backend.js";
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
  GpuAttentionOptions,
  GpuDescription,
  GpuTensor,
  OutputArrays,
  RejectedDevice,
  Tensor,
  WeightsInputs,
} from "./types.js";
import { checkOptions, checkOut, checkShape, checkTensor, type Extent, extentOf } from "./validate.js";

/** Options of either kind. */
type AnyOptions = AttentionOptions | GpuAttentionOptions;

/** What each call produces. */
const forwardResults = ["output", "logSumExp"];
const backwardResults = ["dq", "dk", "dv", "dAlpha", "dKappa"];
const weightsResults = ["weights"];

/** A call whose arguments are checked: the plan, the tensors, and the caller's places for results, in arrays or on the GPU. */
interface Call {
  readonly plan: Plan;
  readonly tensors: Tensors<Tensor>;
  readonly signal: AbortSignal | undefined;
  readonly out?: OutputArrays;
  readonly kept?: Kept;
}

/** Attention on one device. Made by `createAttention`. */
export class Attention<R extends Floats = Floats> {
  /** The device in use. */
  readonly device: DeviceName;
  /** Devices that were tried before this one, and why they were not taken. */
  readonly rejected: readonly RejectedDevice[];
  readonly #backend: Backend<Tensor>;
  #last: Promise<unknown> = Promise.resolve();
  /** Calls that have not ended. */
  #waiting = 0;
  #disposed = false;

  /** @internal */
  constructor(backend: Backend<Tensor>, rejected: readonly RejectedDevice[] = []) {
    this.#backend = backend;
    this.device = backend.device;
    this.rejected = rejected;
  }

  /** Bytes of memory that the device holds for the largest call so far; 0 on the reference and after `dispose`. */
  get memoryBytes(): number {
    return this.#disposed ? 0 : (this.#backend.memoryBytes ?? 0);
  }

  /** The GPU of a webgpu device, a new one after `recreate`; undefined on other devices. */
  get gpu(): GpuDescription | undefined {
    return this.#backend.gpu;
  }

  /**
   * Fractional neural attention: O = A V with A the row-normalised kernel of distances (arXiv:2511.10208).
   *
   * @param inputs q [B, H, N, D], k [B, K, M, D], v [B, K, M, V] and the sizes. Arrays are read before the promise is
   *   returned. On the webgpu device each may be a `GpuTensor`, whose buffer is to be left alone until the promise settles.
   * @param options order, geometry, scale, masks; the paper's defaults
   * @returns output [B, H, N, V] and logSumExp [B, H, N], fresh or in `options.out`; on the GPU with `output: "gpu"`
   * @throws InvalidArgumentError (as a rejection) naming the argument, its domain and the value
   */
  forward(inputs: AttentionInputs<Tensor>, options: GpuAttentionOptions): Promise<ForwardResult<GpuTensor>>;
  forward(inputs: AttentionInputs<Tensor>, options?: AttentionOptions): Promise<ForwardResult<R>>;
  async forward(inputs: AttentionInputs<Tensor>, options: AnyOptions = {}): Promise<ForwardResult<R | GpuTensor>> {
    const call = this.#check(inputs, options, forwardResults);
    const run = (tensors: Tensors<Tensor>) => this.#backend.forward(call.plan, tensors, call.signal, call.kept);
    return deliver(await this.#enqueue(call.tensors, run, call.signal), call) as ForwardResult<R>;
  }

  /**
   * Gradients of `forward` for a cotangent dO of its output, from the output and logSumExp that it returned.
   *
   * @param inputs as in `forward`
   * @param options as in `forward`
   * @param saved output and dOutput [B, H, N, V], logSumExp [B, H, N], each in either place as the inputs
   * @returns dq, dk, dv in the shapes of q, k, v; dAlpha and dKappa [H]; on the GPU with `output: "gpu"`
   * @throws InvalidArgumentError (as a rejection) naming the argument, its domain and the value
   */
  backward(
    inputs: AttentionInputs<Tensor>,
    options: GpuAttentionOptions,
    saved: BackwardInputs<Tensor>,
  ): Promise<BackwardResult<GpuTensor>>;
  backward(
    inputs: AttentionInputs<Tensor>,
    options: AttentionOptions,
    saved: BackwardInputs<Tensor>,
  ): Promise<BackwardResult<R>>;
  async backward(
    inputs: AttentionInputs<Tensor>,
    options: AnyOptions,
    saved: BackwardInputs<Tensor>,
  ): Promise<BackwardResult<R | GpuTensor>> {
    const call = this.#check(inputs, options, backwardResults, saved);
    const { output, logSumExp, dOutput } = saved;
    const tensors = { ...call.tensors, output, logSumExp, dOutput };
    const run = (all: typeof tensors) => this.#backend.backward(call.plan, all, all, call.signal, call.kept);
    return deliver(await this.#enqueue(tensors, run, call.signal), call) as BackwardResult<R>;
  }

  /**
   * The attention matrix A itself, for looking and for analysis: every row sums to 1, or is 0 where a query has nothing
   * to attend to.
   *
   * @param inputs as in `forward`; v is not needed
   * @param options as in `forward`
   * @returns [B, H, N, M], fresh or `options.out.weights`; on the GPU with `output: "gpu"`
   * @throws InvalidArgumentError (as a rejection) naming the argument, its domain and the value
   */
  weights(inputs: WeightsInputs<Tensor>, options: GpuAttentionOptions): Promise<GpuTensor>;
  weights(inputs: WeightsInputs<Tensor>, options?: AttentionOptions): Promise<R>;
  async weights(inputs: WeightsInputs<Tensor>, options: AnyOptions = {}): Promise<R | GpuTensor> {
    const call = this.#check(inputs, options, weightsResults);
    const run = (tensors: Tensors<Tensor>) => this.#backend.weights(call.plan, tensors, call.signal, call.kept);
    const weights = await this.#enqueue(call.tensors, run, call.signal);
    return deliver({ weights }, call).weights as R;
  }

  /**
   * `forward` without waiting, on devices that can. A signal that is aborted already throws its reason; later it is not looked at.
   * @throws FractionalAttentionError where the device cannot
   */
  forwardSync(inputs: AttentionInputs, options: AttentionOptions = {}): ForwardResult<R> {
    const run = this.#sync("forwardSync");
    const call = this.#check(inputs, options, forwardResults);
    return deliver(run(call.plan, call.tensors as Tensors), call) as ForwardResult<R>;
  }

  /**
   * `backward` without waiting, on devices that can. A signal that is aborted already throws its reason; later it is not looked at.
   * @throws FractionalAttentionError where the device cannot
   */
  backwardSync(inputs: AttentionInputs, options: AttentionOptions, saved: BackwardInputs): BackwardResult<R> {
    const run = this.#sync("backwardSync");
    const call = this.#check(inputs, options, backwardResults, saved);
    return deliver(run(call.plan, call.tensors as Tensors, saved), call) as BackwardResult<R>;
  }

  /**
   * `weights` without waiting, on devices that can. A signal that is aborted already throws its reason; later it is not looked at.
   * @throws FractionalAttentionError where the device cannot
   */
  weightsSync(inputs: WeightsInputs, options: AttentionOptions = {}): R {
    const run = this.#sync("weightsSync");
    const call = this.#check(inputs, options, weightsResults);
    return deliver({ weights: run(call.plan, call.tensors as Tensors) }, call).weights as R;
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
    await this.#enqueue({}, () => (backend as LosableBackend<Tensor>).recreate(gpu));
  }

  /** Frees the device. Calls that are waiting or come later are refused. May be called any number of times. */
  dispose(): void {
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

  /**
   * Checks shape, options, tensors, places for results and the signal, in this order, and resolves the plan; it allocates nothing
   * before.
   */
  #check(
    inputs: WeightsInputs<Tensor>,
    options: AnyOptions,
    results: readonly string[],
    saved?: BackwardInputs<Tensor>,
  ): Call {
    this.#refuseDisposed();
    checkShape(inputs);
    // Where results go is no matter of theirs.
    const common = options as AttentionOptions;
    checkOptions(common, inputs);
    const { arrays, gpu, checkGpuTensor } = this.#backend;
    const { output = "arrays", out, signal } = options;
    oneOf("output", output, gpu ? ["arrays", "gpu"] : ["arrays"]);
    const lengths = tensorLengths(sizesOf(inputs, common));
    if (results === weightsResults) integer("weights", lengths.weights, 0);
    const read: Extent[] = [];
    const check = (name: string, value: Tensor | undefined, length: number, layout: string) => {
      if (!checkGpuTensor?.(name, value, length, "input")) checkTensor(name, value, length, arrays, layout);
      read.push(extentOf(value as Tensor, length));
    };
    const { q, k, v } = inputs;
    check("q", q, lengths.q, "[batch, heads, queries, headDim]");
    check("k", k, lengths.k, "[batch, keyHeads, keys, headDim]");
    if (results !== weightsResults || v !== undefined) check("v", v, lengths.v, "[batch, keyHeads, keys, valueDim]");
    if (results === backwardResults) {
      const { output, logSumExp, dOutput } = record("saved", saved) as BackwardInputs<Tensor>;
      check("output", output, lengths.output, "[batch, heads, queries, valueDim]");
      check("logSumExp", logSumExp, lengths.logSumExp, "[batch, heads, queries]");
      check("dOutput", dOutput, lengths.output, "[batch, heads, queries, valueDim]");
    }
    const checkPlace = (name: string, value: unknown, length: number) =>
      output === "gpu"
        ? checkGpuTensor!(name, value, length, "result")
        : checkTensor(name, value, length, [arrays[0]], "exactly");
    checkOut(out, outLengths(lengths), results, checkPlace, read);
    // While the call is under way the record is the caller's to change.
    const places = { ...out };
    signal?.throwIfAborted();
    return {
      plan: makePlan(inputs, common),
      tensors: { q, k, v: v ?? new arrays[0](0) },
      signal,
      [output === "gpu" ? "kept" : "out"]: places,
    };
  }

  /** Runs after the calls before it, however those end, on tensors as they are now: on copies, if it could read them later. */
  #enqueue<T extends object, Result>(
    tensors: T,
    run: (tensors: T) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    const copies = this.#waiting++ || !this.#backend.readsAtOnce ? copyTensors(tensors) : undefined;
    const result =
      copies === undefined
        ? run(tensors)
        : this.#last.then(() => {
            this.#refuseDisposed();
            signal?.throwIfAborted();
            return run(copies);
          });
    const settled = () => this.#waiting--;
    this.#last = result.then(settled, settled);
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

/** Arrays that the caller no longer reaches; a tensor on the GPU stays where it is. */
function copyTensors<T extends object>(tensors: T): T {
  return changeEach(tensors, (tensor: Tensor) => (ArrayBuffer.isView(tensor) ? tensor.slice() : { ...tensor }));
}

/** Copies each result into the caller's array of that name, if there is one, and returns what the caller will hold. */
function deliver<Result extends object>(result: Result, { out }: Call): Result {
  return changeEach(result, (found: Floats, name) => {
    const place = (out as Partial<Record<string, Floats>> | undefined)?.[name];
    place?.set(found);
    return place ?? found;
  });
}

function changeEach<T extends object, Value>(record: T, change: (value: Value, name: string) => Value): T {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value, name)])) as T;
}
