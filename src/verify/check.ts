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

/** bound / error: how near a check came to failing. Infinity for an exact result, −1 for a NaN. */
export function marginOf({ error, bound }: Pick<Check, "error" | "bound">): number {
  if (Number.isNaN(error)) return -1;
  return error === 0 ? Number.POSITIVE_INFINITY : bound / error;
}
