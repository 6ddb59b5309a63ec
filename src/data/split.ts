/**
 * Parts of a corpus, decided by a hash and by nothing else: never by date or order, which tell the class where the groups
 * of a corpus come from different times.
 *
 * Clusters of near-duplicates stay together. Each cluster belongs to the group of its first document. Within a group the
 * clusters are ordered by the SHA-256 of `<salt>:<id of the first document>`; the first ones, until they hold the share
 * that is asked for, are the test part, the next ones the validation part, the rest is for training. Every group is
 * thus in every part by its share, up to one cluster.
 */

import { createHash } from "node:crypto";
import { type CorpusPart, corpusParts, type Document } from "./corpus.js";
import { nearDuplicates } from "./near-duplicates.js";

/** Shares of the documents of every group; the rest is for training. */
export interface Shares {
  readonly test: number;
  readonly validation: number;
  /** Goes into the hash: another salt is another split. */
  readonly salt: string;
}

/** The parts, each in the order of the documents, and how many documents are near-duplicates of an earlier one. */
export function splitByHash(
  documents: readonly Document[],
  { test, validation, salt }: Shares,
): Record<CorpusPart, Document[]> & { duplicates: number } {
  const cluster = nearDuplicates(documents.map(({ tokens }) => tokens));
  const groups = new Map<string, Map<number, number>>();
  for (const first of cluster) {
    const { group } = documents[first];
    const sizes = groups.get(group) ?? new Map<number, number>();
    groups.set(group, sizes.set(first, (sizes.get(first) ?? 0) + 1));
  }
  const partOf = new Map<number, CorpusPart>();
  for (const sizes of groups.values()) {
    const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    const order = [...sizes.keys()]
      .map((first) => ({ first, key: sha256(`${salt}:${documents[first].id}`) }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    let placed = 0;
    for (const { first } of order) {
      partOf.set(first, placed < test * total ? "test" : placed < (test + validation) * total ? "validation" : "train");
      placed += sizes.get(first) ?? 0;
    }
  }
  const parts = Object.fromEntries(corpusParts.map((part) => [part, [] as Document[]])) as Record<
    CorpusPart,
    Document[]
  >;
  documents.forEach((document, i) => {
    parts[partOf.get(cluster[i]) as CorpusPart].push(document);
  });
  return { ...parts, duplicates: cluster.reduce((count, first, i) => count + (first === i ? 0 : 1), 0) };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
