/**
 * Checkpoints: one safetensors file with everything that is needed to use a model, and when it is one to go on from, to
 * train it further with the same bits.
 *
 *   tensors    parameters under the authors' state-dict names (`embedding.weight`, `layers.0.mha.WV.weight`, …), float32;
 *              of a resumable one Adam's moments too, as `adam.first.<name>` and `adam.second.<name>`
 *   metadata   `format`: "pt"; `fna`: JSON of the configuration, the classes, the words of the vocabulary, seed and step
 *
 * The vocabulary travels inside, because a model with another one is worthless. PyTorch reads the file as it is
 * (`load_state_dict(..., strict=False)`: the fixed table of positions is computed, not stored). Written whole or not at
 * all (`files/replace.ts`).
 */

import { record } from "../../reference/check.js";
import { Vocabulary } from "../data/vocabulary.js";
import { FractionalAttentionError, InvalidArgumentError } from "../errors.js";
import { replaceFile } from "../files/replace.js";
import { formatSafetensors, parseSafetensors, type Tensor } from "../files/safetensors.js";
import { decodeFloat32, encodeTensor } from "../files/tensor-values.js";
import type { ClassifierConfig, ModelState, NamedTensor } from "../models/types.js";
import { type RunConfig, resolveRun } from "./run-config.js";

/** What has been reached so far, for a run that goes on. */
export interface Progress {
  /** Lowest loss on the validation part and the step after which it was measured; nothing before the first epoch. */
  readonly best?: { readonly loss: number; readonly step: number };
}

/** A model with what it was trained on. */
export interface Checkpoint {
  readonly run: RunConfig;
  readonly classes: readonly string[];
  readonly vocabulary: Vocabulary;
  readonly state: ModelState;
  readonly progress: Progress;
}

interface Header {
  version: 1;
  run: RunConfig;
  classes: string[];
  words: string[];
  seed: number;
  step: number;
  progress: Progress;
}

/** A checkpoint that could not be written: a full disk, a folder that is gone. */
export class CheckpointError extends FractionalAttentionError {
  override name = "CheckpointError";

  constructor(path: string, { code, message }: NodeJS.ErrnoException) {
    const reason = code === "ENOSPC" ? "no space left on the device" : message;
    super(`${path}: could not be written (${reason}); what was there before is unchanged`);
  }
}

const momentNames = { firstMoments: "adam.first.", secondMoments: "adam.second." } as const;

/** The configuration of a checkpoint's model: that of the run, with what its corpus decided. */
export function modelConfig({
  run,
  classes,
  vocabulary,
}: Pick<Checkpoint, "run" | "classes" | "vocabulary">): ClassifierConfig {
  return { ...run.model, vocabulary: vocabulary.size, maxLength: run.data.length, classes: classes.length };
}

/** What using a model needs of a state, without what training it further does. */
export function withoutMoments({ firstMoments: _first, secondMoments: _second, ...state }: ModelState): ModelState {
  return state;
}

/** The bytes of a checkpoint. Moments are left out where the state has none. */
export function formatCheckpoint({ run, classes, vocabulary, state, progress }: Checkpoint): Uint8Array {
  const tensors: [string, Tensor][] = entries(state.parameters);
  for (const [key, prefix] of Object.entries(momentNames) as [keyof typeof momentNames, string][]) {
    for (const [name, tensor] of entries(state[key] ?? {})) tensors.push([prefix + name, tensor]);
  }
  const header: Header = {
    version: 1,
    run,
    classes: [...classes],
    words: [...vocabulary.words],
    seed: state.seed,
    step: state.step,
    progress,
  };
  return formatSafetensors(tensors, { format: "pt", fna: JSON.stringify(header) });
}

function entries(tensors: Readonly<Record<string, NamedTensor>>): [string, Tensor][] {
  return Object.entries(tensors).map(([name, { shape, data }]) => [name, encodeTensor("F32", shape, data)]);
}

/**
 * Reads a checkpoint. Whether the tensors fit the model is for the model to check (`Classifier.load`).
 * @param file its name, for the messages
 * @throws InvalidArgumentError for a file that is cut, damaged or no checkpoint of ours
 */
export function parseCheckpoint(bytes: Uint8Array, file: string): Checkpoint {
  const { tensors, metadata } = parseSafetensors(bytes, file);
  const header = parseHeader(metadata.fna, file);
  const groups = { parameters: {}, firstMoments: {}, secondMoments: {} } as Record<
    "parameters" | keyof typeof momentNames,
    Record<string, NamedTensor>
  >;
  for (const [name, tensor] of tensors) {
    const [key, prefix] = (Object.entries(momentNames) as [keyof typeof momentNames, string][]).find(([, p]) =>
      name.startsWith(p),
    ) ?? ["parameters" as const, ""];
    groups[key][name.slice(prefix.length)] = { shape: tensor.shape, data: decodeFloat32(tensor, name) };
  }
  const { parameters, firstMoments, secondMoments } = groups;
  const moments = Object.keys(firstMoments).length > 0 ? { firstMoments, secondMoments } : {};
  return {
    run: header.run,
    classes: header.classes,
    vocabulary: new Vocabulary(header.words),
    state: { seed: header.seed, step: header.step, parameters, ...moments },
    progress: header.progress,
  };
}

function parseHeader(text: string | undefined, file: string): Header {
  const expected = 'a checkpoint that "fna train" wrote, with its configuration in the metadata "fna"';
  if (text === undefined) throw new InvalidArgumentError(file, expected, "a file without it");
  let header: Header;
  try {
    header = record(file, JSON.parse(text) as Header);
  } catch {
    throw new InvalidArgumentError(file, expected, "metadata that are no JSON object");
  }
  const { version, classes, words, seed, step, progress } = header;
  const whole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  const texts = (value: unknown) => Array.isArray(value) && value.every((word) => typeof word === "string");
  if (version !== 1) throw new InvalidArgumentError(file, "a checkpoint of version 1", version);
  if (!texts(classes) || !texts(words) || !whole(seed) || !whole(step) || typeof progress !== "object") {
    throw new InvalidArgumentError(file, expected, "metadata without some of it");
  }
  return { ...header, run: resolveRun(header.run) };
}

/**
 * Writes a checkpoint, whole or not at all.
 * @param path absolute
 * @throws CheckpointError saying why it could not be written; the one that was there before is intact
 */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  try {
    await replaceFile(path, formatCheckpoint(checkpoint));
  } catch (error) {
    throw new CheckpointError(path, error as NodeJS.ErrnoException);
  }
}
