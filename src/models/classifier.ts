/**
 * The encoder classifier on wasm (equations section 11): one memory, laid out once; a step is a program of kernel calls
 * for each shard of the batch, then sums over shards in their order, then Adam.
 */

import { integer, record } from "../../reference/check.js";
import { dropoutKey } from "../../reference/dropout.js";
import { sinusoidalTable } from "../../reference/embedding.js";
import { FractionalAttentionError, InvalidArgumentError } from "../errors.js";
import { AttentionCalls } from "./attention-calls.js";
import { type CheckedBatch, checkBatch, checkLabelled, checkOverride, checkStep, dealTexts } from "./batch.js";
import { resolveConfig } from "./config.js";
import { EncoderProgram, type Pass, rowsOf, type ShardText } from "./encoder-program.js";
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
  const threads = integer("threads", options.threads ?? 1, 1, 64);
  const batch = integer("batch", options.batch ?? 32, 1, 65536);
  const { training = true } = options;
  if (typeof training !== "boolean") throw new InvalidArgumentError("training", "a boolean", training);
  const engine = await openEngine(threads > 1);
  const classifier = new WasmClassifier(engine, resolved, seed, threads, batch, training);
  if (threads > 1) classifier.threadsInUse = await (await import("./threads.js")).startThreads(threads - 1, engine);
  return classifier;
}

/** A batch laid out in the memory: what each shard runs. */
interface Prepared {
  readonly batch: CheckedBatch;
  /** The texts of each shard by their place in the batch. */
  readonly dealt: number[][];
  readonly passes: Pass[];
}

class WasmClassifier implements Classifier {
  threadsInUse: Threads | undefined;
  readonly parameterCount: number;
  #steps = 0;
  #engine: Engine | undefined;
  #busy = false;
  readonly #weights: Weights;
  readonly #shards: EncoderProgram[];
  /** Texts of a shard at most. */
  readonly #most: number;
  /** Where masks and weights that only analysis needs begin: behind everything else. */
  readonly #end: number;

  constructor(
    engine: Engine,
    readonly config: ResolvedConfig,
    public seed: number,
    readonly threads: number,
    readonly largestBatch: number,
    readonly training: boolean,
  ) {
    this.#engine = engine;
    this.#most = Math.ceil(largestBatch / threads);
    const specs = parameterSpecs(config);
    const at = new Addresses();
    this.#weights = new Weights(config, specs, at, threads, training, engine);
    const width = widestRow(config);
    this.#shards = Array.from({ length: threads }, (_, s) => {
      const scratch = (w: number) => engine.kernels.layers_scratch_bytes(w);
      const buffers = layOutShard(at, config, this.#most, training, scratch);
      const attention = new AttentionCalls(engine, config, this.#most, at, training);
      return new EncoderProgram(config, this.#weights.maps, buffers, attention, this.#weights.gradientRegion(s), width);
    });
    // Panels of a product may be read a little beyond their end.
    this.#end = at.next + 64;
    this.#grow(this.#end);
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
      const prepared = this.#prepare(checkLabelled(batch, this.config, this.largestBatch), override, false);
      await this.#run(prepared, (shard, pass) => [
        ...shard.forward(pass),
        shard.loss(pass.texts.length, prepared.batch.texts, true),
      ]);
      return { ...this.#result(prepared), ...this.#prediction(prepared) };
    });
  }

  predict(batch: Batch, override: MaskOverride = {}): Promise<Prediction> {
    return this.#alone(async () => {
      const prepared = this.#prepare(checkBatch(batch, this.config, this.largestBatch), override, false);
      await this.#run(prepared, (shard, pass) => [
        ...shard.forward(pass),
        shard.loss(pass.texts.length, prepared.batch.texts, false),
      ]);
      return this.#prediction(prepared);
    });
  }

  attention(batch: Batch, override: MaskOverride = {}): Promise<LayerAttention[]> {
    return this.#alone(async () => {
      const prepared = this.#prepare(checkBatch(batch, this.config, this.largestBatch), override, false);
      await this.#run(prepared, (shard, pass) => shard.forward(pass));
      return Array.from({ length: this.config.layers }, (_, l) => this.#layer(prepared, l));
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

  #grow(bytes: number): void {
    const { memory } = this.#open();
    const missing = bytes - memory.buffer.byteLength;
    if (missing <= 0) return;
    try {
      memory.grow(Math.ceil(missing / 65536));
    } catch (cause) {
      const message = `classifier: this model and batch need ${bytes} bytes of WebAssembly memory (at most 4 GiB)`;
      throw new FractionalAttentionError(message, { cause });
    }
  }

  /** Loss and gradients of a batch, summed over the shards. */
  async #descend(batch: CheckedBatch, dropout: boolean): Promise<StepResult> {
    const prepared = this.#prepare(batch, {}, dropout);
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
    return this.#result(prepared);
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

  /** Lays a batch out in the memory and says what each shard has to do. */
  #prepare(batch: CheckedBatch, override: MaskOverride, dropout: boolean): Prepared {
    const { config } = this;
    const { mask, threshold } = checkOverride(override, config, batch);
    const masks = this.#writeMasks(batch, mask);
    const rows = Array.from(batch.lengths, (length) => (config.compatibility.poolPadding ? batch.padded : length));
    const dealt = dealTexts(rows, this.threads, this.#most);
    const view = new DataView(this.#open().memory.buffer);
    const heads = this.#weights.refresh();
    const dropoutKeys =
      dropout && config.dropout > 0
        ? Array.from({ length: 2 * config.layers }, (_, site) => dropoutKey(this.seed, this.#steps, site))
        : undefined;
    const passes = this.#shards.map((shard, s): Pass => {
      let first = 0;
      const texts = dealt[s].map((b): ShardText => {
        const text = { first, rows: rows[b], keys: batch.lengths[b], mask: masks.at(b), maskPitch: masks.pitch };
        first += rows[b];
        return text;
      });
      const pass: Pass = { texts, distanceThreshold: threshold, dropoutKeys };
      this.#writeShard(shard, pass, batch, dealt[s]);
      for (let l = 0; l < config.layers; l++) {
        shard.attention.writeHeads(view, l, heads[l].alpha, heads[l].kappa, threshold);
        texts.forEach((text, t) => {
          const gradients = this.training ? shard.textGradients(text) : undefined;
          shard.attention.write(view, l, t, shard.textTensors(pass, l, text), gradients);
        });
      }
      return pass;
    });
    return { batch, dealt, passes };
  }

  /** Tables of a shard: tokens, positions, names of rows, first rows, labels. */
  #writeShard({ buffers }: EncoderProgram, pass: Pass, batch: CheckedBatch, texts: readonly number[]): void {
    const { kernels, memory } = this.#open();
    const { buffer } = memory;
    const rows = rowsOf(pass);
    const tokens = new Int32Array(buffer, buffers.tokens, rows);
    const starts = new Int32Array(buffer, buffers.starts, texts.length + 1);
    const labels = new Int32Array(buffer, buffers.labels, texts.length);
    pass.texts.forEach(({ first, rows: count, keys }, t) => {
      const b = texts[t];
      tokens.set(batch.tokens.subarray(b * batch.padded, b * batch.padded + count), first);
      const at = 4 * first;
      kernels.number_rows(buffers.positions + at, buffers.rowIds + at, count, keys, b * this.config.maxLength);
      starts[t] = first;
      labels[t] = batch.labels?.[b] ?? 0;
    });
    starts[texts.length] = rows;
  }

  /** Masks in bytes behind everything else: those of the call, or padding that takes part as queries. */
  #writeMasks(batch: CheckedBatch, mask: Uint8Array | undefined) {
    const { padded, texts, lengths } = batch;
    if (mask !== undefined) {
      this.#grow(this.#end + mask.length);
      new Uint8Array(this.#open().memory.buffer).set(mask, this.#end);
      const stride = mask.length === padded ** 2 ? 0 : padded ** 2;
      return { pitch: padded, at: (b: number) => this.#end + b * stride };
    }
    const { attention, compatibility } = this.config;
    if (!compatibility.poolPadding || !attention.startsWith("fna")) return { pitch: 0, at: () => 0 };
    this.#grow(this.#end + texts * padded);
    const bytes = new Uint8Array(this.#open().memory.buffer, this.#end, texts * padded);
    for (let p = 0; p < bytes.length; p++) bytes[p] = Number(p % padded >= lengths[Math.floor(p / padded)]);
    return { pitch: 0, at: (b: number) => this.#end + b * padded };
  }

  /** Runs a program for each shard that has texts: the first here, the others on their threads. */
  async #run(
    prepared: Prepared,
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

  #result({ batch, passes }: Prepared): StepResult {
    const view = new DataView(this.#open().memory.buffer);
    let loss = 0;
    let right = 0;
    passes.forEach(({ texts }, s) => {
      if (texts.length === 0) return;
      const { result } = this.#shards[s].buffers;
      loss += view.getFloat64(result, true);
      right += view.getFloat64(result + 8, true);
    });
    return { loss, accuracy: right / batch.texts };
  }

  #prediction({ batch, dealt }: Prepared): Prediction {
    const { buffer } = this.#open().memory;
    const { classes } = this.config;
    const logits = new Float32Array(batch.texts * classes);
    const probabilities = new Float32Array(batch.texts * classes);
    dealt.forEach((texts, s) => {
      const { buffers } = this.#shards[s];
      texts.forEach((b, t) => {
        const row = (address: number) => new Float32Array(buffer, address + 4 * t * classes, classes);
        logits.set(row(buffers.logits), b * classes);
        probabilities.set(row(buffers.probabilities), b * classes);
      });
    });
    return { logits, probabilities };
  }

  /** Queries, keys and weights of a layer, as padded arrays; the weights are formed now. */
  #layer({ batch, dealt, passes }: Prepared, l: number): LayerAttention {
    const { config } = this;
    const { heads, width } = config;
    const { texts, padded } = batch;
    const headDim = width / heads;
    const queries = new Float32Array(texts * padded * width);
    const keys = new Float32Array(texts * padded * width);
    const weights = new Float32Array(texts * heads * padded ** 2);
    // Masks are at the end; the weights of one text come behind them.
    const to = Math.ceil((this.#end + texts * padded ** 2) / 64) * 64;
    this.#grow(to + 4 * heads * padded ** 2);
    const { kernels, memory } = this.#open();
    dealt.forEach((members, s) => {
      const shard = this.#shards[s];
      members.forEach((b, t) => {
        const text = passes[s].texts[t];
        const tensors = shard.textTensors(passes[s], l, text);
        const { rows } = text;
        kernels.layers_open(shard.buffers.layersScratch, shard.scratchWidth);
        runProgram(kernels, shard.attention.weights(l, t, tensors, to));
        for (let h = 0; h < heads; h++) {
          const points = (address: number) =>
            new Float32Array(memory.buffer, address + 4 * h * rows * headDim, rows * headDim);
          const row = (b * heads + h) * padded;
          queries.set(points(tensors.queries), row * headDim);
          keys.set(points(tensors.keyRows), row * headDim);
          for (let i = 0; i < rows; i++) {
            const line = new Float32Array(memory.buffer, to + 4 * (h * rows + i) * rows, rows);
            weights.set(line, (row + i) * padded);
          }
        }
      });
    });
    const isFractional = config.attention.startsWith("fna");
    const { alpha, kappa } = this.#weights.refresh()[l];
    const none = new Float64Array(0);
    return { queries, keys, weights, alpha: isFractional ? alpha : none, kappa: isFractional ? kappa : none };
  }
}
