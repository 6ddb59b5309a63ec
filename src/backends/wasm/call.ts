/**
 * One call in the memory of the kernels: the tensors, the call record and the head records (equations sections 2 and 3).
 *
 *   z = zs d,  zs = r / (kappa eps^(1/alpha) scale)      d in the coordinates of the kernels, x scale; r = 1 in the plane
 *
 * `scale` is a power of two, 1 unless the largest coordinate is so far from 1 that squares could overflow or vanish.
 */

import { bandwidthFactor, bandwidthFloor } from "../../../reference/scale.js";
import type { Plan } from "../../plan.js";
import { tensorLengths } from "../../plan.js";
import type { BackwardInputs } from "../../types.js";
import type { Tensors } from "../backend.js";
import { refuseFarScale } from "../far-scale.js";
import type { Arena } from "./arena.js";
import { bandwidthBytes, blockRows, callRecordBytes, field, headRecord, type Kernels } from "./layout.js";

const infinityBits = 0x7f800000;

export class Call {
  /** Address of the call record. */
  readonly record: number;
  readonly blocks: number;
  readonly #fields = new Map<number, number>();

  constructor(
    readonly arena: Arena,
    readonly kernels: Kernels,
    readonly plan: Plan,
    tensors: Omit<Tensors, "v"> & { v?: Tensors["v"] },
  ) {
    arena.reset();
    this.record = arena.zeros(callRecordBytes);
    this.blocks = Math.ceil(plan.queries / blockRows);
    const { batch, heads } = plan;
    this.#set(field.batch, batch);
    this.#set(field.heads, heads);
    this.#set(field.keyHeads, plan.keyHeads);
    this.#set(field.queries, plan.queries);
    this.#set(field.keys, plan.keys);
    this.#set(field.headDim, plan.headDim);
    this.#set(field.valueDim, plan.valueDim);
    this.#set(field.sphere, Number(plan.manifold === "sphere"));
    this.#set(field.q, arena.put(tensors.q as Float32Array));
    this.#set(field.k, arena.put(tensors.k as Float32Array));
    if (tensors.v !== undefined) this.#set(field.v, arena.put(tensors.v as Float32Array));
    this.#set(field.keyLengths, arena.put(plan.keyLengths));
    this.#set(field.queryLengths, arena.put(plan.queryLengths));
    this.#putMasks();
    this.#inspect();
    this.#set(field.headRecords, arena.zeros(batch * heads * headRecord.length * 8));
    this.writeHeads(false);
  }

  #set(index: number, value: number): void {
    this.#fields.set(index, value);
    this.arena.view().setUint32(this.record + 4 * index, value, true);
  }

  /** A field as it was set; 0 unless it was. */
  get(index: number): number {
    return this.#fields.get(index) ?? 0;
  }

  #putMasks(): void {
    const { plan } = this;
    if (plan.mask !== undefined) {
      this.#set(field.mask, this.arena.put(plan.mask.data));
      this.#set(field.maskBatch, plan.mask.batchStride);
      this.#set(field.maskHead, plan.mask.headStride);
      this.#set(field.maskQuery, plan.mask.queryStride);
    }
    this.#set(field.causal, Number(plan.causal));
    // No two positions are further apart, and sums of positions and windows stay small.
    this.#set(field.window, Math.min(plan.window, plan.queries + plan.keys));

    this.#set(field.globalTokens, plan.globalTokens);
    this.#set(field.excludeSelf, Number(plan.excludeSelf));
    this.#set(field.threshold, Number(plan.distanceThreshold !== Number.POSITIVE_INFINITY));
  }

  /** Looks for what needs care: NaN and Infinity by their bits, numbers of extreme size, vectors without a direction. */
  #inspect(): void {
    const { plan, arena, kernels } = this;
    const lengths = tensorLengths(plan);
    const bits = (index: number, length: number) =>
      this.get(index) === 0 ? 0 : kernels.largest_bits(this.get(index), length) >>> 0;
    const q = bits(field.q, lengths.q);
    const k = bits(field.k, lengths.k);
    const v = bits(field.v, lengths.v);
    if (Math.max(q, k, v) >= infinityBits) this.#markBad();
    if (plan.manifold === "sphere") {
      const zero =
        kernels.has_zero_row(this.get(field.q), lengths.logSumExp, plan.headDim) ||
        kernels.has_zero_row(this.get(field.k), lengths.k / plan.headDim, plan.headDim);
      this.#set(field.extra, zero ? 2 : 0);
    }
    let largest = Math.max(q, k);
    if (largest >= infinityBits) {
      const finite = (index: number, length: number) =>
        new Uint32Array(arena.memory.buffer, this.get(index), length).reduce((most, x) => {
          const magnitude = x & 0x7fffffff;
          return magnitude < infinityBits && magnitude > most ? magnitude : most;
        }, 0);
      largest = Math.max(finite(field.q, lengths.q), finite(field.k, lengths.k));
    }
    // Exponents of float32 without bias; squares of numbers within 2^+-40 are far from its limits for any headDim.
    const exponent = (largest >>> 23) - 127;
    const scale = largest === 0 || Math.abs(exponent) <= 40 ? 1 : 2 ** -Math.max(-120, exponent);
    this.scale = plan.manifold === "sphere" ? 1 : scale;
    arena.view().setFloat32(this.record + 4 * field.scale, this.scale, true);
  }

  /** Power of two by which the kernels multiply coordinates. */
  scale = 1;

  /** Flags rows with NaN or Infinity, within the lengths unless a measured bandwidth looks beyond them. */
  #markBad(): void {
    const { plan, arena, kernels } = this;
    const { batch, heads, keyHeads, queries, keys, headDim, valueDim } = plan;
    const queryFlags = arena.zeros(batch * heads * queries + 16);
    const keyFlags = arena.zeros(batch * keyHeads * keys + 16);
    const all = this.looksEverywhere;
    const mark = (index: number, width: number, row: number, rows: number, flags: number, flag: number) => {
      const address = this.get(index);
      if (address !== 0) kernels.mark_bad_rows(address + row * width * 4, rows, width, flags + row, flag);
    };
    for (let b = 0; b < batch; b++) {
      const n = all ? queries : plan.queryLengths[b];
      const m = all ? keys : plan.keyLengths[b];
      for (let h = 0; h < heads; h++) mark(field.q, headDim, (b * heads + h) * queries, n, queryFlags, 1);
      for (let h = 0; h < keyHeads; h++) {
        mark(field.k, headDim, (b * keyHeads + h) * keys, m, keyFlags, 1);
        mark(field.v, valueDim, (b * keyHeads + h) * keys, m, keyFlags, 2);
      }
    }
    const any = (address: number, length: number) =>
      new Uint8Array(arena.memory.buffer, address, length).some((flag) => flag !== 0);
    if (!any(queryFlags, batch * heads * queries) && !any(keyFlags, batch * keyHeads * keys)) return;
    this.#set(field.badQueries, queryFlags);
    this.#set(field.badKeys, keyFlags);
  }

  /** Whether a bandwidth has to be measured before anything else. */
  get isMeasured(): boolean {
    return typeof this.plan.bandwidth !== "number";
  }

  /** Whether the measured bandwidth is over all pairs, padding included. */
  get looksEverywhere(): boolean {
    return this.isMeasured && this.plan.bandwidthPairs === "all";
  }

  /** Writes the head records; with `measured` the bandwidths that the kernels found are in use. */
  writeHeads(measured: boolean): void {
    const { plan, arena } = this;
    const view = arena.view();
    for (let b = 0; b < plan.batch; b++) {
      for (let h = 0; h < plan.heads; h++) {
        const alpha = plan.alpha[h];
        let eps = typeof plan.bandwidth === "number" ? plan.bandwidth : 1;
        if (measured) eps = this.#bandwidth(b, h);
        const divisor = Number.isNaN(eps) ? 1 : plan.kappa[h] * bandwidthFactor(eps, alpha, plan.bandwidthExponent);
        const at = this.get(field.headRecords) + (b * plan.heads + h) * headRecord.length * 8;
        const put = (index: number, value: number) => view.setFloat64(at + 8 * index, value, true);
        const unit = plan.radius[h] / this.scale;
        refuseFarScale(divisor, unit);
        // Not 0 where the divisor has left float64: thresholds are divided by it.
        const zs = Math.max(unit / divisor, 1e-300);
        put(headRecord.zs, zs);
        put(headRecord.exponent, plan.intrinsicDim + alpha);
        put(headRecord.threshold, (plan.distanceThreshold * plan.kappa[h] * zs) / unit);
        // While distances are measured, the kernels leave z as it is, not squared.
        put(headRecord.gauss, Number(alpha === 2 && (measured || !this.isMeasured)));
        put(headRecord.degree, plan.degreeNormalization);
      }
    }
  }

  /** eps of a head from the mean or median of d_g/kappa that the kernels left. */
  #bandwidth(b: number, h: number): number {
    const { plan } = this;
    const address = this.get(field.bandwidths) + (b * plan.heads + h) * bandwidthBytes;
    const found = this.arena.view().getFloat64(address, true);
    if (Number.isNaN(found)) return found;
    if (found < 0) return 1;
    return Math.max(plan.bandwidth === "median" ? found ** plan.alpha[h] : found ** 2, bandwidthFloor);
  }

  /** Heads, (b, h), whose measured bandwidth is NaN: all that they attend to is NaN. */
  nanHeads(): number[] {
    const { batch, heads } = this.plan;
    const found: number[] = [];
    for (let head = 0; head < batch * heads; head++) {
      if (Number.isNaN(this.#bandwidth(Math.floor(head / heads), head % heads))) found.push(head);
    }
    return found;
  }

  /** Before bandwidths are measured: their counters, and the pairs to look at. */
  beginBandwidth(): void {
    const { plan, arena } = this;
    this.#set(field.bandwidths, arena.take(plan.batch * plan.heads * bandwidthBytes));
    if (!this.looksEverywhere) return;
    this.#set(field.ignoreMasks, 1);
    this.#set(field.keyLengths, arena.put(new Int32Array(plan.batch).fill(plan.keys)));
    this.#set(field.queryLengths, arena.put(new Int32Array(plan.batch).fill(plan.queries)));
  }

  /** After it: the pairs as the plan has them, and the head records with the bandwidths. */
  endBandwidth(): void {
    const { plan, arena } = this;
    if (this.looksEverywhere) {
      this.#set(field.ignoreMasks, 0);
      this.#set(field.keyLengths, arena.put(plan.keyLengths));
      this.#set(field.queryLengths, arena.put(plan.queryLengths));
    }
    this.writeHeads(true);
  }

  /** Where the log column sums go. */
  beginColumnSums(): void {
    this.#set(field.columnSums, this.arena.take(this.plan.batch * this.plan.heads * this.plan.keys * 4));
  }

  /** Where output and logSumExp go. */
  beginForward(): void {
    const lengths = tensorLengths(this.plan);
    this.#set(field.output, this.arena.take(lengths.output * 4));
    this.#set(field.logSumExp, this.arena.take(lengths.logSumExp * 4));
  }

  /** Where `blocks` blocks of rows of weights go. */
  beginWeights(blocks: number): void {
    const rows = Math.min(blocks * blockRows, this.plan.queries);
    this.#set(field.weights, this.arena.take(rows * this.plan.keys * 4));
  }

  /** The results of the forward pass, and where gradients go: `parts` copies of those that are sums over queries. */
  beginBackward(saved: BackwardInputs, parts: number): void {
    const { arena, plan } = this;
    const lengths = tensorLengths(plan);
    this.#set(field.output, arena.put(saved.output as Float32Array));
    this.#set(field.logSumExp, arena.put(saved.logSumExp as Float32Array));
    this.#set(field.dOutput, arena.put(saved.dOutput as Float32Array));
    this.#set(field.dq, arena.take(lengths.q * 4));
    this.#set(field.dk, arena.take(parts * lengths.k * 4));
    this.#set(field.dv, arena.take(parts * lengths.v * 4));
    this.#set(field.dHeads, arena.zeros(parts * plan.batch * plan.heads * 16));
    this.#set(field.parts, parts);
  }

  /** Lays out the scratch of `threads` threads, each of which is to call `open` with its address. */
  scratch(threads: number, backward: boolean): number[] {
    const bytes = this.kernels.scratch_bytes(this.record, Number(backward));
    return Array.from({ length: threads }, () => this.arena.take(bytes));
  }
}
