/** Numbers and names as people read them, the same in the terminal and on the page. */

import type { AttentionName } from "../text/compare.js";

/** "multiscale, α = 1.2" */
export function titleOf({ name, alpha }: { name: AttentionName; alpha: number | undefined }): string {
  return alpha === undefined ? name : `${name}, α = ${alpha}`;
}

/** A weight for people: three figures as a percentage. */
export function percent(weight: number): string {
  const value = 100 * weight;
  return `${value >= 0.1 || value === 0 ? value.toFixed(value >= 10 ? 0 : 1) : value.toExponential(0)} %`;
}

/** "1.2e-15"; 0 stays 0. */
export function scientific(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}

/** Mean hops, and how many pairs of tokens no path joins, if any. */
export function hopsText({ mean, unreachable }: { mean: number; unreachable: number }): string {
  const found = Number.isNaN(mean) ? "none" : mean.toFixed(3);
  return unreachable === 0 ? found : `${found} (${unreachable} pairs apart)`;
}

/** The margin for people: two figures, "∞" when there was no error at all. */
export function marginText(margin: number): string {
  if (margin === Number.POSITIVE_INFINITY) return "∞";
  return margin >= 1e4 ? margin.toExponential(1) : String(Number(margin.toPrecision(2)));
}

/** A time for people: three figures, in milliseconds without the unit. */
export function milliseconds(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
