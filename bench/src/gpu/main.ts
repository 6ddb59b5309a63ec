/**
 * `npm run bench:gpu`, and the end of `npm run bench`: the webgpu device against the wasm device and the WebGPU backends of
 * jax-js, TensorFlow.js and, where asked for, onnxruntime-web, all on one adapter in one process, each checked before it is timed;
 * then its parts, its passes by the GPU's clock, and what they cost in operations and bytes.
 */

import { parseArgs } from "node:util";
import pc from "picocolors";
import { createRandom } from "../../../reference/random.js";
import { Attention } from "../../../src/attention.js";
import { createWebgpuBackend } from "../../../src/backends/webgpu/index.js";
import { errorOverAllowed, makeOracle } from "../../../src/bench/accuracy.js";
import { three, withInterval } from "../../../src/bench/format.js";
import { type Direction, makeProblem, parseSize, type Size, sizeName } from "../../../src/bench/problem.js";
import { type Entry, sampleInterleaved } from "../../../src/bench/sampler.js";
import { median, medianEstimate, ratios } from "../../../src/bench/statistics.js";
import { renderTable } from "../../../src/cli/table.js";
import type { Contestant } from "../contestants/contestant.js";
import { loadJax } from "../contestants/jax.js";
import { loadOrtWebgpu } from "../contestants/ort-web.js";
import { loadOurs } from "../contestants/ours.js";
import { loadTfjs } from "../contestants/tfjs.js";
import { costsOf, impliedSeconds } from "./costs.js";
import { type Gpu, openGpu } from "./device.js";
import { ourContestant, ourGpuName, ourParts } from "./ours.js";

const help = `Usage: npm run bench:gpu -- [options]

  --sizes <list>      batch x heads, N, d (default: 8x512x64)
  --backward          forward + backward as well
  --onnx              onnxruntime-web as well, whose WebGPU has not answered over Dawn in Node so far
  --rounds <n>        rounds of each size (default: 9)
  --bandwidth <x>     bytes a second of the machine that times are implied for (default: 3.35e12)
  --rate <x>          operations a second of it (default: 60e12)
  --seed <n>          of the order of rounds and of the bootstrap (default: 1)`;

interface Flags {
  readonly sizes: readonly Size[];
  readonly directions: readonly Direction[];
  readonly onnx: boolean;
  readonly rounds: number;
  readonly bandwidth: number;
  readonly rate: number;
  readonly seed: number;
}

function refuse(message: string): never {
  console.error(`${message}\n\n${help}`);
  process.exit(2);
}

function readFlags(): Flags {
  try {
    const { values } = parseArgs({
      options: {
        sizes: { type: "string", default: "8x512x64" },
        backward: { type: "boolean", default: false },
        onnx: { type: "boolean", default: false },
        rounds: { type: "string", default: "9" },
        bandwidth: { type: "string", default: "3.35e12" },
        rate: { type: "string", default: "60e12" },
        seed: { type: "string", default: "1" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(help);
      process.exit(0);
    }
    const positive = (name: "rounds" | "bandwidth" | "rate" | "seed") => {
      const value = Number(values[name]);
      return value > 0 && Number.isFinite(value)
        ? value
        : refuse(`--${name}: expected a number above 0, got ${values[name]}`);
    };
    const sizes = values.sizes
      .split(",")
      .map((word) => parseSize(word) ?? refuse(`--sizes: expected sizes such as "8x512x64,8x1024x64", got ${word}`));
    const directions: Direction[] = values.backward ? ["forward", "forward+backward"] : ["forward"];
    const [bandwidth, rate] = [positive("bandwidth"), positive("rate")];
    return {
      sizes,
      directions,
      onnx: values.onnx,
      rounds: Math.ceil(positive("rounds")),
      bandwidth,
      rate,
      seed: positive("seed"),
    };
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const alpha = 1.2;
const say = (message: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`);
};

/** The wasm device on one thread, then the peers. */
async function loadPeers(): Promise<Contestant[]> {
  const [cpu] = await loadOurs(new Map());
  const peers: Contestant[] = [{ ...cpu, name: "ours, wasm" }];
  const families: [string, () => Promise<Contestant[]>][] = [
    ["jax-js", () => loadJax("webgpu")],
    ["tfjs", () => loadTfjs("webgpu")],
  ];
  if (flags.onnx) families.push(["onnxruntime-web", loadOrtWebgpu]);
  for (const [name, loadFamily] of families) {
    try {
      peers.push(...(await loadFamily()));
    } catch (error) {
      console.log(`${name}, webgpu, cannot take part: ${(error as Error).message.split("\n")[0]}`);
    }
  }
  return peers;
}

/** Who takes longer than this, in milliseconds, takes part in few rounds. */
const [slowMilliseconds, slowRounds] = [2000, 3];

/** A first answer compiles; one that takes longer than this is none. */
const patience = 120_000;

async function answer<T>(result: T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`gave no answer in ${patience / 1000} s`)), patience);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Everyone from arrays to arrays, and our parts, in the same rounds. */
async function compare(
  gpu: Gpu,
  attention: Attention<Float32Array>,
  peers: Contestant[],
  size: Size,
  direction: Direction,
) {
  const problem = makeProblem(size, alpha);
  const oracle = makeOracle(problem, direction);
  const entries: Entry[] = [];
  const closers: (() => unknown)[] = [];
  const rows: { id: string; error: string; note: string }[] = [];
  for (const contestant of [ourContestant(attention), ...peers]) {
    if (contestant.refuses(problem, direction) !== undefined) continue;
    say(`checking ${contestant.name}`);
    const { name: id } = contestant;
    try {
      const session = await contestant.open(problem, direction);
      closers.push(() => session.close());
      await answer(session.run());
      const start = performance.now();
      const error = errorOverAllowed(await session.run(), oracle);
      const milliseconds = performance.now() - start;
      const right = error <= 1;
      rows.push({ id, error: error.toExponential(1), note: right ? "" : pc.red("failed: not timed") });
      const rounds = milliseconds > slowMilliseconds ? Math.min(slowRounds, flags.rounds) : flags.rounds;
      if (right) entries.push({ id, run: () => session.run(), milliseconds, rounds });
    } catch (error) {
      rows.push({ id, error: "", note: pc.red(`failed: ${`${(error as Error).message ?? error}`.split("\n")[0]}`) });
    }
  }
  const parts = ourParts(attention, problem, direction);
  closers.push(() => parts.close());
  await parts.upload();
  for (const [id, run] of [
    ["  upload alone", parts.upload],
    ["  passes alone, tensors on the GPU", parts.compute],
    ["  read-back alone", parts.readBack],
  ] as const) {
    rows.push({ id, error: "", note: "" });
    entries.push({ id, run, milliseconds: 100, rounds: flags.rounds });
  }
  const samples = await sampleInterleaved(entries, flags.rounds, random, (done) => say(`round ${done}`));
  say("");
  const times = await gpu.passTimes(parts.compute);
  for (const close of closers) await close();
  const own = samples.get(ourGpuName) ?? [];
  const table = rows.map(({ id, error, note }) => {
    const taken = samples.get(id) ?? [];
    const relative = ratios(taken, own);
    const ratio = relative.length > 0 ? withInterval(medianEstimate(relative, random)) : "";
    return [id, taken.length > 0 ? three(median(taken)) : "", ratio, error, note];
  });
  console.log(pc.bold(`\n(batch x heads, N, d) = ${sizeName(size)}, alpha = ${alpha}, ${direction}`));
  console.log(renderTable(["contestant", "ms", "time / ours, webgpu (90 %)", "error/allowed", ""], table, [1, 3]));
  return times;
}

/** Operations and bytes of each pass, the time they imply, and what the GPU's clock says. */
function costTable(size: Size, direction: Direction, times?: ReadonlyMap<string, number>): string {
  const costs = costsOf(size, direction);
  const cells = costs.map((cost) => {
    const { pass, operations, least, loaded } = cost;
    const implied = 1e6 * impliedSeconds(cost, flags.rate, flags.bandwidth);
    const limit = operations / flags.rate > least / flags.bandwidth ? "rate" : "bandwidth";
    const time = times?.get(pass);
    return [
      pass,
      three(operations / 1e6),
      three(least / 1e6),
      three(loaded / 1e6),
      three(operations / least),
      three(operations / loaded),
      three(implied),
      limit,
      time === undefined ? "" : three(1000 * time),
    ];
  });
  const head = ["pass", "10^6 op", "MB least", "MB loaded", "op/B", "op/B loaded", "implied us", "by", "GPU clock us"];
  const machine = `implied by ${flags.rate.toExponential(2)} operations/s and ${flags.bandwidth.toExponential(2)} B/s`;
  return `${pc.dim(`${machine}`)}\n${renderTable(head, cells, [1, 2, 3, 4, 5, 6, 8])}`;
}

const flags = readFlags();
const random = createRandom(flags.seed);
let gpu: Gpu;
try {
  gpu = await openGpu();
} catch (error) {
  console.log(`WebGPU is left out: ${(error as Error).message.split("\n")[0]}`);
  process.exit(0);
}
console.log(`WebGPU adapter: ${gpu.adapter}`);
if (gpu.isSoftware) {
  console.log(
    "This adapter is a CPU and no GPU: ratios compare kernels as a CPU runs them, and say little about a GPU.",
  );
}
const attention = new Attention<Float32Array>(await createWebgpuBackend({ gpu: { device: gpu.device } }));
const peers = await loadPeers();
for (const size of flags.sizes) {
  for (const direction of flags.directions) {
    const times = await compare(gpu, attention, peers, size, direction);
    if (times === undefined) console.log("this adapter offers no timestamp queries");
    console.log(`\n${costTable(size, direction, times)}`);
  }
}
process.exit(0);
