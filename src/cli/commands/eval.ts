/** `fna eval`: a checkpoint's scores on a part of its corpus, or its answer to a text. */

import type { Command } from "commander";
import { type CorpusPart, corpusParts } from "../../data/corpus.js";
import { splitText } from "../../data/read.js";
import { encodeDocuments } from "../../learn/batches.js";
import { evaluateEncoded } from "../../learn/evaluate.js";
import { mostThreads } from "../../models/config.js";
import { exitCodes, UsageError } from "../errors.js";
import { readText } from "../input.js";
import type { Io } from "../io.js";
import { addCorporaFlag, loadCorpus, openCheckpoint, threadCount } from "../learning.js";
import { createProgress } from "../progress.js";
import { renderTable } from "../table.js";
import { oneOf } from "../values.js";
import { scoreCells, scoreHead } from "./train.js";

interface EvalFlags {
  corpora: string;
  part: CorpusPart;
  text?: string;
  threads: number;
  json?: boolean;
}

const help = `
With words or --text it says what the model makes of that text. A mail is read as its text is, without decoding: give it
  what a person would read. An expression of ListOps may be spaced in any way.

Examples:
  fna eval runs/first/model.safetensors
  fna eval runs/first/model.safetensors --part validation --json
  fna eval runs/first/model.safetensors click here for your free credit report
  fna eval runs/listops/model.safetensors "[MAX 2 9 [MIN 4 7] 0]"`;

const batch = 32;

export function addEval(program: Command, io: Io, finish: (code: number) => void): void {
  addCorporaFlag(
    program
      .command("eval")
      .description("score a checkpoint on held-out documents, or ask it about a text")
      .argument("<checkpoint>", "model.safetensors or state.safetensors of a run")
      .argument("[text...]", "a text to classify, instead of the corpus"),
  )
    .option("--part <name>", "train, validation or test", oneOf(corpusParts), "test" as const)
    .option("-t, --text <file>", 'file with a text to classify; "-" is standard input')
    .option("--threads <number>", `threads that share a batch, an integer in [1, ${mostThreads}]`, threadCount, 1)
    .option("--json", "print the result as JSON and nothing else")
    .addHelpText("after", help)
    .action(async (file: string, words: string[], flags: EvalFlags) => {
      const about = words.length > 0 || flags.text !== undefined;
      await (about ? classify(file, words, flags, io) : evaluate(file, flags, io));
      finish(exitCodes.done);
    });
}

async function evaluate(file: string, { corpora, part, threads, json }: EvalFlags, io: Io): Promise<void> {
  const { model, run, classes, vocabulary } = await openCheckpoint(io, file, batch, threads);
  const progress = createProgress(io);
  try {
    const corpus = await loadCorpus(io, progress, run.data.corpus, corpora, run.data.length);
    if (corpus.classes.join() !== classes.join()) {
      throw new UsageError(`checkpoint: expected the classes ${corpus.classes.join(", ")}, got ${classes.join(", ")}`);
    }
    const encoded = encodeDocuments(corpus[part], vocabulary, run.data.length);
    const scores = await evaluateEncoded(model, encoded, batch, undefined, (done, total) =>
      progress.update(done, total, `scoring ${part}`),
    );
    progress.stop();
    const row = [part, String(scores.documents), ...scoreCells(scores)];
    io.stdout.write(
      json
        ? `${JSON.stringify({ checkpoint: file, corpus: corpus.name, part, ...scores })}\n`
        : `${renderTable(["part", "documents", ...scoreHead], [row], [1, 2, 3, 4, 5])}\n`,
    );
  } finally {
    progress.stop();
    model.dispose();
  }
}

async function classify(
  file: string,
  words: readonly string[],
  { text, threads, json }: EvalFlags,
  io: Io,
): Promise<void> {
  const { model, run, classes, vocabulary } = await openCheckpoint(io, file, 1, threads);
  try {
    const input = await readText(io, words, text, run.data.length, splitText[run.data.corpus]);
    const encoded = encodeDocuments(
      [{ id: input.source, tokens: input.tokens, label: 0 }],
      vocabulary,
      run.data.length,
    );
    const lengths = Int32Array.of(encoded.tokens[0].length);
    const { probabilities } = await model.predict({ tokens: encoded.tokens[0], lengths });
    const unknown = encoded.tokens[0].reduce((count, id) => count + (id === 1 ? 1 : 0), 0);
    const answer = classes.map((name, c) => ({ name, probability: probabilities[c] }));
    io.stdout.write(
      json
        ? `${JSON.stringify({ checkpoint: file, source: input.source, tokens: input.tokens.length, unknown, classes: answer })}\n`
        : `${answer.map(({ name, probability }) => `${name} ${(100 * probability).toFixed(1)} %`).join(", ")} (${input.tokens.length} tokens, ${unknown} of them unknown to the model)\n`,
    );
  } finally {
    model.dispose();
  }
}
