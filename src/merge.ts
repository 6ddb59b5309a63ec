/**
 * Combining attention over disjoint sets of keys (equations sections 7 and 8):
 *
 *   L_i = log Σ_p exp(L_i^p),   O_i = Σ_p exp(L_i^p − L_i) O_i^p
 *
 * Exact for a = 0 and a numeric bandwidth, where a pair's score does not depend on the other keys.
 */

import { floats, record } from "../reference/check.js";
import { InvalidArgumentError } from "./errors.js";
import type { Floats, ForwardResult } from "./types.js";

/**
 * Merges forward results over disjoint sets of keys into the result over their union.
 * @param parts at least one; all outputs [B, H, N, V] alike, all logSumExp [B, H, N] alike, in one array type
 * @returns fresh arrays of that type; a row that no part attends to is 0, with logSumExp -Infinity
 * @throws InvalidArgumentError
 */
export function mergePartials<T extends Floats>(parts: readonly ForwardResult<T>[]): ForwardResult<T> {
  if (!Array.isArray(parts) || parts.length === 0) {
    throw new InvalidArgumentError("parts", "an array of at least one forward result", parts);
  }
  const first = record("parts[0]", parts[0] as ForwardResult<T>);
  const type = floats("parts[0].output", first.output) instanceof Float64Array ? Float64Array : Float32Array;
  floats("parts[0].logSumExp", first.logSumExp);
  for (const [p, part] of parts.entries()) {
    record(`parts[${p}]`, part);
    for (const name of ["output", "logSumExp"] as const) {
      if (!(part[name] instanceof type) || part[name].length !== first[name].length) {
        const domain = `a ${type.name} of length ${first[name].length}`;
        throw new InvalidArgumentError(`parts[${p}].${name}`, domain, part[name]);
      }
    }
  }
  const rows = first.logSumExp.length;
  if (rows === 0 ? first.output.length !== 0 : first.output.length % rows !== 0) {
    throw new InvalidArgumentError(
      "parts[0].output",
      `a multiple of ${rows} numbers, one row per logSumExp`,
      first.output,
    );
  }
  const valueDim = rows === 0 ? 0 : first.output.length / rows;
  const output = first.output.slice().fill(0) as T;
  const logSumExp = first.logSumExp.slice() as T;
  for (let i = 0; i < rows; i++) {
    let largest = Number.NEGATIVE_INFINITY;
    for (const part of parts) largest = Math.max(largest, part.logSumExp[i]);
    if (largest === Number.NEGATIVE_INFINITY) continue;
    let sum = 0;
    for (const part of parts) sum += Math.exp(part.logSumExp[i] - largest);
    logSumExp[i] = largest + Math.log(sum);
    for (let c = 0; c < valueDim; c++) {
      let value = 0;
      for (const part of parts) {
        // An empty part may hold anything in its rows without a say.
        if (part.logSumExp[i] === Number.NEGATIVE_INFINITY) continue;
        value += (Math.exp(part.logSumExp[i] - largest) / sum) * part.output[i * valueDim + c];
      }
      output[i * valueDim + c] = value;
    }
  }
  return { output, logSumExp };
}
