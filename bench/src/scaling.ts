/**
 * How much faster two threads of this machine are than one, at nothing but multiply-adds in registers: what the rows of two
 * threads can reach. Two processors may share one core, or have a neighbour, without saying so.
 */

import { Worker } from "node:worker_threads";
import type { PeakLoop } from "../../src/bench/roofline.js";
import { median } from "../../src/bench/statistics.js";

/** Runs for about as long as a call on two threads takes, and answers how many milliseconds that was. */
const source = `
const { parentPort, workerData: { module, passes } } = require("node:worker_threads");
const { run } = new WebAssembly.Instance(module).exports;
parentPort.on("message", (times) => {
  const start = performance.now();
  for (let i = 0; i < times; i++) run(passes);
  parentPort.postMessage(performance.now() - start);
});
`;

const rounds = 9;
const times = 30;

/** Speed of two workers that run the loop over that of one, the median of interleaved rounds. */
export async function measureScaling({ module, passes }: PeakLoop): Promise<number> {
  const workers = [1, 2].map(() => new Worker(source, { eval: true, workerData: { module, passes } }));
  const run = (worker: Worker) =>
    new Promise<number>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.postMessage(times);
    });
  try {
    const ratios: number[] = [];
    for (let round = -1; round < rounds; round++) {
      const alone = await run(workers[0]);
      const together = await Promise.all(workers.map(run));
      // The first round lets the engine finish compiling.
      if (round >= 0) ratios.push(together.reduce((sum, milliseconds) => sum + alone / milliseconds, 0));
    }
    return median(ratios);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
