/** `fna analyze`: what the attention of trained models does on held-out documents. */

import { availableParallelism } from "node:os";
import type { Command } from "commander";
import manifest from "../../../package.json" with { type: "json" };
import type { Corpus } from "../../data/corpus.js";
import { analyzeModel, type ModelAnalysis } from "../../learn/analyze.js";
import { evenly } from "../../learn/batches.js";
import { mostThreads } from "../../models/config.js";
import { exitCodes, UsageError } from "../errors.js";
import { checkPlace, writeWhole } from "../files.js";
import type { Io } from "../io.js";
import { addCorporaFlag, loadCorpus, openCheckpoint, threadCount } from "../learning.js";
import { createProgress } from "../progress.js";
import { renderTable } from "../table.js";
import { integerIn, listOfNumbers } from "../values.js";

interface AnalyzeFlags {
  corpora: string;
  lengths: readonly number[];
  mails: number;
  documents: number;
  seed: number;
  threads: number;
  out?: string;
  json?: boolean;
}

const help = `
For every checkpoint, on the test part of its corpus: spectral gap (by real part and by modulus) and hops against the length
  of the text, weight against distance, a diffusion map, scores under masks it never saw (at random; only the nearest
  pairs) and scores when only the beginning is read. Name a dot-product model beside a fractional one to compare.
--out writes an HTML page; the JSON has every number of it.

Examples:
  fna analyze runs/first/model.safetensors
  fna analyze runs/a/model.safetensors runs/b/model.safetensors --out analysis.html
  fna analyze runs/a/model.safetensors --lengths 100,500 --mails 8 --json`;

/** The page tells so many series apart. */
const mostCheckpoints = 4;

/** Threads unless told otherwise: more have little to share in a batch. */
const usualThreads = 4;

export function addAnalyze(program: Command, io: Io, finish: (code: number) => void): void {
  addCorporaFlag(
    program
      .command("analyze")
      .description("measure what the attention of trained models does on held-out documents")
      .argument("<checkpoints...>", `one to ${mostCheckpoints} files model.safetensors, trained on the same corpus`),
  )
    .option(
      "--lengths <tokens>",
      "lengths of text",
      listOfNumbers(integerIn(2, 2 ** 16)),
      [50, 100, 200, 300, 400, 500],
    )
    .option("--mails <number>", "documents at each length, an integer in [1, 10000]", integerIn(1, 10_000), 4)
    .option(
      "--documents <number>",
      "documents that are scored, an integer in [1, 1000000]",
      integerIn(1, 1_000_000),
      400,
    )
    .option("--seed <number>", "of the random masks", integerIn(0, 2 ** 32 - 1), 1)
    .option(
      "--threads <number>",
      `threads that share a batch, an integer in [1, ${mostThreads}]`,
      threadCount,
      Math.min(usualThreads, availableParallelism()),
    )
    .option("--out <file>", "write the page to this file")
    .option("--json", "print everything as JSON and nothing else")
    .addHelpText("after", help)
    .action(async (files: string[], flags: AnalyzeFlags) => {
      await analyze(files, flags, io);
      finish(exitCodes.done);
    });
}

async function analyze(files: readonly string[], flags: AnalyzeFlags, io: Io): Promise<void> {
  if (files.length > mostCheckpoints) {
    throw new UsageError(`checkpoints: expected 1 to ${mostCheckpoints}, got ${files.length}`);
  }
  if (flags.out !== undefined) await checkPlace("--out", io.directory, flags.out);
  const progress = createProgress(io);
  const models: ModelAnalysis[] = [];
  let corpus: Corpus | undefined;
  let length: number | undefined;
  let scored = 0;
  try {
    for (const file of files) {
      const opened = await openCheckpoint(io, file, 32, flags.threads);
      try {
        const { data } = opened.run;
        if (corpus !== undefined && corpus.name !== data.corpus) {
          throw new UsageError(
            `checkpoints: expected models of one corpus, got ${corpus.name} and ${data.corpus} (${file})`,
          );
        }
        // Near-duplicates are judged by the tokens that are read, so the length is a part of the split.
        if (corpus === undefined || length !== data.length) {
          corpus = await loadCorpus(io, progress, data.corpus, flags.corpora, data.length);
          length = data.length;
        }
        scored = evenly(corpus.test, flags.documents).length;
        const name = file.replace(/\/?[^/]*\.safetensors$/, "").replace(/^.*\//, "") || file;
        models.push(await analyzeModel(name, opened, corpus.test, flags, progress.update));
      } finally {
        opened.model.dispose();
      }
    }
    const result = { corpus: corpus?.name ?? "", documents: scored, models };
    let written: string | undefined;
    if (flags.out !== undefined) {
      const { renderAnalysis } = await import("../../page/analysis.js");
      const page = renderAnalysis({ ...result, version: manifest.version, date: io.now() });
      written = await writeWhole("--out", io.directory, flags.out, page);
    }
    progress.stop();
    io.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : describe(models, written));
  } finally {
    progress.stop();
  }
}

function describe(models: readonly ModelAnalysis[], written: string | undefined): string {
  const rows = models.flatMap((model) =>
    model.walk.map((w) => [
      model.name,
      model.attention,
      model.alpha === undefined ? "" : model.alpha.toFixed(3),
      String(w.length),
      w.gapByRealPart.toFixed(4),
      w.gapByModulus.toFixed(4),
      w.meanHops.toFixed(3),
      String(w.maxHops),
      w.reach.toFixed(1),
    ]),
  );
  const head = [
    "model",
    "attention",
    "alpha",
    "tokens",
    "gap (real)",
    "gap (modulus)",
    "mean hops",
    "most hops",
    "reach",
  ];
  return `${renderTable(head, rows, [2, 3, 4, 5, 6, 7, 8])}\n${written === undefined ? "" : `wrote ${written}\n`}`;
}
