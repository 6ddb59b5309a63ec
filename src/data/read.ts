/** One way in to all corpora. */

import { join } from "node:path";
import { type Tokens, tokenize } from "../text/tokens.js";
import type { Corpus } from "./corpus.js";
import { readImdb } from "./imdb.js";
import { generateListOps, splitListOps } from "./listops.js";
import { readSpamAssassin, splitMail } from "./spam-assassin.js";

export const corpusNames = ["spam-assassin", "imdb", "listops"] as const;
export type CorpusName = (typeof corpusNames)[number];

/** The first `limit` tokens of a text, as the documents of a corpus have them: no model knows any others. */
export const splitText: Readonly<Record<CorpusName, (text: string, limit: number) => Tokens>> = {
  "spam-assassin": splitMail,
  imdb: tokenize,
  listops: splitListOps,
};

/** ListOps as it is trained on here: shorter than the arena's 500 to 2,000 tokens, and less of it. */
const listOps = { seed: 1, shortest: 200, longest: 500, train: 10_000, validation: 1000, test: 2000 } as const;

/**
 * Reads or draws a corpus.
 * @param folder where corpora are installed: the mails, and `aclImdb`
 * @param length tokens that are kept of each document
 * @throws MissingCorpusError
 */
export async function readCorpus(
  name: CorpusName,
  folder: string,
  length: number,
  onProgress?: (done: number, total: number) => void,
): Promise<Corpus> {
  switch (name) {
    case "spam-assassin":
      return readSpamAssassin(folder, length, onProgress);
    case "imdb":
      return readImdb(join(folder, "aclImdb"), length, onProgress);
    case "listops":
      return generateListOps(listOps, onProgress);
  }
}
