/**
 * Tokens to the integers of an embedding table, and back. Made from the training part of a corpus and of nothing else:
 * the most frequent words, ties in the order of their UTF-16 units, so the same documents always give the same numbers.
 *
 *   0 pad      fills a sequence up to its length; never attended
 *   1 unk      any word that is not in the vocabulary
 *   2 cls      stands before the text where a model reads its answer off one position
 *   3 …        words, most frequent first
 */

import { InvalidArgumentError } from "../errors.js";
import type { Document } from "./corpus.js";

export const specialTokens = ["<pad>", "<unk>", "<cls>"] as const;
export const padId = 0;
export const unknownId = 1;
export const classId = 2;

/** A closed list of words. */
export class Vocabulary {
  readonly #ids: ReadonlyMap<string, number>;

  /**
   * @param words every token by its number, the special ones first
   * @throws InvalidArgumentError when the special tokens are missing or a word stands there twice
   */
  constructor(readonly words: readonly string[]) {
    if (!Array.isArray(words) || !words.every((word) => typeof word === "string")) {
      throw new InvalidArgumentError("words", "an array of strings", words);
    }
    if (specialTokens.some((token, id) => words[id] !== token)) {
      throw new InvalidArgumentError(
        "words",
        `words that begin with ${specialTokens.join(", ")}`,
        words.slice(0, 3).join(", "),
      );
    }
    this.#ids = new Map(words.map((word, id) => [word, id]));
    const twice = words.find((word, id) => this.#ids.get(word) !== id);
    if (twice !== undefined) throw new InvalidArgumentError("words", "words that stand there once", twice);
  }

  /** How many numbers there are, the special ones included. */
  get size(): number {
    return this.words.length;
  }

  /** The number of a word; `unknownId` for one that is not here, the special tokens' own spelling included. */
  id(word: string): number {
    const id = this.#ids.get(word);
    return id === undefined || id < specialTokens.length ? unknownId : id;
  }

  /**
   * The first `length` tokens as numbers, filled up with `padId`.
   * @param out where to write them, [length]; fresh unless given
   * @returns how many are not padding
   */
  encode(tokens: readonly string[], out: Int32Array): number {
    const count = Math.min(tokens.length, out.length);
    for (let i = 0; i < count; i++) out[i] = this.id(tokens[i]);
    out.fill(padId, count);
    return count;
  }
}

/**
 * The vocabulary of some documents.
 * @param documents those of the training part
 * @param size the most entries, special ones included, at least 4
 * @param least how often a word must occur, at least 1
 */
export function buildVocabulary(documents: readonly Pick<Document, "tokens">[], size: number, least = 2): Vocabulary {
  if (!Number.isInteger(size) || size < specialTokens.length + 1) {
    throw new InvalidArgumentError("size", `an integer of at least ${specialTokens.length + 1}`, size);
  }
  const counts = new Map<string, number>();
  for (const { tokens } of documents) for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  for (const special of specialTokens) counts.delete(special);
  const words = [...counts]
    .filter(([, count]) => count >= least)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .slice(0, size - specialTokens.length)
    .map(([word]) => word);
  return new Vocabulary([...specialTokens, ...words]);
}
