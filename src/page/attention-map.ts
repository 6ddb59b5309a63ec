/**
 * One attention matrix as an SVG picture: row i is what token i attends to, column j is how token j is attended to.
 * Cells of one level of the colour scale (`heat.ts`) are a single path of strokes one unit wide, the pen moved from run to
 * run, so the size of the picture is some six bytes a cell. Pointing at a row names its strongest links, pointing at one of those cells names it.
 */

import { percent } from "./format.js";
import { heatLevel, levelCount } from "./heat.js";
import { html, Markup } from "./html.js";
import { schemeCss } from "./style.js";

/** A token that another one attends to. */
export interface Link {
  /** Position of the token attended to, from 0. */
  readonly index: number;
  /** A_ij */
  readonly weight: number;
}

/** The `count` largest weights of row i, largest first, equal ones from left to right; zeros are no links. */
export function strongestLinks(weights: Float64Array, size: number, row: number, count: number): Link[] {
  return Array.from({ length: size }, (_, index) => ({ index, weight: weights[row * size + index] }))
    .filter((link) => link.weight > 0)
    .sort((a, b) => b.weight - a.weight || a.index - b.index)
    .slice(0, count);
}

/** What an attention map shows. */
export interface MapContent {
  /** Unique in the document; labels refer to it. */
  readonly id: string;
  readonly title: string;
  readonly tokens: readonly string[];
  /** [N, N], rows sum to 1. */
  readonly weights: Float64Array;
}

const linksPerRow = 12;

/** The picture for the page: small, with numbered ticks in place of words. */
export function attentionMap(content: MapContent): Markup {
  const size = content.tokens.length;
  const margin = size * 0.075;
  const box = `${-margin} ${-margin} ${size + margin + size * 0.01} ${size + margin + size * 0.01}`;
  const marks = ticks(size).map(
    (t) =>
      html`<text x="${t + 0.5}" y="${round(-margin * 0.25)}" text-anchor="middle">${t + 1}</text><text x="${round(
        -margin * 0.2,
      )}" y="${t + 0.5}" text-anchor="end" dominant-baseline="central">${t + 1}</text>`,
  );
  return html`<svg class="map" viewBox="${box}" role="img" aria-labelledby="${content.id}-t ${content.id}-d" xmlns="http://www.w3.org/2000/svg">${names(
    content,
  )}<g font-size="${round(size * 0.03)}" aria-hidden="true">${marks}</g>${cells(content)}</svg>`;
}

/** The picture as a file of its own, with every token written out. */
export function attentionMapFile(content: MapContent): string {
  const { tokens } = content;
  const size = tokens.length;
  const short = tokens.map((token) => ([...token].length > 16 ? `${[...token].slice(0, 15).join("")}…` : token));
  const margin = 1 + Math.max(...short.map((token) => [...token].length)) * 0.5;
  const side = round(size + margin + 1);
  const words = short.map(
    (token, i) => html`<text x="-.4" y="${i + 0.5}" text-anchor="end" dominant-baseline="central">${token}</text>
<text transform="translate(${i + 0.5} -.4) rotate(-90)" dominant-baseline="central">${token}</text>
`,
  );
  const svg = html`<svg class="map" viewBox="${-margin} ${-margin - 2} ${side} ${side + 2}" width="${Math.round(side * 12)}" height="${Math.round(
    (side + 2) * 12,
  )}" role="img" aria-labelledby="${content.id}-t ${content.id}-d" xmlns="http://www.w3.org/2000/svg"><style>${new Markup(
    schemeCss,
  )}svg{background:var(--paper)}</style>
${names(content)}<text x="${-margin + 0.5}" y="${-margin - 0.7}" font-size="1.2">${content.title}</text>
<g font-size=".8" aria-hidden="true">${words}</g>${cells(content)}</svg>
`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svg}`;
}

function names({ id, title, tokens, weights }: MapContent): Markup {
  const size = tokens.length;
  let best = 0;
  for (let p = 1; p < weights.length; p++) if (weights[p] > weights[best]) best = p;
  const from = Math.floor(best / size);
  const to = best % size;
  return html`<title id="${id}-t">${title}: attention of ${size} tokens to each other</title><desc id="${id}-d">A square of ${size} by ${size} cells; each row is a token and shows what it attends to. The largest weight is ${percent(
    weights[best],
  )}, from “${tokens[from]}” (${from + 1}) to “${tokens[to]}” (${to + 1}).</desc>`;
}

function cells({ tokens, weights }: MapContent): Markup {
  const size = tokens.length;
  const pens = Array.from({ length: levelCount }, () => ({ x: 0, y: 0, path: "M0 .5" }));
  for (let i = 0; i < size; i++) {
    let j = 0;
    while (j < size) {
      const level = heatLevel(weights[i * size + j], size);
      let end = j + 1;
      while (end < size && heatLevel(weights[i * size + end], size) === level) end++;
      if (level >= 0) {
        const pen = pens[level];
        pen.path += `m${j - pen.x} ${i - pen.y}h${end - j}`;
        pen.x = end;
        pen.y = i;
      }
      j = end;
    }
  }
  const rows = Array.from({ length: size }, (_, i) => hoverRow(tokens, weights, i));
  const drawn = pens.map((pen, level) => pen.path.includes("h") && html`<path class="h${level}" d="${pen.path}"/>`);
  return html`<g class="cells" shape-rendering="crispEdges">${drawn}</g><rect class="frame" width="${size}" height="${size}"/><g>${rows}</g>`;
}

function hoverRow(tokens: readonly string[], weights: Float64Array, i: number): Markup {
  const size = tokens.length;
  const links = strongestLinks(weights, size, i, linksPerRow);
  const best = links.slice(0, 5).map(({ index, weight }) => `${tokens[index]} (${index + 1}) ${percent(weight)}`);
  const targets = links.map(
    ({ index, weight }) =>
      html`<rect class="hit" x="${index}" y="${i}" width="1" height="1"><title>${tokens[i]} (${i + 1}) → ${tokens[index]} (${
        index + 1
      }): ${percent(weight)}</title></rect>`,
  );
  return html`<rect class="hit" y="${i}" width="${size}" height="1"><title>${tokens[i]} (${i + 1}) → ${best.join(", ")}</title></rect>${targets}`;
}

/** Token numbers to write at the edge: the first and round numbers, five to ten in all. */
function ticks(size: number): number[] {
  const step = [1, 2, 5, 10, 20, 50, 100].find((s) => size / s <= 8) ?? 200;
  const result = step === 1 ? [] : [0];
  for (let t = step; t <= size; t += step) result.push(t - 1);
  return result;
}

function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}
