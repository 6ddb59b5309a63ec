/** `fna verify FILE`: results in a file against the reference; `fna verify --write FILE`: such files with the answers. */

import { basename } from "node:path";
import pc from "picocolors";
import { parseSafetensors } from "../../files/safetensors.js";
import { marginText, scientific } from "../../page/format.js";
import { marginOf } from "../../verify/check.js";
import { readCases, resultNames } from "../../verify/file-cases.js";
import { type FileCheck, judgeCase } from "../../verify/judge-file.js";
import { type CaseOption, caseOptionNames, type inputDtypes, writeCases } from "../../verify/write-cases.js";
import { exitCodes } from "../errors.js";
import { checkPlace, readWhole, writeWhole } from "../files.js";
import { colorDepth, type Io } from "../io.js";
import { createProgress } from "../progress.js";
import { renderTable } from "../table.js";
import { plainNumbers } from "../values.js";

/** Bytes of a file that are read: Node reads no more at once. */
const mostBytes = 2 ** 31 - 1;

/** Failed checks that are listed; `--json` has all. */
const mostListed = 12;

/** Judges a file and prints the table; the exit code. */
export async function verifyFile(io: Io, path: string, flags: { json?: boolean; out?: string }): Promise<number> {
  if (flags.out !== undefined) await checkPlace("--out", io.directory, flags.out);
  const file = basename(path);
  const cases = readCases(parseSafetensors(await readWhole("file", io.directory, path, mostBytes), file), file);
  const progress = createProgress(io);
  const checks: FileCheck[] = [];
  try {
    for (const [done, one] of cases.entries()) {
      progress.update(done, cases.length, one.name || file);
      // Lets the bar draw between cases.
      await new Promise((resolve) => setTimeout(resolve, 0));
      checks.push(...judgeCase(one, file));
    }
  } finally {
    progress.stop();
  }
  const passed = checks.every((check) => check.passed);
  const listed = checks.map((check) => ({ ...check, margin: marginOf(check) }));
  const computed = cases.map(({ name, compute, inputDtype }) => ({ name, compute, inputDtype }));
  const json = `${JSON.stringify({ file: path, cases: computed, checks: listed, passed }, plainNumbers, 2)}\n`;
  if (flags.out !== undefined) await writeWhole("--out", io.directory, flags.out, json);
  const precisions = [...new Set(cases.map(({ compute, inputDtype }) => `${compute} from ${inputDtype} inputs`))];
  io.stdout.write(flags.json ? json : `${describe(checks, precisions, cases.length, io)}\n`);
  return passed ? exitCodes.done : exitCodes.failed;
}

/** The check of each tensor that came nearest to its bound, and what is to be said besides. */
function describe(checks: readonly FileCheck[], precisions: readonly string[], cases: number, io: Io): string {
  const color = pc.createColors(colorDepth(io.stdout, io.env) !== "none");
  const worst = resultNames.flatMap((name) => {
    const own = checks.filter(({ tensor }) => tensor === name);
    return own.length === 0 ? [] : [own.reduce((least, check) => (marginOf(check) < marginOf(least) ? check : least))];
  });
  const rows = worst.map((check) => [
    check.tensor,
    check.dtype,
    scientific(check.error),
    scientific(check.bound),
    marginText(marginOf(check)),
    ...(check.error === 0 ? ["", "", ""] : [placeOf(check), tenDigits(check.found), tenDigits(check.expected)]),
    checks.every(({ tensor, passed }) => tensor !== check.tensor || passed)
      ? color.green("passed")
      : color.red("FAILED"),
  ]);
  const head = ["tensor", "type", "error", "bound", "margin", "worst at", "found", "expected", "result"];
  const lines = [renderTable(head, rows, [2, 3, 4, 6, 7])];
  const failed = checks.filter(({ passed }) => !passed);
  for (const check of failed.slice(0, mostListed)) {
    const { error, bound, found, expected } = check;
    const numbers = `error ${scientific(error)}, bound ${scientific(bound)}, found ${found}, expected ${expected}`;
    lines.push(color.red(`failed: ${placeOf(check)}: ${numbers}`));
  }
  if (failed.length > mostListed) lines.push(`and ${failed.length - mostListed} more, which --json lists`);
  const empty = checks.filter((check) => check.empty && check.passed);
  if (empty.length > 0) {
    lines.push(`${empty.length} of them show nothing: the bound is as large as the numbers (${placeOf(empty[0])})`);
  }
  lines.push(`bounds for ${precisions.join(", ")}`);
  const count = cases === 1 ? "" : ` in ${cases} cases`;
  lines.push(
    failed.length === 0
      ? `all ${checks.length} checks${count} passed`
      : `${failed.length} of ${checks.length} checks${count} failed`,
  );
  return lines.join("\n");
}

function tenDigits(x: number): string {
  return String(Number(x.toPrecision(10)));
}

/** "far-1/output[0, 1, 17, 3]" */
function placeOf({ case: name, tensor, position }: FileCheck): string {
  return `${name === "" ? "" : `${name}/`}${tensor}[${position.join(", ")}]`;
}

/** What `fna verify --write` takes. */
export interface WriteFlags {
  cases?: number;
  seed?: number;
  dtype?: (typeof inputDtypes)[number];
  options?: readonly CaseOption[];
}

/** Writes a file of cases; the exit code. */
export async function writeFile(io: Io, path: string, flags: WriteFlags): Promise<number> {
  await checkPlace("--write", io.directory, path);
  const { cases = 12, seed = 1, dtype = "F32", options = caseOptionNames } = flags;
  const progress = createProgress(io);
  let bytes: Uint8Array;
  try {
    bytes = await writeCases({ cases, seed, dtype, options }, (done) =>
      progress.update(done, cases, `case ${done + 1}`),
    );
  } finally {
    progress.stop();
  }
  const written = await writeWhole("--write", io.directory, path, bytes);
  io.stdout.write(`wrote ${written}: ${cases} cases of ${dtype} inputs, seed ${seed}\n`);
  return exitCodes.done;
}
