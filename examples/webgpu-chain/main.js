// Your device, your tensors on it, attention, and your own shader on its result, which never leaves the GPU: here the
// residual connection y = x + attention(x, x, x).

import { createAttention } from "fractional-attention/webgpu";

const adapter = await navigator.gpu.requestAdapter();
const device = await adapter.requestDevice();
const attention = await createAttention({ gpu: { device } });

const [tokens, headDim] = [64, 16];
const values = Float32Array.from({ length: tokens * headDim }, (_, i) => Math.sin(i + 1));
const x = device.createBuffer({ size: values.byteLength, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
device.queue.writeBuffer(x, 0, values);

const tensor = { buffer: x };
const { output, logSumExp } = await attention.forward(
  { q: tensor, k: tensor, v: tensor, batch: 1, heads: 1, queries: tokens, keys: tokens, headDim },
  { alpha: 1.2, output: "gpu" },
);

const module = device.createShaderModule({
  code: `
    @group(0) @binding(0) var<storage> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64) fn add(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&y)) { y[id.x] += x[id.x]; }
    }`,
});
const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
const bindings = device.createBindGroup({
  layout: pipeline.getBindGroupLayout(0),
  entries: [
    { binding: 0, resource: { buffer: x } },
    { binding: 1, resource: { buffer: output.buffer } },
  ],
});
const result = device.createBuffer({
  size: values.byteLength,
  usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
});

// The attention is in the queue already; what is submitted after it sees its result.
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
pass.setPipeline(pipeline);
pass.setBindGroup(0, bindings);
pass.dispatchWorkgroups(Math.ceil(values.length / 64));
pass.end();
encoder.copyBufferToBuffer(output.buffer, 0, result, 0, values.byteLength);
device.queue.submit([encoder.finish()]);

await result.mapAsync(GPUMapMode.READ);
const y = new Float32Array(result.getMappedRange());
document.querySelector("output").textContent = `${attention.device}: ${y.slice(0, 4).join(" ")}`;

// Results on the GPU are yours to destroy.
for (const buffer of [x, output.buffer, logSumExp.buffer, result]) buffer.destroy();
attention.dispose();
