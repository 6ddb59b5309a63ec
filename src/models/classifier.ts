/**
 * The encoder classifier on wasm (equations section 11): one memory, laid out once; a step is a program of kernel calls
 * for each shard of the batch, then sums over shards in their order, then Adam.
 */

import { integer, record } from "../../reference/check.js";
import { dropoutKey } from "../../reference/dropout.js";
import { sinusoidalTable } from "../../reference/embedding.js";
import { FractionalAttentionError, InvalidArgumentError } from "../errors.js";
import { AttentionCalls } from "./attention-calls.js";
import { type CheckedBatch, checkBatch, checkLabelled, checkOverride, checkStep } from "./batch.js";
import { BatchMemory, type Placed } from "./batch-memory.js";
import { mostThreads, resolveConfig } from "./config.js";
import { EncoderProgram, type Pass } from "./encoder-program.js";
import { type Engine, type KernelCall, openEngine, runProgram } from "./engine.js";
import { NonFiniteError } from "./errors.js";
import { Addresses, layOutShard, widestRow } from "./layout.js";
import { initialParameters, parameterSpecs } from "./parameters.js";
import type { Threads } from "./threads.js";
import type {
  Batch,
  Classifier,
  ClassifierConfig,
  CreateOptions,
  LabelledBatch,
  LayerAttention,
  MaskOverride,
  ModelState,
  NamedTensor,
  Prediction,
  ResolvedConfig,
  StepOptions,
  StepResult,
} from "./types.js";
import { Weights } from "./weights.js";

/**
 * Opens a classifier with fresh parameters.
 * @param config what it is
 * @param options seed, threads, largest batch, and whether it is to be trained
 * @throws InvalidArgumentError naming the option, its domain and the value
 * @throws BackendUnavailableError where WebAssembly SIMD, or with threads shared memory or workers, are missing
 */
export async function createClassifier(config: ClassifierConfig, options: CreateOptions = {}): Promise<Classifier> {
  const resolved = resolveConfig(config);
  record("options", options, ["seed", "threads", "batch", "training"]);
  const seed = integer("seed", options.seed ?? 1, 0, 2 ** 32 - 1);
  const threads = integer("threads", options.threads ?? 1, 1, mostThreads);
  const batch = integer("batch", options.batch ?? 32, 1, 65536);
  const { training = true } = options;
  if (typeof training !== "boolean") throw new InvalidArgumentError("training", "a boolean", training);
  const engine = await openEngine(threads > 1);
  const classifier = new WasmClassifier(engine, resolved, seed, threads, batch, training);
  if (threads > 1) classifier.threadsInUse = await (await import("./threads.js")).startThreads(threads - 1, engine);
  return classifier;
}

class WasmClassifier implements Classifier {
  threadsInUse: Threads | undefined;
  readonly parameterCount: number;
  #steps = 0;
  #engine: Engine | undefined;
  #busy = false;
  readonly #weights: Weights;
  readonly #shards: EncoderProgram[];
  readonly #memory: BatchMemory;

  constructor(
    engine: Engine,
    readonly config: ResolvedConfig,
    public seed: number,
    readonly threads: number,
    readonly largestBatch: number,
    readonly training: boolean,
  ) {
    this.#engine = engine;
    const most = Math.ceil(largestBatch / threads);
    const specs = parameterSpecs(config);
    const at = new Addresses();
    this.#weights = new Weights(config, specs, at, threads, training, engine);
    const width = widestRow(config);
    this.#shards = Array.from({ length: threads }, (_, s) => {
      const scratch = (w: number) => engine.kernels.layers_scratch_bytes(w);
      const buffers = layOutShard(at, config, most, training, scratch);
      const attention = new AttentionCalls(engine, config, most, at, training);
      return new EncoderProgram(config, this.#weights.maps, buffers, attention, this.#weights.gradientRegion(s), width);
    });
    // Panels of a product may be read a little beyond their end.
    this.#memory = new BatchMemory(engine, config, this.#shards, most, training, at.next + 64);
    this.#weights.write(initialParameters(specs, seed));
    if (config.positions === "sinusoidal") {
      const table = Float32Array.from(sinusoidalTable(config.maxLength + 1, config.width));
      new Float32Array(engine.memory.buffer, this.#weights.maps.positionTable, table.length).set(table);
    }
    this.parameterCount = this.#weights.trainedCount;
  }

  get steps(): number {
    return this.#steps;
  }

  get memoryBytes(): number {
    return this.#engine?.memory.buffer.byteLength ?? 0;
  }

  step(batch: LabelledBatch, options: StepOptions): Promise<StepResult> {
    return this.#alone(async () => {
      this.#refuseWithoutTraining();
      const adam = checkStep(options);
      const checked = checkLabelled(batch, this.config, this.largestBatch);
      const result = await this.#descend(checked, true);
      this.#guard(result.loss);
      this.#weights.adam(adam, ++this.#steps);
      return result;
    });
  }

  evaluate(batch: LabelledBatch, override: MaskOverride = {}): Promise<StepResult & Prediction> {
    return this.#alone(async () => {
      const prepared = this.#place(checkLabelled(batch, this.config, this.largestBatch), override, false);
      await this.#run(prepared, (shard, pass) => [
        ...shard.forward(pass),
        shard.loss(pass.texts.length, prepared.batch.texts, true),
      ]);
      return { ...this.#memory.result(prepared), ...this.#memory.prediction(prepared) };
    });
  }

  predict(batch: Batch, override: MaskOverride = {}): Promise<Prediction> {
    return this.#alone(async () => {
      const prepared = this.#place(checkBatch(batch, this.config, this.largestBatch), override, false);
      await this.#run(prepared, (shard, pass) => [
        ...shard.forward(pass),
        shard.loss(pass.texts.length, prepared.batch.texts, false),
      ]);
      return this.#memory.prediction(prepared);
    });
  }

  attention(batch: Batch, override: MaskOverride = {}): Promise<LayerAttention[]> {
    return this.#alone(async () => {
      const prepared = this.#place(checkBatch(batch, this.config, this.largestBatch), override, false);
      await this.#run(prepared, (shard, pass) => shard.forward(pass));
      const heads = this.#weights.refresh();
      return Array.from({ length: this.config.layers }, (_, l) => this.#memory.layer(prepared, l, heads[l]));
    });
  }

  gradients(batch: LabelledBatch): Promise<Record<string, NamedTensor>> {
    return this.#alone(async () => {
      this.#refuseWithoutTraining();
      await this.#descend(checkLabelled(batch, this.config, this.largestBatch), false);
      return this.#weights.readGradients();
    });
  }

  state(): ModelState {
    this.#open();
    const moments = this.training ? this.#weights.readMoments() : {};
    return { seed: this.seed, step: this.#steps, parameters: this.#weights.read(), ...moments };
  }

  load(state: ModelState): void {
    this.#open();
    const { seed, step, parameters, firstMoments, secondMoments } = record("state", state);
    integer("state.seed", seed, 0, 2 ** 32 - 1);
    integer("state.step", step, 0);
    this.#weights.check("state.parameters", parameters, false);
    const moments = this.training && firstMoments !== undefined && secondMoments !== undefined;
    if (moments) {
      this.#weights.check("state.firstMoments", firstMoments, true);
      this.#weights.check("state.secondMoments", secondMoments, true);
    }
    this.#weights.write(parameters);
    if (this.training) {
      if (moments) this.#weights.writeMoments(firstMoments, secondMoments);
      else this.#weights.clearMoments();
    }
    this.seed = seed;
    this.#steps = moments || !this.training ? step : 0;
  }

  dispose(): void {
    this.#engine = undefined;
    this.threadsInUse?.dispose();
    this.threadsInUse = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #open(): Engine {
    if (this.#engine === undefined) throw new FractionalAttentionError("classifier: this object has been disposed");
    return this.#engine;
  }

  #refuseWithoutTraining(): void {
    if (!this.training) throw new FractionalAttentionError("classifier: it was created with training: false");
  }

  /** Calls share one memory: the second would overwrite what the first still reads. */
  async #alone<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#open();
    if (this.#busy) throw new FractionalAttentionError("classifier: calls must wait for each other");
    this.#busy = true;
    try {
      return await run();
    } finally {
      this.#busy = false;
    }
  }

  /** Loss and gradients of a batch, summed over the shards. */
  async #descend(batch: CheckedBatch, dropout: boolean): Promise<StepResult> {
    const prepared = this.#place(batch, {}, dropout);
    await this.#run(prepared, (shard, pass, s) => [
      this.#weights.clearGradients(s),
      ...shard.forward(pass),
      shard.loss(pass.texts.length, batch.texts, true),
      ...shard.backward(pass),
    ]);
    this.#weights.reduce(prepared.passes.map((pass) => pass.texts.length > 0));
    this.#weights.addHeadGradients((layer, alpha, kappa) =>
      this.#shards.map((shard, s) =>
        shard.attention.headGradients(layer, prepared.passes[s].texts.length, alpha, kappa),
      ),
    );
    return this.#memory.result(prepared);
  }

  /** Stops before a step that would spoil the parameters. */
  #guard(loss: number): void {
    if (!Number.isFinite(loss)) {
      const bad = this.#weights.findNonFinite();
      throw new NonFiniteError(bad?.name ?? "loss", this.#steps, bad?.value ?? loss);
    }
    const bad = this.#weights.findNonFinite();
    if (bad !== undefined) throw new NonFiniteError(bad.name, this.#steps, bad.value);
  }

  #place(batch: CheckedBatch, override: MaskOverride, dropout: boolean): Placed {
    const { config } = this;
    const dropoutKeys =
      dropout && config.dropout > 0
        ? Array.from({ length: 2 * config.layers }, (_, site) => dropoutKey(this.seed, this.#steps, site))
        : undefined;
    const { mask, threshold } = checkOverride(override, config, batch);
    return this.#memory.place(batch, { mask, threshold, heads: this.#weights.refresh(), dropoutKeys });
  }

  /** Runs a program for each shard that has texts: the first here, the others on their threads. */
  async #run(
    prepared: Placed,
    write: (shard: EncoderProgram, pass: Pass, index: number) => KernelCall[],
  ): Promise<void> {
    const { kernels } = this.#open();
    const programs = this.#shards.map((shard, s) =>
      prepared.passes[s].texts.length > 0 ? write(shard, prepared.passes[s], s) : [],
    );
    const others = this.threadsInUse?.run(programs.slice(1));
    runProgram(kernels, programs[0]);
    await others;
  }
}
