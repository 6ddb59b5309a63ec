/** The text that a command works on: words on the command line, a file, or standard input; and the result of `fna verify`. */

import { decodeText, NotTextError } from "../text/decode.js";
import { type Tokens, tokenize } from "../text/tokens.js";
import type { VerifyResult } from "../verify/index.js";
import { UsageError } from "./errors.js";
import { type FileStart, readStart } from "./files.js";
import type { Io } from "./io.js";

/** Bytes of a text that are read; far more than the most tokens that are looked at. */
const textLimit = 2 ** 20;

/** A text and its tokens. */
export interface InputText extends Tokens {
  /** Where it came from, for people. */
  readonly source: string;
  readonly text: string;
}

/**
 * Reads and splits the text.
 * @param words what stands on the command line itself
 * @param file value of --text; "-" is standard input
 * @param split the text into at most so many tokens
 * @throws UsageError when there is none, both, no text, or too little of it
 */
export async function readText(
  io: Io,
  words: readonly string[],
  file: string | undefined,
  limit: number,
  split: (text: string, limit: number) => Tokens = tokenize,
): Promise<InputText> {
  if (file !== undefined && words.length > 0) {
    throw new UsageError(`--text: expected either a file or words, got "${file}" and "${words.join(" ")}"`);
  }
  if (file === undefined && words.length === 0) {
    throw new UsageError('text: expected some words or --text FILE, got nothing (fna attend "a rose is a rose")');
  }
  const name = file === "-" ? "standard input" : file;
  const text = file === undefined ? words.join(" ") : await decode(io, file);
  const { tokens, truncated } = split(text, limit);
  if (tokens.length < 2) {
    const found = tokens.length === 0 ? "none" : `only "${tokens[0]}"`;
    throw new UsageError(`${name ?? "text"}: expected at least two words, numbers or symbols, got ${found}`);
  }
  return { source: name ?? "command line", text, tokens, truncated };
}

async function decode(io: Io, file: string): Promise<string> {
  const start =
    file === "-" ? cut(await io.readStdin(textLimit)) : await readStart("--text", io.directory, file, textLimit);
  try {
    return decodeText(start.bytes, start.truncated);
  } catch (error) {
    if (!(error instanceof NotTextError)) throw error;
    throw new UsageError(`--text: expected a text file, got "${file}" (${error.message})`);
  }
}

function cut(bytes: Uint8Array): FileStart {
  return { bytes: bytes.subarray(0, textLimit), truncated: bytes.length > textLimit };
}

/**
 * Reads what `fna verify --json` or `--out` wrote.
 * @throws UsageError when it is not that
 */
export async function readVerification(io: Io, file: string): Promise<VerifyResult> {
  const { bytes } = await readStart("--verification", io.directory, file, 2 ** 24);
  try {
    // Infinities and NaN are written as strings, see `verify`.
    const result = JSON.parse(decodeText(bytes), (_key, value) =>
      value === "Infinity" || value === "NaN" ? Number(value) : value,
    ) as VerifyResult;
    const rowsRight = result.rows.every(
      ({ device, group, cases, checks, error, bound, margin, passed }) =>
        [device, group].every((word) => typeof word === "string") &&
        [cases, checks, error, bound, margin].every((value) => typeof value === "number") &&
        typeof passed === "boolean",
    );
    if (rowsRight && Array.isArray(result.rejected) && typeof result.passed === "boolean") return result;
  } catch {
    // Neither JSON nor of that shape: the message below says both.
  }
  throw new UsageError(`--verification: expected what "fna verify --json" prints, got "${file}"`);
}
