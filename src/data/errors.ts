/** Errors about data: what is missing or damaged, and what to do about it. */

import { FractionalAttentionError } from "../errors.js";

/** A corpus that is not where it was looked for; the message has the command that brings it. */
export class MissingCorpusError extends FractionalAttentionError {
  override name = "MissingCorpusError";
}
