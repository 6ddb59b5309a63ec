/** Tables in the terminal: a ruled heading, columns two spaces apart, no colour of their own. */

import Table from "cli-table3";

const none = Object.fromEntries(
  ["top", "bottom", "left", "right"].flatMap((side) =>
    [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((k) => [k, ""]),
  ),
);

/** Columns that hold numbers are set to the right. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numeric: readonly number[] = [],
): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (numeric.includes(column) ? "right" : "left")),
    chars: { ...none, mid: "", "mid-mid": "", "left-mid": "", "right-mid": "", middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}
