/**
 * The parameters of a model: names (those of the authors' state dict), shapes, and how they start. Embeddings are standard
 * normal, maps uniform in ±1/√inputs, normalisations the identity, as PyTorch has them; orthogonal weights start at a
 * random orthogonal base, so that what is learned of them starts at 0.
 *
 *   α = 2/(1 + e^−alpha_logit),   κ = e^log_kappa       one per head
 */

import { createRandom, type Random } from "../../reference/random.js";
import { scaleKappa } from "../../reference/scale.js";
import type { NamedTensor, ResolvedConfig } from "./types.js";

/** One parameter. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly start: "normal" | "uniform" | "one" | "zero" | "orthogonal" | number;
  /** Inputs of the map that it belongs to; for uniform starts. */
  readonly inputs?: number;
  /** False for constants: bases of orthogonal weights. */
  readonly trained: boolean;
}

/** The parameters in the order of the model. */
export function parameterSpecs(config: ResolvedConfig): ParameterSpec[] {
  const { vocabulary, width, ffnWidth, layers, classes } = config;
  const specs: ParameterSpec[] = [];
  const add = (name: string, shape: number[], start: ParameterSpec["start"], inputs?: number) =>
    specs.push({ name, shape, start, inputs, trained: start !== "orthogonal" });
  const linear = (name: string, inputs: number, outputs: number, bias = true) => {
    add(`${name}.weight`, [outputs, inputs], "uniform", inputs);
    if (bias) add(`${name}.bias`, [outputs], "uniform", inputs);
  };
  add("embedding.weight", [vocabulary, width], "normal");
  for (let l = 0; l < layers; l++) {
    const name = `layers.${l}`;
    addAttention(config, `${name}.mha`, add, linear);
    norm(`${name}.layernorm1`);
    linear(`${name}.ffn.linear1`, width, ffnWidth);
    linear(`${name}.ffn.linear2`, ffnWidth, width);
    norm(`${name}.layernorm2`);
  }
  linear("linear", width, classes);
  return specs;

  function norm(name: string): void {
    add(`${name}.weight`, [width], "one");
    add(`${name}.bias`, [width], "zero");
  }
}

function addAttention(
  config: ResolvedConfig,
  name: string,
  add: (name: string, shape: number[], start: ParameterSpec["start"], inputs?: number) => void,
  linear: (name: string, inputs: number, outputs: number, bias?: boolean) => void,
): void {
  const { width, heads, projectionBias, alpha } = config;
  for (const key of projectionKeys(config)) {
    if (config.orthogonal && key !== "WV") {
      add(`${name}.${key}.parametrizations.weight.original`, [width, width], "zero");
      add(`${name}.${key}.parametrizations.weight.0.base`, [width, width], "orthogonal");
      if (projectionBias) add(`${name}.${key}.bias`, [width], "uniform", width);
    } else linear(`${name}.${key}`, width, width, projectionBias);
  }
  linear(`${name}.linear`, width, width);
  if (config.learnAlpha) add(`${name}.alpha_logit`, [heads], Math.log(alpha / (2 - alpha)));
  if (config.learnKappa) add(`${name}.log_kappa`, [heads], Math.log(startKappa(config)));
}

/** W_Q, W_K and W_V as far as there are any. */
export function projectionKeys(config: ResolvedConfig): ("WQ" | "WK" | "WV")[] {
  const { orthogonal, heads, qkShare } = config;
  return [...(orthogonal && heads === 1 ? [] : ["WQ" as const]), ...(qkShare ? [] : ["WK" as const]), "WV"];
}

/** The length scale that a configuration names. */
export function startKappa({ attention, kappa, alpha, width, heads }: ResolvedConfig): number {
  if (typeof kappa === "number") return kappa;
  return kappa === "none" || attention === "fna-sphere" ? 1 : scaleKappa("paper", width / heads, alpha);
}

/** Number of entries of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Start values of every parameter; the seed fixes them all. */
export function initialParameters(specs: readonly ParameterSpec[], seed: number): Record<string, NamedTensor> {
  const random = createRandom(seed);
  const draw = ({ shape, start, inputs = 1 }: ParameterSpec): Float32Array => {
    const length = sizeOf(shape);
    if (start === "orthogonal") return Float32Array.from(randomOrthogonal(random, shape[0]));
    if (start === "normal") return Float32Array.from({ length }, () => random.normal());
    if (start === "uniform") {
      return Float32Array.from({ length }, () => (2 * random.uniform() - 1) / Math.sqrt(inputs));
    }
    return new Float32Array(length).fill(typeof start === "number" ? start : start === "one" ? 1 : 0);
  };
  return Object.fromEntries(specs.map((spec) => [spec.name, { shape: spec.shape, data: draw(spec) }]));
}

/** Gaussian rows made orthonormal one after the other, twice each, so that rounding leaves 1e-16. */
function randomOrthogonal(random: Random, size: number): Float64Array {
  const rows = new Float64Array(size * size);
  for (let r = 0; r < size; r++) {
    const row = rows.subarray(r * size, (r + 1) * size);
    for (let c = 0; c < size; c++) row[c] = random.normal();
    for (let pass = 0; pass < 2; pass++) {
      for (let p = 0; p < r; p++) {
        const before = rows.subarray(p * size, (p + 1) * size);
        const along = row.reduce((sum, value, c) => sum + value * before[c], 0);
        for (let c = 0; c < size; c++) row[c] -= along * before[c];
      }
      const norm = Math.hypot(...row);
      for (let c = 0; c < size; c++) row[c] /= norm;
    }
  }
  return rows;
}
