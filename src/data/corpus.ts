/**
 * A corpus as everything after it sees it: documents that are lists of tokens, with a class, in three parts that share no
 * near-duplicates. Readers: `spam-assassin.ts`, `imdb.ts`, `listops.ts`.
 */

/** One document. */
export interface Document {
  /** Names it for people: a file, or a number. */
  readonly id: string;
  /** Where it came from inside its corpus; the split keeps the shares of these. */
  readonly group: string;
  readonly tokens: readonly string[];
  /** Index into `Corpus.classes`. */
  readonly label: number;
}

export const corpusParts = ["train", "validation", "test"] as const;
export type CorpusPart = (typeof corpusParts)[number];

/** Documents by part, and what was done to them. */
export interface Corpus extends Readonly<Record<CorpusPart, readonly Document[]>> {
  readonly name: string;
  /** Names of the classes; for two, the second is the positive one. */
  readonly classes: readonly string[];
  /** Facts about how the corpus came about, for people: how many were left out and why. */
  readonly notes: readonly string[];
}
