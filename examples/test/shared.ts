/** What the tests of the examples share: running commands in the installed folder, and the numbers that all of them must show. */

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, inject } from "vitest";

/** Tools of the examples: bundlers and runtimes. */
export const tools = fileURLToPath(new URL("../node_modules/", import.meta.url));

/** The installed package, as a user imports it. */
export async function installed(entry = "index"): Promise<typeof import("../../src/index.js")> {
  return import(pathToFileURL(join(inject("folder"), `node_modules/fractional-attention/dist/${entry}.js`)).href);
}

/** Runs a command in an example's folder and gives back what it wrote; fails with all of it when it fails. */
export function run(example: string, command: string, ...words: string[]): string {
  const result: SpawnSyncReturns<string> = spawnSync(command, words, {
    cwd: join(inject("folder"), example),
    encoding: "utf8",
    timeout: 100_000,
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1" },
  });
  if (result.status !== 0) {
    const end = result.error?.message ?? `exit code ${result.status ?? result.signal}`;
    throw new Error(`${command} ${words.join(" ")}: ${end}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout.trim();
}

/**
 * Whether a tool is there. Where it is not, this says so and the test is left out; with FNA_REQUIRE_EXAMPLES=1, as in continuous
 * integration, that is a failure.
 */
export function has(name: string, path: string | undefined): path is string {
  if (path !== undefined && existsSync(path)) return true;
  const reason = `${name} is not here (${path ?? `no build of it for ${process.platform} ${process.arch}`})`;
  if (process.env.FNA_REQUIRE_EXAMPLES === "1") throw new Error(`examples: ${reason}`);
  console.warn(`examples: left out, as ${reason}`);
  return false;
}

/** The first four numbers that most examples show, from the float64 reference of the installed package. */
async function expectedNumbers(): Promise<number[]> {
  const { createAttention } = await installed();
  const [tokens, headDim] = [64, 16];
  const vectors = (seed: number) => Float32Array.from({ length: tokens * headDim }, (_, i) => Math.sin(seed * (i + 1)));
  const { output } = await (await createAttention({ device: "reference" })).forward(
    { q: vectors(1), k: vectors(2), v: vectors(3), batch: 1, heads: 1, queries: tokens, keys: tokens, headDim },
    { alpha: 1.2 },
  );
  return [...output.slice(0, 4)];
}

/**
 * Expects `device: x x x x` with the numbers of the reference. The output is an average of values of at most 1, of which each
 * device loses less than 2^-18. That is for wiring, the bounds proper are tested elsewhere: alpha = 2 is 3e-4 away.
 */
export async function expectResult(text: string, device: string): Promise<void> {
  expectNumbers(text, device, await expectedNumbers(), 2 ** -18);
}

/** Expects `name: x x ...` with the given numbers within a tolerance. */
export function expectNumbers(text: string, name: string, expected: readonly number[], tolerance: number): void {
  const match = /^(.*): ([-\d.e ]+)$/.exec(text.trim());
  expect(match?.[1], text).toBe(name);
  const found = match![2].split(" ").map(Number);
  expect(found.length, text).toBe(expected.length);
  for (const [i, x] of found.entries())
    expect(Math.abs(x - expected[i]), `${text} against ${expected}`).toBeLessThan(tolerance);
}
