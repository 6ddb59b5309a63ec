/**
 * The `fna` command line as a function of its arguments and of the world it may touch. A subcommand is one file under
 * `commands/` with a function that adds it to the program; this file knows nothing else about them.
 */

import { Command, CommanderError } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { addAnalyze } from "./commands/analyze.js";
import { addAttend } from "./commands/attend.js";
import { addBench } from "./commands/bench.js";
import { addEval } from "./commands/eval.js";
import { addReport } from "./commands/report.js";
import { addSweep } from "./commands/sweep.js";
import { addTrain } from "./commands/train.js";
import { addVerify } from "./commands/verify.js";
import { exitCodes, explain } from "./errors.js";
import type { Io } from "./io.js";

/** Adds a subcommand; what it gives back from `finish` becomes the exit code. */
export type AddCommand = (program: Command, io: Io, finish: (code: number) => void) => void;

const commands: readonly AddCommand[] = [
  addAttend,
  addBench,
  addReport,
  addVerify,
  addTrain,
  addEval,
  addSweep,
  addAnalyze,
];

/**
 * Runs one command line.
 * @param argv the words after the program's name
 * @returns the exit code; see `errors.ts`
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let code: number = exitCodes.done;
  const program = new Command("fna")
    .description("Fractional neural attention: look at it, check it, and learn with it.")
    .version(manifest.version)
    .showHelpAfterError("(--help says more)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => Math.min(100, io.stdout.columns),
      getErrHelpWidth: () => Math.min(100, io.stderr.columns),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const add of commands) {
    add(program, io, (result) => {
      code = result;
    });
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      const asked = error.code === "commander.helpDisplayed" || error.code === "commander.version";
      return asked ? exitCodes.done : exitCodes.usage;
    }
    const { message, code: failure } = explain(error, io.env.FNA_DEBUG === "1");
    io.stderr.write(`error: ${message}\n`);
    return failure;
  }
}
