/**
 * The exit codes of `fna`, and the one place where an error becomes a line of text.
 *
 *   0  done, and every check passed
 *   1  a check failed, or the work could not be finished
 *   2  wrong usage: an unknown option, a value outside its domain, a file that cannot be read or written
 */

import { BackendUnavailableError, InvalidArgumentError } from "../errors.js";
import { CheckpointError } from "../learn/checkpoint.js";

export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** A mistake in how the command was called; its message names option, domain and value. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The error about a device that was asked for and cannot run here; any other error as it is. */
export function deviceError(error: unknown): unknown {
  if (!(error instanceof BackendUnavailableError)) return error;
  const reasons = error.causes.map(({ device, reason }) => `${device}: ${reason}`).join("; ");
  return new UsageError(`--device: expected one that runs here, got one that does not (${reasons})`);
}

/** What a person reads about an error, and the exit code that goes with it. Stack traces only for `FNA_DEBUG`. */
export function explain(error: unknown, debug: boolean): { message: string; code: number } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError || error instanceof InvalidArgumentError) return { message, code: exitCodes.usage };
  if (error instanceof CheckpointError) return { message, code: exitCodes.failed };
  const stack = debug && error instanceof Error && error.stack ? `\n${error.stack}` : "";
  return { message: `unexpected: ${message} (FNA_DEBUG=1 shows where)${stack}`, code: exitCodes.failed };
}
