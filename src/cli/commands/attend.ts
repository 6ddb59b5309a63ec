/** `fna attend`: real text in, three kinds of attention out, side by side. */

import type { Command } from "commander";
import { attendJson, attendText } from "../attend-output.js";
import { UsageError } from "../errors.js";
import { checkPlace } from "../files.js";
import type { Io } from "../io.js";
import { writePage } from "../page.js";
import { createProgress } from "../progress.js";
import {
  addTextOptions,
  computeAttentions,
  linksHelp,
  pagePath,
  prepareText,
  type TextFlags,
  textHelp,
} from "../text-options.js";
import { integerIn } from "../values.js";

const help = `${textHelp}

Examples:
  fna attend "the cat saw the dog and the dog saw the cat"
  fna attend --checkpoint runs/first/model.safetensors --text letter.txt
  fna attend --no-checkpoint --dim 16 --text story.txt --out page.html
  fna attend --text story.txt --alpha 1.5 --bandwidth median --out maps --svg
  cat story.txt | fna attend --text - --json`;

export function addAttend(program: Command, io: Io, finish: (code: number) => void): void {
  addTextOptions(
    program.command("attend").description("show dot-product, local and multiscale attention on a text, side by side"),
    "the one that comes with the repository, where it is; otherwise spelling",
  )
    .option("--links <number>", linksHelp, integerIn(0, 20), 3)
    .option("--out <path>", "write a page to this .html file, or as report.html into this directory (see fna report)")
    .option("--svg", "with --out: write each map as an SVG file beside the page, with every token named")
    .option("--json", "print the result as JSON and nothing else")
    .addHelpText("after", help)
    .action(async (words: string[], flags: TextFlags) => {
      await attend(words, flags, io);
      finish(0);
    });
}

async function attend(words: readonly string[], flags: TextFlags, io: Io): Promise<void> {
  if (flags.svg && flags.out === undefined) throw new UsageError("--svg: expected --out as well, got none");
  const page = flags.out === undefined ? undefined : pagePath(flags.out);
  if (page !== undefined) await checkPlace("--out", io.directory, page);
  const prepared = await prepareText(io, words, flags, io.checkpoint);
  const progress = createProgress(io);
  try {
    const { device, attentions } = await computeAttentions(prepared, progress);
    const content = { ...prepared, device, attentions };
    const files = page === undefined ? [] : await writePage(io, page, content, progress);
    progress.stop();
    const result = { ...content, files };
    io.stdout.write(flags.json ? attendJson(result) : attendText(result, io));
  } finally {
    progress.stop();
  }
}
