/** The options of the commands that attend to a text, what they mean, and the computing that they share. */

import { join } from "node:path";
import { type Command, Option } from "commander";
import { createAttention } from "../create.js";
import { attentionMapFile } from "../page/attention-map.js";
import { titleOf } from "../page/format.js";
import { type ComparedAttention, compareAttention } from "../text/compare.js";
import { embed } from "../text/embeddings.js";
import type { DeviceName } from "../types.js";
import { deviceError } from "./errors.js";
import { writeWhole } from "./files.js";
import type { InputText } from "./input.js";
import type { Io } from "./io.js";
import type { Progress } from "./progress.js";
import { integerIn, numberIn, oneOf, positiveOr } from "./values.js";

/** Values of the shared options. */
export interface TextFlags {
  text?: string;
  alpha: number;
  device: DeviceName | "auto";
  manifold: "euclidean" | "sphere";
  kappa: "paper" | "dim" | "none" | number;
  bandwidth: number | "median" | "mean";
  dim: number;
  maxTokens: number;
  links: number;
  out?: string;
  svg?: boolean;
  json?: boolean;
}

/** How texts become vectors, for `--help`. */
export const textHelp = `
Tokens: words, numbers, emoji and symbols, lower-cased, as Unicode's word boundaries have them (Chinese, Japanese and
  Thai by the engine's dictionary); punctuation and space only separate. UTF-8, or UTF-16 with a byte order mark; at
  most 1 MiB of a file is read.
Embeddings: no trained model is used. A token's vector is the sum of fixed Gaussian vectors, one for each of its
  character 3- to 5-grams, seeded by a hash, scaled to unit variance, plus the sinusoidal position. Similar spelling
  and nearness in the text attract; meaning is unknown to it. The same text always gives the same numbers.
Attention: query = key = embedding, no token attends to itself. dot-product is softmax(QK'/sqrt(D)); local is alpha = 2;
  multiscale is --alpha. All three use the same embeddings; D = 8 is the width of the paper's own comparison.`;

/** Adds the shared options but for --out, --svg and --json, whose words differ. */
export function addTextOptions(command: Command): Command {
  return command
    .argument("[text...]", "the text itself, instead of a file")
    .option("-t, --text <file>", 'file to read; "-" is standard input')
    .option(
      "--alpha <order>",
      "order of the multiscale attention, in (0, 2]",
      numberIn("a number in (0, 2]", (x) => x > 0 && x <= 2),
      1.2,
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
    .option("--dim <number>", "components of an embedding, an integer in [2, 1024]", integerIn(2, 1024), 8)
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

/** The three attentions of a text on the device of the options. */
export async function computeAttentions(
  { tokens }: InputText,
  flags: TextFlags,
  progress: Progress,
): Promise<{ device: DeviceName; attentions: ComparedAttention[] }> {
  const attention = await createAttention({ device: flags.device }).catch((error: unknown) => {
    throw deviceError(error);
  });
  try {
    const { alpha, manifold, kappa, bandwidth } = flags;
    const attentions = await compareAttention(
      attention,
      embed(tokens, flags.dim),
      tokens.length,
      flags.dim,
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
  const scale = typeof kappa === "number" ? `κ = ${kappa}` : `the length scale “${kappa}”`;
  const size = typeof bandwidth === "number" ? `ε = ${bandwidth}` : `ε measured as the ${bandwidth} of the distances`;
  return `Local and multiscale attention measure ${distance}, with ${scale} and ${size}.`;
}
