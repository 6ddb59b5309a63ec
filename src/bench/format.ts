/** Measured numbers for people. */

import type { Estimate } from "./statistics.js";

/** Three digits, without an exponent. */
export function three(x: number): string {
  if (Number.isNaN(x)) return "NaN";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(x) || 1)));
  return x.toFixed(Math.min(digits, 5));
}

/** "1.20 (1.10-1.31)" */
export function withInterval({ value, low, high }: Estimate): string {
  return `${three(value)} (${three(low)}-${three(high)})`;
}
