/**
 * The charts of the page: inline SVG in the page's own colours, with a name for those who cannot see it. Series differ by
 * shape as well as by colour.
 */

import * as Plot from "@observablehq/plot";
import { parseJSON } from "linkedom";
import { html, Markup } from "./html.js";

// Drawn small and shown larger where there is room, so that text stays readable on a telephone.
const width = 420;
const margins = { marginLeft: 56, marginRight: 24, marginTop: 28, marginBottom: 42 };

/** One series: its name, colour variable, and the shape of its points. */
export interface Series {
  readonly name: string;
  readonly color: string;
  readonly symbol: "square" | "circle" | "triangle" | "diamond";
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** The colours and shapes of the series, in order. */
export const seriesStyles = [
  { color: "var(--s1)", symbol: "square" },
  { color: "var(--s2)", symbol: "circle" },
  { color: "var(--s3)", symbol: "triangle" },
  { color: "var(--s4)", symbol: "diamond" },
] as const;

/** A chart of series over x, with its legend. */
export interface ChartOptions {
  /** What the chart shows, for those who cannot see it. */
  readonly label: string;
  readonly series: readonly Series[];
  readonly x: Plot.ScaleOptions;
  readonly y: Plot.ScaleOptions;
  /** Join the points of a series. */
  readonly lines?: boolean;
  /** Lines across at the ticks of y. Default true. */
  readonly grid?: boolean;
  /** Radius of a point. Default 3. */
  readonly radius?: number;
}

export function chart({ label, series, x, y, lines = false, grid = true, radius = 3 }: ChartOptions): Markup {
  const marks = series.flatMap(({ name, color, symbol, points }) => {
    const data = points.map(([px, py]) => ({ px, py, title: `${name}: ${number(px)}, ${number(py)}` }));
    const dots = Plot.dot(data, { x: "px", y: "py", symbol, stroke: color, fill: color, r: radius, title: "title" });
    return lines ? [Plot.lineY(data, { x: "px", y: "py", stroke: color, strokeWidth: 1.5 }), dots] : [dots];
  });
  const svg = render({
    label,
    height: 290,
    x,
    y,
    marks: grid ? [Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1 }), ...marks] : marks,
  });
  return html`${legend(series)}<div class="chart">${svg}</div>`;
}

/** A path in the plane, at one scale in both directions, beginning at a ring and ending at a dot. */
export function planePath(label: string, points: readonly (readonly [number, number])[], color: string): Markup {
  const [xs, ys] = [0, 1].map((c) => points.map((point) => point[c]));
  const middle = (values: number[]) => (Math.min(...values) + Math.max(...values)) / 2;
  const span = (values: number[]) => Math.max(...values) - Math.min(...values);
  const half = Math.max(span(xs), span(ys), Number.MIN_VALUE) * 0.54;
  const domain = (values: number[]) => [middle(values) - half, middle(values) + half];
  const side = 300;
  const scale = { ticks: 4, tickFormat: "~s", label: null, inset: 0 };
  return render({
    label,
    width: side,
    height: side,
    fontSize: 10,
    margins: { marginLeft: 40, marginRight: 10, marginTop: 10, marginBottom: 30 },
    x: { ...scale, domain: domain(xs) },
    y: { ...scale, domain: domain(ys) },
    marks: [
      Plot.frame({ stroke: "var(--line)" }),
      Plot.line(points, { stroke: color, strokeWidth: 0.8, strokeLinejoin: "round" }),
      Plot.dot(points.slice(0, 1), { stroke: "var(--ink)", r: 4 }),
      Plot.dot(points.slice(-1), { fill: "var(--ink)", r: 3 }),
    ],
  });
}

function legend(series: readonly Series[]): Markup {
  const shapes = {
    square: html`<rect x="2" y="2" width="8" height="8"/>`,
    circle: html`<circle cx="6" cy="6" r="4.5"/>`,
    triangle: html`<path d="M6 1L11 10.5H1z"/>`,
    diamond: html`<path d="M6 .5L10 6L6 11.5L2 6z"/>`,
  };
  return html`<ul class="legend">${series.map(
    ({ name, color, symbol }) =>
      html`<li><svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true" aria-label="${symbol}" style="fill:${color}">${shapes[symbol]}</svg>${name}</li>`,
  )}</ul>`;
}

interface RenderOptions {
  label: string;
  width?: number;
  height: number;
  margins?: typeof margins;
  fontSize?: number;
  x: Plot.ScaleOptions;
  y: Plot.ScaleOptions;
  marks: Plot.Markish[];
}

function render(options: RenderOptions): Markup {
  // An empty page, in node types: the bundle has no parser of HTML.
  const document = parseJSON([9, 1, "html", 1, "body"]);
  const svg = Plot.plot({
    document: document as unknown as Document,
    className: "plot",
    ariaLabel: options.label,
    width: options.width ?? width,
    height: options.height,
    ...(options.margins ?? margins),
    style: { fontSize: `${options.fontSize ?? 13}px` },
    x: options.x,
    y: options.y,
    marks: options.marks,
  });
  svg.setAttribute("role", "img");
  return new Markup(svg.outerHTML);
}

function number(value: number): string {
  return String(Number(value.toPrecision(4)));
}
