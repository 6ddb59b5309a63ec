// The first result of onnxruntime-web, from a model that stands in a file.

import { readFileSync } from "node:fs";
import { env, InferenceSession, Tensor } from "onnxruntime-web";
import { readProblem, report } from "./problem.mjs";

const { q, k, v, heads, length, headDim, model, result } = readProblem();
env.wasm.numThreads = 1;
const session = await InferenceSession.create(readFileSync(model), { executionProviders: ["wasm"] });
const tensor = (x) => new Tensor("float32", x, [heads, length, headDim]);
const results = await session.run({ q: tensor(q), k: tensor(k), v: tensor(v) });
report(results[result].data);
