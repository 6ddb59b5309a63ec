/**
 * The outside world as the command line sees it, so that a test can hand in another one. Nothing under `cli/` touches
 * `process` apart from `nodeIo`.
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { relative } from "node:path";
import { exitCodes } from "./errors.js";
import { reason } from "./files.js";

/** Where text goes. */
export interface Sink {
  write(text: string): void;
  /** True for a terminal that a person looks at. */
  readonly interactive: boolean;
  /** The terminal itself, where there is one, for what moves the cursor. */
  readonly terminal?: NodeJS.WriteStream | undefined;
  /** Width in characters; 80 where it is unknown. */
  readonly columns: number;
}

/** Everything that a command may touch. */
export interface Io {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here. */
  readonly directory: string;
  /** The trained model that comes with the repository, where it is there. */
  readonly checkpoint?: string | undefined;
  /** Standard input to its end, or until there is more than `limit` bytes of it. */
  readStdin(limit: number): Promise<Uint8Array>;
  now(): Date;
  /** Calls back on the first interruption (Ctrl-C); a second one ends the process. Returns how to stop listening. */
  onInterrupt(callback: () => void): () => void;
  /** Runs another `fna` with these words in a process of its own, its standard error joined to ours; its exit code. */
  runSelf(argv: readonly string[]): Promise<number>;
}

/** How many colours may be written: none, the 256 of xterm, or 24 bits. */
export type ColorDepth = "none" | "256" | "truecolor";

/**
 * Colours of a sink: none when NO_COLOR is set to anything, TERM is "dumb" or nobody looks (FORCE_COLOR overrules the
 * last); 24 bits where COLORTERM says so, otherwise 256.
 */
export function colorDepth(sink: Sink, env: Io["env"]): ColorDepth {
  if (env.NO_COLOR) return "none";
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  if (!forced && (!sink.interactive || env.TERM === "dumb" || env.FORCE_COLOR !== undefined)) return "none";
  return env.FORCE_COLOR === "3" || /^(truecolor|24bit)$/i.test(env.COLORTERM ?? "") ? "truecolor" : "256";
}

/**
 * The real world. When the reader of a pipe goes away (`fna … | head`), what would be written is dropped and the command
 * finishes quietly, with its own exit code and its files written. What cannot be written for another reason, a full disk, is
 * dropped too, but said, and the exit code is that of a failure.
 * @param checkpoint where the trained model of the repository would be
 */
export function nodeIo(checkpoint?: string): Io {
  return {
    stdout: streamSink(process.stdout),
    stderr: streamSink(process.stderr),
    env: process.env,
    directory: process.cwd(),
    checkpoint: checkpoint !== undefined && existsSync(checkpoint) ? relative(process.cwd(), checkpoint) : undefined,
    readStdin,
    now: () => new Date(),
    onInterrupt(callback) {
      process.once("SIGINT", callback);
      return () => process.removeListener("SIGINT", callback);
    },
    runSelf,
  };
}

function runSelf(argv: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], ...argv], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    // A signal leaves no code.
    child.on("close", (code) => resolve(code ?? 1));
  });
}

function streamSink(stream: NodeJS.WriteStream): Sink {
  let open = true;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (open && error.code !== "EPIPE") {
      process.exitCode = exitCodes.failed;
      if (stream !== process.stderr) process.stderr.write(`error: standard output: ${reason(error)}\n`);
    }
    open = false;
  });
  return {
    write(text) {
      if (open) stream.write(text);
    },
    interactive: stream.isTTY === true,
    terminal: stream.isTTY ? stream : undefined,
    get columns() {
      return stream.columns || 80;
    },
  };
}

async function readStdin(limit: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    // Some input never ends.
    if (length > limit) break;
  }
  return Buffer.concat(chunks);
}
