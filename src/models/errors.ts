/** What stops a training run. */

import { FractionalAttentionError } from "../errors.js";

/** A step met NaN or Infinity. No parameter has been changed, so the state is still that of the step before. */
export class NonFiniteError extends FractionalAttentionError {
  override name = "NonFiniteError";
  /** The loss, or the parameter whose gradient it is. */
  readonly tensor: string;
  /** The step that was not made, counted from 0. */
  readonly step: number;

  constructor(tensor: string, step: number, value: number) {
    super(`step ${step}: ${tensor} is not finite (${value}); the parameters are those of the step before`);
    this.tensor = tensor;
    this.step = step;
  }
}
