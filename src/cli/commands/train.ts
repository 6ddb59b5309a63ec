/** `fna train`: a text classifier from mails to a checkpoint. */

import { resolve } from "node:path";
import type { Command } from "commander";
import { runBaselines } from "../../data/baselines.js";
import type { Scores } from "../../data/metrics.js";
import { type RunConfig, resolveRun } from "../../learn/run-config.js";
import {
  modelFile,
  type RunResult,
  stateFile,
  type TrainingStatus,
  train,
  trainingDocuments,
} from "../../learn/train.js";
import { createClassifier, NonFiniteError } from "../../models/index.js";
import { exitCodes, UsageError } from "../errors.js";
import { checkPlace } from "../files.js";
import type { Io } from "../io.js";
import { addCorporaFlag, addRunFlags, loadCorpus, type RunFlags, readConfig, runOptions } from "../learning.js";
import { createProgress, type Progress } from "../progress.js";
import { renderTable } from "../table.js";

interface TrainFlags extends RunFlags {
  corpora: string;
  out?: string;
  resume?: boolean;
  baseline?: boolean;
  json?: boolean;
}

const help = `
The configuration is a JSON file {"data": {...}, "model": {...}, "training": {...}}, flags, or both: flags win. --out
  gets config.json, log.jsonl, state.safetensors (to go on from), model.safetensors (the lowest validation loss) and
  result.json (its scores on the test part).
The default model is the paper's: one layer, one head, orthogonal projections, key and query shared.
Ctrl-C saves and says how to go on; a run that goes on ends with the same bits as one that never stopped. A loss or
  gradient that is not a number stops the run before it changes a parameter, and its tensor is named.
Corpora: spam-assassin (npm ci --prefix corpora, in a clone of the repository), imdb (the folder aclImdb inside
  --corpora, as its archive unpacks), listops (drawn with a seed; needs nothing).

Examples:
  fna train --out runs/first
  fna train --attention dot-product --width 8 --epochs 2 --out runs/dot
  fna train runs/first/config.json --seed 2 --out runs/second
  fna train --out runs/first --resume
  fna train --baseline`;

export function addTrain(program: Command, io: Io, finish: (code: number) => void): void {
  const command = program
    .command("train")
    .description("train a text classifier with fractional, dot-product or Sinkhorn attention")
    .argument("[config]", "configuration as JSON");
  addCorporaFlag(addRunFlags(command))
    .option("--out <folder>", "folder of the run")
    .option("--resume", "go on with the run in --out; begin it when there is none")
    .option("--baseline", "do not train: score the baselines, and list the words that tell most (where leaks show)")
    .option("--json", "print the result as JSON and nothing else")
    .addHelpText("after", help)
    .action(async (config: string | undefined, flags: TrainFlags) => finish(await runTrain(config, flags, io)));
}

async function runTrain(config: string | undefined, flags: TrainFlags, io: Io): Promise<number> {
  const run = resolveRun(await readConfig(io, config, runOptions(flags)));
  if (flags.baseline) return baseline(run, flags, io);
  if (flags.out === undefined) throw new UsageError("--out: expected a folder for the run, got none");
  return trainOne(io, run, {
    folder: flags.out,
    corpora: flags.corpora,
    resume: flags.resume ?? false,
    json: flags.json ?? false,
  });
}

/** Where and how to train one run. */
export interface TrainPlace {
  readonly folder: string;
  readonly corpora: string;
  readonly resume: boolean;
  readonly json: boolean;
}

/** Trains one run and prints its result; its exit code. */
export async function trainOne(io: Io, run: RunConfig, { folder, corpora, resume, json }: TrainPlace): Promise<number> {
  await checkPlace("--out", io.directory, `${folder}/${stateFile}`);
  const progress = createProgress(io);
  let interrupted = false;
  const stopListening = io.onInterrupt(() => {
    interrupted = true;
  });
  try {
    const corpus = await loadCorpus(io, progress, run.data.corpus, corpora, run.data.length);
    const outcome = await train({
      run,
      corpus,
      folder: resolve(io.directory, folder),
      create: createClassifier,
      resume,
      onStatus: statusLine(io, progress),
      interrupted: () => interrupted,
    });
    progress.stop();
    if (outcome.status === "interrupted") {
      io.stderr.write(
        `stopped after step ${outcome.step} of ${outcome.steps}, saved; go on with: fna train ${folder}/config.json --out ${folder} --resume\n`,
      );
      return exitCodes.failed;
    }
    io.stdout.write(json ? `${JSON.stringify(outcome.result)}\n` : describe(outcome.result, corpus.notes, folder));
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof NonFiniteError)) throw error;
    progress.stop();
    io.stderr.write(`error: ${error.message}, saved in ${folder}/${stateFile}; a smaller --lr may get past it\n`);
    return exitCodes.failed;
  } finally {
    stopListening();
    progress.stop();
  }
}

/** Loss, accuracy, speed and the time that is left, on the progress bar. */
function statusLine(io: Io, progress: Progress): (status: TrainingStatus) => void {
  let first: { step: number; time: number } | undefined;
  return ({ step, steps, loss, accuracy, tokensPerSecond, phase }) => {
    const time = io.now().getTime();
    first ??= { step: step - 1, time };
    const left = ((time - first.time) / 1000 / (step - first.step)) * (steps - step);
    const numbers = `loss ${loss.toFixed(3)}, accuracy ${accuracy.toFixed(2)}, ${Math.round(tokensPerSecond)} tokens/s, ${duration(left)} left`;
    progress.update(step, steps, phase === undefined ? numbers : `${phase} ...`);
  };
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole >= 120 ? `${Math.ceil(whole / 60)} min` : `${whole} s`;
}

/** A row of scores: accuracy, area under the ROC curve, loss, calibration error. */
export function scoreCells({ accuracy, auc, loss, calibration }: Scores): string[] {
  return [accuracy.toFixed(4), auc === undefined ? "" : auc.toFixed(4), loss.toFixed(4), calibration.toFixed(4)];
}
export const scoreHead = ["accuracy", "ROC AUC", "loss", "calibration error"];

function describe(result: RunResult, notes: readonly string[], folder: string): string {
  const rows = (["validation", "test"] as const).map((part) => [
    part,
    String(result[part].documents),
    ...scoreCells(result[part]),
  ]);
  return [
    renderTable(["part", "documents", ...scoreHead], rows, [1, 2, 3, 4, 5]),
    "",
    `${result.run.data.corpus}: ${notes.join("; ")}`,
    `${result.steps} steps in ${result.trainingSeconds} s, ${result.parameterCount} parameters; best after step ${result.bestStep}: ${folder}/${modelFile}`,
    "",
  ].join("\n");
}

async function baseline(run: RunConfig, flags: TrainFlags, io: Io): Promise<number> {
  const progress = createProgress(io);
  try {
    const corpus = await loadCorpus(io, progress, run.data.corpus, flags.corpora, run.data.length);
    progress.stop();
    const { baselines, words } = runBaselines(
      { ...corpus, train: trainingDocuments(corpus, run) },
      run.data.vocabulary,
      "test",
    );
    if (flags.json) {
      io.stdout.write(`${JSON.stringify({ corpus: corpus.name, baselines, words })}\n`);
      return exitCodes.done;
    }
    const lines = [
      renderTable(
        ["baseline", ...scoreHead],
        baselines.map(({ name, scores }) => [name, ...scoreCells(scores)]),
        [1, 2, 3, 4],
      ),
    ];
    for (const [name, list] of Object.entries(words)) {
      lines.push(`${name}: ${list.map(({ word, weight }) => `${word} ${Math.abs(weight).toFixed(1)}`).join(", ")}`);
    }
    io.stdout.write(`${lines.join("\n")}\n${corpus.name}: ${corpus.notes.join("; ")}\n`);
    return exitCodes.done;
  } finally {
    progress.stop();
  }
}
