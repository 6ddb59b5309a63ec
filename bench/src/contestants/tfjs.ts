/** TensorFlow.js on its wasm backend, SIMD and one thread, or on its WebGPU backend. */

import { dirname } from "node:path";
import { type Problem, pairs } from "../../../src/bench/problem.js";
import { loadCommonJs, locate } from "../load.js";
import { type Contestant, type Direction, type Formulation, literalIsMultiscale, type Session } from "./contestant.js";

interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

type Operation = (a: Tensor) => Tensor;
type Operation2 = (a: Tensor, b: Tensor | number) => Tensor;

/** The part of tfjs-core that is used. */
interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tidy<T extends Tensor | Tensor[]>(run: () => T): T;
  tensor(data: Float32Array, shape: readonly number[]): Tensor;
  ones(shape: readonly number[]): Tensor;
  concat(tensors: readonly Tensor[], axis: number): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  softmax: Operation;
  square: Operation;
  relu: Operation;
  sqrt: Operation;
  log: Operation;
  mul: Operation2;
  add: Operation2;
  div: Operation2;
  pow: Operation2;
  sum(a: Tensor, axis?: number, keepDims?: boolean): Tensor;
  valueAndGrads(f: (...x: Tensor[]) => Tensor): (x: readonly Tensor[]) => { grads: Tensor[] };
}

interface WasmBackend {
  setThreadsCount(count: number): void;
  setWasmPaths(folder: string): void;
}

function attend(tf: Tfjs, problem: Problem, formulation: Formulation, [q, k, v]: readonly Tensor[]): Tensor {
  const { slices, length, alpha, kappa, exponent } = problem;
  const factor = (alpha === 2 ? -1 : 1) / (kappa * kappa);
  const ones = tf.ones([slices, length, 1]);
  const queryNorms = tf.mul(tf.sum(tf.square(q), -1, true), factor);
  const queries = tf.concat([tf.mul(q, -2 * factor), queryNorms, tf.mul(ones, factor)], -1);
  const keys = tf.concat([k, ones, tf.sum(tf.square(k), -1, true)], -1);
  const squared = tf.matMul(queries, keys, false, true);
  if (alpha === 2) return tf.matMul(tf.softmax(squared), v);
  const base = tf.add(tf.sqrt(tf.relu(squared)), 1);
  if (formulation === "softmax of log") return tf.matMul(tf.softmax(tf.mul(tf.log(base), -exponent)), v);
  const power = tf.pow(base, -exponent);
  return tf.matMul(tf.div(power, tf.sum(power, -1, true)), v);
}

function open(tf: Tfjs, problem: Problem, direction: Direction, formulation: Formulation): Session {
  const { q, k, v, dOutput, slices, length, dim } = problem;
  const upload = (x: Float32Array) => tf.tensor(x, [slices, length, dim]);
  async function read(tensors: Tensor[]) {
    const found = await Promise.all(tensors.map((tensor) => tensor.data()));
    for (const tensor of tensors) tensor.dispose();
    return found;
  }
  async function forward() {
    const [output] = await read([tf.tidy(() => attend(tf, problem, formulation, [q, k, v].map(upload)))]);
    return { output };
  }
  async function both() {
    const gradients = tf.tidy(() => {
      const cotangent = upload(dOutput);
      const loss = (...x: Tensor[]) => tf.sum(tf.mul(attend(tf, problem, formulation, x), cotangent));
      return tf.valueAndGrads(loss)([q, k, v].map(upload)).grads;
    });
    const [dq, dk, dv] = await read(gradients);
    return { dq, dk, dv };
  }
  return { run: direction === "forward" ? forward : both, close() {} };
}

/** Both passes above this size take gigabytes. */
const largestBackward = 8 * 1024 * 1024;

export async function loadTfjs(device: "wasm" | "webgpu" = "wasm"): Promise<Contestant[]> {
  const tf = loadCommonJs<Tfjs>("@tensorflow/tfjs-core");
  // The bundle for Node leaves the gradients out; they register themselves when this is loaded.
  loadCommonJs("@tensorflow/tfjs-core/dist/register_all_gradients.js");
  if (device === "wasm") {
    const backend = loadCommonJs<WasmBackend>("@tensorflow/tfjs-backend-wasm");
    backend.setThreadsCount(1);
    backend.setWasmPaths(`${dirname(locate("@tensorflow/tfjs-backend-wasm"))}/`);
  } else loadCommonJs("@tensorflow/tfjs-backend-webgpu");
  if (!(await tf.setBackend(device))) throw new Error(`its ${device} backend does not start`);
  await tf.ready();
  return (["softmax of log", "literal power"] as const).map((formulation) => ({
    name: `tfjs, ${formulation}`,
    family: "tfjs",
    refuses(problem, direction) {
      if (problem.mask !== "full") return "full attention only";
      if (direction !== "forward" && pairs(problem) > largestBackward) return "takes gigabytes";
      return literalIsMultiscale(formulation, problem);
    },
    open: async (problem, direction) => open(tf, problem, direction, formulation),
  }));
}
