/**
 * The parameters of a model in its memory: read, written, packed for products, summed and stepped. What is learned as
 * something else (orthogonal weights, orders, length scales) is formed from it here, and its gradients taken back.
 */

import { InvalidArgumentError } from "../errors.js";
import type { LayerMaps, ModelMaps, NormMap } from "./encoder-program.js";
import { type Engine, type KernelCall, runProgram } from "./engine.js";
import { type Addresses, layOutParameters, orthogonalName, type ParameterLayout } from "./layout.js";
import { type LinearMap, packCalls, roundUp8 } from "./linear.js";
import { type ParameterSpec, sizeOf, startKappa } from "./parameters.js";
import type { NamedTensor, ResolvedConfig, StepOptions } from "./types.js";

/** Orders and length scales of a layer's heads. */
export interface HeadScales {
  readonly alpha: Float64Array;
  readonly kappa: Float64Array;
}

/** An orthogonal weight: where its parameter, base, effective weight and work memory are. */
interface Orthogonal {
  readonly original: string;
  readonly weight: string;
  readonly base: number;
  readonly effective: number;
  readonly work: number;
  squarings: number;
}

/** Squarings that there is memory for: parameters of up to 2^19 in a row's sum. */
const mostSquarings = 20;

/** A learned order stays below 2 by more than float64 can lose. */
const largestLogit = 30;

export class Weights {
  readonly maps: ModelMaps;
  readonly trainedCount: number;
  readonly #layout: ParameterLayout;
  /** Regions of trained parameters, first and second moments, gradients of each shard. */
  readonly #parameters: number;
  readonly #first: number;
  readonly #second: number;
  readonly #gradients: number[];
  readonly #bases = new Map<string, number>();
  readonly #orthogonal: Orthogonal[] = [];
  readonly #linear: LinearMap[] = [];
  /** Whether panels and effective weights are older than the parameters. */
  #stale = true;

  constructor(
    readonly config: ResolvedConfig,
    readonly specs: readonly ParameterSpec[],
    at: Addresses,
    shards: number,
    readonly training: boolean,
    readonly engine: Engine,
  ) {
    this.#layout = layOutParameters(specs);
    const { floats, gradientFloats } = this.#layout;
    this.trainedCount = specs.reduce((sum, { shape, trained }) => sum + (trained ? sizeOf(shape) : 0), 0);
    this.#parameters = at.floats(floats);
    this.#first = training ? at.floats(floats) : 0;
    this.#second = training ? at.floats(floats) : 0;
    this.#gradients = training ? Array.from({ length: shards }, () => at.floats(gradientFloats)) : [];
    for (const { name, shape, trained } of specs) if (!trained) this.#bases.set(name, at.floats(sizeOf(shape)));
    for (const { name, shape } of specs) {
      const weight = orthogonalName(name);
      if (weight === undefined) continue;
      this.#orthogonal.push({
        original: name,
        weight,
        base: this.#bases.get(`${weight}.parametrizations.weight.0.base`)!,
        effective: at.floats(sizeOf(shape)),
        work: at.bytes(engine.kernels.orthogonal_bytes(config.width, mostSquarings)),
        squarings: 0,
      });
    }
    const positionTable = config.positions === "none" ? 0 : at.floats((config.maxLength + 1) * config.width);
    this.maps = this.#makeMaps(at, positionTable);
  }

  /** Region of a shard's gradients; 0 without training. */
  gradientRegion(shard: number): number {
    return this.#gradients[shard] ?? 0;
  }

  clearGradients(shard: number): KernelCall {
    return ["clear", this.#gradients[shard], this.#layout.gradientFloats];
  }

  #makeMaps(at: Addresses, positionTable: number): ModelMaps {
    const { width, ffnWidth, classes, layers } = this.config;
    const linear = (name: string, inputs: number, outputs: number): LinearMap | undefined => {
      const orthogonal = this.#orthogonal.find(({ weight }) => weight === name);
      const offset = this.#layout.offsets.get(`${name}.weight`);
      if (orthogonal === undefined && offset === undefined) return undefined;
      const bias = this.#layout.offsets.get(`${name}.bias`);
      const map: LinearMap = {
        inputs,
        outputs,
        weight: orthogonal?.effective ?? this.#parameters + offset!,
        bias: bias === undefined ? 0 : this.#parameters + bias,
        panels: at.floats(roundUp8(outputs) * inputs),
        backwardPanels: this.training ? at.floats(roundUp8(inputs) * outputs) : 0,
        weightGradient: offset ?? this.#layout.effectiveOffsets.get(name)!,
        biasGradient: bias ?? -1,
      };
      this.#linear.push(map);
      return map;
    };
    const norm = (name: string): NormMap => {
      const weight = this.#layout.offsets.get(`${name}.weight`)!;
      const bias = this.#layout.offsets.get(`${name}.bias`)!;
      return {
        weight: this.#parameters + weight,
        bias: this.#parameters + bias,
        weightGradient: weight,
        biasGradient: bias,
      };
    };
    const layer = (name: string): LayerMaps => ({
      query: linear(`${name}.mha.WQ`, width, width),
      key: linear(`${name}.mha.WK`, width, width),
      value: linear(`${name}.mha.WV`, width, width)!,
      output: linear(`${name}.mha.linear`, width, width)!,
      firstNorm: norm(`${name}.layernorm1`),
      inner: linear(`${name}.ffn.linear1`, width, ffnWidth)!,
      outer: linear(`${name}.ffn.linear2`, ffnWidth, width)!,
      secondNorm: norm(`${name}.layernorm2`),
    });
    const embedding = this.#layout.offsets.get("embedding.weight")!;
    return {
      embedding: this.#parameters + embedding,
      embeddingGradient: embedding,
      positionTable,
      layers: Array.from({ length: layers }, (_, l) => layer(`layers.${l}`)),
      head: linear("linear", width, classes)!,
    };
  }

  /** Panels and effective weights from the parameters where those have changed; orders and scales of each layer. */
  refresh(): HeadScales[] {
    if (this.#stale) {
      const { kernels } = this.engine;
      const { width } = this.config;
      for (const o of this.#orthogonal) {
        const original = this.#parameters + this.#layout.offsets.get(o.original)!;
        o.squarings = kernels.orthogonal_squarings(original, width);
        if (o.squarings > mostSquarings) {
          throw new InvalidArgumentError(o.original, "rows with magnitudes that add up to at most 2^19", "more");
        }
        kernels.orthogonal_forward(original, o.base, o.effective, width, o.squarings, o.work);
      }
      for (const map of this.#linear) runProgram(kernels, packCalls(map, this.training));
      this.#stale = false;
    }
    return Array.from({ length: this.config.layers }, (_, l) => this.#scales(l));
  }

  #scales(layer: number): HeadScales {
    const { config } = this;
    const { heads, learnAlpha, learnKappa } = config;
    const name = `layers.${layer}.mha`;
    const alpha = learnAlpha
      ? Float64Array.from(this.#trained(`${name}.alpha_logit`), orderOf)
      : new Float64Array(heads).fill(config.alpha);
    const kappa = learnKappa
      ? Float64Array.from(this.#trained(`${name}.log_kappa`), Math.exp)
      : new Float64Array(heads).fill(startKappa(config));
    return { alpha, kappa };
  }

  /** Adds the shards' gradients to the first's, in their order, and takes those of effective weights back. */
  reduce(used: readonly boolean[]): void {
    const { kernels } = this.engine;
    const [sum, ...others] = this.#gradients;
    if (!used[0]) kernels.clear(sum, this.#layout.gradientFloats);
    others.forEach((region, s) => {
      if (used[s + 1]) kernels.add(region, sum, this.#layout.gradientFloats);
    });
    for (const o of this.#orthogonal) {
      const dWeight = sum + this.#layout.effectiveOffsets.get(o.weight)!;
      const to = sum + this.#layout.offsets.get(o.original)!;
      kernels.orthogonal_backward(o.base, dWeight, to, this.config.width, o.squarings, o.work);
    }
  }

  /** Gradients of learned orders and scales from those of alpha and kappa, of each shard. */
  addHeadGradients(
    gradientsOf: (
      layer: number,
      alpha: Float64Array,
      kappa: Float64Array,
    ) => { dAlpha: Float64Array; dKappa: Float64Array }[],
  ): void {
    const { layers, heads, learnAlpha, learnKappa } = this.config;
    if (!learnAlpha && !learnKappa) return;
    for (let l = 0; l < layers; l++) {
      const { alpha, kappa } = this.#scales(l);
      const parts = gradientsOf(l, alpha, kappa);
      for (let h = 0; h < heads; h++) {
        const dAlpha = parts.reduce((sum, part) => sum + part.dAlpha[h], 0);
        const dKappa = parts.reduce((sum, part) => sum + part.dKappa[h], 0);
        const name = `layers.${l}.mha`;
        if (learnAlpha) this.#gradient(`${name}.alpha_logit`)[h] = dAlpha * alpha[h] * (1 - alpha[h] / 2);
        if (learnKappa) this.#gradient(`${name}.log_kappa`)[h] = dKappa * kappa[h];
      }
    }
  }

  /** A parameter whose gradient holds NaN or Infinity, or undefined. */
  findNonFinite(): { name: string; value: number } | undefined {
    const { kernels } = this.engine;
    const areFinite = (address: number, count: number) => kernels.largest_bits(address, count) >>> 0 < 0x7f800000;
    if (areFinite(this.#gradients[0], this.#layout.floats)) return undefined;
    for (const { name, trained } of this.specs) {
      if (!trained) continue;
      const value = this.#gradient(name).find((g) => !Number.isFinite(g));
      if (value !== undefined) return { name: `the gradient of ${name}`, value };
    }
    return undefined;
  }

  /** Step `step`, counted from 1. */
  adam(options: Required<StepOptions>, step: number): void {
    const { learningRate, beta1, beta2, epsilon } = options;
    const { kernels } = this.engine;
    const corrections = [1 / (1 - beta1 ** step), 1 / (1 - beta2 ** step)];
    const regions = [this.#parameters, this.#gradients[0], this.#first, this.#second];
    kernels.adam(...regions, this.#layout.floats, learningRate, beta1, beta2, epsilon, ...corrections);
    this.#stale = true;
  }

  #view(address: number, shape: readonly number[]): Float32Array {
    return new Float32Array(this.engine.memory.buffer, address, sizeOf(shape));
  }

  #spec(name: string): ParameterSpec {
    return this.specs.find((spec) => spec.name === name)!;
  }

  #trained(name: string): Float32Array {
    return this.#view(this.#parameters + this.#layout.offsets.get(name)!, this.#spec(name).shape);
  }

  #gradient(name: string): Float32Array {
    return this.#view(this.#gradients[0] + this.#layout.offsets.get(name)!, this.#spec(name).shape);
  }

  #readRegion(region: number): Record<string, NamedTensor> {
    const entries = this.specs
      .filter(({ trained }) => trained)
      .map(({ name, shape }) => {
        const view = this.#view(region + this.#layout.offsets.get(name)!, shape);
        return [name, { shape, data: new Float32Array(view) }] as const;
      });
    return Object.fromEntries(entries);
  }

  /** Copies of all parameters, in the order of the model. */
  read(): Record<string, NamedTensor> {
    const trained = this.#readRegion(this.#parameters);
    const entries = this.specs.map(({ name, shape }) => {
      const base = this.#bases.get(name);
      return [name, base === undefined ? trained[name] : { shape, data: new Float32Array(this.#view(base, shape)) }];
    });
    return Object.fromEntries(entries);
  }

  readMoments() {
    return { firstMoments: this.#readRegion(this.#first), secondMoments: this.#readRegion(this.#second) };
  }

  readGradients(): Record<string, NamedTensor> {
    return this.#readRegion(this.#gradients[0]);
  }

  /** Refuses a set of tensors that is not this model's. @throws InvalidArgumentError */
  check(argument: string, tensors: Readonly<Record<string, NamedTensor>>, trainedOnly: boolean): void {
    const wanted = this.specs.filter(({ trained }) => trained || !trainedOnly);
    for (const { name, shape } of wanted) {
      const tensor = tensors?.[name];
      const text = `[${shape.join(", ")}]`;
      if (tensor === undefined) {
        throw new InvalidArgumentError(`${argument}.${name}`, `a tensor of shape ${text}`, undefined);
      }
      const isRight =
        tensor.data instanceof Float32Array &&
        tensor.data.length === sizeOf(shape) &&
        tensor.shape.join() === shape.join();
      if (!isRight) {
        const found = `[${tensor.shape?.join(", ")}]`;
        throw new InvalidArgumentError(`${argument}.${name}`, `a Float32Array of shape ${text}`, found);
      }
    }
    const names = new Set(wanted.map(({ name }) => name));
    const unknown = Object.keys(tensors).find((name) => !names.has(name));
    if (unknown !== undefined) throw new InvalidArgumentError(argument, "only tensors of this model", unknown);
  }

  /** Takes over parameters that `check` has accepted. */
  write(tensors: Readonly<Record<string, NamedTensor>>): void {
    for (const { name, shape } of this.specs) {
      const base = this.#bases.get(name);
      const target = base === undefined ? this.#trained(name) : this.#view(base, shape);
      target.set(tensors[name].data);
    }
    this.#stale = true;
  }

  writeMoments(first: Readonly<Record<string, NamedTensor>>, second: Readonly<Record<string, NamedTensor>>): void {
    for (const { name, shape, trained } of this.specs) {
      if (!trained) continue;
      const offset = this.#layout.offsets.get(name)!;
      this.#view(this.#first + offset, shape).set(first[name].data);
      this.#view(this.#second + offset, shape).set(second[name].data);
    }
  }

  clearMoments(): void {
    const { kernels } = this.engine;
    kernels.clear(this.#first, this.#layout.floats);
    kernels.clear(this.#second, this.#layout.floats);
  }
}

/** Orders of logits; kept below 2, where the kernel would become another one. */
function orderOf(logit: number): number {
  return 2 / (1 + Math.exp(-Math.min(largestLogit, Math.max(-largestLogit, logit))));
}
