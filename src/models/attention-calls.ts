/**
 * Programs of attention over one text. Fractional attention runs on the kernels of the wasm device, for which each text
 * has a call record (one batch entry whose tensors lie where the layers left them); dot-product and Sinkhorn attention
 * on those of the layers (equations sections 2 to 10).
 */

import { rescaledRadius } from "../../reference/scale.js";
import { blockRows, callRecordBytes, field, headRecord } from "../backends/wasm/layout.js";
import type { Engine, KernelCall } from "./engine.js";
import type { Addresses } from "./layout.js";
import type { ResolvedConfig } from "./types.js";

/** Addresses of one text's tensors, in the layout of the heads; rows are its queries, keys at most as many. */
export interface TextTensors {
  readonly rows: number;
  /** Keys that are not padding. */
  readonly keys: number;
  readonly queries: number;
  readonly keyRows: number;
  readonly values: number;
  readonly output: number;
  readonly logSumExp: number;
  /** Bytes that mask pairs, a row of them for each query or one for all; 0 for none. */
  readonly mask: number;
  /** Bytes from row to row, 0 for one row for all. */
  readonly maskPitch: number;
  /** Infinity for none. */
  readonly distanceThreshold: number;
}

/** Addresses of gradients of one text. */
export interface TextGradients {
  readonly dOutput: number;
  readonly dQueries: number;
  readonly dKeys: number;
  readonly dValues: number;
}

/** Attention of one shard. */
export class AttentionCalls {
  readonly #isFractional: boolean;
  /** One call record for each layer and text, then the numbers that they point to. */
  readonly #records: number;
  readonly #lengths: number;
  readonly #columnSums: number;
  /** dAlpha and dKappa of each layer, text and head as pairs of float64. */
  readonly #headSums: number;
  /** One head record for each layer and head, the same for all texts. */
  readonly #headRecords: number;
  readonly #scratch: number;

  constructor(
    readonly engine: Engine,
    readonly config: ResolvedConfig,
    readonly texts: number,
    at: Addresses,
    training: boolean,
  ) {
    const { layers, heads, maxLength, attention, degreeNormalization } = config;
    this.#isFractional = attention.startsWith("fna");
    this.#records = at.bytes(layers * texts * callRecordBytes);
    this.#lengths = at.floats(layers * texts * 2);
    this.#columnSums = degreeNormalization > 0 ? at.floats(layers * texts * heads * maxLength) : 0;
    this.#headSums = at.bytes(layers * texts * heads * 16);
    this.#headRecords = at.bytes(layers * heads * headRecord.length * 8);
    this.#scratch = at.bytes(this.#scratchBytes(training));
  }

  /** What the longest text needs. */
  #scratchBytes(training: boolean): number {
    const { kernels, memory } = this.engine;
    const { maxLength, heads, width } = this.config;
    if (!this.#isFractional) return kernels.scores_bytes(maxLength, maxLength, width / heads, this.#iterations);
    // A record at the front of the memory, where nothing is yet.
    const view = new DataView(memory.buffer);
    for (let f = 0; f < callRecordBytes; f += 4) view.setUint32(f, 0, true);
    this.#writeShape(view, 0, maxLength);
    return kernels.scratch_bytes(0, Number(training));
  }

  get #iterations(): number {
    return this.config.attention === "sinkhorn" ? this.config.iterations : 1;
  }

  #writeShape(view: DataView, record: number, rows: number): void {
    const { heads, width, attention } = this.config;
    const put = (index: number, value: number) => view.setUint32(record + 4 * index, value, true);
    put(field.batch, 1);
    put(field.heads, heads);
    put(field.keyHeads, heads);
    put(field.queries, rows);
    put(field.keys, rows);
    put(field.headDim, width / heads);
    put(field.valueDim, width / heads);
    put(field.sphere, Number(attention === "fna-sphere"));
    // Room for the two directions of vectors that have none, should a projection give one.
    put(field.extra, attention === "fna-sphere" ? 2 : 0);
  }

  /** Orders and scales of a layer's heads; before any program of the step. */
  writeHeads(view: DataView, layer: number, alpha: Float64Array, kappa: Float64Array, threshold: number): void {
    const { config } = this;
    for (let h = 0; h < config.heads; h++) {
      const at = this.#headRecords + (layer * config.heads + h) * headRecord.length * 8;
      const put = (index: number, value: number) => view.setFloat64(at + 8 * index, value, true);
      put(headRecord.zs, this.#radius(alpha[h]) / kappa[h]);
      put(headRecord.exponent, config.intrinsicDim + alpha[h]);
      put(headRecord.threshold, threshold);
      put(headRecord.gauss, Number(alpha[h] === 2));
      put(headRecord.degree, config.degreeNormalization);
    }
  }

  #radius(alpha: number): number {
    const { attention, radius, intrinsicDim } = this.config;
    if (attention !== "fna-sphere") return 1;
    return typeof radius === "number" ? radius : alpha < 2 ? rescaledRadius(intrinsicDim) : 1;
  }

  /** Writes the call record of a text of a layer; gradients may be absent. */
  write(view: DataView, layer: number, text: number, tensors: TextTensors, gradients?: TextGradients): void {
    if (!this.#isFractional) return;
    const { config, texts } = this;
    const slot = layer * texts + text;
    const record = this.#record(layer, text);
    const put = (index: number, value: number) => view.setUint32(record + 4 * index, value, true);
    for (let f = 0; f < callRecordBytes / 4; f++) put(f, 0);
    this.#writeShape(view, record, tensors.rows);
    const lengths = this.#lengths + 8 * slot;
    // Padding that is a query has to be masked as a key by bytes: a length would move the positions of the queries.
    view.setInt32(lengths, tensors.rows, true);
    view.setInt32(lengths + 4, tensors.rows, true);
    put(field.keyLengths, lengths);
    put(field.queryLengths, lengths + 4);
    put(field.q, tensors.queries);
    put(field.k, tensors.keyRows);
    put(field.v, tensors.values);
    put(field.output, tensors.output);
    put(field.logSumExp, tensors.logSumExp);
    put(field.mask, tensors.mask);
    put(field.maskQuery, tensors.maskPitch);
    view.setInt32(record + 4 * field.window, -1, true);
    put(field.excludeSelf, Number(config.qkShare));
    put(field.threshold, Number(tensors.distanceThreshold !== Number.POSITIVE_INFINITY));
    view.setFloat32(record + 4 * field.scale, 1, true);
    put(field.headRecords, this.#headRecords + layer * config.heads * headRecord.length * 8);
    if (this.#columnSums !== 0) put(field.columnSums, this.#columnSums + 4 * slot * config.heads * config.maxLength);
    put(field.parts, 1);
    if (gradients === undefined) return;
    put(field.dOutput, gradients.dOutput);
    put(field.dq, gradients.dQueries);
    put(field.dk, gradients.dKeys);
    put(field.dv, gradients.dValues);
    put(field.dHeads, this.#headSums + 16 * slot * config.heads);
  }

  #record(layer: number, text: number): number {
    return this.#records + (layer * this.texts + text) * callRecordBytes;
  }

  /** Output and log-sum-exp of all heads of a text. */
  forward(layer: number, text: number, tensors: TextTensors): KernelCall[] {
    const { heads, degreeNormalization } = this.config;
    if (!this.#isFractional)
      return this.#perHead(tensors, (q, k, v, o, rest) => ["scores_forward", q, k, v, o, ...rest]);
    const blocks = Math.ceil(tensors.rows / blockRows);
    const calls: KernelCall[] = [["open", this.#record(layer, text), this.#scratch, 0]];
    for (let h = 0; h < heads && degreeNormalization > 0; h++) calls.push(["column_sums_unit", 0, h, 0, 0]);
    for (let h = 0; h < heads; h++) calls.push(["forward_unit", 0, h, 0, blocks]);
    return calls;
  }

  /** Gradients of all heads of a text. */
  backward(layer: number, text: number, tensors: TextTensors, gradients: TextGradients): KernelCall[] {
    const { heads, degreeNormalization } = this.config;
    if (!this.#isFractional) {
      const calls = this.#perHead(tensors, (q, k, v, _o, rest, offset) => [
        "scores_backward",
        ...[q, k, v, gradients.dOutput + offset, gradients.dQueries + offset],
        ...[gradients.dKeys + offset, gradients.dValues + offset, ...rest],
      ]);
      if (tensors.keys === tensors.rows) return calls;
      // Padding has no gradient, and the kernels know nothing of it.
      const count = tensors.rows * this.config.width;
      return [["clear", gradients.dKeys, count], ["clear", gradients.dValues, count], ...calls];
    }
    const blocks = Math.ceil(tensors.rows / blockRows);
    const sums = this.#headSums + 16 * (layer * this.texts + text) * heads;
    const calls: KernelCall[] = [
      ["clear", sums, 4 * heads],
      ["open", this.#record(layer, text), this.#scratch, 1],
    ];
    for (let h = 0; h < heads; h++) {
      if (degreeNormalization > 0) calls.push(["backward_columns_unit", 0, h, 0, blocks]);
      calls.push(["backward_unit", 0, h, 0, blocks], ["backward_finish"]);
    }
    return calls;
  }

  /** Weights of all heads of a text, [rows, rows] one after the other from `to` on. */
  weights(layer: number, text: number, tensors: TextTensors, to: number): KernelCall[] {
    const { rows } = tensors;
    const { heads } = this.config;
    if (!this.#isFractional) {
      // Columns of padding are not written.
      const cleared: KernelCall = ["clear", to, heads * rows * rows];
      const calls = this.#perHead(tensors, (q, k, _v, _o, rest, _offset, h) => [
        ...(["scores_weights", q, k, to + 4 * h * rows * rows, 4 * rows] as const),
        ...rest,
      ]);
      return [cleared, ...calls];
    }
    const record = this.#record(layer, text);
    const calls: KernelCall[] = [];
    for (let h = 0; h < heads; h++) {
      calls.push(["store_word", record + 4 * field.weights, to + 4 * h * rows * rows]);
      calls.push(["open", record, this.#scratch, 0]);
      calls.push(["weights_unit", 0, h, 0, Math.ceil(rows / blockRows)]);
    }
    return calls;
  }

  #perHead(
    tensors: TextTensors,
    call: (q: number, k: number, v: number, o: number, rest: number[], offset: number, head: number) => KernelCall,
  ): KernelCall[] {
    const { heads, width } = this.config;
    const { rows, keys, mask, maskPitch } = tensors;
    const headDim = width / heads;
    const rest = [rows, keys, headDim, this.#iterations, mask, maskPitch, this.#scratch];
    return Array.from({ length: heads }, (_, h) => {
      const offset = 4 * h * rows * headDim;
      const { queries, keyRows, values, output } = tensors;
      return call(queries + offset, keyRows + offset, values + offset, output + offset, rest, offset, h);
    });
  }

  /**
   * dAlpha and dKappa of a layer's heads, summed over the first `texts` texts (equations section 9). With eps = 1 and the
   * sums A = sum dS s, Z = sum dS z/(1 + z) of the kernels: dAlpha = A/(d_M + alpha), dKappa = (d_M + alpha) Z/kappa; at
   * alpha = 2, where Z = sum dS z^2, dKappa = 2 Z/kappa.
   */
  headGradients(layer: number, texts: number, alpha: Float64Array, kappa: Float64Array) {
    const { heads, intrinsicDim } = this.config;
    const sums = new Float64Array(this.engine.memory.buffer, this.#headSums + 16 * layer * this.texts * heads);
    const dAlpha = new Float64Array(heads);
    const dKappa = new Float64Array(heads);
    for (let t = 0; t < texts; t++) {
      for (let h = 0; h < heads; h++) {
        dAlpha[h] += sums[2 * (t * heads + h)];
        dKappa[h] += sums[2 * (t * heads + h) + 1];
      }
    }
    for (let h = 0; h < heads; h++) {
      const exponent = intrinsicDim + alpha[h];
      dAlpha[h] = alpha[h] < 2 ? dAlpha[h] / exponent : 0;
      dKappa[h] *= (alpha[h] < 2 ? exponent : 2) / kappa[h];
    }
    return { dAlpha, dKappa };
  }
}
