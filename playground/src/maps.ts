/** The three maps side by side, with one reading point for all. */

import { heatLegend } from "../../src/page/figures.js";
import { percent, titleOf } from "../../src/page/format.js";
import { attentionNames } from "../../src/text/compare.js";
import type { Matrices } from "./attention.js";
import { element } from "./controls.js";
import { HeatCanvas, type ReadingPoint } from "./heat-canvas.js";

/** The section of the maps. */
export class MapsView {
  readonly element = element("section");
  readonly #readout = element("p", { id: "readout", className: "readout" });
  readonly #maps = attentionNames.map(() => {
    const map = new HeatCanvas(
      (point) => this.#move(point),
      () => this.#point,
    );
    return { map, heading: element("h3") };
  });
  #point: ReadingPoint = { row: 0, column: 1 };
  #matrices: Matrices | undefined;

  constructor() {
    this.element.setAttribute("aria-labelledby", "maps");
    this.#readout.setAttribute("aria-live", "polite");
    const figures = this.#maps.map(({ map, heading }) => {
      const figure = element("figure");
      figure.append(heading, map.element);
      return figure;
    });
    const row = element("div", { className: "maps" });
    row.append(...figures);
    const legend = element("div", { innerHTML: heatLegend().text });
    const heading = element("h2", { id: "maps", textContent: "The attention maps" });
    const note = element("p", {
      className: "note",
      textContent:
        "Each row is a token and its cells are the tokens it attends to; the colour is the weight against the uniform one, the same scale for all. Point at a cell, or walk over a map with the arrow keys (with shift: ten cells), to read it in all three.",
    });
    this.element.append(heading, row, this.#readout, legend, note);
  }

  draw(matrices: Matrices): void {
    this.#matrices = matrices;
    const size = matrices.tokens.length;
    for (const [m, { map, heading }] of this.#maps.entries()) {
      const matrix = matrices.matrices[m];
      heading.textContent = titleOf(matrix);
      map.draw(titleOf(matrix), matrix.weights, size);
    }
    this.#move({ row: Math.min(this.#point.row, size - 1), column: Math.min(this.#point.column, size - 1) });
  }

  #move(point: ReadingPoint): void {
    if (this.#matrices === undefined) return;
    this.#point = point;
    const { tokens, matrices } = this.#matrices;
    const { row, column } = point;
    const values = matrices.map((m) => `${titleOf(m)}: ${percent(m.weights[row * tokens.length + column])}`);
    const where = `“${tokens[row]}” (${row + 1}) → “${tokens[column]}” (${column + 1})`;
    this.#readout.textContent = [where, ...values].join("  ·  ");
    for (const { map } of this.#maps) map.mark(point);
  }
}
