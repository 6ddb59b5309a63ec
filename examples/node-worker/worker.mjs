import { parentPort } from "node:worker_threads";
import { createAttention } from "fractional-attention/wasm";

const attention = await createAttention();

parentPort.on("message", (inputs) => {
  const { output } = attention.forwardSync(inputs, { alpha: 1.2 });
  parentPort.postMessage({ device: attention.device, output }, [output.buffer]);
});
