// Vite, webpack and Parcel all find the worker by this line.
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });

const [tokens, headDim] = [64, 16];
const vectors = (seed) => Float32Array.from({ length: tokens * headDim }, (_, i) => Math.sin(seed * (i + 1)));
const [q, k, v] = [vectors(1), vectors(2), vectors(3)];

worker.onmessage = ({ data: { device, output } }) => {
  document.querySelector("output").textContent = `${device}: ${output.slice(0, 4).join(" ")}`;
};
worker.postMessage({ q, k, v, batch: 1, heads: 1, queries: tokens, keys: tokens, headDim });
