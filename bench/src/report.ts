/** Tables in the terminal. */

import pc from "picocolors";
import type { Random } from "../../reference/random.js";
import { three, withInterval } from "../../src/bench/format.js";
import { sizeName } from "../../src/bench/problem.js";
import { median, medianEstimate, ratios } from "../../src/bench/statistics.js";
import { renderTable } from "../../src/cli/table.js";
import { type Bar, findRow, operations, sharesOf } from "./bars.js";
import type { Group, Row } from "./suite.js";

function taskName({ direction, mask }: Row): string {
  return mask === "full" ? direction : `${direction}, ${mask}`;
}

function rowCells(group: Group, row: Row, subject: string, random: Random): string[] {
  const task = taskName(row);
  const error = Number.isNaN(row.error) ? "NaN" : row.error.toExponential(1);
  if (row.failed !== undefined) return [row.contestant, task, "failed", "", "", "", error, "", pc.red(row.failed)];
  const own = findRow(group, subject, row.direction)?.samples ?? [];
  const relative = ratios(row.samples, own);
  const plain = row.direction === "forward" && row.mask === "full";
  const peak = row.contestant.endsWith("relaxed") ? group.peak.relaxed : group.peak.plain;
  const share = plain ? median(sharesOf(group, row, peak)) : Number.NaN;
  const milliseconds = median(row.samples);
  return [
    row.contestant,
    task,
    three(milliseconds),
    relative.length > 0 ? withInterval(medianEstimate(relative, random)) : "",
    plain ? three(operations(group) / milliseconds / 1e6) : "",
    Number.isNaN(share) ? "" : `${(100 * share).toFixed(0)} %`,
    error,
    String(row.samples.filter((x) => !Number.isNaN(x)).length),
    row.sameBits === undefined ? "" : row.sameBits ? "same bits" : "other bits",
  ];
}

/** The rows of one size and α. */
export function groupTable(group: Group, subject: string, random: Random): string {
  const { plain, relaxed } = group.peak;
  const peaks = [plain, relaxed].map((peak) => (peak.length > 0 ? three(median(peak)) : "none"));
  const heading = `(batch x heads, N, d) = ${sizeName(group.size)}, alpha = ${group.alpha}`;
  const processor = `${(100 * group.processorShare).toFixed(0)} % of a core`;
  const note = `this process had ${processor} while sampling; peak of the multiply-add loops then: plain ${peaks[0]}, relaxed ${peaks[1]} GFLOP/s`;
  const head = [
    "contestant",
    "task",
    "ms",
    `time / ${subject} (90 %)`,
    "GFLOP/s",
    "of peak",
    "error/allowed",
    "rounds",
    "",
  ];
  const rows = group.rows.map((row) => rowCells(group, row, subject, random));
  return `${pc.bold(heading)}\n${pc.dim(note)}\n${renderTable(head, rows, [2, 4, 5, 6, 7])}`;
}

function wanted({ atLeast, atMost, aim }: Bar): string {
  const parts = [];
  if (atLeast !== undefined) parts.push(`>= ${atLeast}`);
  if (atMost !== undefined) parts.push(`<= ${atMost}`);
  if (aim !== undefined) parts.push(`aim ${aim}`);
  return parts.join(", ");
}

/** What has to hold and what does. */
export function barsTable(bars: readonly Bar[]): string {
  const rows = bars.map((bar) => [
    bar.what,
    bar.where,
    withInterval(bar),
    wanted(bar),
    bar.met === undefined ? "" : bar.met ? pc.green("met") : pc.red("not met"),
    bar.needs === undefined ? "" : `needs ${(100 * bar.needs).toFixed(0)} % of peak`,
  ]);
  return `${pc.bold("Bars (alpha = 1.2)")}\n${renderTable(["what", "size", "measured (90 %)", "bar", "", ""], rows, [2])}`;
}
