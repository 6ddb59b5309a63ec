// By address, as these policies forbid inline import maps.
import { createAttention } from "../node_modules/fractional-attention/dist/index.js";

const attention = await createAttention();

const [tokens, headDim] = [64, 16];
const vectors = (seed) => Float32Array.from({ length: tokens * headDim }, (_, i) => Math.sin(seed * (i + 1)));
const { output } = await attention.forward(
  { q: vectors(1), k: vectors(2), v: vectors(3), batch: 1, heads: 1, queries: tokens, keys: tokens, headDim },
  { alpha: 1.2 },
);

// Which devices were tried before, and why they were not taken.
for (const { device, reason } of attention.rejected) {
  document
    .querySelector("ul")
    .append(Object.assign(document.createElement("li"), { textContent: `${device}: ${reason}` }));
}
document.querySelector("output").textContent = `${attention.device}: ${output.slice(0, 4).join(" ")}`;
