/** `fna verify`: every backend against the golden vectors and a seeded random battery, or a file against the reference. */

import { resolve } from "node:path";
import type { Command } from "commander";
import pc from "picocolors";
import { marginText, scientific } from "../../page/format.js";
import type { DeviceName } from "../../types.js";
import { runVerify, type VerifyResult, verifyDevices, verifyGroups } from "../../verify/index.js";
import { caseOptionNames, inputDtypes } from "../../verify/write-cases.js";
import { deviceError, exitCodes, UsageError } from "../errors.js";
import { checkPlace, writeWhole } from "../files.js";
import { colorDepth, type Io } from "../io.js";
import { createProgress } from "../progress.js";
import { renderTable } from "../table.js";
import { integerIn, listOf, oneOf, plainNumbers } from "../values.js";
import { verifyFile, type WriteFlags, writeFile } from "./verify-file.js";

interface VerifyFlags extends WriteFlags {
  device?: readonly DeviceName[];
  group?: readonly string[];
  json?: boolean;
  golden?: string;
  threads?: number;
  out?: string;
  write?: string;
}

/** Flags that go with a file to judge, and with one to write. */
const fileFlags = ["json", "out"];
const writeFlags = ["write", "cases", "seed", "dtype", "options"];

const help = `
Each row is one backend and one group of cases: the check that came nearest to its bound, and how near (margin =
bound/error; below 1 fails). Random cases are drawn from the seed of the row, which brings them back.
Exit code 0 when every check passed, 1 when one failed, 2 on wrong usage and for a backend that cannot run here.

With a file, its results are judged instead: q, k, v and what a program of yours has found for them (output, and any of
logSumExp, weights, dq, dk, dv, dAlpha, dKappa), under bounds for the number types that it has. --write makes files to
start from: random and hard cases with the right answers in float64. docs/verify-file.md of the repository has the format.

Examples:
  fna verify
  fna verify --group kernel --group attention_euclidean
  fna verify --seed 7 --cases 500 --json
  fna verify --write cases.safetensors --cases 60 --dtype F16 --options alpha,causal,keyLengths
  fna verify results.safetensors`;

export function addVerify(program: Command, io: Io, finish: (code: number) => void): void {
  program
    .command("verify")
    .description("check every backend against golden vectors and the float64 reference, or the results in a file")
    .argument("[file]", "safetensors file with the results of another program, to be judged by the reference")
    .option(
      "--device <name>",
      "backend to check; repeat for several (default: all that run here, webgpu only on a real GPU)",
      listOf(verifyDevices),
    )
    .option("--group <name>", "group of cases; repeat for several (default: all)", listOf(verifyGroups))
    .option("--seed <number>", "seed of the random cases, an integer in [0, 4294967295]", integerIn(0, 2 ** 32 - 1))
    .option(
      "--cases <number>",
      "random problems per kind of input, or in the file that is written, an integer in [1, 100000]",
      integerIn(1, 100_000),
    )
    .option("--threads <number>", "threads of the wasm backend, an integer in [1, 256]", integerIn(1, 256))
    .option("--golden <folder>", "folder of the golden vectors (default: fixtures/golden of the repository)")
    .option("--out <file>", "also write the result as JSON to this file")
    .option("--json", "print the result as JSON and nothing else")
    .option("--write <file>", "write random cases with the right answers to this file")
    .option("--dtype <type>", "type of the inputs that are written (default: F32)", oneOf(inputDtypes))
    .option("--options <names>", "attention options that the cases may use (default: all)", listOf(caseOptionNames))
    .addHelpText("after", help)
    .action(async (file: string | undefined, flags: VerifyFlags) => finish(await choose(file, flags, io)));
}

/** One of the three things that the command does; a flag that belongs to another is a mistake. */
async function choose(file: string | undefined, flags: VerifyFlags, io: Io): Promise<number> {
  const given = Object.keys(flags);
  if (file !== undefined) {
    const odd = given.find((name) => !fileFlags.includes(name));
    if (odd) throw new UsageError(`--${odd}: expected without a file to judge, got "${file}" as well`);
    return verifyFile(io, file, flags);
  }
  if (flags.write !== undefined) {
    const odd = given.find((name) => !writeFlags.includes(name));
    if (odd) throw new UsageError(`--${odd}: expected without --write`);
    return writeFile(io, flags.write, flags);
  }
  const odd = (["dtype", "options"] as const).find((name) => flags[name] !== undefined);
  if (odd) throw new UsageError(`--${odd}: expected with --write FILE only`);
  return verify(flags, io);
}

async function verify(flags: VerifyFlags, io: Io): Promise<number> {
  if (flags.out !== undefined) await checkPlace("--out", io.directory, flags.out);
  const progress = createProgress(io);
  let result: VerifyResult;
  try {
    result = await runVerify(
      {
        ...(flags.device && { devices: flags.device }),
        ...(flags.group && { groups: flags.group }),
        ...(flags.seed !== undefined && { seed: flags.seed }),
        ...(flags.cases !== undefined && { cases: flags.cases }),
        ...(flags.threads !== undefined && { threads: flags.threads }),
        ...(flags.golden !== undefined && { golden: resolve(io.directory, flags.golden) }),
      },
      progress.update,
    );
  } catch (error) {
    if (!isFileError(error)) throw deviceError(error);
    const folder = flags.golden ?? "the repository's, which an installed package does not have";
    throw new UsageError(`--golden: expected a folder with the golden vectors, got ${folder} (${error.message})`);
  } finally {
    progress.stop();
  }
  const json = `${JSON.stringify(result, plainNumbers, 2)}\n`;
  if (flags.out !== undefined) await writeWhole("--out", io.directory, flags.out, json);
  io.stdout.write(flags.json ? json : `${verifyText(result, io)}\n`);
  return result.passed ? exitCodes.done : exitCodes.failed;
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).path === "string";
}

/** The result as text for a terminal. */
export function verifyText(result: VerifyResult, io: Io): string {
  const color = pc.createColors(colorDepth(io.stdout, io.env) !== "none");
  const rows = result.rows.map((row) => [
    row.device,
    row.group,
    String(row.cases),
    String(row.checks),
    scientific(row.error),
    scientific(row.bound),
    marginText(row.margin),
    row.seed === undefined ? "" : String(row.seed),
    row.passed ? color.green("passed") : color.red("FAILED"),
  ]);
  const head = ["backend", "group", "cases", "checks", "error", "bound", "margin", "seed", "result"];
  const failed = result.rows.filter((row) => !row.passed);
  const lines = [renderTable(head, rows, [2, 3, 4, 5, 6, 7])];
  for (const row of result.rows) if (row.note) lines.push(`${row.device} ${row.group}: ${row.note}`);
  for (const { device, reason } of result.rejected) lines.push(`${device} was not checked: ${reason}`);
  if (result.omitted.length > 0) {
    const groups = result.omitted.join(", ");
    lines.push(`not checked, for want of the golden vectors of the repository (--golden FOLDER): ${groups}`);
  }
  for (const row of failed) lines.push(color.red(`${row.device} ${row.group} failed at ${row.worst}`));
  const checks = result.rows.reduce((sum, row) => sum + row.checks, 0);
  lines.push(failed.length === 0 ? `all ${checks} checks passed` : `${failed.length} of ${rows.length} rows failed`);
  return lines.join("\n");
}
