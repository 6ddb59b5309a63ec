/**
 * What the figures of attention matrices and of times show, without a document to draw them into: the report and the
 * playground draw the same ones.
 */

import type { ComparedAttention } from "../text/compare.js";
import { type ChartOptions, type Series, seriesStyles } from "./charts.js";
import { hopsText, percent, scientific, titleOf } from "./format.js";
import { levelCount } from "./heat.js";
import { html, type Markup } from "./html.js";
import type { DeviceTimings } from "./timing-study.js";

/** What is known about one matrix, and how far it is from the reference where that was asked. */
export interface MeasuredAttention extends Omit<ComparedAttention, "weights"> {
  readonly error?: number | undefined;
}

/** The colour scale of the maps. */
export function heatLegend(): Markup {
  const boxes = Array.from(
    { length: levelCount },
    (_, level) => html`<rect class="box h${level}" x="${level * 12}" width="12" height="12"/>`,
  );
  const middle = (levelCount * 12) / 2;
  return html`<svg class="map" viewBox="-16 -1 ${levelCount * 12 + 32} 30" width="284" role="img" aria-label="Colour scale: from one sixteenth of the uniform weight to sixteen times the uniform weight">${boxes}<rect class="frame" width="${
    levelCount * 12
  }" height="12"/><g font-size="10" text-anchor="middle"><text x="6" y="25">1/16</text><text x="${middle}" y="25">uniform</text><text x="${
    levelCount * 12 - 6
  }" y="25">16 ×</text></g></svg>`;
}

/** Gaps, hops, links and reach, one row a matrix; with a column of errors where some are known. */
export function numbersTable(attentions: readonly MeasuredAttention[]): Markup {
  const hasErrors = attentions.some((a) => a.error !== undefined);
  const rows = attentions.map(
    (a) =>
      html`<tr><th scope="row">${titleOf(a)}</th>${[
        a.gap.byRealPart.toFixed(4),
        a.gap.byModulus.toFixed(4),
        hopsText(a.hops),
        a.hops.max,
        a.effectiveLinks.toFixed(1),
        a.reach.toFixed(1),
        ...(hasErrors ? [a.error === undefined ? "" : scientific(a.error)] : []),
      ].map((value) => html`<td class="n">${value}</td>`)}</tr>
`,
  );
  const head = ["gap (real part)", "gap (modulus)", "mean hops", "most hops", "effective links", "reach"];
  const heads = [...head, ...(hasErrors ? ["error"] : [])].map((name) => html`<th scope="col" class="n">${name}</th>`);
  return html`<table>
<thead><tr><th scope="col">attention</th>${heads}</tr></thead>
<tbody>${rows}</tbody></table>`;
}

const rankTicks = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/** Eigenvalues against their rank, for N tokens. */
export function eigenvalueChart(attentions: readonly MeasuredAttention[], size: number): ChartOptions {
  return {
    label: "Eigenvalues of the three attention matrices against their rank",
    series: attentions.map((a, s) => ({
      name: titleOf(a),
      ...seriesStyles[s],
      points: Array.from(a.eigenvalues, (value, rank) => [rank + 1, value] as const),
    })),
    x: { label: "rank →", type: "log", ticks: rankTicks.filter((t) => t <= size), tickFormat: "d" },
    y: { label: "↑ eigenvalue" },
    radius: 2.2,
  };
}

/** Hops beyond this are counted together. */
const mostHops = 8;

/** The share of pairs of tokens by the hops between them, as bars. */
export function hopBars(attentions: readonly MeasuredAttention[], size: number): ChartOptions {
  const pairs = size * (size - 1);
  const longest = Math.min(mostHops, Math.max(1, ...attentions.map((a) => a.hops.max)));
  const hops = Array.from({ length: longest }, (_, h) => h + 1);
  const series: Series[] = attentions.map((a, s) => ({
    name: titleOf(a),
    color: seriesStyles[s].color,
    symbol: "square",
    points: hops.map((h) => [h, share(a, h, h === mostHops) / pairs] as const),
  }));
  const words = series.map(
    ({ name, points }) => `${name}: ${points.map(([h, y]) => `${percent(y)} at ${h}`).join(", ")}`,
  );
  return {
    label: `Share of the pairs of tokens by the number of hops between them, for the three attention matrices: ${words.join("; ")}`,
    series,
    x: {
      label: "hops →",
      domain: [0.5, longest + 0.5],
      ticks: hops,
      tickFormat: (h: number) => (h === mostHops ? `${h}+` : String(h)),
    },
    y: { label: "↑ share of pairs", tickFormat: "~%", domain: [0, 1], ticks: 5 },
  };
}

function share({ hops: { counts } }: MeasuredAttention, hops: number, andMore: boolean): number {
  if (!andMore) return counts[hops] ?? 0;
  return counts.slice(hops).reduce((sum, count) => sum + count, 0);
}

/** Milliseconds of the devices over N, both logarithmic. */
export function timingChart(devices: readonly DeviceTimings[]): ChartOptions {
  return {
    label: `Milliseconds of one forward call against the number of tokens, both on logarithmic scales, for ${devices
      .map(({ name }) => name)
      .join(", ")}`,
    series: devices.map(({ name, points }, s) => ({
      name,
      ...seriesStyles[s % seriesStyles.length],
      points: points.map((p) => [p.size, p.milliseconds] as const),
      spread: points.map((p) => p.quartiles),
    })),
    lines: true,
    // Plot labels only some of the ticks of a logarithmic scale: those near powers of its base.
    x: { label: "tokens N →", type: "log", base: 2, ticks: timedSizes(devices), tickFormat: String },
    y: { label: "↑ milliseconds", type: "log", ticks: powersOfTen(devices), tickFormat: String },
  };
}

/** Every N at which some device was timed, ascending. */
export function timedSizes(devices: readonly DeviceTimings[]): number[] {
  return [...new Set(devices.flatMap(({ points }) => points.map((p) => p.size)))].sort((a, b) => a - b);
}

/** The errors of the devices at the N where they come nearest to their bounds. */
export function errorsTable(devices: readonly DeviceTimings[]): Markup {
  const rows = devices.map(({ name, points, passed, failure }) => {
    const nearest = failure ?? [...points].sort((a, b) => b.error / b.bound - a.error / a.bound)[0];
    const cells = nearest ? [nearest.size, scientific(nearest.error), scientific(nearest.bound)] : ["", "", ""];
    return html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td class="n">${cell}</td>`)}<td>${
      passed ? "passed" : html`<span class="bad">FAILED</span>`
    }</td></tr>
`;
  });
  return html`<table>
<thead><tr><th scope="col">device</th><th scope="col" class="n">N</th><th scope="col" class="n">error</th><th scope="col" class="n">bound</th><th scope="col">result</th></tr></thead>
<tbody>${rows}</tbody></table>`;
}

/** The powers of ten between the least and the largest time, and one at least. */
function powersOfTen(devices: readonly DeviceTimings[]): number[] {
  const times = devices.flatMap(({ points }) => points.flatMap((p) => [...p.quartiles]));
  const [least, largest] = [Math.min(...times), Math.max(...times)];
  const powers = Array.from({ length: 12 }, (_, p) => Number(`1e${p - 5}`));
  const inside = powers.filter((power) => power >= least && power <= largest);
  return inside.length > 0 ? inside : powers.filter((power) => power >= least).slice(0, 1);
}
