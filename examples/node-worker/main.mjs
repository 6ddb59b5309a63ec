// Attention off the main thread, which stays free for requests: node main.mjs

import { Worker } from "node:worker_threads";

const worker = new Worker(new URL("worker.mjs", import.meta.url));

const [tokens, headDim] = [64, 16];
const vectors = (seed) => Float32Array.from({ length: tokens * headDim }, (_, i) => Math.sin(seed * (i + 1)));
const [q, k, v] = [vectors(1), vectors(2), vectors(3)];

worker.once("message", ({ device, output }) => {
  console.log(`${device}: ${output.slice(0, 4).join(" ")}`);
  worker.terminate();
});
// The second argument moves the arrays instead of copying them.
worker.postMessage({ q, k, v, batch: 1, heads: 1, queries: tokens, keys: tokens, headDim }, [
  q.buffer,
  k.buffer,
  v.buffer,
]);
