/**
 * Mutation check: plants one bug at a time in a copy of the repository and shows that the tests notice it.
 *
 *   npm run mutants -- [--list NAME...] [--only TEXT] [--json FILE] [--jobs N]
 *
 * The bugs are listed in `mutants/*.mjs`, one list a file, in the words of `mutants/list.mjs`; a new file there is a new
 * list. Each mutant says which tests have to notice it. Before anything is broken the same tests must pass. A mutant is
 * caught when a test fails, or does not come to an end; a mutant that keeps its tests from running at all proves nothing
 * and is an error, and so is a bug that cannot be planted because the code has changed.
 *
 * Exit code: 0 when every mutant is caught but those that are listed as equivalent, 1 otherwise, 2 on wrong usage.
 */

import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { SingleBar } from "cli-progress";
import Table from "cli-table3";
import { Command, InvalidArgumentError } from "commander";

const root = fileURLToPath(new URL("..", import.meta.url));
const lists = new URL("./mutants/", import.meta.url);

/** A mutant that has not been noticed after this long does not end. */
const patience = 180_000;

/** What a copy can do without; dependencies are linked. */
const leftOut = new Set(["node_modules", ".git", "dist", "coverage", "bench"]);

const usage = new Command("mutants")
  .description("Plants one bug at a time in a copy of the repository and shows that the tests notice it.")
  .option("--list <names...>", "lists to run, by the names of the files in scripts/mutants (default: all)")
  .option("--only <text>", "only mutants whose name contains this")
  .option("--json <file>", "write the outcome there as well")
  .option("--jobs <count>", "how many at a time", readCount, 2)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse();

function readCount(text) {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("expected a whole number of at least 1");
  return count;
}

/** The mutants that were asked for, each with the name of its list. */
async function readLists({ list, only }) {
  const names = (await readdir(lists)).map((file) => basename(file, ".mjs")).filter((name) => name !== "list");
  for (const name of list ?? []) {
    if (!names.includes(name)) usage.error(`--list: expected ${names.join(", ")}, got ${name}`);
  }
  const chosen = [];
  for (const name of list ?? names.sort()) {
    const { mutants } = await import(new URL(`${name}.mjs`, lists));
    chosen.push(...mutants.map((mutant) => ({ list: name, ...mutant })));
  }
  const wanted = chosen.filter(({ name }) => only === undefined || name.includes(only));
  if (wanted.length === 0) usage.error(`--only: no mutant has "${only}" in its name`);
  return wanted;
}

/** Every reason why a mutant cannot be planted. */
async function findRot(mutants) {
  const rot = [];
  const seen = new Set();
  for (const { name, file, find, replace, tests } of mutants) {
    if (seen.has(name)) rot.push(`${name}: a second mutant of this name`);
    seen.add(name);
    const places = (await readFile(join(root, file), "utf8")).split(find).length - 1;
    if (places !== 1) rot.push(`${name}: occurs ${places} times in ${file}: ${JSON.stringify(find)}`);
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
    filter: (source) => !leftOut.has(relative(root, source).split(sep)[0]),
  });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
}

/** Runs tests in a copy: how many failed, the first of them, and what stood on the console. */
function runTests(folder, tests) {
  const report = join(folder, "mutant-report.json");
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  const options = ["--bail=1", "--pool=threads", "--maxWorkers=1", "--reporter=json", `--outputFile=${report}`];
  const child = spawn(process.execPath, [vitest, "run", ...options, ...tests], { cwd: folder });
  const said = [];
  child.stdout.on("data", (data) => said.push(data));
  child.stderr.on("data", (data) => said.push(data));
  let ended = true;
  const timer = setTimeout(() => {
    ended = false;
    child.kill("SIGKILL");
  }, patience);
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

/** Plants one mutant in the copy, runs its tests, and takes it out again. */
async function judge(mutant, folder) {
  const path = join(folder, mutant.file);
  const original = await readFile(path, "utf8");
  // A function, so that $ in the code is only a character.
  await writeFile(
    path,
    original.replace(mutant.find, () => mutant.replace),
  );
  const start = performance.now();
  const { passed, ended, failed, output } = await runTests(folder, mutant.tests);
  const seconds = (performance.now() - start) / 1000;
  await writeFile(path, original);
  const { list, name, file, equivalent } = mutant;
  if (passed) return { list, name, file, equivalent, verdict: "survived", by: "", seconds };
  if (!ended) return { list, name, file, equivalent, verdict: "caught", by: "did not end", seconds };
  if (failed.length > 0) return { list, name, file, equivalent, verdict: "caught", by: failed[0], seconds };
  return { list, name, file, equivalent, verdict: "broken", by: output.trim().slice(-2000), seconds };
}

/** What is wrong with an outcome, or undefined. */
function fault({ verdict, equivalent }) {
  if (verdict === "broken") return "its tests did not run";
  if (verdict === "survived" && equivalent === undefined) return "no test noticed it";
  if (verdict === "caught" && equivalent !== undefined) return "is listed as equivalent, but a test noticed it";
  return undefined;
}

const cut = (text, width) => (text.length > width ? `${text.slice(0, width - 1)}…` : text);

function printTable(outcomes) {
  const table = new Table({
    head: ["mutant", "file", "verdict", "noticed by", "s"],
    style: { head: [], border: [] },
    colAligns: ["left", "left", "left", "left", "right"],
  });
  for (const { name, file, verdict, by, equivalent, seconds } of outcomes) {
    const reason = verdict === "survived" ? `equivalent: ${equivalent}` : by;
    const said = fault({ verdict, equivalent }) ?? reason;
    table.push([name, file, verdict, cut(said, 70), seconds.toFixed(1)]);
  }
  console.log(table.toString());
}

const options = usage.opts();
const mutants = await readLists(options);
const rot = await findRot(mutants);
if (rot.length > 0) {
  console.error(`the list does not fit the code:\n${rot.map((line) => `  ${line}`).join("\n")}`);
  process.exit(1);
}

const work = await mkdtemp(join(tmpdir(), "mutants-"));
let code = 1;
try {
  const jobs = Math.min(options.jobs, mutants.length);
  const folders = Array.from({ length: jobs }, (_, job) => join(work, String(job)));
  for (const folder of folders) await copyTree(folder);

  const tests = [...new Set(mutants.flatMap((mutant) => mutant.tests))];
  const before = await runTests(folders[0], tests);
  if (!before.passed) {
    console.error(`the tests fail before anything is broken:\n${before.failed.join("\n") || before.output}`);
  } else {
    const bar = process.stderr.isTTY ? new SingleBar({ format: "{bar} {value}/{total} {name}" }) : undefined;
    bar?.start(mutants.length, 0, { name: "" });
    const outcomes = [];
    let next = 0;
    const turn = async (folder) => {
      while (next < mutants.length) {
        const index = next++;
        outcomes[index] = await judge(mutants[index], folder);
        bar?.increment({ name: mutants[index].name });
      }
    };
    await Promise.all(folders.map(turn));
    bar?.stop();

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
    code = faults.length === 0 ? 0 : 1;
  }
} finally {
  await rm(work, { recursive: true, force: true });
}
process.exitCode = code;
