/**
 * `npm --prefix bench run stress`: where other runtimes fail, measured rather than told. Three tables:
 *
 * 1. Gradients where every query coincides with a key (k = q): how many numbers are not finite, and the largest error of
 *    the others. At distance 0 the derivative of the distance does not exist and the sub-gradient is 0.
 * 2. q and k moved by 20 together, which changes no distance: the largest error of the output over its largest number,
 *    without the offset and with it.
 * 3. Memory: what one forward call at N = 4096, d = 64 adds to a process that has run a small one. Each contestant has a
 *    process of its own, since runtimes keep what they once took.
 */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pc from "picocolors";
import { naiveBackward, naiveForward } from "../../src/bench/naive.js";
import { makeProblem, type Problem } from "../../src/bench/problem.js";
import { renderTable } from "../../src/cli/table.js";
import type { Contestant, Results } from "./contestants/contestant.js";
import { loadContestants } from "./contestants/index.js";

const measured = { slices: 1, length: 4096, dim: 64 };
const small = { slices: 1, length: 64, dim: 64 };
const mebibyte = 2 ** 20;

/** Largest |x − ref| over max|ref| among the numbers that are finite, and how many are not. */
function compare(found: Results, expected: Results): { error: number; broken: number; total: number } {
  let [error, broken, total] = [0, 0, 0];
  for (const name of ["output", "dq", "dk", "dv"] as const) {
    const [x, reference] = [found[name], expected[name]];
    if (x === undefined || reference === undefined) continue;
    let [largest, worst] = [0, 0];
    for (let i = 0; i < x.length; i++) {
      largest = Math.max(largest, Math.abs(reference[i]));
      if (Number.isFinite(x[i])) worst = Math.max(worst, Math.abs(x[i] - reference[i]));
      else broken++;
    }
    total += x.length;
    error = Math.max(error, worst / largest);
  }
  return { error, broken, total };
}

async function runOnce(contestant: Contestant, problem: Problem, direction: "forward" | "forward+backward") {
  const session = await contestant.open(problem, direction);
  const { ...results } = await session.run();
  await session.close();
  return results;
}

async function coincidentGradients(contestants: readonly Contestant[]): Promise<string> {
  const random = makeProblem({ slices: 1, length: 128, dim: 16 }, 1.2);
  const problem = { ...random, k: random.q };
  const expected = naiveBackward(problem, naiveForward(problem));
  const rows: string[][] = [];
  for (const contestant of contestants) {
    if (contestant.refuses(problem, "forward+backward") !== undefined) continue;
    const { error, broken, total } = compare(await runOnce(contestant, problem, "forward+backward"), expected);
    rows.push([contestant.name, `${broken} of ${total}`, broken === total ? "" : error.toExponential(1)]);
  }
  const head = ["contestant", "not finite", "largest error of the others"];
  return `${pc.bold("Gradients at q = k (N = 128, d = 16)")}\n${renderTable(head, rows, [1, 2])}`;
}

async function sharedOffset(contestants: readonly Contestant[]): Promise<string> {
  const centred = makeProblem({ slices: 1, length: 512, dim: 64 }, 1.2);
  const move = (x: Float32Array) => x.map((value) => value + 20);
  const moved = { ...centred, q: move(centred.q), k: move(centred.k) };
  // Each against float64 on its own inputs: moving rounds them.
  const problems = [centred, moved].map((problem) => ({ problem, expected: { output: naiveForward(problem).output } }));
  const rows: string[][] = [];
  for (const contestant of contestants) {
    if (contestant.refuses(centred, "forward") !== undefined) continue;
    const errors: number[] = [];
    for (const { problem, expected } of problems) {
      errors.push(compare(await runOnce(contestant, problem, "forward"), expected).error);
    }
    const factor = errors[0] === 0 ? "" : `${(errors[1] / errors[0]).toFixed(1)} x`;
    rows.push([contestant.name, ...errors.map((error) => error.toExponential(1)), factor]);
  }
  const head = ["contestant", "centred", "moved by 20", "worse by"];
  return `${pc.bold("Shared offset (N = 512, d = 64)")}\n${renderTable(head, rows, [1, 2, 3])}`;
}

/** Bytes that one large call adds to the most that this process has held, in a process of its own. */
async function growth(name: string): Promise<number> {
  const { contestants } = await loadContestants();
  const contestant = contestants.find((candidate) => candidate.name === name)!;
  const problem = makeProblem(measured, 1.2);
  await runOnce(contestant, makeProblem(small, 1.2), "forward");
  globalThis.gc?.();
  const idle = process.memoryUsage().rss;
  await runOnce(contestant, problem, "forward");
  // maxRSS, in KiB, may be of an earlier moment than the call; then the call needed less than that.
  return Math.max(0, process.resourceUsage().maxRSS * 1024 - idle);
}

async function memory(contestants: readonly Contestant[]): Promise<string> {
  const self = fileURLToPath(import.meta.url);
  const rows: string[][] = [];
  for (const { name, refuses } of contestants) {
    if (refuses({ ...measured, alpha: 1.2, mask: "full" }, "forward") !== undefined) continue;
    const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, self, "--growth", name]);
    rows.push([name, `${(Number(stdout) / mebibyte).toFixed(0)} MiB`]);
  }
  const note = `one N x N matrix is ${(4 * measured.length ** 2) / mebibyte} MiB`;
  return `${pc.bold("Memory of a forward call over idle (N = 4096, d = 64)")}\n${pc.dim(note)}\n${renderTable(["contestant", "peak"], rows, [1])}`;
}

const growthOf = process.argv.indexOf("--growth");
if (growthOf >= 0) {
  process.stdout.write(String(await growth(process.argv[growthOf + 1])));
  process.exit(0);
}
const { contestants, refused } = await loadContestants();
for (const [name, reason] of refused) console.log(`${name} cannot take part: ${reason}\n`);
for (const table of [coincidentGradients, sharedOffset, memory]) console.log(`${await table(contestants)}\n`);
process.exit(0);
