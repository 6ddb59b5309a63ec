/**
 * Attention maps in the terminal, side by side: queries from top to bottom, keys from left to right. With colours, each
 * character is two cells (an upper half block, its own colour and its background's); without, density characters, each
 * two cells high. Maps that do not fit are shrunk by averaging blocks of weights, all by the same factor.
 */

import { heatLevel, levelCount, type Rgb, ramp } from "../page/heat.js";
import type { ColorDepth } from "./io.js";

/** One matrix with its heading. */
export interface TerminalMap {
  readonly title: string;
  /** [N, N], rows sum to 1. */
  readonly weights: Float64Array;
}

/** Characters from empty to full, for terminals without colours. */
export const densities = " .:-=+*#%@";

const gap = 2;
const narrowest = 16;

/** The maps as lines of text no wider than `columns`. */
export function renderMaps(maps: readonly TerminalMap[], size: number, columns: number, depth: ColorDepth): string[] {
  const beside = Math.floor((columns - gap * (maps.length - 1)) / maps.length);
  if (beside < narrowest && maps.length > 1) {
    return maps.flatMap((map) => [...renderMaps([map], size, columns, depth), ""]);
  }
  const width = Math.max(1, Math.min(size, beside));
  const height = Math.ceil(width / 2);
  const cell = Math.max(...maps.map((map) => Math.min(map.title.length, beside)), width);
  const blocks = maps.map((map) => (depth === "none" ? densityLines : colorLines)(map.weights, size, width, depth));
  const lines = [maps.map((map) => toWidth(map.title, cell)).join(" ".repeat(gap))];
  for (let row = 0; row < height; row++) {
    const padding = " ".repeat(cell - width + gap);
    lines.push(blocks.map((block) => block[row]).join(padding));
  }
  return lines.map((line) => line.trimEnd());
}

/** What the colours or characters mean, in one line. */
export function renderLegend(depth: ColorDepth): string {
  const scale =
    depth === "none"
      ? `[${densities}]`
      : `${[...ramp("dark")].map((color) => `${paint(color, "48", depth)} `).join("")}\u001b[0m`;
  return `weight: 1/16 ${scale} 16 times the uniform 1/N (middle), logarithmic, the same for all maps`;
}

function toWidth(title: string, width: number): string {
  return title.length > width ? `${title.slice(0, width - 1)}…` : title.padEnd(width);
}

function densityLines(weights: Float64Array, size: number, width: number): string[] {
  return shrink(weights, size, Math.ceil(width / 2), width).map((row) =>
    row
      .map((weight) => {
        const level = heatLevel(weight, size);
        return level < 0 ? " " : densities[Math.floor((level * densities.length) / levelCount)];
      })
      .join(""),
  );
}

function colorLines(weights: Float64Array, size: number, width: number, depth: ColorDepth): string[] {
  const colors = ramp("dark");
  const color = (weight: number): Rgb => colors[Math.max(0, heatLevel(weight, size))];
  const cells = shrink(weights, size, width, width);
  const lines: string[] = [];
  for (let row = 0; row < width; row += 2) {
    const upper = cells[row];
    // The last line of an odd number of rows is half a line: below it is the terminal's own background.
    const lower: number[] | undefined = cells[row + 1];
    let line = "";
    let before = "";
    for (let column = 0; column < width; column++) {
      const below = lower === undefined ? "\u001b[49m" : paint(color(lower[column]), "48", depth);
      const code = `${paint(color(upper[column]), "38", depth)}${below}`;
      line += `${code === before ? "" : code}▀`;
      before = code;
    }
    lines.push(`${line}\u001b[0m`);
  }
  return lines;
}

/** Means over blocks; the blocks differ by at most one cell in size and cover the matrix once. */
function shrink(weights: Float64Array, size: number, rows: number, columns: number): number[][] {
  const edge = (index: number, count: number) => Math.floor((index * size) / count);
  return Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => {
      let sum = 0;
      for (let i = edge(r, rows); i < edge(r + 1, rows); i++) {
        for (let j = edge(c, columns); j < edge(c + 1, columns); j++) sum += weights[i * size + j];
      }
      return sum / ((edge(r + 1, rows) - edge(r, rows)) * (edge(c + 1, columns) - edge(c, columns)));
    }),
  );
}

function paint([r, g, b]: Rgb, plane: "38" | "48", depth: ColorDepth): string {
  if (depth === "truecolor") return `\u001b[${plane};2;${r};${g};${b}m`;
  const cube = (c: number) => (c < 48 ? 0 : c < 115 ? 1 : Math.floor((c - 35) / 40));
  return `\u001b[${plane};5;${16 + 36 * cube(r) + 6 * cube(g) + cube(b)}m`;
}
