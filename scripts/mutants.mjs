/**
 * Mutation check: plants one bug at a time in a copy of the repository and shows that the tests notice it.
 *
 *   npm run mutants -- [--list NAME...] [--only TEXT] [--seed N] [--json FILE] [--jobs N] [--resume]
 *
 * The bugs are listed in `mutants/*.mjs`, one list a file, in the words of `mutants/list.mjs`; a new file there is a new
 * list. Each mutant says which tests have to notice it, the likeliest first. Tests that catch a mutant
 * must pass without it. A mutant is caught when a test fails, or does not come to an end; a mutant that keeps its tests from
 * running at all proves nothing and is an error, and so is a bug that cannot be planted because the code has changed. Only
 * of mutants that a generator made it is fine not to compile: they are counted apart.
 *
 * After a change in `assembly/` the kernels are compiled again, without relaxed SIMD. The lists `webgpu` and
 * `operators-webgpu` need an adapter: `scripts/webgpu-env.sh swiftshader npm run mutants -- --list webgpu`; without one
 * they are left out, which is said.
 *
 * Verdicts go to `out/mutants/journal.jsonl` as they are found. After an interruption `--resume` goes on with them, as long
 * as the tree has not changed.
 *
 * Exit code: 0 when every mutant is caught but those that are listed as equivalent, 1 otherwise, 2 on wrong usage.
 */

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";
import { SingleBar } from "cli-progress";
import Table from "cli-table3";
import { Command, InvalidArgumentError } from "commander";
import { openJournal, treeDigest } from "./mutant-journal.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const lists = new URL("./mutants/", import.meta.url);

/** Tests of a mutant that have not ended after this long hardly will. Compiling for a software GPU takes minutes. */
const patience = (mutant) => (mutant.needsGpu ? 600_000 : 60_000);

/** What a copy can do without; dependencies are linked. */
const leftOut = new Set([".git", "dist", "coverage", "bench", "corpora", "examples", "playground", "out"]);

/** Where the library finds its kernels. */
const kernelModule = "src/generated/attention-wasm.ts";

const journalFile = join(root, "out", "mutants", "journal.jsonl");

/** Colours would stand in the names of tests. */
const env = { ...process.env, NO_COLOR: "1" };

const usage = new Command("mutants")
  .description("Plants one bug at a time in a copy of the repository and shows that the tests notice it.")
  .option("--list <names...>", "lists to run, by the names of the files in scripts/mutants (default: all)")
  .option("--only <text>", "only mutants whose name contains this")
  .option("--json <file>", "write the outcome there as well")
  .option("--jobs <count>", "how many at a time", readCount, 2)
  .option("--seed <number>", "which operators to change (default: 1)", readSeed, 1)
  .option("--resume", "go on with the verdicts of a run that was interrupted")
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse();

function readCount(text) {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("expected a whole number of at least 1");
  return count;
}

function readSeed(text) {
  const seed = Number(text);
  if (!Number.isInteger(seed) || seed < 0) throw new InvalidArgumentError("expected a whole number of at least 0");
  return seed;
}

/** The mutants that were asked for, each with the name of its list. */
async function readLists({ list, only, seed }) {
  const names = (await readdir(lists)).map((file) => basename(file, ".mjs")).filter((name) => name !== "list");
  for (const name of list ?? []) {
    if (!names.includes(name)) usage.error(`--list: expected ${names.join(", ")}, got ${name}`);
  }
  const chosen = [];
  for (const name of list ?? names.sort()) {
    const { mutants } = await import(new URL(`${name}.mjs`, lists));
    const all = typeof mutants === "function" ? await mutants(root, seed) : mutants;
    chosen.push(...all.map((mutant) => ({ list: name, ...mutant })));
  }
  const wanted = chosen.filter(({ name }) => only === undefined || name.includes(only));
  if (wanted.length === 0) usage.error(`--only: no mutant has "${only}" in its name`);
  return wanted;
}

/** Every reason why a mutant cannot be planted. */
async function findRot(mutants) {
  const rot = [];
  const seen = new Set();
  for (const { name, file, at, find, replace, tests } of mutants) {
    if (seen.has(name)) rot.push(`${name}: a second mutant of this name`);
    seen.add(name);
    const places = (await readFile(join(root, file), "utf8")).split(find).length - 1;
    if (at === undefined && places !== 1)
      rot.push(`${name}: occurs ${places} times in ${file}: ${JSON.stringify(find)}`);
    if (find === replace) rot.push(`${name}: changes nothing`);
    if (tests.length === 0) rot.push(`${name}: no test has to notice it`);
    for (const test of tests) {
      await readFile(join(root, test)).catch(() => rot.push(`${name}: there is no ${test}`));
    }
  }
  return rot;
}

async function copyTree(folder) {
  await cp(root, folder, {
    recursive: true,
    filter: (source) => !leftOut.has(relative(root, source).split(sep)[0]) && basename(source) !== "node_modules",
  });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
}

/** Compiles the kernels of a copy, with as little ceremony as the library needs to load them. Throws what the compiler says. */
async function compileKernels(folder) {
  const { main } = await import("assemblyscript/asc");
  const said = [];
  let bytes;
  const args = ["assembly/attention.ts", "--config", "asconfig.json", "--target", "plain", "--baseDir", folder];
  const { error } = await main(args, {
    stdout: { write: (text) => said.push(text) },
    stderr: { write: (text) => said.push(text) },
    writeFile(name, data) {
      if (name.endsWith(".wasm")) bytes = data;
    },
  });
  if (error || bytes === undefined) throw new Error(`asc: ${error?.message}\n${said.join("")}`);
  const packed = deflateRawSync(bytes).toString("base64");
  await writeFile(join(folder, kernelModule), `export const attentionWasm = "${packed}";\n`);
}

/** Runs tests in a copy: how many failed, the first of them, and what stood on the console. */
function runTests(folder, tests, limit) {
  const report = join(folder, "mutant-report.json");
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  const options = ["--bail=1", "--pool=threads", "--maxWorkers=1", "--reporter=json", `--outputFile=${report}`];
  const child = spawn(process.execPath, [vitest, "run", ...options, ...tests], { cwd: folder, env });
  const said = [];
  child.stdout.on("data", (data) => said.push(data));
  child.stderr.on("data", (data) => said.push(data));
  let ended = true;
  const timer = setTimeout(() => {
    ended = false;
    child.kill("SIGKILL");
  }, limit);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", async (code) => {
      clearTimeout(timer);
      const text = await readFile(report, "utf8").catch(() => undefined);
      await rm(report, { force: true });
      const results = text === undefined ? [] : JSON.parse(text).testResults.flatMap((file) => file.assertionResults);
      const failed = results.filter((result) => result.status === "failed").map((result) => result.fullName);
      resolve({ passed: code === 0, ended, failed, output: Buffer.concat(said).toString() });
    });
  });
}

/**
 * Plants one mutant in the copy, runs its tests, and takes it out again. That they do not end is a verdict only where they
 * end without the mutant in a quarter of the time, right after: on a busy machine they are waited for longer.
 */
async function judge(mutant, folder) {
  const start = performance.now();
  for (let limit = patience(mutant); ; limit *= 4) {
    const outcome = await plant(mutant, folder, limit);
    const isCertain = outcome.ended !== false || (await runTests(folder, outcome.caughtBy, limit / 4)).ended;
    if (isCertain) return { ...outcome, seconds: (performance.now() - start) / 1000 };
  }
}

/** The outcome as the journal has it, or judged now. */
async function recall(mutant, journal, folder) {
  const { list, name, file, equivalent, generated = false } = mutant;
  let found = journal.find(mutant);
  if (found === undefined) {
    found = await judge(mutant, folder);
    // What did not run proves nothing, and is tried again; what did not compile is not.
    if (found.verdict !== "broken" || generated) await journal.add(mutant, found);
  }
  return { list, name, file, equivalent, generated, ...found };
}

async function plant(mutant, folder, limit) {
  const path = join(folder, mutant.file);
  const original = await readFile(path, "utf8");
  const at = mutant.at ?? original.indexOf(mutant.find);
  await writeFile(path, original.slice(0, at) + mutant.replace + original.slice(at + mutant.find.length));
  const isKernel = mutant.file.startsWith("assembly/");
  const kernels = isKernel ? await readFile(join(folder, kernelModule)) : undefined;
  try {
    if (isKernel) await compileKernels(folder);
    let last;
    let caughtBy;
    for (const tests of stagesOf(mutant)) {
      last = await runTests(folder, tests, limit);
      if (last.passed) continue;
      caughtBy = tests;
      break;
    }
    const { passed, ended, failed, output } = last;
    if (passed) return { verdict: "survived", by: "" };
    if (!ended) return { verdict: "caught", by: "did not end", ended, caughtBy };
    if (failed.length > 0) return { verdict: "caught", by: failed[0], caughtBy };
    // Tests that open the device before the first of them begins fail as a file.
    const isLoaded = isKernel && /RuntimeError|InvalidArgumentError|AssertionError/.test(output);
    return { verdict: isLoaded ? "caught" : "broken", by: output.trim().slice(-2000), caughtBy };
  } catch (error) {
    return { verdict: "broken", by: error.message };
  } finally {
    await writeFile(path, original);
    if (kernels) await writeFile(join(folder, kernelModule), kernels);
  }
}

/** The runs that a mutant is shown to, in order: the arguments of each. */
const stagesOf = (mutant) => mutant.stages ?? [mutant.tests];

/** Runs that have passed on a copy in which nothing is broken. */
const clean = new Set();

/** Shows that runs pass where nothing is broken, each once; what they say if not. */
async function runClean(folder, runs) {
  const missing = new Map(runs.map((run) => [run.join(" "), run]).filter(([key]) => !clean.has(key)));
  // Runs of whole files go together, as they share their start.
  const whole = [...missing.values()].filter((run) => !run.includes("-t"));
  const apart = [...missing.values()].filter((run) => run.includes("-t"));
  for (const run of [...(whole.length > 0 ? [[...new Set(whole.flat())]] : []), ...apart]) {
    const { passed, failed, output } = await runTests(folder, run, 1_200_000);
    if (!passed) return failed.join("\n") || output;
  }
  for (const key of missing.keys()) clean.add(key);
  return undefined;
}

/** What is wrong with an outcome, or undefined. */
function fault({ verdict, equivalent, generated }) {
  if (verdict === "broken" && generated) return undefined;
  if (verdict === "broken") return "its tests did not run";
  if (verdict === "survived" && equivalent === undefined) return "no test noticed it";
  if (verdict === "caught" && equivalent !== undefined) return "is listed as equivalent, but a test noticed it";
  return undefined;
}

/** Without an adapter the tests of the webgpu device do not run, and a mutant would seem to survive. */
async function onesThatCanRun(all) {
  if (!all.some((mutant) => mutant.needsGpu)) return all;
  const { create } = await import("webgpu");
  const adapter = await create([])
    .requestAdapter()
    .catch(() => null);
  if (adapter) return all;
  const rest = all.filter((mutant) => !mutant.needsGpu);
  console.log(
    `${all.length - rest.length} mutants are left out: there is no WebGPU adapter (scripts/webgpu-env.sh has one)`,
  );
  if (rest.length === 0) process.exit(1);
  return rest;
}

const cut = (text, width) => (text.length > width ? `${text.slice(0, width - 1)}…` : text);

function printTable(outcomes) {
  const table = new Table({
    head: ["mutant", "file", "verdict", "noticed by", "s"],
    style: { head: [], border: [] },
    colAligns: ["left", "left", "left", "left", "right"],
  });
  for (const { name, file, verdict, by, equivalent, generated, seconds } of outcomes) {
    const reason = verdict === "survived" ? `equivalent: ${equivalent}` : by;
    const said = fault({ verdict, equivalent, generated }) ?? reason;
    table.push([name, file, verdict, cut(said, 70), seconds.toFixed(1)]);
  }
  console.log(table.toString());
}

const options = usage.opts();
const mutants = await onesThatCanRun(await readLists(options));
const rot = await findRot(mutants);
if (rot.length > 0) {
  console.error(`the list does not fit the code:\n${rot.map((line) => `  ${line}`).join("\n")}`);
  process.exit(1);
}

const work = await mkdtemp(join(tmpdir(), "mutants-"));
// At once, before tests that end with the same signal are taken for a verdict.
process.once("SIGINT", () => {
  rmSync(work, { recursive: true, force: true });
  process.exit(130);
});
let code = 1;
try {
  const jobs = Math.min(options.jobs, mutants.length);
  const folders = Array.from({ length: jobs }, (_, job) => join(work, String(job)));
  for (const folder of folders) await copyTree(folder);
  const journal = await openJournal(journalFile, await treeDigest(folders[0]), options.resume ?? false);
  if (journal.isOther) console.log("the tree has changed since the run that is to be resumed: all verdicts are void");

  const before = await runClean(
    folders[0],
    mutants.map(stagesOf).map(([first]) => first),
  );
  if (before !== undefined) console.error(`the tests fail before anything is broken:\n${before}`);
  else {
    const bar = process.stderr.isTTY ? new SingleBar({ format: "{bar} {value}/{total} {name}" }) : undefined;
    bar?.start(mutants.length, 0, { name: "" });
    const outcomes = [];
    let next = 0;
    const turn = async (folder) => {
      while (next < mutants.length) {
        const index = next++;
        outcomes[index] = await recall(mutants[index], journal, folder);
        if (!process.stderr.isTTY)
          console.error(`${index + 1}/${mutants.length} ${outcomes[index].verdict} ${mutants[index].name}`);
        bar?.increment({ name: mutants[index].name });
      }
    };
    await Promise.all(folders.map(turn));
    bar?.stop();

    const after = await runClean(
      folders[0],
      outcomes.flatMap(({ caughtBy }) => (caughtBy ? [caughtBy] : [])),
    );
    if (after !== undefined) console.error(`tests that caught a mutant fail without it as well:\n${after}`);

    printTable(outcomes);
    const faults = outcomes.filter((outcome) => fault(outcome) !== undefined);
    const count = (verdict) => outcomes.filter((outcome) => outcome.verdict === verdict).length;
    console.log(
      `${outcomes.length} mutants: ${count("caught")} caught, ${count("survived")} survived, ${count("broken")} broken`,
    );
    for (const outcome of faults) console.log(`  ${outcome.name}: ${fault(outcome)}\n${cut(outcome.by, 2000)}`);
    for (const { name, verdict, equivalent } of outcomes) {
      if (verdict === "survived" && equivalent !== undefined) console.log(`  ${name}: equivalent: ${equivalent}`);
    }
    if (options.json) await writeFile(options.json, `${JSON.stringify(outcomes, null, 2)}\n`);
    code = faults.length === 0 && after === undefined ? 0 : 1;
  }
} finally {
  await rm(work, { recursive: true, force: true });
}
process.exitCode = code;
