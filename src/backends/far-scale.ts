/** Length scales that the float32 devices refuse. */

import { InvalidArgumentError } from "../errors.js";

/** Smallest κ ε^(1/α), in the units of the kernels, for which squares of 1/(κ ε^(1/α)) stay in float32. */
export const leastScale = 2 ** -55;

/**
 * Throws where far pairs would look equally far.
 * @param scale κ ε^(1/α) of a head
 * @param unit what the 1 of the kernels' coordinates stands for, times the radius on the sphere
 */
export function refuseFarScale(scale: number, unit: number): void {
  const least = unit * leastScale;
  if (scale < least) throw new InvalidArgumentError("kappa", `kappa eps^(1/alpha) >= ${least} in float32`, scale);
}
