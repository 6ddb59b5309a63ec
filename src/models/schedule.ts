/** Learning rates over a run (equations section 11). */

import { integer, oneOf, positive } from "../../reference/check.js";

/** `"binary"` is the authors': the base rate for the first three quarters of the steps, a tenth of it after. */
export type Schedule = "binary" | "constant";

/**
 * The learning rate of step `step` (counted from 0) of `steps`.
 * @throws InvalidArgumentError
 */
export function learningRateAt(schedule: Schedule, base: number, step: number, steps: number): number {
  oneOf("schedule", schedule, ["binary", "constant"]);
  positive("base", base);
  integer("steps", steps, 1);
  integer("step", step, 0, steps - 1);
  return schedule === "constant" || 4 * step < 3 * steps ? base : base / 10;
}
