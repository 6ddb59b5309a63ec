/**
 * What makes a run of training: which corpus, which model, which schedule. Everything that its numbers depend on, and
 * nothing else; the same configuration gives the same bits (with the same number of threads). As JSON it is what
 * `fna train CONFIG` reads and what stands in a checkpoint.
 */

import { finite, integer, oneOf, positive, record } from "../../reference/check.js";
import { type CorpusName, corpusNames } from "../data/read.js";
import { InvalidArgumentError } from "../errors.js";
import { mostThreads } from "../models/config.js";
import type { Schedule } from "../models/schedule.js";
import type { ClassifierConfig } from "../models/types.js";

/** The documents and how they become numbers. */
export interface DataConfig {
  readonly corpus: CorpusName;
  /** Tokens read of a document. Default 512. */
  readonly length: number;
  /** Most entries of the vocabulary. Default 4096. */
  readonly vocabulary: number;
  /** Training documents used at most, evenly spread over the part; 0 = all. Default 0. */
  readonly limit: number;
}

/** The model; what the corpus decides is left out. */
export type ModelConfig = Omit<ClassifierConfig, "vocabulary" | "maxLength" | "classes">;

/** The schedule. */
export interface TrainingConfig {
  /** Passes over the training part; a fraction stops inside one. Default 5. */
  readonly epochs: number;
  /** Default 32. */
  readonly batch: number;
  /** Default 1e-3. */
  readonly learningRate: number;
  /** Default `"binary"`. */
  readonly schedule: Schedule;
  /** Of the initial parameters, dropout and the order of the documents. Default 1. */
  readonly seed: number;
  /** Threads that share a batch. Default 1. */
  readonly threads: number;
}

export interface RunConfig {
  readonly data: DataConfig;
  readonly model: ModelConfig;
  readonly training: TrainingConfig;
}

/** What a caller may leave out. */
export interface RunOptions {
  readonly data?: Partial<DataConfig>;
  readonly model?: Partial<ModelConfig>;
  readonly training?: Partial<TrainingConfig>;
}

const dataNames = ["corpus", "length", "vocabulary", "limit"] satisfies (keyof DataConfig)[];
const trainingNames = [
  "epochs",
  "batch",
  "learningRate",
  "schedule",
  "seed",
  "threads",
] satisfies (keyof TrainingConfig)[];

/**
 * The configuration with its defaults. The model's own options are checked where the model is made.
 * @throws InvalidArgumentError naming the option, its domain and the value
 */
export function resolveRun(options: RunOptions): RunConfig {
  record("config", options, ["data", "model", "training"]);
  const data = record("data", options.data ?? {}, dataNames);
  const model = record("model", options.model ?? {});
  const training = record("training", options.training ?? {}, trainingNames);
  for (const name of ["vocabulary", "maxLength", "classes"]) {
    if (name in model) throw new InvalidArgumentError(`model.${name}`, "nothing: the corpus decides it", "a value");
  }
  return {
    data: {
      corpus: oneOf("data.corpus", data.corpus ?? "spam-assassin", corpusNames),
      length: integer("data.length", data.length ?? 512, 1, 2 ** 16),
      vocabulary: integer("data.vocabulary", data.vocabulary ?? 4096, 4, 2 ** 20),
      limit: integer("data.limit", data.limit ?? 0, 0),
    },
    model: { qkShare: true, orthogonal: true, ...model, width: integer("model.width", model.width ?? 64, 1, 2 ** 20) },
    training: {
      epochs: positive("training.epochs", training.epochs ?? 5),
      batch: integer("training.batch", training.batch ?? 32, 1, 2 ** 12),
      learningRate: positive("training.learningRate", finite("training.learningRate", training.learningRate ?? 1e-3)),
      schedule: oneOf("training.schedule", training.schedule ?? "binary", ["binary", "constant"]),
      seed: integer("training.seed", training.seed ?? 1, 0, 2 ** 32 - 1),
      threads: integer("training.threads", training.threads ?? 1, 1, mostThreads),
    },
  };
}

/**
 * A configuration from JSON.
 * @param file its name, for the message
 * @throws InvalidArgumentError also when it is no JSON
 */
export function parseRun(text: string, file: string): RunOptions {
  try {
    return record(file, JSON.parse(text) as RunOptions, ["data", "model", "training"]);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw error;
    throw new InvalidArgumentError(file, "a configuration as JSON", (error as Error).message);
  }
}

/** Options of `over` in place of those of `base`, one by one. */
export function mergeRuns(base: RunOptions, over: RunOptions): RunOptions {
  return {
    data: { ...base.data, ...over.data },
    model: { ...base.model, ...over.model },
    training: { ...base.training, ...over.training },
  };
}

/** Equal in everything that the numbers depend on, whatever the order of the keys. */
export function sameRun(a: RunConfig, b: RunConfig): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
