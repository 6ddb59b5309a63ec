/** `fna report`: attention on a text, verification, and times of the devices, in the terminal and as one HTML page. */

import { resolve } from "node:path";
import type { Command } from "commander";
import type { Timings } from "../../page/evidence-sections.js";
import { timedSizes } from "../../page/figures.js";
import { milliseconds } from "../../page/format.js";
import { runVerify, type VerifyResult } from "../../verify/index.js";
import { attendResult, attendText } from "../attend-output.js";
import { exitCodes } from "../errors.js";
import { checkPlace } from "../files.js";
import { readVerification } from "../input.js";
import type { Io } from "../io.js";
import { writePage } from "../page.js";
import { createProgress, type Progress } from "../progress.js";
import { renderTable } from "../table.js";
import {
  addTextOptions,
  computeAttentions,
  linksHelp,
  pagePath,
  prepareText,
  type TextFlags,
  textHelp,
} from "../text-options.js";
import { timeDevices } from "../time-devices.js";
import { integerIn, plainNumbers } from "../values.js";
import { verifyText } from "./verify.js";

interface ReportFlags extends TextFlags {
  out: string;
  verification?: string;
  golden?: string;
  verify: boolean;
  times: boolean;
}

const help = `${textHelp}
Verification: as fna verify with its defaults. Times: one forward call of one head over N, a few seconds in all, every device
  checked against the float64 reference at each N before it is timed; webgpu only on a real GPU, or with --device webgpu.
The page needs no network. Exit code 1 when a check failed; the page is written all the same, because it says which.

Examples:
  fna report --text story.txt
  fna report --text story.txt --alpha 1.5 --out story.html --no-times
  fna verify --out checks.json && fna report "a rose is a rose" --verification checks.json`;

export function addReport(program: Command, io: Io, finish: (code: number) => void): void {
  addTextOptions(
    program
      .command("report")
      .description("attention on a text, verification and times of the devices, as one HTML page to look at"),
    "spelling",
  )
    .option("--links <number>", linksHelp, integerIn(0, 20), 0)
    .option("--out <path>", "write the page to this .html file, or as report.html into this directory", "report.html")
    .option("--svg", "write each map as an SVG file beside the page, with every token named")
    .option("--verification <file>", 'take this result of "fna verify --out FILE" in place of verifying')
    .option("--golden <folder>", "folder of the golden vectors (default: fixtures/golden of the repository)")
    .option("--no-verify", "do not verify")
    .option("--no-times", "do not time the devices")
    .option("--json", "print the result as JSON and nothing else")
    .addHelpText("after", help)
    .action(async (words: string[], flags: ReportFlags) => finish(await report(words, flags, io)));
}

async function report(words: readonly string[], flags: ReportFlags, io: Io): Promise<number> {
  const page = pagePath(flags.out);
  await checkPlace("--out", io.directory, page);
  const prepared = await prepareText(io, words, flags);
  const given = flags.verification === undefined ? undefined : await readVerification(io, flags.verification);
  const progress = createProgress(io);
  try {
    const { device, attentions } = await computeAttentions(prepared, progress);
    // Times come before the verification, which leaves garbage behind.
    const timings = flags.times ? await timeDevices(flags.device, progress) : undefined;
    const verification = given ?? (flags.verify ? await verify(flags, io, progress) : undefined);
    const content = { ...prepared, device, attentions, timings, verification };
    const files = await writePage(io, page, content, progress);
    progress.stop();
    const result = { ...content, files };
    io.stdout.write(
      flags.json
        ? `${JSON.stringify({ ...attendResult(result), timings, verification }, plainNumbers)}\n`
        : [timings && timingsText(timings), verification && `${verifyText(verification, io)}\n`, attendText(result, io)]
            .filter((part) => part !== undefined)
            .join("\n"),
    );
    const passed = (verification?.passed ?? true) && (timings?.devices.every((d) => d.passed) ?? true);
    return passed ? exitCodes.done : exitCodes.failed;
  } finally {
    progress.stop();
  }
}

function verify({ golden }: ReportFlags, io: Io, progress: Progress): Promise<VerifyResult> {
  return runVerify(golden === undefined ? {} : { golden: resolve(io.directory, golden) }, progress.update);
}

function timingsText({ devices, rejected }: Timings): string {
  const sizes = timedSizes(devices);
  const rows = devices.map(({ name, points, passed }) => [
    name,
    ...sizes.map((size) => {
      const point = points.find((p) => p.size === size);
      return point === undefined ? "" : milliseconds(point.milliseconds);
    }),
    passed ? "passed" : "FAILED",
  ]);
  const head = ["forward, ms", ...sizes.map((size) => `N=${size}`), "accuracy"];
  const table = renderTable(
    head,
    rows,
    sizes.map((_, s) => s + 1),
  );
  return `${[table, ...rejected.map(({ device, reason }) => `${device} was not timed: ${reason}`)].join("\n")}\n`;
}
