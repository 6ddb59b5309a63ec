/**
 * The film reviews of Maas et al. (2011), for those who have them: the folder `aclImdb` as its archive unpacks, with
 * `{train,test}/{neg,pos}/*.txt`. Its own test part is kept whole. Of its training part a tenth, by hash, is the
 * validation part, and reviews that are near-duplicates of one in the test part are left out.
 */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { tokenize } from "../text/tokens.js";
import type { Corpus, Document } from "./corpus.js";
import { MissingCorpusError } from "./errors.js";
import { nearDuplicates } from "./near-duplicates.js";
import { splitByHash } from "./split.js";

const classes = ["neg", "pos"] as const;

/**
 * Reads the corpus.
 * @param folder the folder `aclImdb`
 * @param length tokens that are kept of each review
 * @throws MissingCorpusError when one of its four folders is missing or holds no reviews
 */
export async function readImdb(
  folder: string,
  length: number,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Corpus> {
  const files: { id: string; group: string; label: number }[] = [];
  for (const part of ["test", "train"]) {
    for (const [label, name] of classes.entries()) {
      const group = `${part}/${name}`;
      const names = (await readdir(join(folder, group)).catch(() => [])).filter((file) => file.endsWith(".txt"));
      if (names.length === 0) {
        throw new MissingCorpusError(
          `${join(folder, group)}: expected a folder of reviews (*.txt), as the IMDb archive aclImdb_v1 unpacks, found none`,
        );
      }
      for (const file of names.sort()) files.push({ id: `${group}/${file.slice(0, -4)}`, group, label });
    }
  }
  const documents: Document[] = [];
  for (const [i, file] of files.entries()) {
    onProgress(i, files.length);
    // Line breaks are the only markup that the reviews have.
    const text = (await readFile(join(folder, `${file.id}.txt`), "utf8")).replaceAll("<br />", "\n");
    documents.push({ ...file, tokens: tokenize(text, length).tokens });
  }
  const test = documents.filter(({ group }) => group.startsWith("test/"));
  const cluster = nearDuplicates(documents.map(({ tokens }) => tokens));
  // The test part comes first, so that a cluster that reaches into it is named by one of its documents.
  const clean = documents.filter((_, i) => i >= test.length && cluster[i] >= test.length);
  const { duplicates: _duplicates, train, validation } = splitByHash(clean, { test: 0, validation: 0.1, salt: "imdb" });
  return {
    name: "imdb",
    classes,
    train,
    validation,
    test,
    notes: [
      `${documents.length - test.length - clean.length} training reviews are near-duplicates of a test review and were left out`,
    ],
  };
}
