/** Runs one command line of `fna` in this process, with what it wrote kept. */

import type { Io, Sink } from "../../src/cli/io.js";
import { main } from "../../src/cli/program.js";

/** The exit code and what was written. */
export interface Run {
  code: number;
  out: string;
  err: string;
}

/** @param directory where relative paths start */
export async function runFna(
  argv: readonly string[],
  directory: string,
  changes: Partial<Io> & { columns?: number; interactive?: boolean } = {},
): Promise<Run> {
  const written = { out: "", err: "" };
  const sink = (name: "out" | "err"): Sink => ({
    write: (chunk) => {
      written[name] += chunk;
    },
    interactive: changes.interactive ?? false,
    columns: changes.columns ?? 80,
  });
  const code = await main(argv, {
    stdout: sink("out"),
    stderr: sink("err"),
    env: {},
    directory,
    readStdin: async () => new Uint8Array(),
    now: () => new Date(0),
    onInterrupt: () => () => {},
    runSelf: async (words) => (await runFna([...words], directory)).code,
    ...changes,
  });
  return { code, ...written };
}
