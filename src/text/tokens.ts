/**
 * Text to tokens: the words of `Intl.Segmenter`, lower-cased, in the order of the text. The same text gives the same
 * tokens on every machine with the same Unicode data (word boundaries of Chinese, Japanese, Thai, Khmer, Lao and Burmese
 * come from a dictionary inside the JavaScript engine; all other boundaries from Unicode's UAX #29).
 *
 *   words, numbers      a token each: "don't", "3.14", "x2"; typographic apostrophes are made straight
 *   emoji, symbols      a token each, with their modifiers: "👩‍🚀", "€", "+"
 *   punctuation, space  no token; they only separate
 *   everything else     (lone combining marks, control characters, lone surrogates) no token
 *
 * Text is first put into Unicode normal form C, so that both ways to write "é" are one token, and invisible format
 * characters (soft hyphens, text direction) are removed, but for those that make words and emoji what they are.
 *
 * Non-goals: stemming, sub-words, a vocabulary. An embedding is computed from the letters of a token (`embeddings.ts`),
 * so none is needed.
 */

import { integer } from "../../reference/check.js";

/** The tokens of a text, as many as were asked for. */
export interface Tokens {
  /** Lower-cased words, numbers and symbols. */
  readonly tokens: readonly string[];
  /** True when the text goes on after the last of them. */
  readonly truncated: boolean;
}

// Zero-width space separates words; the joiners and tags belong to words and emoji.
const invisible = /(?![\u200b-\u200d\u{e0020}-\u{e007f}])\p{Cf}/gu;

const speaks = /[\p{L}\p{N}\p{S}\p{Extended_Pictographic}]/u;

/**
 * Splits a text into tokens.
 * @param text any string
 * @param limit how many tokens at most, at least 1; default: all
 * @throws InvalidArgumentError
 */
export function tokenize(text: string, limit = 2 ** 31 - 1): Tokens {
  integer("limit", limit, 1);
  const tokens: string[] = [];
  const plain = text.normalize("NFC").replace(invisible, "");
  for (const { segment } of new Intl.Segmenter("en", { granularity: "word" }).segment(plain)) {
    if (!speaks.test(segment)) continue;
    if (tokens.length === limit) return { tokens, truncated: true };
    tokens.push(segment.toLowerCase().replaceAll("\u2019", "'"));
  }
  return { tokens, truncated: false };
}
