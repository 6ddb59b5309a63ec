/** What onnxruntime-web and onnxruntime-node have in common: the same interface over the same model. */

import type { Problem } from "../../../src/bench/problem.js";
import { type Contestant, type Formulation, literalIsMultiscale, type Session } from "./contestant.js";
import { attentionModel } from "./onnx-model.js";

interface OrtTensor {
  readonly data: Float32Array;
  dispose(): void;
}

interface OrtSession {
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** The part of onnxruntime that is used. */
export interface Ort {
  readonly env: { wasm: { numThreads?: number; wasmBinary?: Uint8Array }; logLevel?: string };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<OrtSession> };
}

async function open(ort: Ort, provider: string, problem: Problem, formulation: Formulation): Promise<Session> {
  const { bytes, result } = await attentionModel(problem, formulation);
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: [provider],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
  });
  const dims = [problem.slices, problem.length, problem.dim];
  const tensor = (x: Float32Array) => new ort.Tensor("float32", x, dims);
  return {
    async run() {
      const results = await session.run({ q: tensor(problem.q), k: tensor(problem.k), v: tensor(problem.v) });
      return { output: results[result].data };
    },
    close: () => session.release(),
  };
}

/** The formulations in a runtime; `provider` is its name for one CPU. */
export function ortContestants(ort: Ort, family: string, provider: string): Contestant[] {
  return (["softmax of log", "literal power", "fused attention"] as const).map((formulation) => ({
    name: `${family}, ${formulation}`,
    family,
    refuses(problem, direction) {
      if (direction !== "forward") return "has no gradients";
      if (problem.mask !== "full") return "full attention only";
      return literalIsMultiscale(formulation, problem);
    },
    open: (problem) => open(ort, provider, problem, formulation),
  }));
}
