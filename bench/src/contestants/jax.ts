/**
 * jax-js, jitted, on its wasm backend or its WebGPU backend. It takes several threads only where a global `Worker` exists, which Node does not
 * have. Its arrays are consumed by what they are given to; `ref` keeps one for another use.
 */

import type { Problem } from "../../../src/bench/problem.js";
import { load } from "../load.js";
import { type Contestant, type Direction, type Formulation, literalIsMultiscale, type Session } from "./contestant.js";

export interface JaxArray {
  readonly ref: JaxArray;
  mul(other: number | JaxArray): JaxArray;
  add(other: number | JaxArray): JaxArray;
  div(other: number | JaxArray): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** What its attention has to know of a problem. */
export type JaxProblem = Pick<Problem, "slices" | "length" | "dim" | "alpha" | "kappa" | "exponent">;

type Options = { keepdims: boolean };
type Attend = (q: JaxArray, k: JaxArray, v: JaxArray) => JaxArray;
type Loss = (q: JaxArray, k: JaxArray, v: JaxArray, dOutput: JaxArray) => JaxArray;

/** The part of jax-js that is used. */
export interface Jax {
  init(device: string): Promise<string[]>;
  defaultDevice(device: string): string;
  jit<F>(f: F): F & { dispose(): void };
  valueAndGrad(f: Loss, options: { argnums: number[] }): (...arrays: JaxArray[]) => [JaxArray, JaxArray[]];
  readonly nn: { softmax(x: JaxArray, axis: number): JaxArray };
  readonly numpy: {
    array(data: Float32Array): JaxArray;
    ones(shape: readonly number[]): JaxArray;
    zeros(shape: readonly number[]): JaxArray;
    concatenate(arrays: readonly JaxArray[], axis: number): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    matrixTranspose(a: JaxArray): JaxArray;
    square(a: JaxArray): JaxArray;
    sqrt(a: JaxArray): JaxArray;
    log(a: JaxArray): JaxArray;
    maximum(a: JaxArray, b: number): JaxArray;
    power(a: JaxArray, b: number): JaxArray;
    sum(a: JaxArray, axis?: number, options?: Options): JaxArray;
  };
}

/**
 * z², or −z² at α = 2. Its product of matrices is several times as fast in some layouts as in others, so each direction
 * takes the one that is fastest there: for the forward pass rows are added to kᵀ, for gradients columns to k, with zeros up
 * to a multiple of four.
 */
function squaredDistances(jax: Jax, problem: JaxProblem, direction: Direction, q: JaxArray, k: JaxArray): JaxArray {
  const { numpy: np } = jax;
  const { slices, length, dim, alpha, kappa } = problem;
  const factor = (alpha === 2 ? -1 : 1) / (kappa * kappa);
  const keepdims = { keepdims: true };
  const ones = np.ones([slices, length, 1]);
  const queryNorms = np.sum(np.square(q.ref), -1, keepdims).mul(factor);
  const queries = [q.mul(-2 * factor), queryNorms, ones.ref.mul(factor)];
  if (direction === "forward") {
    const rows = [
      np.matrixTranspose(k.ref),
      np.matrixTranspose(ones),
      np.matrixTranspose(np.sum(np.square(k), -1, keepdims)),
    ];
    return np.matmul(np.concatenate(queries, -1), np.concatenate(rows, -2));
  }
  const keys = [k.ref, ones, np.sum(np.square(k), -1, keepdims)];
  const missing = (4 - ((dim + 2) % 4)) % 4;
  if (missing > 0) {
    const zeros = np.zeros([slices, length, missing]);
    queries.push(zeros.ref);
    keys.push(zeros);
  }
  return np.matmul(np.concatenate(queries, -1), np.matrixTranspose(np.concatenate(keys, -1)));
}

/** Attention of one head by whole-tensor operations. */
export function attention(jax: Jax, problem: JaxProblem, direction: Direction, formulation: Formulation): Attend {
  const { numpy: np, nn } = jax;
  const { alpha, exponent } = problem;
  return (q, k, v) => {
    const squared = squaredDistances(jax, problem, direction, q, k);
    if (alpha === 2) return np.matmul(nn.softmax(squared, -1), v);
    const base = np.sqrt(np.maximum(squared, 0)).add(1);
    if (formulation === "softmax of log") return np.matmul(nn.softmax(np.log(base).mul(-exponent), -1), v);
    const power = np.power(base, -exponent);
    const sums = np.sum(power.ref, -1, { keepdims: true });
    return np.matmul(power.div(sums), v);
  };
}

function open(jax: Jax, problem: Problem, direction: Direction, formulation: Formulation): Session {
  const { numpy: np } = jax;
  const { q, k, v, dOutput, slices, length, dim } = problem;
  const upload = (x: Float32Array) => np.array(x).reshape([slices, length, dim]);
  const attend = attention(jax, problem, direction, formulation);
  if (direction === "forward") {
    const compiled = jax.jit(attend);
    return {
      run: async () => ({ output: await compiled(upload(q), upload(k), upload(v)).data() }),
      close: () => compiled.dispose(),
    };
  }
  const loss: Loss = (...arrays) => np.sum(attend(arrays[0], arrays[1], arrays[2]).mul(arrays[3]));
  const compiled = jax.jit(jax.valueAndGrad(loss, { argnums: [0, 1, 2] }));
  return {
    async run() {
      const [value, gradients] = compiled(upload(q), upload(k), upload(v), upload(dOutput));
      value.dispose();
      const [dq, dk, dv] = await Promise.all(gradients.map((gradient) => gradient.data()));
      return { dq, dk, dv };
    },
    close: () => compiled.dispose(),
  };
}

/** jax-js on one of its backends, for the whole process. @throws Error where that does not start */
export async function openJax<More>(device: "wasm" | "webgpu" = "wasm"): Promise<Jax & More> {
  const jax = await load<Jax & More>("@jax-js/jax");
  const devices = await jax.init(device);
  if (!devices.includes(device)) throw new Error(`its ${device} backend does not start`);
  jax.defaultDevice(device);
  return jax;
}

export async function loadJax(device: "wasm" | "webgpu" = "wasm"): Promise<Contestant[]> {
  const jax = await openJax(device);
  return (["softmax of log", "literal power"] as const).map((formulation) => ({
    name: `jax-js, ${formulation}`,
    family: "jax-js",
    refuses: (problem) => (problem.mask !== "full" ? "full attention only" : literalIsMultiscale(formulation, problem)),
    open: async (problem, direction) => open(jax, problem, direction, formulation),
  }));
}
