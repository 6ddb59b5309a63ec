/** Our webgpu device: all at once as everybody is timed, and its parts by themselves. */

import type { Attention } from "../../../src/attention.js";
import type { Direction, Problem } from "../../../src/bench/problem.js";
import type { GpuTensor } from "../../../src/types.js";
import type { Contestant } from "../contestants/contestant.js";
import { bufferUsage, mapRead } from "./device.js";

export const ourGpuName = "ours, webgpu";

const callOf = ({ slices, length, dim, q, k, v, alpha }: Problem) => ({
  inputs: { q, k, v, batch: 1, heads: slices, queries: length, keys: length, headDim: dim },
  options: { alpha },
});

/** From arrays to arrays. */
export function ourContestant(attention: Attention<Float32Array>): Contestant {
  return {
    name: ourGpuName,
    family: ourGpuName,
    refuses: ({ mask }) => (mask !== "full" ? "full attention only" : undefined),
    async open(problem, direction) {
      const { inputs, options } = callOf(problem);
      const { dOutput } = problem;
      return {
        async run() {
          const forward = await attention.forward(inputs, options);
          if (direction === "forward") return forward;
          return { ...forward, ...(await attention.backward(inputs, options, { ...forward, dOutput })) };
        },
        close() {},
      };
    },
  };
}

/** Upload, the passes, and read-back, each with a wait at its end; what is uploaded stays until `close`. */
export function ourParts(attention: Attention<Float32Array>, problem: Problem, direction: Direction) {
  const { device } = attention.gpu!;
  const { inputs, options } = callOf(problem);
  const arrays = { q: problem.q, k: problem.k, v: problem.v, dOutput: problem.dOutput };
  const read = Object.entries(arrays).filter(([name]) => name !== "dOutput" || direction !== "forward");
  const usage = bufferUsage.storage | bufferUsage.copyTarget;
  const tensors = Object.fromEntries(
    read.map(([name, array]): [string, GpuTensor] => [
      name,
      { buffer: device.createBuffer({ size: array.byteLength, usage }) },
    ]),
  );
  const resultBytes = direction === "forward" ? problem.q.byteLength : 4 * problem.q.byteLength;
  const results = device.createBuffer({ size: resultBytes, usage: bufferUsage.copySource | bufferUsage.copyTarget });
  const reader = device.createBuffer({ size: resultBytes, usage: bufferUsage.mapRead | bufferUsage.copyTarget });
  const done = () => device.queue.onSubmittedWorkDone();
  return {
    async upload() {
      for (const [name, array] of read) {
        device.queue.writeBuffer(tensors[name].buffer, 0, array as Float32Array<ArrayBuffer>);
      }
      await done();
    },
    async compute() {
      const { q, k, v, dOutput } = tensors;
      const forward = await attention.forward({ ...inputs, q, k, v }, { ...options, output: "gpu" });
      const backward =
        direction === "forward"
          ? {}
          : await attention.backward({ ...inputs, q, k, v }, { ...options, output: "gpu" }, { ...forward, dOutput });
      await done();
      for (const { buffer } of Object.values({ ...forward, ...backward }) as GpuTensor[]) buffer.destroy();
    },
    async readBack() {
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(results, 0, reader, 0, resultBytes);
      device.queue.submit([encoder.finish()]);
      await reader.mapAsync(mapRead);
      reader.getMappedRange().slice(0);
      reader.unmap();
    },
    close() {
      for (const { buffer } of [...Object.values(tensors), { buffer: results }, { buffer: reader }]) buffer.destroy();
    },
  };
}
