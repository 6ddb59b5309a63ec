/**
 * A progress bar on stderr, for work that takes long enough to wonder about: it appears half a second after the start,
 * only on a terminal, and leaves nothing behind.
 */

import cliProgress from "cli-progress";
import type { Io } from "./io.js";

/** Reports progress; call `stop` in a `finally`. */
export interface Progress {
  update(done: number, total: number, label: string): void;
  stop(): void;
}

const patience = 500;

export function createProgress(io: Io, quiet = false): Progress {
  const terminal = io.stderr.terminal;
  if (terminal === undefined || quiet || io.env.TERM === "dumb") return { update() {}, stop() {} };
  const started = io.now().getTime();
  let bar: cliProgress.SingleBar | undefined;
  return {
    update(done, total, label) {
      if (bar === undefined) {
        if (io.now().getTime() - started < patience) return;
        bar = new cliProgress.SingleBar({
          stream: terminal,
          format: "{bar} {percentage}% {label}",
          barsize: 24,
          barCompleteChar: "\u2588",
          barIncompleteChar: "\u2591",
          clearOnComplete: true,
          // The bar would otherwise take over the signals and leave an interrupted process running.
          gracefulExit: false,
        });
        bar.start(total, done, { label });
      }
      bar.setTotal(total);
      bar.update(done, { label: label.slice(0, Math.max(0, io.stderr.columns - 32)) });
    },
    stop() {
      bar?.stop();
      bar = undefined;
    },
  };
}
