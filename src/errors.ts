/**
 * The errors of this package. Each says what was wrong, what would have been right, and what was found.
 */

import { FractionalAttentionError } from "../reference/errors.js";

export { describe, FractionalAttentionError, InvalidArgumentError } from "../reference/errors.js";

/** No requested backend can run here. `causes` has one reason per device that was tried. */
export class BackendUnavailableError extends FractionalAttentionError {
  override name = "BackendUnavailableError";
  readonly causes: readonly { readonly device: string; readonly reason: string }[];

  constructor(causes: readonly { readonly device: string; readonly reason: string }[]) {
    super(`no backend is available (${causes.map((c) => `${c.device}: ${c.reason}`).join("; ")})`);
    this.causes = causes;
  }
}

/** The GPU device behind a backend is gone; `recreate()` on the attention object gets a new one. */
export class DeviceLostError extends FractionalAttentionError {
  override name = "DeviceLostError";
}
