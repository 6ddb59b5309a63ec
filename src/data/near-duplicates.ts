/**
 * Near-duplicates: documents of which one is the other with a few words changed. They must not stand on both sides of a
 * split, or the test measures memory.
 *
 *   shingles     every run of 5 tokens (the whole document when it is shorter), hashed to 32 bits; a document is the set
 *   similarity   Jaccard: |A ∩ B| / |A ∪ B|
 *   candidates   MinHash with 128 hashes in 32 bands of 4: a pair of similarity s is looked at with probability
 *                1 − (1 − s⁴)³²: 0.87 at s = 0.5, 0.997 at 0.65, 1 − 5·10⁻⁸ at 0.8                  (Broder 1997)
 *   duplicates   candidates whose exact similarity is at least 0.5; chains of them are one cluster
 *
 * Deterministic. Non-goals: paraphrases, and quotations shorter than half of a document.
 */

import { createRandom } from "../../reference/random.js";
import { fnv1a } from "../text/hash.js";

const shingleLength = 5;
const bands = 32;
const rows = 4;

/**
 * The cluster of every document: the index of the first document of the cluster.
 * @param documents tokens of each; one without tokens is alone
 * @param threshold least similarity, in (0, 1]
 */
export function nearDuplicates(documents: readonly (readonly string[])[], threshold = 0.5): Int32Array {
  const sets = documents.map(shingles);
  const parent = Int32Array.from(documents, (_, i) => i);
  const root = (i: number): number => {
    let r = i;
    while (parent[r] !== r) {
      parent[r] = parent[parent[r]];
      r = parent[r];
    }
    return r;
  };
  const signatures = sets.map(minHash);
  for (let band = 0; band < bands; band++) {
    const buckets = new Map<string, number[]>();
    for (let i = 0; i < sets.length; i++) {
      if (sets[i].length === 0) continue;
      const key = signatures[i].subarray(band * rows, (band + 1) * rows).join(" ");
      // One representative of each cluster in a bucket is enough to join a newcomer to it.
      const bucket = buckets.get(key) ?? [];
      if (bucket.length === 0) buckets.set(key, bucket);
      let joined = false;
      for (const other of bucket) {
        const [a, b] = [root(i), root(other)];
        if (a === b) joined = true;
        else if (jaccard(sets[i], sets[other]) >= threshold) {
          parent[Math.max(a, b)] = Math.min(a, b);
          joined = true;
        }
      }
      if (!joined || bucket.length < 8) bucket.push(i);
    }
  }
  return parent.map((_, i) => root(i));
}

/** The set of hashed shingles, ascending. */
function shingles(tokens: readonly string[]): Uint32Array {
  if (tokens.length === 0) return new Uint32Array(0);
  const set = new Set<number>();
  for (let start = 0; start === 0 || start + shingleLength <= tokens.length; start++) {
    set.add(fnv1a(tokens.slice(start, start + shingleLength).join(" ")));
  }
  return Uint32Array.from(set).sort();
}

const random = createRandom(0);
/** Odd factors and offsets of the hashes h ↦ (a·h + b) mod 2³². */
const hashes = Array.from({ length: bands * rows }, () => [random.integer(2 ** 31) * 2 + 1, random.integer(2 ** 32)]);

function minHash(set: Uint32Array): Uint32Array {
  return Uint32Array.from(hashes, ([a, b]) => {
    let least = 2 ** 32 - 1;
    for (let i = 0; i < set.length; i++) {
      let h = Math.imul(set[i], a) + b;
      // The low bits of a product know little of its high ones.
      h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
      h = (h ^ (h >>> 13)) >>> 0;
      if (h < least) least = h;
    }
    return least;
  });
}

function jaccard(a: Uint32Array, b: Uint32Array): number {
  let common = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) common++;
    if (a[i] <= b[j]) i++;
    else j++;
    // The smaller one moves on; equal ones both do.
  }
  return common / (a.length + b.length - common);
}
