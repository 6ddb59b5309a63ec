// What the processes of the cold start have in common. They are plain JavaScript, as a loader would be a part of the start.

import { readFileSync } from "node:fs";

/** The problem that the first argument names: sizes, and the arrays one after the other in a file beside it. */
export function readProblem() {
  const problem = JSON.parse(readFileSync(process.argv[2], "utf8"));
  const file = readFileSync(problem.arrays);
  const count = problem.heads * problem.length * problem.headDim;
  const array = (n) => new Float32Array(file.buffer, file.byteOffset + 4 * n * count, count);
  return { ...problem, q: array(0), k: array(1), v: array(2) };
}

/** Writes the first numbers of a result and the processor time so far, and ends the process: what is still open is not waited for. */
export function report(output) {
  const { user, system } = process.cpuUsage();
  const numbers = Array.from(output.slice(0, 8));
  process.stdout.write(JSON.stringify({ numbers, cpu: (user + system) / 1000 }), () => process.exit());
}
