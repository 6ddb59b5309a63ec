/**
 * This package: the wasm device in its variants, each from the module that the build has just made. The relaxed build is
 * given by hand, so that it is timed whether or not the probe of the device would take it.
 */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Attention } from "../../../src/attention.js";
import { createWasmBackend } from "../../../src/backends/wasm/index.js";
import { type Problem, windowHalf } from "../../../src/bench/problem.js";
import { load } from "../load.js";
import type { Contestant, Direction, Session } from "./contestant.js";

const root = new URL("../../../", import.meta.url);

/** The row that the bars are about. */
export const ourName = "ours";

/** Variants by name: which module, how many threads. */
const variants = [
  { name: ourName, file: "build/wasm/attention.wasm", threads: 1 },
  { name: "ours, relaxed", file: "build/wasm/attention.relaxed.wasm", threads: 1 },
  { name: "ours, 2 threads", file: "build/wasm/attention.wasm", threads: 2 },
];

async function openSession(attention: Attention, problem: Problem, direction: Direction, wait: boolean) {
  const { slices, length, dim, q, k, v, dOutput, alpha, mask } = problem;
  const inputs = { q, k, v, batch: 1, heads: slices, queries: length, keys: length, headDim: dim };
  const masks = { full: {}, causal: { causal: true }, window: { window: windowHalf } };
  const options = { alpha, ...masks[mask] };
  const both = direction === "forward+backward";
  async function run() {
    const forward = await attention.forward(inputs, options);
    return both ? { ...forward, ...(await attention.backward(inputs, options, { ...forward, dOutput })) } : forward;
  }
  function runSync() {
    const forward = attention.forwardSync(inputs, options);
    return both ? { ...forward, ...attention.backwardSync(inputs, options, { ...forward, dOutput }) } : forward;
  }
  return { run: wait ? run : runSync, close() {} } satisfies Session;
}

/** Builds the modules and opens each variant that runs here; `refused` says why the others do not. */
export async function loadOurs(refused: Map<string, string>): Promise<Contestant[]> {
  const { buildWasm } = await load<{ buildWasm(): Promise<void> }>(new URL("scripts/build-wasm.mjs", root).href);
  await buildWasm();
  const contestants: Contestant[] = [];
  for (const { name, file, threads } of variants) {
    try {
      const wasm = new Uint8Array(await readFile(fileURLToPath(new URL(file, root))));
      const attention = new Attention(await createWasmBackend({ wasm, threads }));
      contestants.push({
        name,
        family: ourName,
        refuses: () => undefined,
        open: (problem, direction) => openSession(attention, problem, direction, threads > 1),
      });
    } catch (error) {
      refused.set(name, (error as Error).message);
    }
  }
  return contestants;
}
