/**
 * The golden densities of symmetric α-stable laws (group "levy") against reference/levy-stable.ts: eq. section 15,
 * arXiv:2511.10208.
 *
 * The error is the largest of |p − ref|/ref over the points of a case. The group's rule would divide by the largest
 * density instead; that would let the tail, which at α = 2 is 10⁻¹¹ of it, be anything.
 */

import { stableDensity } from "../../reference/levy-stable.js";
import type { Check } from "./check.js";
import { type GoldenCase, tensor } from "./golden.js";

/**
 * Compares the reference with every case of the group.
 *
 * @param cases the cases of `loadGolden("levy")`
 * @returns one check a case, on its `pdf`, bounded by the `rtol` that the case states
 * @throws Error when a case lacks its tensors or states no number where one is needed
 */
export function checkLevy(cases: readonly GoldenCase[]): Check[] {
  return cases.map((golden) => {
    const alpha = number(golden, "alpha", golden.config.alpha);
    const location = number(golden, "loc", golden.config.loc);
    const scale = number(golden, "scale", golden.config.scale);
    const bound = number(golden, "rtol", golden.expect.rtol);
    const reference = tensor(golden.outputs, "pdf").data;
    const points = tensor(golden.inputs, "x").data;
    if (points.length !== reference.length)
      throw new Error(`${golden.id}: ${points.length} points, not as many densities`);
    // Math.max hands a NaN on, and a NaN fails its check.
    let error = 0;
    points.forEach((x, i) => {
      const expected = reference[i];
      error = Math.max(error, Math.abs(stableDensity(x - location, alpha, scale) - expected) / expected);
    });
    return { case: golden.id, tensor: "pdf", error, bound };
  });
}

function number(golden: GoldenCase, name: string, value: unknown): number {
  if (typeof value !== "number") throw new Error(`${golden.id}: ${name} is not a number`);
  return value;
}
