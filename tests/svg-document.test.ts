/** Charts drawn into the small document are, to the letter, those that a whole DOM gives. */

import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { bars, chart, planePath, tokenMap } from "../src/page/charts.js";
import { svgDocument } from "../src/page/svg-document.js";

const points = [0.5, 1, 2, 4, 8].map((x, i) => [x, 3 * Math.sin(i) + 4] as const);
const series = (["square", "circle"] as const).map((symbol, s) => ({
  name: `a "<b>" & c ${s}`,
  color: `var(--s${s + 1})`,
  symbol,
  points: points.map(([x, y]) => [x, y + s] as const),
}));
const scales = { x: { label: "x → <&>", type: "log" as const }, y: { label: "y", nice: true } };

const drawings: Record<string, (document: Document) => Element> = {
  "a chart with lines": (document) => chart(document, { label: 'say "<this>" & that', series, ...scales, lines: true }),
  "a chart of points": (document) => chart(document, { label: "points", series, ...scales, grid: false }),
  bars: (document) => bars(document, { label: "bars", series, x: { label: "x" }, y: { label: "y" } }),
  "a path": (document) => planePath(document, "path", points, "var(--s1)"),
  "a map of tokens": (document) => tokenMap(document, "tokens", ["<a>", "b&c", '"d"', "e", "f"], points),
};

test.each(Object.entries(drawings))("%s", (_, draw) => {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const whole = draw(document as unknown as Document).outerHTML;
  expect(whole.length).toBeGreaterThan(500);
  expect(parsed(draw(svgDocument()).outerHTML)).toEqual(parsed(whole));
});

/** The markup as a parser sees it, so that the ways of writing the same do not count. */
function parsed(markup: string): unknown {
  const { document } = parseHTML(`<!doctype html><html><body>${markup}</body></html>`);
  type Seen = { name: string; attributes: [string, string][]; text: string; children: Seen[] };
  const see = (element: Element): Seen => ({
    name: element.tagName,
    attributes: [...element.attributes].map(({ name, value }): [string, string] => [name, value]).sort(),
    text: [...element.childNodes].map((node) => (node.nodeType === 3 ? node.textContent : "\0")).join(""),
    children: [...element.children].map(see),
  });
  return see(document.body as unknown as Element);
}
