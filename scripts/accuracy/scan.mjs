/**
 * Largest relative errors of the elementary functions of the kernels, over every float32 of the range in which the kernels
 * use them, against float64. In units of u = 2^-24: a correctly rounded function has 1 at most.
 *
 *   node scripts/accuracy/scan.mjs [--relaxed] [--stride n]
 *
 * The whole scan looks at some 8e9 numbers and takes minutes; --stride n takes every n-th run of 4096 numbers. Ends with
 * exit code 1 when an error is above the bound that stands beside it here and in the table of the documentation.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { relaxed: { type: "boolean" }, stride: { type: "string", default: "1" } } });
const stride = Number(values.stride);
const root = fileURLToPath(new URL("../..", import.meta.url));
const compiler = join(createRequire(import.meta.url).resolve("assemblyscript/package.json"), "../bin/asc.js");
const file = join(root, "build/accuracy.wasm");
mkdirSync(join(root, "build"), { recursive: true });
const features = ["--enable", "simd", ...(values.relaxed ? ["--enable", "relaxed-simd"] : [])];
const flags = [
  "-O3",
  "--noAssert",
  "--runtime",
  "stub",
  "--importMemory",
  "--initialMemory",
  "16",
  "--maximumMemory",
  "16",
];
execFileSync(process.execPath, [compiler, "assembly/accuracy.ts", "-o", file, ...flags, ...features], {
  cwd: root,
});

const memory = new WebAssembly.Memory({ initial: 16, maximum: 16 });
const { exports: kernels } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), { env: { memory } });
kernels.open();
const run = 4096;
const to = 65536;
const bits = new Int32Array(1);
const float = new Float32Array(bits.buffer);
const values32 = new Float32Array(memory.buffer, to, run);
const bitsOf = (x) => {
  float[0] = x;
  return bits[0];
};

/** Relative to the result, and for exp to 1 + |x|, as the rounding of x log2 e is part of it. */
const scans = [
  {
    name: "exp, x in [-87, 0], over 1 + |x|",
    kind: 0,
    from: -0,
    to: -87,
    exact: Math.exp,
    weight: (x) => 1 - x,
    bound: 3,
  },
  { name: "exp, x in [-1, 0]", kind: 0, from: -0, to: -1, exact: Math.exp, bound: 3.5 },
  { name: "exp, x in [0, 28], over 1 + x", kind: 0, from: 0, to: 28, exact: Math.exp, weight: (x) => 1 + x, bound: 3 },
  { name: "log1p, z in [2^-126, 1/8]", kind: 1, from: 2 ** -126, to: 0.125, exact: Math.log1p, bound: 2.5 },
  { name: "log1p, z in [2^-126, 0.35]", kind: 2, from: 2 ** -126, to: 0.35, exact: Math.log1p, bound: 2.5 },
  { name: "log1p, z in [2^-126, 1e37]", kind: 3, from: 2 ** -126, to: 1e37, exact: Math.log1p, bound: 3.5 },
  {
    name: "angle from a squared chord in [2^-126, 2]",
    kind: 4,
    from: 2 ** -126,
    to: 2,
    exact: (x) => 2 * Math.asin(Math.sqrt(x) / 2),
    bound: 3,
  },
  {
    name: "obtuse angle from a squared chord in [2^-126, 2]",
    kind: 4,
    from: -(2 ** -126),
    to: -2,
    exact: (x) => Math.PI - 2 * Math.asin(Math.sqrt(-x) / 2),
    bound: 3.5,
  },
];

let failed = false;
for (const { name, kind, from, to: end, exact, weight, bound } of scans) {
  const started = performance.now();
  let first = bitsOf(from);
  const last = bitsOf(end);
  let largest = 0;
  let where = 0;
  for (; first <= last; first += run * stride) {
    kernels.evaluate(kind, first, run, to);
    const count = Math.min(run, last - first + 1);
    for (let i = 0; i < count; i++) {
      bits[0] = first + i;
      const x = float[0];
      const truth = exact(x);
      let error = Math.abs(values32[i] / truth - 1);
      if (weight !== undefined) error /= weight(x);
      // A NaN is larger than anything and stays so.
      if (!(error <= largest) && !Number.isNaN(largest)) {
        largest = error;
        where = x;
      }
    }
  }
  const units = largest * 2 ** 24;
  failed ||= !(units <= bound);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${name.padEnd(50)} ${units.toFixed(3)} u at ${where} (bound ${bound} u, ${seconds} s)`);
}
if (failed) process.exitCode = 1;
