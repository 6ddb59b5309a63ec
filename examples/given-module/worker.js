// Where compiling bytes is forbidden, as on Cloudflare Workers, the deployment compiles the module and hands it in.

import kernels from "fractional-attention/kernels.wasm";
import { createAttention } from "fractional-attention/wasm";

export default {
  async fetch() {
    const attention = await createAttention({ wasm: kernels });

    const [tokens, headDim] = [64, 16];
    const vectors = (seed) => Float32Array.from({ length: tokens * headDim }, (_, i) => Math.sin(seed * (i + 1)));
    const { output } = attention.forwardSync(
      { q: vectors(1), k: vectors(2), v: vectors(3), batch: 1, heads: 1, queries: tokens, keys: tokens, headDim },
      { alpha: 1.2 },
    );

    return new Response(`${attention.device}: ${output.slice(0, 4).join(" ")}`);
  },
};
