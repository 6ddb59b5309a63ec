/** One comparison against the truth: it passes when `error <= bound`, so a NaN fails. */
export interface Check {
  /** Which case of which group. */
  readonly case: string;
  /** Which tensor of the case. */
  readonly tensor: string;
  /** The measured error, in the unit of the bound. */
  readonly error: number;
  /** What is allowed, from the case's own tolerance or from arithmetic. */
  readonly bound: number;
}
