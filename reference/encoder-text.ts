/**
 * One text through the layers of the encoder classifier, forward and back; `encoder.ts` states the equations.
 * Shapes: N positions that take part, C width, H heads, D = C/H.
 */

import { reluBackward, reluForward } from "./activation.js";
import type { HeadOptions } from "./attention.js";
import type { AttentionGradient } from "./attention-gradient.js";
import { type Floats, floats } from "./check.js";
import { dropout, dropoutKey } from "./dropout.js";
import { embeddingBackward, embeddingForward, sinusoidalTable } from "./embedding.js";
import { InvalidArgumentError } from "./errors.js";
import { layerNormBackward, layerNormForward } from "./layer-norm.js";
import { type Linear, linearBackward, linearForward } from "./linear.js";
import {
  dotProductHeads,
  fractionalHeads,
  type HeadAttention,
  type MultiHead,
  multiHeadBackward,
  multiHeadForward,
  sinkhornHeads,
} from "./multi-head.js";
import { orthogonalWeight } from "./orthogonal.js";
import { poolBackward, poolForward } from "./pooling.js";
import { scaleKappa } from "./scale.js";

/** What the model is; see `ClassifierConfig` of the models, whose resolved form this is. */
export interface EncoderConfig {
  attention: "fna-euclidean" | "fna-sphere" | "dot-product" | "sinkhorn";
  alpha: number;
  learnAlpha: boolean;
  kappa: "paper" | "none" | number;
  learnKappa: boolean;
  /** d_M */
  intrinsicDim: number;
  radius: "rescaled" | number;
  degreeNormalization: number;
  iterations: number;
  layers: number;
  heads: number;
  width: number;
  ffnWidth: number;
  vocabulary: number;
  maxLength: number;
  classes: number;
  orthogonal: boolean;
  qkShare: boolean;
  /** Only for the record: whether there are biases is read off the parameters. */
  projectionBias?: boolean;
  dropout: number;
  pooling: "max" | "mean";
  positions: "sinusoidal" | "none";
  residualScale: boolean;
  compatibility: { poolPadding: boolean; softmaxTwice: boolean };
}

/** Parameters or gradients by the authors' names. */
export type NamedFloats = Readonly<Record<string, Floats>>;

/** Where dropout is in a run; without it nothing is dropped. */
export interface EncoderStep {
  seed: number;
  step: number;
}

/** A map that remembers how to go back. */
interface Pass {
  y: Float64Array;
  back: (dy: Float64Array) => Float64Array;
}

/** Sums gradients by name. */
export class Gradients {
  readonly named: Record<string, Float64Array> = {};

  add(name: string, gradient: Float64Array): void {
    const sum = this.named[name];
    this.named[name] = sum === undefined ? gradient.slice() : plus(sum, gradient);
  }
}

/** One text through the layers; gradients are added under the names of effective weights. */
export class TextPass {
  readonly weights: Float64Array[][] = [];
  readonly #backs: ((dy: Float64Array) => Float64Array)[] = [];
  #tokens = new Int32Array(0);
  /** Positions that take part, and how many of them are not padding. */
  #rows = 0;
  #length = 0;

  constructor(
    readonly config: EncoderConfig,
    readonly parameters: NamedFloats,
    readonly gradients: Gradients,
    readonly index: number,
    readonly dropoutAt: EncoderStep | undefined,
  ) {}

  forward(tokens: Int32Array, length: number): Float64Array {
    const { config } = this;
    const { width, vocabulary, layers, maxLength } = config;
    this.#length = length;
    this.#rows = config.compatibility.poolPadding ? tokens.length : length;
    this.#tokens = tokens.slice(0, this.#rows);
    const rows = this.#rows;
    let x = embeddingForward(this.#tokens, named(this.parameters, "embedding.weight"), vocabulary, width);
    if (config.positions === "sinusoidal") {
      // The authors' table is rounded to float32, and so is everyone's who reads their checkpoints.
      const table = sinusoidalTable(maxLength + 1, width).map(Math.fround);
      x = x.map((value, p) => {
        const i = Math.floor(p / width);
        return value + table[(i < length ? i + 1 : 0) * width + (p % width)];
      });
    }
    for (let l = 0; l < layers; l++) {
      for (const step of [
        (input: Float64Array) => (config.attention === "fna-sphere" ? unitRowsPass(input, rows, width) : same(input)),
        (input: Float64Array) => this.#residual(input, `layers.${l}.layernorm1`, this.#attention(input, l), 2 * l),
        (input: Float64Array) => this.#residual(input, `layers.${l}.layernorm2`, this.#ffn(input, l), 2 * l + 1),
      ]) {
        const { y, back } = step(x);
        this.#backs.push(back);
        x = y;
      }
    }
    const y = poolForward(config.pooling, x, rows, width);
    const last = x;
    this.#backs.push((dy) => poolBackward(config.pooling, last, dy, rows, width));
    return y;
  }

  backward(dPooled: Float64Array): void {
    let d = dPooled;
    for (const back of this.#backs.toReversed()) d = back(d);
    const { vocabulary, width } = this.config;
    this.gradients.add("embedding.weight", embeddingBackward(this.#tokens, d, vocabulary, width));
  }

  /** LayerNorm(x + drop(branch(x))). */
  #residual(x: Float64Array, name: string, branch: Pass, site: number): Pass {
    const { width } = this.config;
    const rows = this.#rows;
    const drop = (y: Float64Array) => this.#drop(y, site);
    const sum = plus(x, drop(branch.y));
    const norm = {
      weight: named(this.parameters, `${name}.weight`),
      bias: named(this.parameters, `${name}.bias`),
    };
    const back = (dy: Float64Array) => {
      const gradient = layerNormBackward(sum, norm, dy, rows, width);
      this.gradients.add(`${name}.weight`, gradient.weight);
      this.gradients.add(`${name}.bias`, gradient.bias);
      return plus(gradient.dx, branch.back(drop(gradient.dx)));
    };
    return { y: layerNormForward(sum, norm, rows, width), back };
  }

  #drop(x: Float64Array, site: number): Float64Array {
    const { config, dropoutAt } = this;
    if (dropoutAt === undefined || config.dropout === 0) return x;
    const ids = Array.from({ length: this.#rows }, (_, i) => this.index * config.maxLength + i);
    return dropout(x, ids, config.width, config.dropout, dropoutKey(dropoutAt.seed, dropoutAt.step, site));
  }

  #ffn(x: Float64Array, l: number): Pass {
    const { width, ffnWidth } = this.config;
    const rows = this.#rows;
    const name = `layers.${l}.ffn`;
    const first = linearOf(this.parameters, `${name}.linear1`);
    const second = linearOf(this.parameters, `${name}.linear2`);
    const inner = linearForward(x, first, rows, width, ffnWidth);
    const active = reluForward(inner);
    const back = (dy: Float64Array) => {
      const two = linearBackward(active, second, dy, rows, ffnWidth, width);
      const one = linearBackward(x, first, reluBackward(inner, two.dx), rows, width, ffnWidth);
      this.gradients.add(`${name}.linear2.weight`, two.weight);
      this.gradients.add(`${name}.linear2.bias`, two.bias);
      this.gradients.add(`${name}.linear1.weight`, one.weight);
      this.gradients.add(`${name}.linear1.bias`, one.bias);
      return one.dx;
    };
    return { y: linearForward(active, second, rows, ffnWidth, width), back };
  }

  #attention(x: Float64Array, l: number): Pass {
    const { config, parameters } = this;
    const { width, heads } = config;
    const rows = this.#rows;
    const name = `layers.${l}.mha`;
    const scale = config.residualScale ? 1 / Math.sqrt(config.layers) : 1;
    const sums = { alpha: new Float64Array(heads), kappa: new Float64Array(heads) };
    const call: MultiHead = {
      x,
      queries: rows,
      modelDim: width,
      heads,
      parameters: projectionsOf(config, parameters, name),
      attention: headsOf(config, parameters, name, sums),
      mask: this.#mask(),
    };
    const result = multiHeadForward(call);
    this.weights.push(result.heads.map((head) => head.weights));
    const back = (dy: Float64Array) => {
      const g = multiHeadBackward(
        call,
        result,
        dy.map((value) => scale * value),
      );
      for (const [key, gradient] of Object.entries({ WQ: g.query, WK: g.key, WV: g.value, linear: g.output })) {
        if (gradient === undefined) continue;
        this.gradients.add(`${name}.${key}.weight`, gradient.weight);
        if (parameters[`${name}.${key}.bias`]) this.gradients.add(`${name}.${key}.bias`, gradient.bias);
      }
      const { alpha, kappa } = scalesOf(config, parameters, name);
      if (config.learnAlpha)
        this.gradients.add(
          `${name}.alpha_logit`,
          sums.alpha.map((d, h) => d * alpha[h] * (1 - alpha[h] / 2)),
        );
      if (config.learnKappa)
        this.gradients.add(
          `${name}.log_kappa`,
          sums.kappa.map((d, h) => d * kappa[h]),
        );
      return g.dx;
    };
    return { y: result.output.map((value) => scale * value), back };
  }

  /** Padding as keys, and a token's own position where queries are the keys of fractional attention. */
  #mask(): Uint8Array {
    const { attention, qkShare } = this.config;
    const rows = this.#rows;
    const self = qkShare && attention.startsWith("fna");
    return Uint8Array.from({ length: rows * rows }, (_, p) => {
      const j = p % rows;
      return j >= this.#length || (self && j === Math.floor(p / rows)) ? 1 : 0;
    });
  }
}

/** α and κ of each head of a layer. */
function scalesOf(config: EncoderConfig, parameters: NamedFloats, name: string) {
  const { heads, width } = config;
  const alpha = config.learnAlpha
    ? Float64Array.from(named(parameters, `${name}.alpha_logit`), (a) => 2 / (1 + Math.exp(-a)))
    : new Float64Array(heads).fill(config.alpha);
  const sphere = config.attention === "fna-sphere";
  const kappa = alpha.map((a) => {
    if (typeof config.kappa === "number") return config.kappa;
    return config.kappa === "none" || sphere ? 1 : scaleKappa("paper", width / heads, a);
  });
  return {
    alpha,
    kappa: config.learnKappa ? Float64Array.from(named(parameters, `${name}.log_kappa`), Math.exp) : kappa,
  };
}

/** The attention of the heads, which are called in their order; `sums` collects the gradients of orders and scales. */
function headsOf(
  config: EncoderConfig,
  parameters: NamedFloats,
  name: string,
  sums: { alpha: Float64Array; kappa: Float64Array },
): HeadAttention {
  if (config.attention === "dot-product") return dotProductHeads();
  if (config.attention === "sinkhorn") return sinkhornHeads({ iterations: config.iterations });
  const { alpha, kappa } = scalesOf(config, parameters, name);
  const sphere = config.attention === "fna-sphere";
  let next = 0;
  return (head, mask) => {
    const h = next++;
    const options: HeadOptions = {
      alpha: alpha[h],
      kappa: kappa[h],
      manifold: sphere ? "sphere" : "euclidean",
      intrinsicDim: config.intrinsicDim,
      degreeNormalization: config.degreeNormalization,
      ...(sphere && typeof config.radius === "number" ? { radius: config.radius } : {}),
    };
    const result = fractionalHeads(options)(head, mask);
    const backward = (dOutput: Float64Array) => {
      const gradient = result.backward?.(dOutput) as AttentionGradient;
      sums.alpha[h] += gradient.dAlpha;
      sums.kappa[h] += gradient.dKappa;
      return gradient;
    };
    return { ...result, backward };
  };
}

function projectionsOf(config: EncoderConfig, parameters: NamedFloats, name: string) {
  const { width, orthogonal, qkShare, heads } = config;
  const map = (key: string): Linear => {
    const stored = `${name}.${key}.parametrizations.weight`;
    const bias = parameters[`${name}.${key}.bias`];
    if (parameters[`${stored}.original`] === undefined) return linearOf(parameters, `${name}.${key}`);
    const parameter = {
      original: named(parameters, `${stored}.original`),
      base: named(parameters, `${stored}.0.base`),
    };
    return { weight: orthogonalWeight(parameter, width), bias };
  };
  return {
    query: orthogonal && heads === 1 ? undefined : map("WQ"),
    key: qkShare ? undefined : map("WK"),
    value: map("WV"),
    output: map("linear"),
  };
}

/** x/|x| row by row. */
function unitRowsPass(x: Float64Array, rows: number, width: number): Pass {
  const norms = Float64Array.from({ length: rows }, (_, r) => Math.hypot(...x.subarray(r * width, (r + 1) * width)));
  const y = x.map((value, p) => value / norms[Math.floor(p / width)]);
  const back = (dy: Float64Array) => {
    const along = new Float64Array(rows);
    for (let p = 0; p < dy.length; p++) along[Math.floor(p / width)] += dy[p] * y[p];
    return dy.map((d, p) => (d - along[Math.floor(p / width)] * y[p]) / norms[Math.floor(p / width)]);
  };
  return { y, back };
}

function same(x: Float64Array): Pass {
  return { y: x, back: (dy) => dy };
}

/** An affine map by name; a bias only where there is one. */
export function linearOf(parameters: NamedFloats, name: string): Linear {
  return { weight: named(parameters, `${name}.weight`), bias: parameters[`${name}.bias`] };
}

/** A tensor by name. @throws InvalidArgumentError when it is missing */
export function named(parameters: NamedFloats, name: string): Floats {
  const value = parameters[name];
  if (value === undefined) throw new InvalidArgumentError("parameters", `a tensor named "${name}"`, undefined);
  return floats(name, value);
}

function plus(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, p) => value + b[p]);
}
