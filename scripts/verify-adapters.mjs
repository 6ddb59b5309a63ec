/**
 * `npm run verify:adapters [-- CASES]`: the errors of the webgpu device on every adapter that this machine has, as the table in
 * docs/webgpu-errors.md: `fna verify --device webgpu` on SwiftShader and on lavapipe in Node, the same verification inside
 * headless Chromium, and the forward error at alpha = 1.2, d = 64, N = 512 beside that of the wasm device. CASES are the random
 * problems of each kind (default 10). Exit code 1 when a check fails. Needs the build, and some ten minutes.
 */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = new URL("..", import.meta.url).pathname;
const limit = { cwd: root, maxBuffer: 2 ** 26 };

/** Both devices against the reference, on inputs that anybody can make. */
async function forwardErrors() {
  const { createAttention } = await import("../dist/index.js");
  const [length, dim] = [512, 64];
  // Box and Muller on a multiplicative generator of 31 bits.
  let state = 1;
  const uniform = () => {
    state = (48271 * state) % 2147483647;
    return state / 2147483647;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const [q, k, v] = [0, 1, 2].map(() => Float32Array.from({ length: length * dim }, normal));
  const inputs = { q, k, v, batch: 1, heads: 1, queries: length, keys: length, headDim: dim };
  const outputs = {};
  for (const device of ["reference", "wasm", "webgpu"]) {
    const attention = await createAttention({ device });
    outputs[device] = (await attention.forward(inputs, { alpha: 1.2 })).output;
    attention.dispose();
  }
  const error = (device) =>
    outputs[device].reduce((most, x, e) => Math.max(most, Math.abs(x - outputs.reference[e])), 0);
  return { wasm: error("wasm"), webgpu: error("webgpu") };
}

if (process.argv[2] === "--forward") {
  console.log(JSON.stringify(await forwardErrors()));
  process.exit(0);
}

const cases = process.argv[2] ?? "10";

/** Rows of `fna verify` on an adapter of Node; undefined where it is not installed. */
async function inNode(adapter) {
  const words = ["dist/cli.js", "verify", "--device", "webgpu", "--cases", cases, "--json"];
  try {
    const { stdout } = await run("scripts/webgpu-env.sh", [adapter, process.execPath, ...words], limit);
    return JSON.parse(stdout).rows;
  } catch (error) {
    // A failed check leaves its rows.
    if (error.code === 1 && error.stdout) return JSON.parse(error.stdout).rows;
    console.error(
      `${adapter}: ${
        String(error.stderr || error.message)
          .trim()
          .split("\n")[0]
      }`,
    );
    return undefined;
  }
}

/** The same inside headless Chromium, through its test. */
async function inChromium() {
  const folder = await mkdtemp(join(tmpdir(), "fractional-attention-"));
  const file = join(folder, "rows.json");
  const env = { ...process.env, FNA_WEBGPU_ROWS: file, FNA_WEBGPU_CASES: cases, FNA_REQUIRE_BROWSER: "1" };
  const words = ["vitest", "run", "tests/browser.test.ts", "-t", "webgpu"];
  try {
    await run("npx", words, { ...limit, env }).catch((error) => console.error(error.stdout));
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    console.error(`Chromium: ${error.message}`);
    return undefined;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const adapters = [
  ["SwiftShader, Node", await inNode("swiftshader")],
  ["SwiftShader, Chromium", await inChromium()],
  ["lavapipe, Node", await inNode("lavapipe")],
].filter(([, rows]) => rows !== undefined);

const groups = [...new Set(adapters.flatMap(([, rows]) => rows.map((row) => row.group)))];
console.log(`| group | ${adapters.map(([name]) => name).join(" | ")} |`);
console.log(`|---|${adapters.map(() => "---").join("|")}|`);
for (const group of groups) {
  const cells = adapters.map(([, rows]) => {
    const row = rows.find((r) => r.group === group);
    return row ? `${Number(row.error).toExponential(1)} of ${Number(row.bound).toExponential(1)}` : "";
  });
  console.log(`| ${group} | ${cells.join(" | ")} |`);
}
for (const adapter of ["swiftshader", "lavapipe"]) {
  const words = [adapter, process.execPath, "scripts/verify-adapters.mjs", "--forward"];
  const found = await run("scripts/webgpu-env.sh", words, limit).catch(() => undefined);
  if (found === undefined) continue;
  const { wasm, webgpu } = JSON.parse(found.stdout);
  console.log(
    `\nalpha = 1.2, d = 64, N = 512 on ${adapter}: largest forward error ${webgpu.toExponential(2)}, wasm ${wasm.toExponential(2)}, ratio ${(webgpu / wasm).toFixed(2)}`,
  );
}
const failed = adapters.some(([, rows]) => rows.some((row) => !row.passed));
process.exitCode = failed || adapters.length === 0 ? 1 : 0;
