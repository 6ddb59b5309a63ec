/**
 * Guesses that a model has to beat before it has learnt anything, fitted to the training part and scored on another:
 *
 *   majority       the shares of the classes, whatever the document
 *   first token    the shares of the classes among documents that begin with the same token: for ListOps, the outermost
 *                  operator alone
 *   bag of words   logistic regression on which words occur (`logistic.ts`)
 */

import type { Corpus, CorpusPart, Document } from "./corpus.js";
import { fitLogistic, type LogisticRegression } from "./logistic.js";
import { type Scores, score } from "./metrics.js";
import { buildVocabulary, type Vocabulary } from "./vocabulary.js";

/** Scores of one guess on the part that was asked for. */
export interface Baseline {
  readonly name: "majority" | "first token" | "bag of words";
  readonly scores: Scores;
}

/** A word and how much it speaks for the second of two classes, in logits of a document that has no other word. */
export interface WordWeight {
  readonly word: string;
  readonly weight: number;
}

/**
 * All baselines.
 * @param vocabularySize most entries of the vocabulary, which comes from the training part
 * @param part the part to score on
 * @returns the scores and, for two classes, the words with the largest weights of both signs, strongest first: where to look for leaks
 */
export function runBaselines(
  corpus: Corpus,
  vocabularySize: number,
  part: CorpusPart,
  count = 40,
): { baselines: Baseline[]; words: Readonly<Record<string, readonly WordWeight[]>> } {
  const vocabulary = buildVocabulary(corpus.train, vocabularySize);
  const regression = fitLogistic(corpus.train, vocabulary, corpus.classes.length);
  const whole = shares(corpus.train, corpus.classes.length);
  const byFirst = new Map(
    [...group(corpus.train)].map(([token, documents]) => [token, shares(documents, corpus.classes.length)]),
  );
  const guesses: [Baseline["name"], (document: Document) => Float64Array][] = [
    ["majority", () => whole],
    ["first token", ({ tokens }) => byFirst.get(tokens[0]) ?? whole],
    ["bag of words", ({ tokens }) => regression.predict(tokens)],
  ];
  const labels = corpus[part].map(({ label }) => label);
  return {
    baselines: guesses.map(([name, guess]) => ({
      name,
      scores: score(
        corpus[part].flatMap((document) => [...guess(document)]),
        labels,
        corpus.classes.length,
      ),
    })),
    words: corpus.classes.length === 2 ? strongest(regression, vocabulary, corpus.classes, count) : {},
  };
}

function group(documents: readonly Document[]): Map<string, Document[]> {
  const groups = new Map<string, Document[]>();
  for (const document of documents) {
    const [first] = document.tokens;
    const before = groups.get(first);
    if (before === undefined) groups.set(first, [document]);
    else before.push(document);
  }
  return groups;
}

/** Shares of the classes, one imagined document of each added so that none is impossible. */
function shares(documents: readonly Document[], classes: number): Float64Array {
  const counts = new Float64Array(classes).fill(1);
  for (const { label } of documents) counts[label]++;
  return counts.map((count) => count / (documents.length + classes));
}

function strongest(
  { weights }: LogisticRegression,
  { words, size }: Vocabulary,
  classes: readonly string[],
  count: number,
): Record<string, WordWeight[]> {
  const all = words
    .map((word, id) => ({ word, weight: weights[size + id] - weights[id] }))
    .sort((a, b) => b.weight - a.weight);
  return { [classes[0]]: all.slice(-count).reverse(), [classes[1]]: all.slice(0, count) };
}
