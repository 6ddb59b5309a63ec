/**
 * The charts of the report and of the playground as SVG elements in the page's own colours, drawn by Observable Plot into
 * whatever document they are given, each with a name for those who cannot see it. Series differ by shape as well as by
 * colour; what a point is, its title says.
 */

import * as Plot from "@observablehq/plot";
import { levelCount } from "./heat.js";
import { html, type Markup } from "./html.js";
import { placeLabels } from "./labels.js";

// Drawn small and shown larger where there is room, so that text stays readable on a telephone.
const width = 420;
const margins = { marginLeft: 56, marginRight: 24, marginTop: 28, marginBottom: 42 };

/** How a series is drawn. */
export interface SeriesStyle {
  readonly color: string;
  readonly symbol: "square" | "circle" | "triangle" | "diamond";
}

/** One series: its name, its style, and its points. */
export interface Series extends SeriesStyle {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** For each point, the ends of a line through it along y: where most measurements lay. */
  readonly spread?: readonly (readonly [low: number, high: number])[];
}

/** The colours and shapes of the series, in order. */
export const seriesStyles = [
  { color: "var(--s1)", symbol: "square" },
  { color: "var(--s2)", symbol: "circle" },
  { color: "var(--s3)", symbol: "triangle" },
  { color: "var(--s4)", symbol: "diamond" },
] as const satisfies readonly SeriesStyle[];

/** A chart of series over x. */
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

export function chart(document: Document, options: ChartOptions): Element {
  const { label, series, x, y, lines = false, grid = true, radius = 3 } = options;
  const marks = series.flatMap(({ name, color, symbol, points, spread }) => {
    const data = points.map(([px, py], p) => {
      const title = `${name}: ${number(px)}, ${number(py)}`;
      return { px, py, title, low: spread?.[p][0], high: spread?.[p][1] };
    });
    return [
      lines ? Plot.lineY(data, { x: "px", y: "py", stroke: color, strokeWidth: 1.5 }) : null,
      spread ? Plot.ruleX(data, { x: "px", y1: "low", y2: "high", stroke: color, strokeWidth: 1.5 }) : null,
      Plot.dot(data, { x: "px", y: "py", symbol, stroke: color, fill: color, r: radius, title: "title" }),
    ];
  });
  const across = grid ? Plot.gridY({ ticks: y.ticks, stroke: "var(--line)", strokeOpacity: 1 }) : null;
  return draw(document, { label, height: 290, x, y, marks: [across, ...marks] });
}

/** Groups of bars over whole numbers: one group for each x, one bar in it for each series. */
export function bars(document: Document, options: Pick<ChartOptions, "label" | "series" | "x" | "y">): Element {
  const { label, series, x, y } = options;
  const width = 0.8 / series.length;
  const data = series.flatMap(({ name, points, color }, s) =>
    points.map(([group, value]) => {
      const left = group - 0.4 + s * width;
      return { left, right: left + width * 0.9, value, color, title: `${name}: ${number(group)}, ${number(value)}` };
    }),
  );
  return draw(document, {
    label,
    height: 290,
    x,
    y,
    marks: [
      Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1 }),
      // Not rectY, which would bring stacking and binning into the bundle.
      Plot.rect(data, { x1: "left", x2: "right", y1: () => 0, y2: "value", fill: "color", title: "title" }),
      Plot.ruleY([0], { stroke: "var(--soft)" }),
    ],
  });
}

/** A path in the plane, at one scale in both directions, beginning at a ring and ending at a dot. */
export function planePath(
  document: Document,
  label: string,
  points: readonly (readonly [number, number])[],
  color: string,
): Element {
  return draw(document, {
    label,
    ...squareFrame(points),
    marks: [
      Plot.frame({ stroke: "var(--line)" }),
      Plot.line(points, { stroke: color, strokeWidth: 0.8, strokeLinejoin: "round" }),
      Plot.dot(points.slice(0, 1), { stroke: "var(--ink)", r: 4 }),
      Plot.dot(points.slice(-1), { fill: "var(--ink)", r: 3 }),
    ],
  });
}

/**
 * Tokens as labelled points in the plane, at one scale in both directions, coloured by their place in the text: pale or
 * dark at its beginning, as the background has it, to the other end of the colour scale. A label that would lie upon
 * another is left out; every point says its token when it is pointed at.
 */
export function tokenMap(
  document: Document,
  label: string,
  tokens: readonly string[],
  points: readonly (readonly [number, number])[],
): Element {
  const frame = squareFrame(points, 0.62);
  const { marginLeft, marginRight, marginTop, marginBottom } = frame.margins;
  const inner = [frame.width - marginLeft - marginRight, frame.height - marginTop - marginBottom];
  const [xDomain, yDomain] = [frame.x.domain, frame.y.domain];
  const places = points.map(([x, y]): [number, number] => [
    marginLeft + (inner[0] * (x - xDomain[0])) / (xDomain[1] - xDomain[0]),
    marginTop + (inner[1] * (yDomain[1] - y)) / (yDomain[1] - yDomain[0]),
  ]);
  const texts = tokens.map((token) => ([...token].length > 14 ? `${[...token].slice(0, 13).join("")}…` : token));
  const labels = placeLabels(texts, places, {
    left: marginLeft,
    right: frame.width - marginRight,
    top: marginTop,
    bottom: frame.height - marginBottom,
  });
  const data = points.map(([x, y], i) => ({
    x,
    y,
    color: placeColor(i, tokens.length),
    title: `${tokens[i]} (${i + 1})`,
  }));
  return draw(document, {
    label,
    ...frame,
    marks: [
      Plot.frame({ stroke: "var(--line)" }),
      Plot.dot(data, {
        x: "x",
        y: "y",
        fill: "color",
        stroke: "var(--paper)",
        strokeWidth: 0.5,
        r: 3.2,
        title: "title",
      }),
      ...labels.map(({ index, anchor, dx, dy }) =>
        Plot.text([points[index]], {
          text: [texts[index]],
          textAnchor: anchor,
          dx,
          dy,
          fill: "var(--ink)",
          stroke: "var(--paper)",
          strokeWidth: 3,
        }),
      ),
    ],
  });
}

/** The legend of series, in the order in which they are drawn. */
export function legend(series: readonly (SeriesStyle & { readonly name: string })[]): Markup {
  const shapes = {
    square: html`<rect x="2" y="2" width="8" height="8"/>`,
    circle: html`<circle cx="6" cy="6" r="4.5"/>`,
    triangle: html`<path d="M6 1L11 10.5H1z"/>`,
    diamond: html`<path d="M6 .5L10 6L6 11.5L2 6z"/>`,
  };
  return html`<ul class="legend">${series.map(
    ({ name, color, symbol }) =>
      html`<li><svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true" style="fill:${color}">${shapes[symbol]}</svg>${name}</li>`,
  )}</ul>`;
}

/** Colour of a token by its place: the upper three quarters of the scale, which stand out from the background. */
function placeColor(index: number, size: number): string {
  const lowest = Math.ceil(levelCount / 4);
  return `var(--h${lowest + Math.round(((levelCount - 1 - lowest) * index) / Math.max(1, size - 1))})`;
}

/** A square panel whose scales are equal in both directions; `room` is half its side over the span of the points. */
function squareFrame(points: readonly (readonly [number, number])[], room = 0.54) {
  const [xs, ys] = [0, 1].map((c) => points.map((point) => point[c]));
  const middle = (values: number[]) => (Math.min(...values) + Math.max(...values)) / 2;
  const span = (values: number[]) => Math.max(...values) - Math.min(...values);
  const half = Math.max(span(xs), span(ys), Number.MIN_VALUE) * room;
  const domain = (values: number[]): [number, number] => [middle(values) - half, middle(values) + half];
  const side = 300;
  const scale = { ticks: 4, tickFormat: plain, label: null, inset: 0 };
  return {
    width: side,
    height: side,
    fontSize: 10,
    margins: { marginLeft: 40, marginRight: 10, marginTop: 10, marginBottom: 30 },
    x: { ...scale, domain: domain(xs) },
    y: { ...scale, domain: domain(ys) },
  };
}

interface DrawOptions {
  label: string;
  width?: number;
  height: number;
  margins?: typeof margins;
  fontSize?: number;
  x: Plot.ScaleOptions;
  y: Plot.ScaleOptions;
  marks: Plot.Markish[];
}

function draw(
  document: Document,
  { label, margins: around = margins, fontSize = 13, ...options }: DrawOptions,
): Element {
  const svg = Plot.plot({
    document,
    className: "plot",
    ariaLabel: label,
    width,
    ...around,
    style: { fontSize: `${fontSize}px` },
    ...options,
  });
  svg.setAttribute("role", "img");
  for (const part of svg.children) renameLabels(part);
  return svg;
}

/** Plot labels the parts of a picture by their kind, which a picture with a name of its own must not have: kept as data. */
function renameLabels(part: Element): void {
  const kind = part.getAttribute("aria-label");
  if (kind !== null) {
    part.removeAttribute("aria-label");
    part.setAttribute("data-mark", kind);
  }
  for (const inner of part.children) renameLabels(inner);
}

/** A tick without an exponent, with the sign of printed minus. */
function plain(value: number): string {
  return number(value).replace("-", "−");
}

function number(value: number): string {
  return String(Number(value.toPrecision(4)));
}
