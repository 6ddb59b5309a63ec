/**
 * `npm run coldstart`: how long a new Node process takes to the first result, 8 heads of 64 tokens. Processes of every kind
 * take turns; a time is a median over the rounds, less that of a process with nothing to do, from spawn to exit. Processor
 * time is beside it, as that says more on a busy machine. All have to agree on the result first. Exit code 1 when they do
 * not, or when the wasm device misses its bar.
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describeMachine, machineLine } from "../../src/bench/machine.js";
import { makeProblem } from "../../src/bench/problem.js";
import { median } from "../../src/bench/statistics.js";
import { attentionModel } from "./contestants/onnx-model.js";

const rounds = 20;
/** Milliseconds to the first result that the wasm device may take. */
const bar = 60;
/** Results are averages of values of order 1 in float32. */
const tolerance = 1e-4;

const kinds = [
  { name: "empty process", file: "empty.mjs" },
  { name: "ours, /wasm", file: "wasm.mjs" },
  { name: "ours, whole package", file: "core.mjs" },
  { name: "onnxruntime-web", file: "ort-web.mjs" },
] as const;
const peer = 3;

interface Run {
  /** Milliseconds from spawn to exit. */
  readonly wall: number;
  /** Milliseconds of processor time, of all its threads. */
  readonly cpu: number;
  readonly numbers: readonly number[];
}

function start(file: string, problem: string): Promise<Run> {
  return new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL(`cold/${file}`, import.meta.url));
    const begin = performance.now();
    const child = spawn(process.execPath, [script, problem], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve({ wall: performance.now() - begin, ...JSON.parse(output) });
      else reject(new Error(`${file} ended with exit code ${code}`));
    });
  });
}

/** Writes the problem and the model for it into a folder; gives the path of the description. */
async function writeProblem(folder: string): Promise<string> {
  const problem = makeProblem({ slices: 8, length: 64, dim: 32 }, 1.2);
  const { bytes, result } = await attentionModel(problem, "softmax of log");
  const paths = { arrays: join(folder, "arrays"), model: join(folder, "model.onnx") };
  await writeFile(paths.model, bytes);
  await writeFile(paths.arrays, Buffer.concat([problem.q, problem.k, problem.v].map((x) => new Uint8Array(x.buffer))));
  const path = join(folder, "problem.json");
  await writeFile(path, JSON.stringify({ ...paths, result, heads: 8, length: 64, headDim: 32 }));
  return path;
}

const folder = await mkdtemp(join(tmpdir(), "fractional-attention-cold-"));
try {
  const problem = await writeProblem(folder);
  const checked: Run[] = [];
  for (const { file } of kinds) checked.push(await start(file, problem));
  const [, expected] = checked;
  for (const [n, { numbers }] of checked.entries()) {
    const right = numbers.length === 8 && numbers.every((x, i) => Math.abs(x - expected.numbers[i]) <= tolerance);
    if (n > 0 && !right) throw new Error(`${kinds[n].name} computes something else: ${numbers}`);
  }
  const runs: Run[][] = kinds.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [n, { file }] of kinds.entries()) runs[n].push(await start(file, problem));
  }
  const wall = runs.map((of) => median(of.map((run) => run.wall)));
  const cpu = runs.map((of) => median(of.map((run) => run.cpu)));
  console.log(machineLine(describeMachine()));
  console.log(`first result in a new process, median of ${rounds}, less an empty one`);
  console.log(`(${wall[0].toFixed(1)} ms, ${cpu[0].toFixed(1)} ms of processor time)\n`);
  for (const [n, { name }] of kinds.entries()) {
    if (n === 0) continue;
    const share = (100 * (wall[n] - wall[0])) / (wall[peer] - wall[0]);
    const numbers = `${(wall[n] - wall[0]).toFixed(1).padStart(7)} ms${(cpu[n] - cpu[0]).toFixed(1).padStart(8)} ms cpu`;
    console.log(`${name.padEnd(22)}${numbers}${share.toFixed(0).padStart(5)} % of onnxruntime-web`);
  }
  const met = Math.max(wall[1], wall[2]) - wall[0] < bar;
  console.log(`\nbar: ours below ${bar} ms on an idle machine: ${met ? "met" : "missed"}`);
  process.exitCode = met ? 0 : 1;
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
