// The first result of the wasm device alone. Arguments: the file of the problem.

import { createAttention } from "../../../dist/wasm.js";
import { readProblem, report } from "./problem.mjs";

const { q, k, v, heads, length, headDim } = readProblem();
const attention = await createAttention();
const inputs = { q, k, v, batch: 1, heads, queries: length, keys: length, headDim };
report((await attention.forward(inputs)).output);
