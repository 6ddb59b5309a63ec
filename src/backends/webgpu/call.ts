/**
 * One chunk of a call on the device: its tensors, and the passes over them in order. Whatever is measured comes first, as
 * the host turns it into the scale of each head (equations section 3).
 */

import { bandwidthFloor } from "../../../reference/scale.js";
import { FractionalAttentionError } from "../../errors.js";
import type { Plan } from "../../plan.js";
import { spans } from "./chunks.js";
import { type PackedMask, packMask } from "./mask.js";
import { type PassName, rowPassThreads, type Variant } from "./passes.js";
import { type Chunk, type PassFields, vectors, writeHeads, writeParams } from "./records.js";
import type { Bindings, GpuTensor, Runner } from "./runner.js";
import { countsPerHead } from "./wgsl/measure.wgsl.js";
import { maxHeads } from "./wgsl/tile.wgsl.js";

/** A tensor of the caller's, in either place. */
export type Source = Float32Array | GpuTensor;

/** The caller's tensors; v is not there for weights. */
export interface Sources {
  readonly q: Source;
  readonly k: Source;
  readonly v?: Source;
}

/** What a forward pass left, and the cotangent of its output. */
export interface Saved {
  readonly output: Source;
  readonly logSumExp: Source;
  readonly dOutput: Source;
}

/** What a tensor is bound as: its own element 0 comes `shift` elements after the start of the binding. */
interface Placed {
  readonly binding: GPUBufferBinding;
  readonly shift: number;
}

/** What a pass over tiles covers: workgroups along x take blocks of rows, along y heads. */
interface Extent {
  readonly rows: number;
  readonly columns: number;
  readonly heads: number;
  /** Row that the first workgroup begins with, the first of a tile. */
  readonly firstRow?: number;
  /** Workgroups along z. */
  readonly chunks?: number;
}

export class ChunkCall {
  readonly #mask: PackedMask | undefined;
  readonly #variant: Variant;
  #heads: GPUBufferBinding;
  #points: Bindings = {};
  /** Times 32: components that one workgroup sums, and how many workgroups that takes. */
  readonly slots: number;
  readonly slotChunks: number;

  constructor(
    readonly runner: Runner,
    readonly plan: Plan,
    readonly chunk: Chunk,
    readonly signal: AbortSignal | undefined,
    rowThreads: number,
    backward: boolean,
  ) {
    this.#mask = packMask(plan, chunk.head, chunk.head + chunk.heads);
    const width = Math.max(vectors(plan.valueDim), backward ? vectors(plan.headDim) : 0);
    // Gradients keep points and two sums at once: half as many components fit into registers.
    this.slots = Math.min(backward ? 2 : 4, 2 ** Math.ceil(Math.log2(Math.ceil(width / 8))));
    this.slotChunks = Math.ceil(width / (8 * this.slots));
    this.#variant = { rowThreads, sphere: plan.manifold === "sphere", slots: this.slots };
    const bandwidths =
      typeof plan.bandwidth === "number" ? new Array<number>(chunk.heads).fill(plan.bandwidth) : undefined;
    this.#heads = this.#putHeads(bandwidths);
  }

  #putHeads(bandwidths: number[] | undefined, prefixes: number[] = [], ignoreMasks = false): GPUBufferBinding {
    const records = writeHeads(this.plan, this.chunk, this.#mask, bandwidths, prefixes, ignoreMasks);
    return this.runner.put(records, "uniform", maxHeads * 48);
  }

  /** Binds elements [from, from + length) of a tensor. */
  place(source: Source, from: number, length: number): Placed {
    if (source instanceof Float32Array) {
      return { binding: this.runner.put(source.subarray(from, from + length)), shift: 0 };
    }
    const byte = (source.offset ?? 0) + 4 * from;
    const offset = byte - (byte % this.runner.device.limits.minStorageBufferOffsetAlignment);
    return { binding: { buffer: source.buffer, offset, size: byte - offset + 4 * length }, shift: (byte - offset) / 4 };
  }

  /** The variant of a pass; those that do not depend on it share one. */
  #variantOf(name: PassName): Variant {
    const usesSlots = name === "forward" || name === "dQueries" || name === "dKeys";
    const usesRows = !/^(inspect|pack|project)/.test(name);
    const usesSphere = !/^(inspect|packCotangents|project)/.test(name);
    const { rowThreads, sphere, slots } = this.#variant;
    return {
      rowThreads: usesRows ? rowThreads : 0,
      sphere: usesSphere && sphere,
      slots: usesSlots ? slots : 0,
    };
  }

  /** Starts compiling what the call will need, side by side. */
  prepare(names: readonly PassName[]): Promise<unknown> {
    const { plan } = this;
    const all: PassName[] = ["inspect", "packQueries", "packKeys", ...names];
    if (typeof plan.bandwidth !== "number") all.push("measure");
    if (plan.degreeNormalization > 0) all.push("columnSums");
    return Promise.all(all.map((name) => this.runner.pass(name, this.#variantOf(name))));
  }

  /** One pass over single rows; `fields` are those of the uniform `Rows`. */
  async rowPass(name: PassName, bindings: Bindings, count: number, fields: readonly number[]): Promise<void> {
    const { runner } = this;
    const compiled = await runner.pass(name, this.#variantOf(name));
    const groups = Math.ceil(count / rowPassThreads);
    const x = Math.min(groups, runner.device.limits.maxComputeWorkgroupsPerDimension);
    const rows = runner.put(Uint32Array.of(count, ...fields, 0, 0, 0, 0, 0, 0, 0).subarray(0, 8), "uniform");
    const params = runner.put(writeParams(this.plan, this.#mask, {}), "uniform");
    runner.dispatch(name, compiled, { ...bindings, params, heads: this.#heads, rows }, x, Math.ceil(groups / x));
  }

  /** One pass over tiles, in as many dispatches as its work asks for. */
  async tilePass(name: PassName, bindings: Bindings, extent: Extent, fields: PassFields = {}): Promise<void> {
    const { runner, plan } = this;
    const compiled = await runner.pass(name, this.#variantOf(name));
    const rowsPerBlock = 4 * this.#variant.rowThreads;
    const perBlock = rowsPerBlock * extent.columns * (plan.headDim + plan.valueDim) * extent.heads;
    const firstBlock = (extent.firstRow ?? 0) / rowsPerBlock;
    const parts = spans(Math.ceil(extent.rows / rowsPerBlock), perBlock, runner.device.limits);
    for (const [block, count] of parts) {
      const first = firstBlock + block;
      const params = runner.put(writeParams(plan, this.#mask, { ...fields, first }), "uniform");
      const all = { ...this.#points, heads: this.#heads, params, ...bindings };
      runner.dispatch(name, compiled, all, count, extent.heads, extent.chunks ?? 1);
      if (parts.length > 1) {
        await runner.finish();
        this.signal?.throwIfAborted();
      }
    }
  }

  /** Packs q, k and v, and puts the mask where tiles find it. */
  async pack({ q, k, v }: Sources): Promise<void> {
    const { plan, chunk, runner } = this;
    const { queries, keys, headDim, valueDim } = plan;
    const group = plan.heads / plan.keyHeads;
    const rows = chunk.heads * queries;
    const columns = chunk.keyHeads * keys;
    const rawQ = this.place(q, chunk.head * queries * headDim, rows * headDim);
    const rawK = this.place(k, chunk.keyHead * keys * headDim, columns * headDim);
    const rawV = v
      ? this.place(v, chunk.keyHead * keys * valueDim, columns * valueDim)
      : { binding: runner.take(16), shift: 0 };
    const largest = runner.put(new Uint32Array(4));
    const packedQ = runner.take(16 * rows * (vectors(headDim) + 1));
    const packedK = runner.take(16 * columns * (vectors(headDim) + 1));
    const values = runner.take(16 * columns * vectors(valueDim));
    const ofQueries = [queries, 1, rawQ.shift];
    const ofKeys = [keys, group, rawK.shift, rawV.shift, 0, 0, 1];
    if (plan.manifold === "euclidean") {
      await this.rowPass("inspect", { raw: rawQ.binding, largest }, rows, ofQueries);
      await this.rowPass("inspect", { raw: rawK.binding, largest }, columns, ofKeys);
    }
    await this.rowPass("packQueries", { raw: rawQ.binding, largest, packed: packedQ }, rows, ofQueries);
    const raw = { raw: rawK.binding, rawValues: rawV.binding };
    await this.rowPass("packKeys", { ...raw, largest, packed: packedK, packedValues: values }, columns, ofKeys);
    const mask = this.#mask ? runner.put(this.#mask.words) : runner.take(16);
    this.#points = { rows: packedQ, columns: packedK, values, mask, columnSums: runner.take(16) };
  }

  /** The points with keys as rows. */
  get turned(): Bindings {
    return { rows: this.#points.columns, columns: this.#points.rows };
  }

  get queriesAsRows(): Extent {
    return { rows: this.plan.queries, columns: this.plan.keys, heads: this.chunk.heads };
  }

  get keysAsRows(): Extent {
    return { rows: this.plan.keys, columns: this.plan.queries, heads: this.chunk.heads };
  }

  /** Bandwidths and column sums, where the plan has them. */
  async measure(): Promise<void> {
    const { plan, chunk, runner } = this;
    if (typeof plan.bandwidth !== "number") this.#heads = this.#putHeads(await this.#bandwidths());
    if (plan.degreeNormalization > 0) {
      const columnSums = runner.take(16 * chunk.heads * plan.keys);
      await this.tilePass("columnSums", { ...this.turned, columnSums }, this.keysAsRows);
      this.#points = { ...this.#points, columnSums };
    }
  }

  /** dO with L and δ, as the backward passes read it. */
  async packCotangents({ output, logSumExp, dOutput }: Saved): Promise<GPUBufferBinding> {
    const { plan, chunk, runner } = this;
    const { queries, valueDim } = plan;
    const rows = chunk.heads * queries;
    const [from, length] = [chunk.head * queries * valueDim, rows * valueDim];
    const rawCotangents = this.place(dOutput, from, length);
    const rawOutput = this.place(output, from, length);
    const rawLevels = this.place(logSumExp, chunk.head * queries, rows);
    const cotangents = runner.take(16 * rows * (vectors(valueDim) + 1));
    const bindings = {
      rawCotangents: rawCotangents.binding,
      rawOutput: rawOutput.binding,
      rawLevels: rawLevels.binding,
      cotangents,
    };
    const fields = [queries, 1, rawCotangents.shift, 0, rawOutput.shift, rawLevels.shift];
    await this.rowPass("packCotangents", bindings, rows, fields);
    return cotangents;
  }

  /** Rows [first, first + rows) of the weight matrix of every head; `first` begins a tile. */
  async matrixPass(matrix: GPUBufferBinding, first: number, rows: number): Promise<void> {
    const extent = { ...this.queriesAsRows, rows, firstRow: first };
    await this.tilePass("weights", { matrix }, extent, { shift: first, heads: rows });
  }

  /** ε of each head: the square of the mean of d_g/κ, or the lower median of (d_g/κ)^α, at least 10⁻³. */
  async #bandwidths(): Promise<number[]> {
    const { plan, chunk, runner } = this;
    const { queries } = plan;
    if (queries * plan.keys >= 2 ** 32) {
      throw new FractionalAttentionError(`webgpu: a bandwidth is measured over at most 2^32 pairs of a head`);
    }
    const ignoreMasks = plan.bandwidthPairs === "all";
    const isMedian = plan.bandwidth === "median";
    const prefixes = new Array<number>(chunk.heads).fill(0);
    const ranks = new Array<number>(chunk.heads).fill(-1);
    const found = new Array<number>(chunk.heads).fill(1);
    for (const shift of isMedian ? [24, 16, 8, 0] : [24]) {
      this.#heads = this.#putHeads(undefined, prefixes, ignoreMasks);
      const counts = runner.take(4 * chunk.heads * countsPerHead);
      const rowSums = runner.take(4 * chunk.heads * queries);
      runner.encode("measure", (encoder) => encoder.clearBuffer(counts.buffer, 0, counts.size));
      await this.tilePass("measure", { counts, rowSums }, this.queriesAsRows, { shift, ignoreMasks });
      const [bins, sums] = await runner.read(
        [counts, rowSums],
        [4 * chunk.heads * countsPerHead, 4 * chunk.heads * queries],
      );
      this.signal?.throwIfAborted();
      for (let head = 0; head < chunk.heads; head++) {
        const own = new Uint32Array(bins, 4 * head * countsPerHead, countsPerHead);
        const [pairs, spoiled] = [own[256], own[257]];
        if (spoiled > 0) found[head] = Number.NaN;
        else if (pairs > 0 && isMedian) {
          if (ranks[head] < 0) ranks[head] = ((pairs - 1) >> 1) >>> 0;
          let bin = 0;
          while (ranks[head] >= own[bin]) ranks[head] -= own[bin++];
          prefixes[head] = ((prefixes[head] << 8) | bin) >>> 0;
        } else if (pairs > 0) {
          const sum = new Float32Array(sums, 4 * head * queries, queries).reduce((total, x) => total + x, 0);
          found[head] = Math.max((sum / pairs) ** 2, bandwidthFloor);
        }
        if (shift === 0 && ranks[head] >= 0 && spoiled === 0) {
          const median = new Float32Array(Uint32Array.of(prefixes[head]).buffer)[0];
          const alpha = plan.alpha[(chunk.head + head) % plan.heads];
          found[head] = Math.max(median ** alpha, bandwidthFloor);
        }
      }
    }
    return found;
  }
}
