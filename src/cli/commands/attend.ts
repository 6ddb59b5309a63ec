/** `fna attend`: real text in, three kinds of attention out, side by side. */

import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { type Command, Option } from "commander";
import manifest from "../../../package.json" with { type: "json" };
import { createAttention } from "../../create.js";
import { attentionMapFile } from "../../page/attention-map.js";
import { titleOf } from "../../page/format.js";
import type { Report } from "../../page/report.js";
import { type ComparedAttention, compareAttention } from "../../text/compare.js";
import { embed } from "../../text/embeddings.js";
import type { DeviceName } from "../../types.js";
import { attendJson, attendText } from "../attend-output.js";
import { deviceError, UsageError } from "../errors.js";
import { checkPlace, writeWhole } from "../files.js";
import { type InputText, readText, readVerification } from "../input.js";
import type { Io } from "../io.js";
import { createProgress, type Progress } from "../progress.js";
import { integerIn, numberIn, oneOf, positiveOr } from "../values.js";

interface AttendFlags {
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
  verification?: string;
  json?: boolean;
}

const help = `
Tokens: words, numbers, emoji and symbols, lower-cased, as Unicode's word boundaries have them (Chinese, Japanese and
  Thai by the engine's dictionary); punctuation and space only separate. UTF-8, or UTF-16 with a byte order mark; at
  most 1 MiB of a file is read.
Embeddings: no trained model is used. A token's vector is the sum of fixed Gaussian vectors, one for each of its
  character 3- to 5-grams, seeded by a hash, scaled to unit variance, plus the sinusoidal position. Similar spelling
  and nearness in the text attract; meaning is unknown to it. The same text always gives the same numbers.
Attention: query = key = embedding, no token attends to itself. dot-product is softmax(QK'/sqrt(D)); local is alpha = 2;
  multiscale is --alpha. All three use the same embeddings; D = 8 is the width of the paper's own comparison.

Examples:
  fna attend "the cat saw the dog and the dog saw the cat"
  fna attend --text story.txt --out report.html
  fna attend --text story.txt --alpha 1.5 --bandwidth median --out maps --svg
  cat story.txt | fna attend --text - --json`;

export function addAttend(program: Command, io: Io, finish: (code: number) => void): void {
  program
    .command("attend")
    .description("show dot-product, local and multiscale attention on a text, side by side")
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
    )
    .option("--links <number>", "strongest links listed of each token, an integer in [0, 20]", integerIn(0, 20), 3)
    .option("--out <path>", "write the page to this .html file, or as report.html into this directory")
    .option("--svg", "with --out: write each map as an SVG file beside the page, with every token named")
    .option("--verification <file>", 'with --out: put this result of "fna verify --out FILE" on the page')
    .option("--json", "print the result as JSON and nothing else")
    .addHelpText("after", help)
    .action(async (words: string[], flags: AttendFlags) => {
      await attend(words, flags, io);
      finish(0);
    });
}

function withParser<T>(flags: string, description: string, parser: (word: string) => T, fallback: T): Option {
  return new Option(flags, description).argParser(parser).default(fallback);
}

async function attend(words: readonly string[], flags: AttendFlags, io: Io): Promise<void> {
  for (const option of ["svg", "verification"] as const) {
    if (flags[option] && flags.out === undefined) throw new UsageError(`--${option}: expected --out as well, got none`);
  }
  const input = await readText(io, words, flags.text, flags.maxTokens);
  const page = flags.out === undefined ? undefined : pagePath(flags.out);
  if (page !== undefined) await checkPlace("--out", io.directory, page);
  const verification = flags.verification === undefined ? undefined : await readVerification(io, flags.verification);
  const progress = createProgress(io);
  try {
    const { device, attentions } = await compute(input, flags, progress);
    const files: string[] = [];
    if (page !== undefined) {
      const { renderReport } = await import("../../page/report.js");
      const { circleStudy, pathStudy } = await import("../../page/studies.js");
      const report: Report = {
        ...input,
        dim: flags.dim,
        device,
        scales: scales(flags),
        attentions,
        circle: circleStudy((done, total) => progress.update(done, total, "spectra on the circle")),
        paths: pathStudy(),
        verification,
        machine: machine(io),
        version: manifest.version,
      };
      const pictures = flags.svg ? attentions.map((a) => picture(a, input)) : [];
      for (const { name, svg } of pictures) {
        files.push(await writeWhole("--out", io.directory, join(page, "..", `${name}.svg`), svg));
      }
      files.push(await writeWhole("--out", io.directory, page, renderReport(report)));
    }
    progress.stop();
    const result = { input, options: flags, device, attentions, files };
    io.stdout.write(flags.json ? attendJson(result) : attendText(result, io));
  } finally {
    progress.stop();
  }
}

function pagePath(out: string): string {
  return /\.html?$/i.test(out) ? out : join(out, "report.html");
}

async function compute(
  { tokens }: InputText,
  flags: AttendFlags,
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

function picture(a: ComparedAttention, { tokens }: InputText): { name: string; svg: string } {
  return { name: a.name, svg: attentionMapFile({ id: a.name, title: titleOf(a), tokens, weights: a.weights }) };
}

function scales({ manifold, kappa, bandwidth }: AttendFlags): string {
  const distance = manifold === "sphere" ? "angles on the sphere" : "Euclidean distances";
  const scale = typeof kappa === "number" ? `κ = ${kappa}` : `the length scale “${kappa}”`;
  const size = typeof bandwidth === "number" ? `ε = ${bandwidth}` : `ε measured as the ${bandwidth} of the distances`;
  return `Local and multiscale attention measure ${distance}, with ${scale} and ${size}.`;
}

function machine(io: Io): Report["machine"] {
  return {
    node: process.version,
    cpu: cpus()[0]?.model.trim() || "unknown processor",
    cores: availableParallelism(),
    date: io.now(),
  };
}
