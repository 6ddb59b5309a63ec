// Fractional attention in place of the dot product of an existing transformer: node main.mjs
//
// The shapes are the same and there are no new parameters. Weights that were trained with the dot product do not carry over:
// train, or fine-tune, with the attention that you will use (`attention.backward` has its gradients).

import { createAttention } from "fractional-attention";
import { logits, randomModel } from "./transformer.mjs";

const attention = await createAttention();

async function fractionalAttention({ q, k, v, heads, length, headDim }) {
  const inputs = { q, k, v, batch: 1, heads, queries: length, keys: length, headDim };
  const { output } = await attention.forward(inputs, { alpha: 1.2, causal: true });
  return output;
}

const model = randomModel();
const ids = [5, 17, 3, 42, 8, 17];
const before = await logits(model, ids);
const after = await logits(model, ids, { attend: fractionalAttention });

console.log(`dot product: ${before.slice(-4).join(" ")}`);
console.log(`fractional, ${attention.device}: ${after.slice(-4).join(" ")}`);
attention.dispose();
