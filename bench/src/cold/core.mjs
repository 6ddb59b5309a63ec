// The first result of the whole package, asked for the wasm device.

import { createAttention } from "../../../dist/index.js";
import { readProblem, report } from "./problem.mjs";

const { q, k, v, heads, length, headDim } = readProblem();
const attention = await createAttention({ device: "wasm" });
const inputs = { q, k, v, batch: 1, heads, queries: length, keys: length, headDim };
report((await attention.forward(inputs)).output);
