/**
 * The log of a run, one JSON object a line. Lines wait in memory until the state that they belong to is saved; a run that
 * goes on drops the lines of steps after its state, so no step stands there twice.
 */

import { appendFile } from "node:fs/promises";
import { replaceFile } from "../files/replace.js";
import { readIfThere } from "./files.js";

/** A line: what happened after which step, and its numbers. */
export interface LogLine {
  readonly event: string;
  readonly step: number;
  readonly [name: string]: unknown;
}

export class RunLog {
  readonly #path: string;
  #waiting = "";
  /** Seconds of training that the kept lines account for. */
  readonly seconds: number;

  private constructor(path: string, seconds: number) {
    this.#path = path;
    this.seconds = seconds;
  }

  /** Opens the log of a run that has done `step` steps. */
  static async open(path: string, step: number): Promise<RunLog> {
    const kept: LogLine[] = [];
    for (const line of ((await readIfThere(path))?.toString() ?? "").split("\n")) {
      const parsed = parseLine(line);
      if (parsed !== undefined && parsed.step <= step) kept.push(parsed);
    }
    await replaceFile(path, kept.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const seconds = kept.reduce((most, line) => (typeof line.seconds === "number" ? line.seconds : most), 0);
    return new RunLog(path, seconds);
  }

  add(line: LogLine): void {
    this.#waiting += `${JSON.stringify(line)}\n`;
  }

  async flush(): Promise<void> {
    const lines = this.#waiting;
    this.#waiting = "";
    await appendFile(this.#path, lines);
  }
}

/** undefined for an empty line and for one that was cut. */
function parseLine(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined;
  }
}
