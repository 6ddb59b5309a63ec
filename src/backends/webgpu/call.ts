/**
 * One chunk of a call on the device: its tensors, and the passes over them in order. Whatever is measured comes first, as
 * the host turns it into the scale of each head (equations section 3).
 */

import type { Plan } from "../../plan.js";
import type { GpuTensor, Tensor } from "../../types.js";
import { leastScale, refuseFarScale } from "../far-scale.js";
import { spans } from "./chunks.js";
import type { PackedMask } from "./mask.js";
import {
  type Compiled,
  inspect,
  type Pass,
  packKeys,
  packQueries,
  rowPassThreads,
  tileRows,
  type Variant,
} from "./passes.js";
import { type Chunk, divisorOf, type PassFields, vectors, writeHeads, writeParams } from "./records.js";
import type { Bindings, Runner } from "./runner.js";
import { maxHeads } from "./wgsl/tile.wgsl.js";

/** The caller's tensors; v is not there for weights. */
export interface Sources {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v?: Tensor;
}

/** Workgroups that keep a GPU of middle size busy. */
const busyWorkgroups = 64;

/**
 * Rows of a thread in the forward pass. Eight take a quarter to a third fewer reads than four, but make half as many workgroups,
 * each of which wastes rows where queries are few.
 */
export function patchOf({ batch, heads, queries }: Pick<Plan, "batch" | "heads" | "queries">): number {
  return batch * heads * Math.floor(queries / 64) >= busyWorkgroups ? 8 : 4;
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
  readonly #variant: Variant;
  #heads: GPUBufferBinding;
  /** One of each head, unless they are to be measured. */
  readonly #bandwidths: number[] | undefined;
  /** Bits of the largest coordinate, where `pack` has it. */
  #largest: GPUBufferBinding | undefined;
  #points: Bindings = {};
  /** Times 32: components that one workgroup sums, and how many workgroups that takes. */
  readonly slots: number;
  readonly slotChunks: number;

  constructor(
    readonly runner: Runner,
    readonly plan: Plan,
    readonly chunk: Chunk,
    readonly signal: AbortSignal | undefined,
    readonly mask: PackedMask | undefined,
    backward: boolean,
  ) {
    const width = Math.max(vectors(plan.valueDim), backward ? vectors(plan.headDim) : 0);
    // Gradients keep points and two sums at once: half as many components fit into registers.
    this.slots = Math.min(backward ? 2 : 4, 2 ** Math.ceil(Math.log2(Math.ceil(width / 8))));
    this.slotChunks = Math.ceil(width / (8 * this.slots));
    this.#variant = { patch: patchOf(plan), sphere: plan.manifold === "sphere", slots: this.slots };
    if (typeof plan.bandwidth === "number") this.#bandwidths = new Array<number>(chunk.heads).fill(plan.bandwidth);
    this.#heads = this.#putHeads(this.#bandwidths);
  }

  /** Replaces the records of the heads: see `writeHeads`. */
  setHeads(bandwidths: number[] | undefined, prefixes: number[] = [], ignoreMasks = false): void {
    this.#heads = this.#putHeads(bandwidths, prefixes, ignoreMasks);
  }

  #putHeads(bandwidths: number[] | undefined, prefixes: number[] = [], ignoreMasks = false): GPUBufferBinding {
    const records = writeHeads(this.plan, this.chunk, this.mask, bandwidths, prefixes, ignoreMasks);
    return this.runner.put(records, "uniform", maxHeads * 48);
  }

  /** Binds elements [from, from + length) of a tensor. */
  place(source: Tensor, from: number, length: number): Placed {
    if (source instanceof Float32Array) {
      return { binding: this.runner.put(source.subarray(from, from + length)), shift: 0 };
    }
    // Arrays of float64 do not come here.
    const tensor = source as GpuTensor;
    const byte = (tensor.offset ?? 0) + 4 * from;
    const offset = byte - (byte % this.runner.device.limits.minStorageBufferOffsetAlignment);
    return { binding: { buffer: tensor.buffer, offset, size: byte - offset + 4 * length }, shift: (byte - offset) / 4 };
  }

  /** Starts compiling what the call will need, side by side. */
  async prepare(passes: readonly Pass[]): Promise<void> {
    const { plan } = this;
    const measured = typeof plan.bandwidth === "number" ? [] : [(await import("./on-demand.js")).measure];
    const biased = plan.degreeNormalization > 0 ? [(await import("./on-demand.js")).columnSums] : [];
    const all = [inspect, packQueries, packKeys, ...measured, ...biased, ...passes];
    await Promise.all(all.map((pass) => this.compiled(pass)));
  }

  /** The pass for this call. */
  compiled(pass: Pass): Promise<Compiled> {
    return this.runner.pass(pass, this.#variant);
  }

  /** One pass over single rows; `fields` are those of the uniform `Rows`. */
  async rowPass(pass: Pass, bindings: Bindings, count: number, fields: readonly number[]): Promise<void> {
    const { runner } = this;
    const compiled = await this.compiled(pass);
    const groups = Math.ceil(count / rowPassThreads);
    const x = Math.min(groups, runner.device.limits.maxComputeWorkgroupsPerDimension);
    const rows = runner.put(Uint32Array.of(count, ...fields, 0, 0, 0, 0, 0, 0, 0).subarray(0, 8), "uniform");
    const params = runner.put(writeParams(this.plan, this.mask, {}), "uniform");
    runner.dispatch(pass.name, compiled, { ...bindings, params, heads: this.#heads, rows }, x, Math.ceil(groups / x));
  }

  /** One pass over tiles, in as many dispatches as its work asks for. */
  async tilePass(pass: Pass, bindings: Bindings, extent: Extent, fields: PassFields = {}): Promise<void> {
    const { runner, plan } = this;
    const compiled = await this.compiled(pass);
    const rowsPerBlock = tileRows(pass, this.#variant);
    const perBlock = rowsPerBlock * extent.columns * (plan.headDim + plan.valueDim) * extent.heads;
    const firstBlock = (extent.firstRow ?? 0) / rowsPerBlock;
    const parts = spans(Math.ceil(extent.rows / rowsPerBlock), perBlock, runner.device.limits);
    for (const [block, count] of parts) {
      const first = firstBlock + block;
      const params = runner.put(writeParams(plan, this.mask, { ...fields, first }), "uniform");
      const all = { ...this.#points, heads: this.#heads, params, ...bindings };
      runner.dispatch(pass.name, compiled, all, count, extent.heads, extent.chunks ?? 1);
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
    this.#largest = largest;
    const packedQ = runner.take(16 * rows * (vectors(headDim) + 1));
    const packedK = runner.take(16 * columns * (vectors(headDim) + 1));
    const values = runner.take(16 * columns * vectors(valueDim));
    const ofQueries = [queries, 1, rawQ.shift];
    const ofKeys = [keys, group, rawK.shift, rawV.shift, 0, 0, 1];
    if (plan.manifold === "euclidean") {
      await this.rowPass(inspect, { raw: rawQ.binding, largest }, rows, ofQueries);
      await this.rowPass(inspect, { raw: rawK.binding, largest }, columns, ofKeys);
    }
    await this.#refuseFarScales(this.#bandwidths ?? new Array<number>(chunk.heads).fill(1));
    await this.rowPass(packQueries, { raw: rawQ.binding, largest, packed: packedQ }, rows, ofQueries);
    const raw = { raw: rawK.binding, rawValues: rawV.binding };
    await this.rowPass(packKeys, { ...raw, largest, packed: packedK, packedValues: values }, columns, ofKeys);
    const mask = this.mask ? runner.put(this.mask.words) : runner.take(16);
    this.#points = { rows: packedQ, columns: packedK, values, mask, columnSums: runner.take(16) };
  }

  /**
   * Refuses length scales that are too small for the coordinates of the kernels, whose power of two is known to the GPU: it is
   * asked only where that may matter.
   * @param bandwidths one of each head of the chunk
   */
  async #refuseFarScales(bandwidths: readonly number[]): Promise<void> {
    const { plan, chunk } = this;
    for (const [local, bandwidth] of bandwidths.entries()) {
      const head = (chunk.head + local) % plan.heads;
      const radius = plan.radius[head];
      const divisor = divisorOf(plan, head, bandwidth);
      if (divisor < radius * leastScale) refuseFarScale(divisor, radius / 2 ** (await this.#coordinateExponent()));
    }
  }

  /** The power of two by which `wgsl/pack.wgsl.ts` multiplies coordinates. */
  async #coordinateExponent(): Promise<number> {
    if (this.plan.manifold === "sphere" || this.#largest === undefined) return 0;
    const [bits] = new Uint32Array((await this.runner.read([this.#largest], [4]))[0]);
    const exponent = (bits >>> 23) - 127;
    return Math.abs(exponent) > 40 && bits !== 0 ? Math.max(-126, Math.min(-exponent, 126)) : 0;
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
    if (typeof plan.bandwidth !== "number") {
      const { bandwidths } = await import("./on-demand.js");
      const found = await bandwidths(this);
      await this.#refuseFarScales(found);
      this.setHeads(found);
    }
    if (plan.degreeNormalization > 0) {
      const { columnSums: pass } = await import("./on-demand.js");
      const columnSums = runner.take(16 * chunk.heads * plan.keys);
      await this.tilePass(pass, { ...this.turned, columnSums }, this.keysAsRows);
      this.#points = { ...this.#points, columnSums };
    }
  }
}
