/** What the worker finds out about the matrices: numbers, spectra, hops and diffusion maps; and the paths of the process. */

import { bars, chart, legend, planePath, seriesStyles, tokenMap } from "../../src/page/charts.js";
import { eigenvalueChart, hopBars, type MeasuredAttention, numbersTable } from "../../src/page/figures.js";
import { titleOf } from "../../src/page/format.js";
import { pathOf } from "../../src/page/studies.js";
import { analysisOf } from "./analyses.js";
import type { Analysis } from "./analysis-worker.js";
import type { Matrices } from "./attention.js";
import { element } from "./controls.js";

/** The sections below the maps. */
export class Figures {
  readonly element = element("div");
  readonly #numbers = element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Numbers" });
  readonly #spectrum = element("div");
  readonly #hops = element("div");
  readonly #places = element("div", { className: "maps" });
  readonly #paths = element("div", { className: "pair" });
  readonly #waiting: HTMLElement[];
  #drawn = "";
  #drawnPath = Number.NaN;

  constructor() {
    const pair = element("div", { className: "pair wide" });
    pair.append(figure("Eigenvalues", this.#spectrum), figure("Hop lengths", this.#hops));
    this.#waiting = [this.#numbers, pair, this.#places];
    this.element.append(
      section(
        "How far information gets",
        "Gap: 1 − λ₂, how soon a walk over the tokens forgets where it started. Hops: steps on the cheapest path between two tokens when a link costs 1/weight. Effective links: to how many tokens one attends. Reach: how far away in the text. Error: the largest difference of a weight from the float64 reference, computed anew here.",
        this.#numbers,
        pair,
      ),
      section(
        "Where the tokens lie: diffusion maps",
        "Tokens lie together when walks that start at them go on alike; the colour runs with the text, nearest to the background at its beginning. A causal mask has no such map, as its walks cannot go back.",
        this.#places,
      ),
      section(
        "A flight of this order beside Brownian motion",
        "A thousand isotropic steps from the ring to the dot, from the same seed, each panel at its own scale.",
        this.#paths,
      ),
    );
  }

  /** Draws what is known; the rest stays pale as it was. */
  draw({ matrices, tokens, reversible }: Matrices, alpha: number): void {
    this.#drawPaths(alpha);
    const known = matrices.map(({ key }) => analysisOf(key));
    const isComplete = known.every((one) => one !== undefined);
    for (const part of this.#waiting) part.setAttribute("aria-busy", String(!isComplete));
    const drawing = matrices.map(({ key }) => key).join();
    if (!isComplete || drawing === this.#drawn) return;
    this.#drawn = drawing;
    const analyses = known as Analysis[];
    const measured: MeasuredAttention[] = matrices.map(({ name, alpha: order }, m) => ({
      name,
      alpha: order,
      ...analyses[m].summary,
      eigenvalues: analyses[m].summary.eigenvalues.re,
      error: analyses[m].error,
    }));
    this.#numbers.innerHTML = numbersTable(measured).text;
    const spectrum = eigenvalueChart(measured, tokens.length);
    this.#spectrum.innerHTML = legend(spectrum.series).text;
    this.#spectrum.append(inChart(chart(document, spectrum)));
    const hops = hopBars(measured, tokens.length);
    this.#hops.innerHTML = legend(hops.series).text;
    this.#hops.append(inChart(bars(document, hops)));
    this.#places.replaceChildren(
      ...matrices.map((matrix, m) => {
        const places = analyses[m].places;
        const title = titleOf(matrix);
        if (places === undefined) {
          const why = reversible
            ? "Some tokens have no weight between them at all: there is no one map."
            : "None under a causal mask.";
          return figure(title, element("p", { className: "note", textContent: why }));
        }
        const label = `Diffusion map of ${tokens.length} tokens under ${title}`;
        const [first, second] = places.eigenvalues.map((value) => value.toFixed(3));
        const caption = element("figcaption", { textContent: `λ₁ = ${first} across, λ₂ = ${second} up` });
        return figure(title, tokenMap(document, label, tokens, places.points), caption);
      }),
    );
  }

  #drawPaths(alpha: number): void {
    if (alpha === this.#drawnPath) return;
    this.#drawnPath = alpha;
    const panels = [alpha, 2].map((order, p) => {
      const { points, largestStep } = pathOf(order);
      const label = `Path of ${points.length - 1} steps in the plane for α = ${order}`;
      const style = seriesStyles[p === 0 ? 2 : 1];
      const caption = element("figcaption", {
        textContent: `largest step: ${largestStep.toFixed(0)} times the median`,
      });
      const title = order < 2 ? `Lévy flight, α = ${order}` : "Brownian motion, α = 2";
      return figure(title, planePath(document, label, points, style.color), caption);
    });
    this.#paths.replaceChildren(...panels);
  }
}

function inChart(svg: Element): HTMLElement {
  const box = element("div", { className: "chart" });
  box.append(svg);
  return box;
}

function figure(title: string, ...parts: Element[]): HTMLElement {
  const made = element("figure");
  made.append(element("h3", { textContent: title }), ...parts);
  return made;
}

/** A section with its heading, its parts, and how to read them. */
export function section(title: string, note: string, ...parts: Element[]): HTMLElement {
  const made = element("section");
  const heading = element("h2", { textContent: title });
  made.append(heading, ...parts, element("p", { className: "note", textContent: note }));
  return made;
}
