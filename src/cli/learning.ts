/** What `train`, `eval`, `sweep` and `analyze` share: where corpora are, how a run is named by flags, how checkpoints are read. */

import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type { Corpus } from "../data/corpus.js";
import { MissingCorpusError } from "../data/errors.js";
import { type CorpusName, corpusNames, readCorpus } from "../data/read.js";
import { type Checkpoint, modelConfig, parseCheckpoint, withoutMoments } from "../learn/checkpoint.js";
import { mergeRuns, parseRun, type RunOptions } from "../learn/run-config.js";
import { mostThreads } from "../models/config.js";
import { createClassifier } from "../models/index.js";
import type { AttentionKind, Classifier } from "../models/types.js";
import { UsageError } from "./errors.js";
import { readWhole } from "./files.js";
import type { Io } from "./io.js";
import type { Progress } from "./progress.js";
import { integerIn, numberIn, oneOf } from "./values.js";

/** The largest checkpoint that is read, in bytes. */
const checkpointLimit = 2 ** 30;

export const attentionKinds = [
  "fna-euclidean",
  "fna-sphere",
  "dot-product",
  "sinkhorn",
] as const satisfies readonly AttentionKind[];

/** The configuration in a file, under the options that flags gave. */
export async function readConfig(io: Io, file: string | undefined, over: RunOptions): Promise<RunOptions> {
  if (file === undefined) return over;
  const bytes = await readWhole("config", io.directory, file, 2 ** 20);
  return mergeRuns(parseRun(new TextDecoder().decode(bytes), file), over);
}

/** Flags that stand for parts of a run's configuration. */
export interface RunFlags {
  corpus?: CorpusName;
  length?: number;
  vocabulary?: number;
  limit?: number;
  attention?: AttentionKind;
  alpha?: number;
  learnAlpha?: boolean;
  layers?: number;
  heads?: number;
  width?: number;
  dropout?: number;
  qkShare?: boolean;
  orthogonal?: boolean;
  pooling?: "max" | "mean";
  epochs?: number;
  batch?: number;
  lr?: number;
  schedule?: "binary" | "constant";
  seed?: number;
  threads?: number;
}

/** Of --threads where a model shares a batch among them. */
export const threadCount = integerIn(1, mostThreads);

const above0 = numberIn("a number above 0", (x) => x > 0);

/** Adds the flags of a run; `without` names those that a command reads in its own way. */
export function addRunFlags(command: Command, without: readonly (keyof RunFlags)[] = []): Command {
  const flags: [name: keyof RunFlags, flags: string, description: string, parser?: (word: string) => unknown][] = [
    ["corpus", "--corpus <name>", "spam-assassin, imdb or listops (default: spam-assassin)", oneOf(corpusNames)],
    ["length", "--length <tokens>", "tokens read of a document (default: 512)", integerIn(1, 2 ** 16)],
    ["vocabulary", "--vocabulary <words>", "most words known (default: 4096)", integerIn(4, 2 ** 20)],
    [
      "limit",
      "--limit <documents>",
      "training documents used at most, 0 for all (default: 0)",
      integerIn(0, 2 ** 31 - 1),
    ],
    ["attention", "--attention <kind>", `${attentionKinds.join(", ")} (default: fna-euclidean)`, oneOf(attentionKinds)],
    [
      "alpha",
      "--alpha <order>",
      "order in (0, 2] (default: 1.2)",
      numberIn("a number in (0, 2]", (x) => x > 0 && x <= 2),
    ],
    ["learnAlpha", "--learn-alpha", "learn the order of every head"],
    ["layers", "--layers <number>", "layers (default: 1)", integerIn(1, 1000)],
    ["heads", "--heads <number>", "heads, a divisor of the width (default: 1)", integerIn(1, 2 ** 20)],
    ["width", "--width <number>", "width of the model (default: 64)", integerIn(1, 2 ** 20)],
    ["dropout", "--dropout <share>", "in [0, 1) (default: 0)", numberIn("a number in [0, 1)", (x) => x >= 0 && x < 1)],
    ["qkShare", "--no-qk-share", "keys of their own; by default they are the queries"],
    ["orthogonal", "--no-orthogonal", "free projections; by default W_Q and W_K are orthogonal"],
    ["pooling", "--pooling <name>", "max or mean over the positions (default: max)", oneOf(["max", "mean"] as const)],
    ["epochs", "--epochs <number>", "passes over the training part, also a fraction (default: 5)", above0],
    ["batch", "--batch <documents>", "documents of a step (default: 32)", integerIn(1, 4096)],
    ["lr", "--lr <rate>", "learning rate of Adam (default: 0.001)", above0],
    [
      "schedule",
      "--schedule <name>",
      "binary (a tenth of the rate in the last quarter) or constant (default: binary)",
      oneOf(["binary", "constant"] as const),
    ],
    ["seed", "--seed <number>", "of parameters, dropout and order (default: 1)", integerIn(0, 2 ** 32 - 1)],
    ["threads", "--threads <number>", "threads that share a batch (default: 1)", threadCount],
  ];
  for (const [name, words, description, parser] of flags) {
    if (without.includes(name)) continue;
    const option = new Option(words, description);
    if (parser) option.argParser(parser);
    // "--no-x" would set x to true when it is absent, and overrule a configuration file.
    command.addOption(option);
    if (words.startsWith("--no-")) command.setOptionValue(name, undefined);
  }
  return command;
}

/** The flags that were given, as a configuration. */
export function runOptions(flags: RunFlags): RunOptions {
  const { corpus, length, vocabulary, limit, epochs, batch, lr, schedule, seed, threads } = flags;
  const { attention, alpha, learnAlpha, layers, heads, width, dropout, qkShare, orthogonal, pooling } = flags;
  return {
    data: given({ corpus, length, vocabulary, limit }),
    model: given({ attention, alpha, learnAlpha, layers, heads, width, dropout, qkShare, orthogonal, pooling }),
    training: given({ epochs, batch, learningRate: lr, schedule, seed, threads }),
  };
}

type Given<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>;
}

/** The option that says where corpora are. */
export function addCorporaFlag(command: Command): Command {
  return command.option("--corpora <folder>", "folder of the corpora (the mails, aclImdb)", "corpora");
}

/** Reads a corpus, with its progress; a missing one is wrong usage, and its message has the command that brings it. */
export async function loadCorpus(
  io: Io,
  progress: Progress,
  name: CorpusName,
  folder: string,
  length: number,
): Promise<Corpus> {
  try {
    return await readCorpus(name, resolve(io.directory, folder), length, (done, total) =>
      progress.update(done, total, `reading ${name}`),
    );
  } catch (error) {
    if (error instanceof MissingCorpusError) throw new UsageError(error.message);
    throw error;
  }
}

/**
 * Reads a checkpoint and makes its model.
 * @param batch documents at a time
 * @throws UsageError when the file cannot be read, InvalidArgumentError when it is no whole checkpoint
 */
export async function openCheckpoint(
  io: Io,
  file: string,
  batch: number,
  threads = 1,
): Promise<Checkpoint & { readonly model: Classifier }> {
  const bytes = await readWhole("checkpoint", io.directory, file, checkpointLimit);
  const checkpoint = parseCheckpoint(bytes, file);
  const model = await createClassifier(modelConfig(checkpoint), { batch, threads, training: false });
  try {
    model.load(withoutMoments(checkpoint.state));
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { ...checkpoint, model };
}
