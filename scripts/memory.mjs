/**
 * `npm run memory`: what the wasm device holds. First, peak memory of forward + backward at N = 4k, 8k, 16k (one head,
 * D = 64), which grows linearly; then 10,000 forward + backward calls of varying shapes, after which nothing may have
 * grown. Exit code 1 when a figure says otherwise. Needs the build.
 */

import { createAttention } from "../dist/wasm.js";

const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
const noise = (length, seed) => Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + seed) * 1.7);

function call(attention, { batch = 1, heads, queries, keys, headDim }, options) {
  const shape = { batch, heads, queries, keys, headDim };
  const q = noise(batch * heads * queries * headDim, 1);
  const k = noise(batch * heads * keys * headDim, 2);
  const inputs = { q, k, v: noise(k.length, 3), ...shape };
  const result = attention.forwardSync(inputs, options);
  return attention.backwardSync(inputs, options, { ...result, dOutput: result.output });
}

let failed = false;
const growth = [];
for (const length of [4096, 8192, 16384]) {
  // A fresh device each time: its memory is that of its largest call.
  const attention = await createAttention();
  const before = process.memoryUsage();
  call(attention, { heads: 1, queries: length, keys: length, headDim: 64 }, { alpha: 1.2 });
  const after = process.memoryUsage();
  const wasm = attention.memoryBytes;
  growth.push(wasm);
  const resident = mebibytes(after.rss - before.rss);
  console.log(`N = ${length}: wasm memory ${mebibytes(wasm)} MiB, resident ${resident} MiB more than before the call`);
  attention.dispose();
}
const ratios = growth.slice(1).map((bytes, i) => bytes / growth[i]);
console.log(`growth per doubling: ${ratios.map((r) => r.toFixed(2)).join(", ")} (linear is 2, quadratic 4)`);
failed ||= ratios.some((r) => r > 2.1);

const attention = await createAttention();
const alphas = [0.7, 1, 1.2, 2];
const round = (n) => {
  const queries = 1 + ((n * 37) % 61);
  const keys = 1 + ((n * 53) % 67);
  const headDim = 1 + ((n * 29) % 33);
  const heads = 1 + (n % 3);
  const options = { alpha: alphas[n % 4], causal: n % 5 === 0, degreeNormalization: n % 7 === 0 ? 1 : 0 };
  call(attention, { heads, queries, keys, headDim }, n % 11 === 0 ? { ...options, manifold: "sphere" } : options);
};
const calls = 10_000;
const marks = [];
for (let n = 0; n < calls; n++) {
  round(n);
  if (n % 2500 !== 2499) continue;
  // What the first collection finds is freed beside the program; the second one waits for that.
  globalThis.gc?.();
  await new Promise(setImmediate);
  globalThis.gc?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  marks.push({ wasm: attention.memoryBytes, heap: heapUsed + external + arrayBuffers });
  console.log(
    `after ${n + 1} calls: wasm ${mebibytes(marks.at(-1).wasm)} MiB, heap and buffers ${mebibytes(marks.at(-1).heap)} MiB`,
  );
}
failed ||= marks.some(({ wasm }) => wasm !== marks[0].wasm);
if (globalThis.gc) failed ||= marks.at(-1).heap > marks[0].heap * 1.1;
attention.dispose();
console.log(failed ? "memory grows" : "memory is flat after warm-up");
process.exitCode = failed ? 1 : 0;
