/**
 * The one script of the page: pointing at a cell of a map, or walking over it with the arrow keys, shows the cell in all
 * maps and its weights in words. Without it the page loses nothing but this: the maps then show the browser's own tips.
 *
 * Weights travel as base64 of 16-bit numbers, little-endian: round(−2048 log₂ w), good to 0.02 %, down to 2⁻³²; 65535 is 0.
 */

import type { ComparedAttention } from "../text/compare.js";
import { percent, titleOf } from "./format.js";
import { Markup } from "./html.js";

/** What the script is given. */
export interface ProbeData {
  readonly tokens: readonly string[];
  readonly titles: readonly string[];
  /** One encoded matrix for each map, in the order of the maps. */
  readonly weights: readonly string[];
}

const smallest = 65534;
const zero = 65535;

/** A matrix of weights as the script reads it. */
export function encodeWeights(weights: Float64Array): string {
  const bytes = new Uint8Array(2 * weights.length);
  const view = new DataView(bytes.buffer);
  weights.forEach((w, p) => {
    view.setUint16(2 * p, w > 0 ? Math.min(smallest, Math.max(0, Math.round(-2048 * Math.log2(w)))) : zero, true);
  });
  return Buffer.from(bytes).toString("base64");
}

/** The text of the script element. What a token contains cannot end it. */
export function probeScript(attentions: readonly ComparedAttention[], tokens: readonly string[]): Markup {
  const data: ProbeData = {
    tokens,
    titles: attentions.map(titleOf),
    weights: attentions.map((a) => encodeWeights(a.weights)),
  };
  const json = JSON.stringify(data).replace(
    /[<\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return new Markup(`(${probeMaps})(${json},${percent})`);
}

/** Runs in the page; refers to nothing outside of itself. */
function probeMaps({ tokens, titles, weights }: ProbeData, format: (weight: number) => string): void {
  const size = tokens.length;
  const matrices = weights.map((text) => {
    const view = new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    return (p: number) => {
      const code = view.getUint16(2 * p, true);
      return code === 65535 ? 0 : 2 ** (-code / 2048);
    };
  });
  const readout = document.getElementById("readout") as HTMLElement;
  const marks: SVGGraphicsElement[] = [];
  let row = 0;
  let column = 0;

  const show = () => {
    for (const mark of marks) {
      // The row and the column up to the cell, which stays as it is.
      const after = [size - row - 1, size - column - 1];
      mark.setAttribute(
        "d",
        `M0 ${row}h${column}v1H0zM${column + 1} ${row}h${after[1]}v1h${-after[1]}zM${column} 0h1v${row}h-1zM${column} ${row + 1}h1v${after[0]}h-1z`,
      );
    }
    const values = titles.map((title, m) => `${title}: ${format(matrices[m](row * size + column))}`);
    readout.textContent = `“${tokens[row]}” (${row + 1}) → “${tokens[column]}” (${column + 1})  ·  ${values.join("  ·  ")}`;
  };
  const clamp = (x: number) => Math.min(size - 1, Math.max(0, Math.floor(x)));

  for (const [m, probe] of [...document.querySelectorAll<HTMLElement>(".probe")].entries()) {
    const svg = probe.querySelector("svg") as SVGSVGElement;
    // A tip over the whole map would cover what is pointed at; its words become the label.
    const words = [...svg.querySelectorAll(":scope > title, :scope > desc")];
    svg.setAttribute("aria-label", words.map((element) => element.textContent).join(". "));
    svg.removeAttribute("aria-labelledby");
    for (const element of [...words, ...svg.querySelectorAll(".hit")]) element.remove();
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "path");
    mark.setAttribute("class", "cross");
    svg.append(mark);
    marks.push(mark);
    probe.tabIndex = 0;
    probe.setAttribute("role", "application");
    probe.setAttribute("aria-label", `${titles[m]}: read the map with the arrow keys`);
    probe.setAttribute("aria-describedby", "readout");
    const point = ({ clientX, clientY }: MouseEvent) => {
      const matrix = svg.getScreenCTM();
      if (!matrix) return;
      const at = new DOMPoint(clientX, clientY).matrixTransform(matrix.inverse());
      [row, column] = [clamp(at.y), clamp(at.x)];
      show();
    };
    probe.addEventListener("pointermove", point);
    probe.addEventListener("pointerdown", point);
    probe.addEventListener("focus", show);
    probe.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 10 : 1;
      const moves: Record<string, [number, number]> = {
        ArrowUp: [-step, 0],
        ArrowDown: [step, 0],
        ArrowLeft: [0, -step],
        ArrowRight: [0, step],
      };
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      [row, column] = [clamp(row + move[0]), clamp(column + move[1])];
      show();
    });
  }
  readout.hidden = false;
  readout.setAttribute("aria-live", "polite");
  readout.textContent = "Point at a cell, or focus a map and use the arrow keys.";
}
