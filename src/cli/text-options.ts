/** The options of the commands that attend to a text, what they mean, and the computing that they share. */

import { join } from "node:path";
import { type Command, Option } from "commander";
import { createAttention } from "../create.js";
import { splitText } from "../data/read.js";
import { unknownId } from "../data/vocabulary.js";
import { attentionMapFile } from "../page/attention-map.js";
import { titleOf } from "../page/format.js";
import { type ComparedAttention, compareAttention } from "../text/compare.js";
import { spellingVectors, type TokenVectors, trainedVectors } from "../text/vectors.js";
import type { DeviceName } from "../types.js";
import { deviceError, UsageError } from "./errors.js";
import { writeWhole } from "./files.js";
import { type InputText, readText } from "./input.js";
import type { Io } from "./io.js";
import { openCheckpoint } from "./learning.js";
import type { Progress } from "./progress.js";
import { integerIn, numberIn, oneOf, positiveOr } from "./values.js";

/** Values of the shared options. */
export interface TextFlags {
  text?: string;
  /** A file, false for spelling, undefined for what the command does by itself. */
  checkpoint?: string | false;
  alpha?: number;
  device: DeviceName | "auto";
  manifold: "euclidean" | "sphere";
  kappa: "paper" | "dim" | "none" | number;
  bandwidth: number | "median" | "mean";
  dim?: number;
  maxTokens: number;
  links: number;
  out?: string;
  svg?: boolean;
  json?: boolean;
}

/** The flags with everything settled that depends on where the vectors come from. */
export type SettledFlags = TextFlags & { readonly alpha: number; readonly dim: number };

/** What a trained model is, and what it makes of the text. */
export interface Verdict {
  readonly checkpoint: string;
  readonly corpus: string;
  /** Order that it attends with. */
  readonly alpha: number;
  /** Tokens that it does not know; all of them have the same vector. */
  readonly unknown: number;
  readonly classes: readonly { readonly name: string; readonly probability: number }[];
}

/** A text, the vectors of its tokens, and what made them. */
export interface PreparedText {
  readonly input: InputText;
  readonly flags: SettledFlags;
  readonly vectors: TokenVectors;
  /** Undefined for vectors of spelling. */
  readonly verdict: Verdict | undefined;
}

/** How texts become vectors, for `--help`. */
export const textHelp = `
Tokens: words, numbers, emoji and symbols, lower-cased, as Unicode's word boundaries have them (Chinese, Japanese and
  Thai by the engine's dictionary); punctuation and space only separate. UTF-8, or UTF-16 with a byte order mark; at
  most 1 MiB of a file is read.
Embeddings: those of a trained classifier with --checkpoint (an fna-euclidean model of fna train with one head and shared
  query and key): what its first layer attends with. Words it does not know share one vector. Or spelling: the sum of
  fixed Gaussian vectors, one for each of a token's character 3- to 5-grams, seeded by a hash, scaled to unit variance,
  plus the sinusoidal position. Similar spelling and nearness in the text attract; meaning is unknown to it.
  The same text always gives the same numbers.
Attention: query = key = embedding, no token attends to itself. dot-product is softmax(QK'/sqrt(D)); local is alpha = 2;
  multiscale is --alpha. All three use the same embeddings; D = 8 is the width of the paper's own comparison.
  The model's own attention is that of its order.`;

/** What --links is for, whose default differs. */
export const linksHelp =
  "strongest links of each token in the terminal and in JSON, an integer in [0, 20]; a page lists three";

const defaultAlpha = 1.2;
const defaultDim = 8;

/**
 * Adds the shared options but for --out, --svg and --json, whose words differ.
 * @param checkpointDefault what --checkpoint is when it is not given, in words
 */
export function addTextOptions(command: Command, checkpointDefault: string): Command {
  return command
    .argument("[text...]", "the text itself, instead of a file")
    .option("-t, --text <file>", 'file to read; "-" is standard input')
    .option("--checkpoint <file>", `embeddings of this trained classifier (default: ${checkpointDefault})`)
    .option("--no-checkpoint", "embeddings of spelling")
    .option(
      "--alpha <order>",
      `order of the multiscale attention, in (0, 2] (default: the checkpoint's below 2, or ${defaultAlpha})`,
      numberIn("a number in (0, 2]", (x) => x > 0 && x <= 2),
    )
    .addOption(
      withParser(
        "--device <name>",
        "auto, reference, wasm or webgpu",
        oneOf<DeviceName | "auto">(["auto", "reference", "wasm", "webgpu"]),
        "auto",
      ),
    )
    .addOption(
      withParser(
        "--manifold <name>",
        "euclidean or sphere",
        oneOf<"euclidean" | "sphere">(["euclidean", "sphere"]),
        "euclidean",
      ),
    )
    .addOption(
      withParser(
        "--kappa <scale>",
        "length scale: paper, dim, none or a number above 0",
        positiveOr("paper", "dim", "none"),
        "paper",
      ),
    )
    .addOption(
      withParser(
        "--bandwidth <size>",
        "a number above 0, median or mean (of the distances)",
        positiveOr("median", "mean"),
        1,
      ),
    )
    .option(
      "--dim <number>",
      `components of an embedding of spelling, an integer in [2, 1024] (default: ${defaultDim})`,
      integerIn(2, 1024),
    )
    .option(
      "--max-tokens <number>",
      "tokens looked at, from the beginning, an integer in [2, 512]",
      integerIn(2, 512),
      128,
    );
}

function withParser<T>(flags: string, description: string, parser: (word: string) => T, fallback: T): Option {
  return new Option(flags, description).argParser(parser).default(fallback);
}

/** Where the page goes: the file itself, or report.html in a directory. */
export function pagePath(out: string): string {
  return /\.html?$/i.test(out) ? out : join(out, "report.html");
}

/**
 * Reads the text, and makes vectors of its tokens.
 * @param fallback the checkpoint when none is given; undefined for spelling
 * @throws UsageError for a text or checkpoint that cannot be read, InvalidArgumentError for one of a model that does not fit
 */
export async function prepareText(
  io: Io,
  words: readonly string[],
  flags: TextFlags,
  fallback?: string,
): Promise<PreparedText> {
  // Who asks for a dimension asks for spelling, but not beside a checkpoint that is named.
  const file = flags.checkpoint ?? (flags.dim === undefined ? fallback : undefined);
  if (file === undefined || file === false) {
    const input = await readText(io, words, flags.text, flags.maxTokens);
    const vectors = spellingVectors(input.tokens, flags.dim ?? defaultDim);
    return {
      input,
      flags: { ...flags, alpha: flags.alpha ?? defaultAlpha, dim: vectors.dim },
      vectors,
      verdict: undefined,
    };
  }
  if (flags.dim !== undefined) {
    throw new UsageError(
      `--dim: expected none with a checkpoint, which has its own (--no-checkpoint), got ${flags.dim}`,
    );
  }
  const { model, run, classes, vocabulary } = await openCheckpoint(io, file, 1);
  try {
    const { corpus, length } = run.data;
    const input = await readText(io, words, flags.text, Math.min(flags.maxTokens, length), splitText[corpus]);
    const ids = new Int32Array(input.tokens.length);
    vocabulary.encode(input.tokens, ids);
    const vectors = await trainedVectors(model, ids, file);
    const { probabilities } = await model.predict({ tokens: ids, lengths: Int32Array.of(ids.length) });
    const own = vectors.alpha ?? defaultAlpha;
    const alpha = flags.alpha ?? (own < 2 ? own : defaultAlpha);
    const verdict = {
      checkpoint: file,
      corpus,
      alpha: own,
      unknown: ids.reduce((count, id) => count + Number(id === unknownId), 0),
      classes: classes.map((name, c) => ({ name, probability: probabilities[c] })),
    };
    return { input, flags: { ...flags, alpha, dim: vectors.dim }, vectors, verdict };
  } finally {
    model.dispose();
  }
}

/** Where the vectors came from and what the model says, in words. */
export function vectorsText({ dim }: TokenVectors, verdict: Verdict | undefined): string {
  if (verdict === undefined) return `spelling and position embeddings of ${dim} components`;
  const { checkpoint, corpus, alpha, unknown, classes } = verdict;
  const answer = classes.map(({ name, probability }) => `${name} ${(100 * probability).toFixed(1)} %`).join(", ");
  return `embeddings of ${dim} components, trained on ${corpus} with alpha = ${Number(alpha.toFixed(3))} (${checkpoint}), ${unknown} tokens unknown; it says ${answer}`;
}

/** The three attentions of a text on the device of the options. */
export async function computeAttentions(
  { input: { tokens }, flags, vectors }: PreparedText,
  progress: Progress,
): Promise<{ device: DeviceName; attentions: ComparedAttention[] }> {
  const attention = await createAttention({ device: flags.device }).catch((error: unknown) => {
    throw deviceError(error);
  });
  try {
    const { alpha, manifold, kappa, bandwidth } = flags;
    const attentions = await compareAttention(
      attention,
      vectors.points,
      tokens.length,
      vectors.dim,
      { alpha, manifold, kappa, bandwidth },
      progress.update,
    );
    return { device: attention.device, attentions };
  } finally {
    attention.dispose();
  }
}

/** Writes each map as an SVG file beside the page; gives back the absolute paths. */
export async function writeMaps(
  io: Io,
  page: string,
  { tokens }: InputText,
  attentions: readonly ComparedAttention[],
): Promise<string[]> {
  const files: string[] = [];
  for (const a of attentions) {
    const svg = attentionMapFile({ id: a.name, title: titleOf(a), tokens, weights: a.weights });
    files.push(await writeWhole("--out", io.directory, join(page, "..", `${a.name}.svg`), svg));
  }
  return files;
}

/** The geometry of the local and the multiscale attention in words. */
export function scalesText({ manifold, kappa, bandwidth }: TextFlags): string {
  const distance = manifold === "sphere" ? "angles on the sphere" : "Euclidean distances";
  const scale = typeof kappa === "number" ? `κ\u00a0=\u00a0${kappa}` : `the length scale “${kappa}”`;
  const size =
    typeof bandwidth === "number" ? `ε\u00a0=\u00a0${bandwidth}` : `ε measured as the ${bandwidth} of the distances`;
  return `Local and multiscale attention measure ${distance}, with ${scale} and ${size}.`;
}
