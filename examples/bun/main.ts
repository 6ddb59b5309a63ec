// The same as in Node, in TypeScript: bun main.ts

import { type AttentionInputs, createAttention } from "fractional-attention";

const attention = await createAttention({ device: "wasm" });

const [tokens, headDim] = [64, 16];
const vectors = (seed: number) => Float32Array.from({ length: tokens * headDim }, (_, i) => Math.sin(seed * (i + 1)));
const inputs: AttentionInputs<Float32Array> = {
  q: vectors(1),
  k: vectors(2),
  v: vectors(3),
  batch: 1,
  heads: 1,
  queries: tokens,
  keys: tokens,
  headDim,
};
const { output } = await attention.forward(inputs, { alpha: 1.2 });

console.log(`${attention.device}: ${output.slice(0, 4).join(" ")}`);
attention.dispose();
