/**
 * From a state to three attention matrices, on the device that was chosen. Devices are opened once and kept; a matrix
 * whose options have not changed is not computed again, so that a step of α costs one call.
 */

import { dotProductAttention } from "../../reference/dot-product.js";
import { causalMask, orMasks, selfMask, windowMask } from "../../reference/masks.js";
import { scaleKappa } from "../../reference/scale.js";
import type { Attention } from "../../src/attention.js";
import { createAttention } from "../../src/create.js";
import { type AttentionName, attentionNames } from "../../src/text/compare.js";
import { embed } from "../../src/text/embeddings.js";
import { tokenize } from "../../src/text/tokens.js";
import type { AttentionOptions, WeightsInputs } from "../../src/types.js";
import type { DeviceChoice, State } from "./state.js";

/** One matrix and what it was computed from. */
export interface Matrix {
  readonly name: AttentionName;
  /** None for dot-product attention. */
  readonly alpha: number | undefined;
  /** A, [N, N]. */
  readonly weights: Float64Array;
  /** Names inputs and options; the same key is the same matrix. */
  readonly key: string;
  /** What the float64 reference needs to compute it too; none for dot-product attention, which is the reference's. */
  readonly problem: { readonly inputs: WeightsInputs<Float32Array>; readonly options: AttentionOptions } | undefined;
}

/** The three matrices of a state. */
export interface Matrices {
  readonly tokens: readonly string[];
  readonly truncated: boolean;
  readonly matrices: readonly Matrix[];
  /** Masks and inputs are symmetric, and with them the chains reversible. */
  readonly reversible: boolean;
  /** What computed the local and the multiscale matrix. */
  readonly device: string;
  /** Milliseconds of the last call of `weights` that was needed, undefined when none was. */
  readonly milliseconds: number | undefined;
}

/** Threads of the "threads" choice. */
export const threadCount = Math.min(8, navigator.hardwareConcurrency || 1);

const open = new Map<DeviceChoice, Promise<Attention>>();

/** The device of a choice, opened once. @throws BackendUnavailableError, as `createAttention` */
export function openDevice(choice: DeviceChoice): Promise<Attention> {
  let device = open.get(choice);
  if (device === undefined) {
    const threads = choice === "threads" ? { device: "wasm" as const, threads: threadCount } : { device: choice };
    device = createAttention(threads as { device: "wasm" }) as Promise<Attention>;
    open.set(choice, device);
    // One that could not be opened may be tried again.
    device.catch(() => open.delete(choice));
  }
  return device;
}

let inputsKey = "";
let inputs: { tokens: readonly string[]; truncated: boolean; x: Float32Array } | undefined;

function embedded({ text, tokens: limit, dim }: State) {
  const key = JSON.stringify([text, limit, dim]);
  if (inputs === undefined || key !== inputsKey) {
    const { tokens, truncated } = tokenize(text, limit);
    inputs = { tokens, truncated, x: embed(tokens, dim) };
    inputsKey = key;
  }
  return inputs;
}

const known = new Map<AttentionName, Matrix>();

/**
 * Computes what has changed.
 * @returns undefined when the text has fewer than two tokens
 * @throws BackendUnavailableError when the chosen device cannot run here
 */
export async function computeMatrices(state: State): Promise<Matrices | undefined> {
  const { tokens, truncated, x } = embedded(state);
  const size = tokens.length;
  if (size < 2) return undefined;
  const attention = await openDevice(state.device);
  let milliseconds: number | undefined;
  const matrices: Matrix[] = [];
  for (const name of attentionNames) {
    const alpha = name === "dot-product" ? undefined : name === "local" ? 2 : state.alpha;
    const options = alpha === undefined ? undefined : attentionOptions(state, alpha);
    const masks = [state.causal, state.window, excludesSelf(state)];
    const key = JSON.stringify([inputsKey, name, masks, options, options && state.device]);
    let matrix = known.get(name);
    if (matrix?.key !== key) {
      if (options === undefined) {
        matrix = { name, alpha, key, problem: undefined, weights: dotProduct(state, x, size) };
      } else {
        const shape = { batch: 1, heads: 1, queries: size, keys: size, headDim: state.dim };
        const problem = { inputs: { q: x, k: x, ...shape }, options };
        const start = performance.now();
        const weights = Float64Array.from(await attention.weights(problem.inputs, options));
        milliseconds = performance.now() - start;
        matrix = { name, alpha, key, problem, weights };
      }
      known.set(name, matrix);
    }
    matrices.push(matrix);
  }
  const threads = state.device === "threads" ? `, ${threadCount} threads` : "";
  return {
    tokens,
    truncated,
    matrices,
    reversible: !state.causal,
    device: `${attention.device}${threads}`,
    milliseconds,
  };
}

/** Under a causal mask the first token would have nobody left. */
function excludesSelf({ excludeSelf, causal }: State): boolean {
  return excludeSelf && !causal;
}

function attentionOptions(state: State, alpha: number): AttentionOptions {
  const { manifold, kappa, bandwidth, epsilon, causal, window, dim } = state;
  return {
    alpha,
    manifold,
    kappa: kappa * (manifold === "sphere" ? 1 : scaleKappa("paper", dim, alpha)),
    bandwidth: bandwidth === "fixed" ? epsilon : bandwidth,
    causal,
    excludeSelf: excludesSelf(state),
    ...(window > 0 && { window }),
  };
}

function dotProduct(state: State, x: Float32Array, size: number): Float64Array {
  const mask = orMasks(
    size * size,
    excludesSelf(state) ? selfMask(size, size) : undefined,
    state.causal ? causalMask(size, size) : undefined,
    state.window > 0 ? windowMask(size, size, state.window) : undefined,
  );
  const head = { q: x, k: x, v: x, queries: size, keys: size, headDim: state.dim };
  return dotProductAttention(head, { mask }).weights;
}
