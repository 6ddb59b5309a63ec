/** The result of `fna bench` as text for a terminal, and the result of an earlier run read again. */

import pc from "picocolors";
import { createRandom } from "../../reference/random.js";
import type { Comparison } from "../bench/compare.js";
import { three, withInterval } from "../bench/format.js";
import { type Machine, machineLine } from "../bench/machine.js";
import { sizeName } from "../bench/problem.js";
import type { BenchGroup, BenchRow } from "../bench/run.js";
import { median, medianEstimate, ratios } from "../bench/statistics.js";
import { UsageError } from "./errors.js";
import { readWhole } from "./files.js";
import { colorDepth, type Io } from "./io.js";
import { renderTable } from "./table.js";
import { readNumbers } from "./values.js";

/** What `fna bench --json` prints. */
export interface BenchReport {
  /** So that another JSON is not taken for one of these. */
  readonly format: "fna bench 1";
  readonly machine: Machine;
  readonly settings: { readonly rounds: number; readonly seed: number };
  /** Name of the multiply-add loop. */
  readonly loop: string;
  readonly groups: readonly BenchGroup[];
  /** Devices that took no part, and why. */
  readonly rejected: readonly { readonly device: string; readonly reason: string }[];
  /** With --against. */
  readonly comparison?: readonly Comparison[];
}

/** A process that has less of a core than this was waiting for it. */
const busy = 0.8;

/** The report as text. */
export function benchText(report: BenchReport, io: Io): string {
  const color = pc.createColors(colorDepth(io.stdout, io.env) !== "none");
  const lines = [machineLine(report.machine)];
  const adapters = new Map(report.groups.flatMap(({ rows }) => rows.map(({ label, adapter }) => [label, adapter])));
  for (const [label, adapter] of adapters) if (adapter !== undefined) lines.push(`${label}: ${adapter}`);
  for (const group of report.groups) lines.push("", ...groupLines(group, report.loop, color));
  for (const { device, reason } of report.rejected) lines.push(`${device} took no part: ${reason}`);
  if (report.comparison) lines.push("", ...comparisonLines(report.comparison, color));
  return `${lines.join("\n")}\n`;
}

type Colors = ReturnType<typeof pc.createColors>;

function groupLines(group: BenchGroup, loop: string, color: Colors): string[] {
  const { size, alpha, mask, peak, processorShare, rows } = group;
  const masks = { full: "", causal: ", causal", window: ", window of 64" };
  const lines = [
    color.bold(`(batch x heads, N, d) = ${sizeName(size)}, alpha = ${alpha}${masks[mask]}`),
    `${loop}: ${three(median(peak))} GFLOP/s on one thread; this process had ${three(100 * processorShare)} % of a core`,
  ];
  const first = rows[0].label;
  if (processorShare < busy && rows.every(({ adapter }) => adapter === undefined)) {
    lines.push("others had the machine: what is formed within a round still holds, milliseconds do not");
  }
  const head = [
    ...["device", "task", "p50 ms", "p99 ms", "calls", "Mpairs/s", "GFLOP/s", "of peak"],
    ...[`time / ${first} (90 %)`, "error/allowed"],
  ];
  const cells = rows.map((row) => rowCells(row, rows.find((other) => isRow(other, first, row)) ?? row));
  lines.push(renderTable(head, cells, [2, 3, 4, 5, 6, 7, 8, 9]));
  for (const { label, direction, failed } of rows) {
    if (failed !== undefined) lines.push(color.red(`${label} ${direction} was not timed: ${failed}`));
  }
  return lines;
}

function isRow(row: BenchRow, label: string, like: BenchRow): boolean {
  return row.label === label && row.direction === like.direction;
}

function rowCells(row: BenchRow, first: BenchRow): string[] {
  const error = Number.isNaN(row.error) ? "NaN" : row.error.toExponential(1);
  if (row.failed !== undefined) return [row.label, row.direction, "", "", "", "", "", "", "", error];
  const relative = ratios(row.samples, first.samples);
  return [
    row.label,
    row.direction,
    three(row.p50),
    three(row.p99),
    String(row.calls),
    three(row.pairsPerSecond / 1e6),
    three(row.gflops),
    row.share === undefined ? "" : `${(100 * row.share).toFixed(0)} %`,
    relative.length === 0 ? "" : withInterval(medianEstimate(relative, createRandom(1))),
    error,
  ];
}

function comparisonLines(comparison: readonly Comparison[], color: Colors): string[] {
  const words = { slower: color.red("SLOWER"), faster: color.green("faster"), same: "same" };
  const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
  const rows = comparison.map((row) => [row.what, withInterval(row), percent(row.noise), words[row.verdict]]);
  const slower = comparison.filter(({ verdict }) => verdict === "slower").length;
  const noise = Math.max(...comparison.map((row) => row.noise));
  return [
    renderTable(["against the earlier run", "now / then (90 %)", "noise", "verdict"], rows, [1, 2]),
    slower === 0 ? "nothing is slower" : `${slower} of ${rows.length} rows are slower beyond the noise of the two runs`,
    ...(noise > 0.2
      ? [`changes of up to ${percent(noise)} are hidden by noise: try an idle machine or more --rounds`]
      : []),
  ];
}

/**
 * Reads what `fna bench --json` or `--out` wrote.
 * @throws UsageError when it is not that, or of another processor
 */
export async function readReport(io: Io, path: string, machine: Machine): Promise<BenchReport> {
  const bytes = await readWhole("--against", io.directory, path, 2 ** 28);
  let report: BenchReport;
  try {
    report = JSON.parse(new TextDecoder().decode(bytes), readNumbers);
    if (report.format !== "fna bench 1" || !report.groups.every(isGroup)) throw new Error();
  } catch {
    throw new UsageError(`--against: expected what "fna bench --json" prints, got "${path}"`);
  }
  const { cpu, cores } = report.machine;
  if (cpu !== machine.cpu || cores !== machine.cores) {
    const here = `${machine.cpu}, ${machine.cores} cores`;
    throw new UsageError(`--against: expected a run on this machine (${here}), got "${path}" (${cpu}, ${cores} cores)`);
  }
  return report;
}

function isGroup({ size, alpha, mask, peak, rows }: BenchGroup): boolean {
  const numbers = (values: readonly unknown[]) => values.every((value) => typeof value === "number");
  const rowsRight = rows.every(
    ({ label, direction, samples }) => `${label}${direction}`.length > 0 && numbers(samples),
  );
  return numbers([alpha, size.slices, size.length, size.dim, ...peak]) && typeof mask === "string" && rowsRight;
}
