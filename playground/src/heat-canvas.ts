/**
 * An attention map on a canvas of one pixel a cell, in the colours of `src/page/heat.ts`, with a reading point that the
 * pointer and the arrow keys move. What stands at that point is told to the caller, who writes it for all maps at once.
 */

import { heatLevel, levelCount, ramp } from "../../src/page/heat.js";

/** A row and a column. */
export interface ReadingPoint {
  row: number;
  column: number;
}

const dark = matchMedia("(prefers-color-scheme: dark)");

/** One map in the page. */
export class HeatCanvas {
  /** What to put into the page. */
  readonly element: HTMLElement;
  readonly #canvas = document.createElement("canvas");
  readonly #row = document.createElement("div");
  readonly #column = document.createElement("div");
  #weights: Float64Array = new Float64Array(0);
  #size = 0;

  /** `onMove` is told where the reading point of all maps should go. */
  constructor(onMove: (point: ReadingPoint) => void, current: () => ReadingPoint) {
    this.element = document.createElement("div");
    this.element.className = "heat probe";
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "application");
    this.element.setAttribute("aria-describedby", "readout");
    this.#canvas.setAttribute("role", "img");
    this.#row.className = "band";
    this.#column.className = "band";
    this.element.append(this.#canvas, this.#row, this.#column);
    const clamp = (x: number) => Math.min(this.#size - 1, Math.max(0, Math.floor(x)));
    const point = ({ clientX, clientY }: PointerEvent) => {
      const box = this.#canvas.getBoundingClientRect();
      const row = clamp(((clientY - box.top) / box.height) * this.#size);
      onMove({ row, column: clamp(((clientX - box.left) / box.width) * this.#size) });
    };
    this.element.addEventListener("pointermove", point);
    this.element.addEventListener("pointerdown", point);
    this.element.addEventListener("focus", () => onMove(current()));
    this.element.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 10 : 1;
      const move = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] }[
        event.key
      ];
      if (move === undefined) return;
      event.preventDefault();
      const { row, column } = current();
      onMove({ row: clamp(row + move[0]), column: clamp(column + move[1]) });
    });
    dark.addEventListener("change", () => this.#paint());
  }

  /** Draws a matrix [N, N]; `title` names it for those who cannot see it. */
  draw(title: string, weights: Float64Array, size: number): void {
    const isSame = this.#weights === weights;
    this.#weights = weights;
    this.#size = size;
    this.element.setAttribute("aria-label", `${title}: read the map with the arrow keys`);
    this.#canvas.setAttribute("aria-label", `${title}: attention of ${size} tokens to each other, one row a token`);
    if (!isSame) this.#paint();
  }

  /** Shows the reading point. */
  mark({ row, column }: ReadingPoint): void {
    const cell = 100 / this.#size;
    Object.assign(this.#row.style, { left: "0", right: "0", top: `${row * cell}%`, height: `${cell}%` });
    Object.assign(this.#column.style, { top: "0", bottom: "0", left: `${column * cell}%`, width: `${cell}%` });
  }

  #paint(): void {
    const size = this.#size;
    if (size === 0) return;
    const colors = palette();
    const image = new ImageData(size, size);
    const pixels = new Uint32Array(image.data.buffer);
    for (let p = 0; p < size * size; p++) pixels[p] = colors[heatLevel(this.#weights[p], size) + 1];
    this.#canvas.width = size;
    this.#canvas.height = size;
    this.#canvas.getContext("2d")?.putImageData(image, 0, 0);
  }
}

/** Colours of the levels as pixels, 0 of no weight before them. */
function palette(): Uint32Array {
  const colors = new Uint32Array(levelCount + 1);
  ramp(dark.matches ? "dark" : "light").forEach(([red, green, blue], level) => {
    // Bytes in the order red, green, blue, alpha on the little-endian machines that run browsers.
    colors[level + 1] = (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
  });
  return colors;
}
