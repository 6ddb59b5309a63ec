import { createAttention } from "fractional-attention";

const attention = await createAttention();

const [tokens, headDim] = [64, 16];
const vectors = (seed) => Float32Array.from({ length: tokens * headDim }, (_, i) => Math.sin(seed * (i + 1)));
const { output } = await attention.forward(
  { q: vectors(1), k: vectors(2), v: vectors(3), batch: 1, heads: 1, queries: tokens, keys: tokens, headDim },
  { alpha: 1.2 },
);

document.querySelector("output").textContent = `${attention.device}: ${output.slice(0, 4).join(" ")}`;
