/** `fna sweep`: a grid of runs, on some processes of this machine or as the array jobs of a cluster. */

import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { CorpusPart } from "../../data/corpus.js";
import {
  gatheredFile,
  gatherSweep,
  type Job,
  readSweep,
  type Spread,
  type Sweep,
  type SweepResults,
  sweepFile,
  sweepJobs,
} from "../../learn/sweep.js";
import type { AttentionKind } from "../../models/types.js";
import { exitCodes, UsageError } from "../errors.js";
import { checkPlace, writeWhole } from "../files.js";
import type { Io } from "../io.js";
import { addCorporaFlag, addRunFlags, attentionKinds, type RunFlags, readConfig, runOptions } from "../learning.js";
import { createProgress } from "../progress.js";
import { renderTable } from "../table.js";
import { integerIn, listOf, listOfNumbers, numberIn } from "../values.js";
import { trainOne } from "./train.js";

interface SweepFlags extends Omit<RunFlags, "attention" | "alpha" | "width" | "seed"> {
  attention?: readonly AttentionKind[];
  alpha?: readonly number[];
  width?: readonly number[];
  seed?: readonly number[];
  corpora: string;
  out: string;
  processes: number;
  index?: number;
  list?: boolean;
  gather?: boolean;
  json?: boolean;
}

const help = `
The grid is every attention (the fractional ones with every alpha) with every width and every seed. The first call writes
  sweep.json into --out; later calls need only --out. Every run is resumable: calling the same again goes on where it was.
On a cluster: the first call with --list, then one array job of "fna sweep --out FOLDER --index K" for each K, then
  --gather. The numbers of a run do not depend on where it runs.
The table has mean and standard deviation over seeds of the scores on the test part; results.json in --out the same.

Examples:
  fna sweep --out sweeps/a --alpha 1.2,2 --width 64,8 --seed 1,2,3,4,5 --processes 2
  fna sweep --out sweeps/a --list
  fna sweep --out sweeps/a --index 3
  fna sweep --out sweeps/a --gather --json`;

export function addSweep(program: Command, io: Io, finish: (code: number) => void): void {
  const command = program
    .command("sweep")
    .description("train a grid of attentions, widths and seeds")
    .argument("[config]", "configuration as JSON of what the runs have in common");
  addCorporaFlag(addRunFlags(command, ["attention", "alpha", "width", "seed"]))
    .requiredOption("--out <folder>", "folder of the sweep")
    .option(
      "--attention <kinds>",
      `of ${attentionKinds.join(", ")} (default: fna-euclidean, dot-product)`,
      listOf(attentionKinds),
    )
    .option(
      "--alpha <orders>",
      "orders in (0, 2] (default: 1.2, 2)",
      listOfNumbers(numberIn("numbers in (0, 2]", (x) => x > 0 && x <= 2)),
    )
    .option("--width <numbers>", "widths (default: 64)", listOfNumbers(integerIn(1, 2 ** 20)))
    .option("--seed <numbers>", "seeds (default: 1)", listOfNumbers(integerIn(0, 2 ** 32 - 1)))
    .option("--processes <number>", "runs at a time, an integer in [1, 256]", integerIn(1, 256), 1)
    .option("--index <number>", "do one run of the list only", integerIn(0, 2 ** 31 - 1))
    .option("--list", "print the list of runs, and do none")
    .option("--gather", "print the results of what is done, and do none")
    .option("--json", "print the results, or the list, as JSON and nothing else")
    .addHelpText("after", help)
    .action(async (config: string | undefined, flags: SweepFlags) => finish(await sweep(config, flags, io)));
}

async function sweep(config: string | undefined, flags: SweepFlags, io: Io): Promise<number> {
  await checkPlace("--out", io.directory, `${flags.out}/${sweepFile}`);
  const plan = await settle(config, flags, io);
  const jobs = sweepJobs(plan);
  if (flags.list) {
    io.stdout.write(listText(jobs, flags));
    return exitCodes.done;
  }
  if (flags.index !== undefined) {
    const job = jobs[flags.index];
    if (job === undefined)
      throw new UsageError(`--index: expected an integer in [0, ${jobs.length - 1}], got ${flags.index}`);
    const place = {
      folder: join(flags.out, job.name),
      corpora: flags.corpora,
      resume: true,
      json: flags.json ?? false,
    };
    return trainOne(io, job.run, place);
  }
  const failed = flags.gather ? [] : await runAll(jobs, flags, io);
  const results = await gatherSweep(resolve(io.directory, flags.out), plan);
  await writeWhole("--out", io.directory, join(flags.out, gatheredFile), `${JSON.stringify(results, null, 2)}\n`);
  io.stdout.write(flags.json ? `${JSON.stringify(results)}\n` : resultsText(results, "test"));
  if (failed.length > 0) io.stderr.write(`error: ${failed.length} runs ended early: ${failed.join(", ")}\n`);
  return results.missing.length === 0 ? exitCodes.done : exitCodes.failed;
}

/** The sweep of the folder, which the flags must agree with; or that of the flags, written into it. */
async function settle(config: string | undefined, flags: SweepFlags, io: Io): Promise<Sweep> {
  const before = await readSweep(resolve(io.directory, flags.out));
  const { attention, alpha, width, seed, ...rest } = flags;
  const axes = Object.fromEntries(Object.entries({ attention, alpha, width, seed }).filter(([, v]) => v !== undefined));
  const over = runOptions(rest);
  const silent =
    config === undefined &&
    Object.keys(axes).length === 0 &&
    Object.values(over).every((part) => Object.keys(part).length === 0);
  if (before !== undefined && silent) return before;
  const asked: Sweep = {
    grid: { attention: ["fna-euclidean", "dot-product"], alpha: [1.2, 2], width: [64], seed: [1], ...axes },
    base: await readConfig(io, config, over),
  };
  const jobs = sweepJobs(asked);
  if (before !== undefined) {
    // More seeds or widths may join a sweep; what is done must still be what is asked for.
    const names = new Map(jobs.map(({ name, run }) => [name, JSON.stringify(run)]));
    for (const { name, run } of sweepJobs(before)) {
      if (names.get(name) !== JSON.stringify(run)) {
        throw new UsageError(
          `--out: expected a folder of the same sweep, got ${flags.out}, whose run ${name} is not in this one`,
        );
      }
    }
  }
  await writeWhole("--out", io.directory, join(flags.out, sweepFile), `${JSON.stringify(asked, null, 2)}\n`);
  return asked;
}

/** Every run in a process of its own, some at a time; names of those that did not end well. */
async function runAll(jobs: readonly Job[], flags: SweepFlags, io: Io): Promise<string[]> {
  const failed: string[] = [];
  const progress = createProgress(io);
  let next = 0;
  let done = 0;
  let interrupted = false;
  const stopListening = io.onInterrupt(() => {
    // The runs get the signal too, and save; no new ones begin.
    interrupted = true;
  });
  const worker = async () => {
    while (next < jobs.length && !interrupted) {
      const index = next++;
      progress.update(done, jobs.length, jobs[index].name);
      const code = await io.runSelf([
        "sweep",
        "--out",
        resolve(io.directory, flags.out),
        "--corpora",
        resolve(io.directory, flags.corpora),
        "--index",
        String(index),
      ]);
      if (code !== 0) failed.push(jobs[index].name);
      done++;
    }
  };
  try {
    await Promise.all(Array.from({ length: flags.processes }, worker));
  } finally {
    stopListening();
    progress.stop();
  }
  return failed;
}

function listText(jobs: readonly Job[], { out, corpora, json }: SweepFlags): string {
  const lines = jobs.map(({ name }, index) => ({
    index,
    name,
    command: `fna sweep --out ${out} --corpora ${corpora} --index ${index}`,
  }));
  if (json) return `${JSON.stringify(lines)}\n`;
  const rows = lines.map(({ index, name, command }) => [String(index), name, command]);
  return `${renderTable(["index", "run", "command"], rows, [0])}\n\nas one array job of Slurm: sbatch --array=0-${jobs.length - 1} --wrap 'fna sweep --out ${out} --corpora ${corpora} --index $SLURM_ARRAY_TASK_ID'\n`;
}

function resultsText({ rows, missing }: SweepResults, part: CorpusPart): string {
  const cell = (value: Spread | undefined, digits: number) =>
    value === undefined
      ? ""
      : value.mean.toFixed(digits) + (value.deviation === undefined ? "" : ` ± ${value.deviation.toFixed(digits)}`);
  const cells = rows.map((row) => [
    String(row.width),
    row.attention,
    row.alpha === undefined ? "" : String(row.alpha),
    String(row.seeds.length),
    cell(row.accuracy, 4),
    cell(row.auc, 4),
    cell(row.loss, 4),
    String(row.parameterCount),
    row.trainingSeconds.toFixed(0),
  ]);
  const head = [
    "width",
    "attention",
    "alpha",
    "seeds",
    `${part} accuracy`,
    "ROC AUC",
    "loss",
    "parameters",
    "s per run",
  ];
  const table = renderTable(head, cells, [0, 2, 3, 4, 5, 6, 7, 8]);
  return `${table}\n${missing.length === 0 ? "" : `not done: ${missing.join(", ")}\n`}`;
}
