import { createAttention } from "fractional-attention/wasm";

// Opened once, at the first message; a top-level await would lose messages that come before it is through.
const opening = createAttention();

self.onmessage = async ({ data: inputs }) => {
  const attention = await opening;
  const { output } = attention.forwardSync(inputs, { alpha: 1.2 });
  self.postMessage({ device: attention.device, output }, [output.buffer]);
};
