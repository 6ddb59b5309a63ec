/**
 * A run of training from its configuration to its scores, in a folder of its own:
 *
 *   config.json         the configuration
 *   log.jsonl           a line for every step, every validation and the end
 *   state.safetensors   what the run needs to go on (with Adam's moments); replaced every half minute and after each epoch
 *   model.safetensors   the parameters with the lowest loss on the validation part
 *   result.json         scores of that model; there when the run is done
 *
 * A run that is interrupted at any point, even killed while it writes, and started again ends with the same bits as one
 * that never stopped: the batch of a step depends on the seed and the step, everything else is in the state, and the
 * order of writing is model, then state, so what has to be done again is done again alike.
 */

import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Corpus, CorpusPart, Document } from "../data/corpus.js";
import type { Scores } from "../data/metrics.js";
import { buildVocabulary } from "../data/vocabulary.js";
import { InvalidArgumentError } from "../errors.js";
import { replaceFile } from "../files/replace.js";
import { NonFiniteError } from "../models/errors.js";
import { learningRateAt } from "../models/schedule.js";
import type { Classifier, ClassifierConfig, CreateOptions } from "../models/types.js";
import { collate, type Encoded, encodeDocuments, epochBatches, evenly, stepsPerEpoch } from "./batches.js";
import {
  type Checkpoint,
  modelConfig,
  type Progress,
  parseCheckpoint,
  withoutMoments,
  writeCheckpoint,
} from "./checkpoint.js";
import { evaluateEncoded } from "./evaluate.js";
import { readIfThere } from "./files.js";
import { RunLog } from "./log.js";
import { type RunConfig, sameRun } from "./run-config.js";

/** Makes a model; handed in, so that a run does not depend on how models are computed. */
export type CreateClassifier = (config: ClassifierConfig, options: CreateOptions) => Promise<Classifier>;

/** What a run reports while it goes on. */
export interface TrainingStatus {
  readonly step: number;
  readonly steps: number;
  /** Loss and accuracy of the last batch. */
  readonly loss: number;
  readonly accuracy: number;
  readonly tokensPerSecond: number;
  /** What is being done when it is not a step: "validation", "test". */
  readonly phase?: string;
}

export interface TrainOptions {
  readonly run: RunConfig;
  readonly corpus: Corpus;
  /** The folder of the run; made when it is not there. */
  readonly folder: string;
  readonly create: CreateClassifier;
  /** Go on with what is in the folder, and begin anew when nothing is. Without it a folder with a run is refused. */
  readonly resume?: boolean;
  readonly onStatus?: (status: TrainingStatus) => void;
  /** Asked after every step: true ends the run, saved. */
  readonly interrupted?: () => boolean;
  /** Milliseconds between two states. Default 30,000; it does not change a bit of the result. */
  readonly saveEvery?: number;
}

/** What a run came to. */
export interface RunResult {
  readonly run: RunConfig;
  readonly steps: number;
  readonly parameterCount: number;
  /** Step whose model was kept. */
  readonly bestStep: number;
  readonly validation: Scores;
  readonly test: Scores;
  /** Wall time in steps of training, in this and earlier sittings; a measurement, not part of the result. */
  readonly trainingSeconds: number;
}

/** How a run ended. */
export type TrainOutcome =
  | { readonly status: "done"; readonly result: RunResult }
  | { readonly status: "interrupted"; readonly step: number; readonly steps: number };

export const stateFile = "state.safetensors";
export const modelFile = "model.safetensors";
export const resultFile = "result.json";
const configFile = "config.json";
const logFile = "log.jsonl";

/**
 * Trains, validates after each epoch, keeps the best model and scores it on the test part.
 * @throws InvalidArgumentError for a wrong configuration, a folder with another run, or a damaged state
 * @throws NonFiniteError naming the tensor, with the state of the last good step saved
 * @throws CheckpointError when a checkpoint cannot be written
 */
export async function train(options: TrainOptions): Promise<TrainOutcome> {
  const { run, corpus, folder, create, onStatus = () => {}, interrupted = () => false, saveEvery = 30_000 } = options;
  const path = (name: string) => join(folder, name);
  const saved = await readSaved(options);
  if (saved?.result !== undefined) return { status: "done", result: saved.result };

  const documents = trainingDocuments(corpus, run);
  const vocabulary = saved?.state.vocabulary ?? buildVocabulary(documents, run.data.vocabulary);
  const { classes } = corpus;
  const { batch, seed, epochs, threads, schedule, learningRate } = run.training;
  const perEpoch = stepsPerEpoch(documents.length, batch);
  const steps = Math.max(1, Math.round(epochs * perEpoch));
  using model = await create(modelConfig({ run, classes, vocabulary }), { seed, threads, batch, training: true });
  if (saved !== undefined) model.load(saved.state.state);
  await mkdir(folder, { recursive: true });
  await replaceFile(path(configFile), `${JSON.stringify(run, null, 2)}\n`);
  const log = await RunLog.open(path(logFile), model.steps);

  const train = encodeDocuments(documents, vocabulary, run.data.length);
  const validation = encodeDocuments(corpus.validation, vocabulary, run.data.length);
  let progress: Progress = saved?.state.progress ?? {};
  let seconds = log.seconds;
  let lastSave = performance.now();
  const checkpoint = (): Checkpoint => ({ run, classes, vocabulary, state: model.state(), progress });
  const save = async () => {
    await log.flush();
    await writeCheckpoint(path(stateFile), checkpoint());
    lastSave = performance.now();
  };

  let order: { epoch: number; batches: number[][] } | undefined;
  let tokensPerSecond = 0;
  while (model.steps < steps) {
    const step = model.steps;
    const epoch = Math.floor(step / perEpoch);
    if (order?.epoch !== epoch) order = { epoch, batches: epochBatches(train, batch, seed, epoch) };
    const data = collate(train, order.batches[step % perEpoch]);
    const started = performance.now();
    let result: { loss: number; accuracy: number };
    try {
      result = await model.step(data, { learningRate: learningRateAt(schedule, learningRate, step, steps) });
    } catch (error) {
      if (error instanceof NonFiniteError) await save();
      throw error;
    }
    const took = (performance.now() - started) / 1000;
    seconds += took;
    const speed = data.lengths.reduce((sum, length) => sum + length, 0) / took;
    // Batches differ in length, and with it in speed: a mean over some ten of them.
    tokensPerSecond = tokensPerSecond === 0 ? speed : 0.9 * tokensPerSecond + 0.1 * speed;
    const done = model.steps;
    const rounded = { tokensPerSecond: Math.round(tokensPerSecond), seconds: Number(seconds.toFixed(3)) };
    log.add({ event: "step", step: done, ...result, ...rounded });
    onStatus({ step: done, steps, ...result, tokensPerSecond });
    const endOfEpoch = done % perEpoch === 0 || done === steps;
    if (endOfEpoch) {
      onStatus({ step: done, steps, ...result, tokensPerSecond, phase: "validation" });
      const scores = await evaluateEncoded(model, validation, batch);
      log.add({ event: "validation", step: done, ...scores });
      // Not `<`: a loss of NaN must not stand in the way of a model.
      if (progress.best === undefined || !(scores.loss >= progress.best.loss)) {
        progress = { best: { loss: scores.loss, step: done } };
        await writeCheckpoint(path(modelFile), { ...checkpoint(), state: withoutMoments(model.state()) });
      }
      await save();
    } else if (performance.now() - lastSave >= saveEvery) await save();
    if (done < steps && interrupted()) {
      await save();
      return { status: "interrupted", step: done, steps };
    }
  }
  onStatus({ step: steps, steps, loss: Number.NaN, accuracy: Number.NaN, tokensPerSecond: 0, phase: "test" });
  const best = parseCheckpoint(await readFile(path(modelFile)), path(modelFile));
  model.load(best.state);
  const scores = async (part: Exclude<CorpusPart, "train">, encoded: Encoded) => {
    const found = await evaluateEncoded(model, encoded, batch);
    log.add({ event: part === "test" ? "test" : "best", step: best.state.step, ...found });
    return found;
  };
  const result: RunResult = {
    run,
    steps,
    parameterCount: model.parameterCount,
    bestStep: best.state.step,
    validation: await scores("validation", validation),
    test: await scores("test", encodeDocuments(corpus.test, vocabulary, run.data.length)),
    trainingSeconds: Number(seconds.toFixed(1)),
  };
  await log.flush();
  await replaceFile(path(resultFile), `${JSON.stringify(result, null, 2)}\n`);
  return { status: "done", result };
}

interface Saved {
  readonly state: Checkpoint;
  readonly result?: RunResult;
}

/** What an earlier sitting left; nothing when there is none. Refuses to go on with another run, or over one without `resume`. */
async function readSaved({ run, folder, resume = false }: TrainOptions): Promise<Saved | undefined> {
  const path = join(folder, stateFile);
  if (!resume) {
    for (const name of [stateFile, modelFile, resultFile, logFile]) {
      if ((await readIfThere(join(folder, name))) === undefined) continue;
      throw new InvalidArgumentError(
        "out",
        "a folder without a run (or --resume, to go on with it)",
        join(folder, name),
      );
    }
    return undefined;
  }
  const bytes = await readIfThere(path);
  if (bytes === undefined) {
    // The first state was never reached; a result that lies here is not this run's.
    await rm(join(folder, resultFile), { force: true });
    return undefined;
  }
  const state = parseCheckpoint(bytes, path);
  if (!sameRun(state.run, run)) {
    throw new InvalidArgumentError(
      "config",
      `the configuration of the run in ${folder} (its config.json)`,
      "another one",
    );
  }
  const result = await readIfThere(join(folder, resultFile));
  return { state, ...(result && { result: JSON.parse(result.toString()) as RunResult }) };
}

/** What a run trains on: the training part, or as many of its documents as the limit says. */
export function trainingDocuments(corpus: Corpus, { data }: RunConfig): readonly Document[] {
  return data.limit === 0 ? corpus.train : evenly(corpus.train, data.limit);
}
