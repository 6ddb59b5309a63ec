/**
 * `npm run bench`: attention against the naive loop, the reference and other runtimes. The check of `accuracy.ts` comes
 * before each timing; `suite.ts` says what is run, `bars.ts` what is expected. At the end comes `gpu/main.ts`, in a process of
 * its own, because libraries choose their backend once and look for a browser's globals.
 */

import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { Command, InvalidArgumentError, Option } from "commander";
import { createRandom } from "../../reference/random.js";
import { verifyNaive } from "../../src/bench/accuracy.js";
import { describeMachine, machineLine } from "../../src/bench/machine.js";
import { choosePeakLoops } from "../../src/bench/peak.js";
import { parseSize, type Size } from "../../src/bench/problem.js";
import { processorClock, wallClock } from "../../src/bench/sampler.js";
import { type Bar, judgeBars } from "./bars.js";
import { loadContestants } from "./contestants/index.js";
import { ourName } from "./contestants/ours.js";
import { peerVersions } from "./peers.js";
import { barsTable, groupTable } from "./report.js";
import { measureScaling } from "./scaling.js";
import { allSizes } from "./sizes.js";
import { type Group, runGroup } from "./suite.js";

interface Flags {
  json?: string;
  rounds: number;
  only?: readonly string[];
  sizes: readonly Size[];
  alphas: readonly number[];
  subject: string;
  quick?: boolean;
  processorTime?: boolean;
  seed: number;
}

const quick = { rounds: 3, sizes: allSizes.slice(0, 2), alphas: [1.2] };
const defaultJson = fileURLToPath(new URL("../../out/bench.json", import.meta.url));

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected a whole number above 0");
  return value;
}

function sizeList(text: string): Size[] {
  return text.split(",").map((word) => {
    const size = parseSize(word);
    if (size === undefined) throw new InvalidArgumentError('expected sizes such as "8x512x32,1x4096x64"');
    return size;
  });
}

function alphaList(text: string): number[] {
  const alphas = text.split(",").map(Number);
  if (!alphas.every((alpha) => alpha > 0 && alpha <= 2)) throw new InvalidArgumentError("expected numbers in (0, 2]");
  return alphas;
}

function readFlags(): Flags {
  const command = new Command("bench")
    .description("time attention against other runtimes; ratios come from interleaved rounds, after an accuracy check")
    .option("--rounds <n>", "rounds a size", count, 15)
    .addOption(
      new Option("--sizes <list>", "batch x heads, N, d: 8x512x32,1x4096x64")
        .argParser(sizeList)
        .default(allSizes, "the seven that have bars"),
    )
    .option("--alphas <list>", "orders; alpha = 2 has no bars and takes at most 5 rounds", alphaList, [1.2, 2])
    .option("--only <list>", "contestants whose name contains one of these", (text) => text.split(","))
    .option("--subject <name>", "the contestant that ratios are against", ourName)
    .option("--seed <n>", "of the order of rounds and of the bootstrap", count, 1)
    .option("--json <file>", "where all samples go (default: out/bench.json)")
    .option("--processor-time", "count what the process spends on processors: for a busy machine, without threads")
    .option("--quick", "two sizes, three rounds: whether everything works, in a minute or so")
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .parse();
  const flags = command.opts<Flags>();
  if (!flags.quick) return flags;
  const given = (name: string) => command.getOptionValueSource(name) === "cli";
  const short = Object.entries(quick).filter(([name]) => !given(name));
  return { ...flags, ...Object.fromEntries(short) };
}

const say = (message: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`);
};

const flags = readFlags();
// Node 20 has relaxed SIMD behind this flag; later ones have it on and ignore it.
setFlagsFromString("--experimental-wasm-relaxed-simd");

const machine = { ...describeMachine(), peers: peerVersions() };
const versions = Object.entries(machine.peers).map(([name, version]) => `${name} ${version}`);
console.log(`${machineLine(machine)}; ${versions.join(", ")}\n`);
verifyNaive();

const { contestants, refused } = await loadContestants();
const { only } = flags;
const clock = flags.processorTime ? processorClock : wallClock;
// The time of two threads on two processors adds up to that of one thread on one.
const eligible = contestants.filter(({ name }) => !flags.processorTime || !name.endsWith("threads"));
const chosenOnes = eligible.filter(
  ({ name }) => name === flags.subject || !only || only.some((part) => name.includes(part)),
);
for (const [name, reason] of refused) console.log(`${name} cannot take part: ${reason}`);
if (!chosenOnes.some(({ name }) => name === flags.subject)) console.log(`no contestant is called "${flags.subject}"`);

const { chosen: loops, figures } = await choosePeakLoops(
  createRandom(flags.seed),
  (message) => say(message),
  undefined,
  clock,
);
say("");
console.log("WebAssembly SIMD multiply-add, GFLOP/s:");
for (const [name, speed] of Object.entries(figures)) console.log(`  ${name.padEnd(18)} ${speed.toFixed(1)}`);
for (const loop of loops) console.log(`\nThe fastest ${loop.relaxed ? "relaxed" : "plain"} loop:\n${loop.text}`);
const plain = loops.find((loop) => !loop.relaxed);
const scaling = plain && !flags.processorTime ? await measureScaling(plain) : undefined;
if (scaling !== undefined) console.log(`\nTwo threads run the plain loop ${scaling.toFixed(2)} times as fast as one.`);
console.log();

const random = createRandom(flags.seed);
const groups: Group[] = [];
const file = resolve(flags.json ?? defaultJson);
await mkdir(dirname(file), { recursive: true });

/** Written after each size, so that a run which is broken off leaves what it has measured. */
async function write(bars: readonly Bar[]): Promise<void> {
  const { rounds, seed, subject, processorTime = false } = flags;
  const settings = { rounds, seed, subject, processorTime };
  const written = { machine, settings, refused: Object.fromEntries(refused), peaks: figures, scaling, groups, bars };
  await writeFile(file, `${JSON.stringify(written, null, 1)}\n`);
}

for (const alpha of flags.alphas) {
  for (const size of flags.sizes) {
    const { rounds } = flags;
    const group = await runGroup(size, alpha, { rounds, contestants: chosenOnes, loops, random, clock, say });
    groups.push(group);
    say("");
    console.log(`${groupTable(group, flags.subject, random)}\n`);
    await write(judgeBars(groups, random, flags.subject));
  }
}

const bars = judgeBars(groups, random, flags.subject);
if (bars.length > 0) console.log(`${barsTable(bars)}\n`);
await write(bars);
console.log(`All samples: ${file}\n`);
const gpuBench = fileURLToPath(new URL("gpu/main.ts", import.meta.url));
const gpuFlags = ["--rounds", String(Math.min(flags.rounds, 9)), "--seed", String(flags.seed)];
const wantsGpu = !only || only.some((part) => "ours, webgpu".includes(part));
const gpuRun = wantsGpu
  ? spawnSync(process.execPath, [...process.execArgv, gpuBench, ...gpuFlags], { stdio: "inherit" })
  : { status: 0 };
// Runtimes that keep workers or handles must not keep this process.
process.exit(gpuRun.status ?? 1);
