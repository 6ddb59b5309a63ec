/**
 * What a property is here: a statement about calls that holds on every device, with a bug that it has to notice. Each
 * becomes one test per device, and one in which the bug is planted and the property must fail.
 *
 *   PROPERTY_RUNS    cases per property (default: the quick profile, each property's own number)
 *   PROPERTY_SEED    seed (default 2026)
 *   PROPERTY_PATH    fast-check's path to one counterexample, with the seed that found it
 *   PROPERTY_HISTORY the same for a history of commands
 *
 * A failure prints the smallest counterexample as code and writes it to out/replay/, for `npm run test:deep -- --replay`.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bug, backends, broken, type TestBackend } from "./backends.js";
import { counterexampleCode } from "./print.js";

/** A property of calls made from values T. */
export interface Property<T> {
  /** Cases in the quick profile. Default 20. */
  readonly quick?: number;
  readonly arbitrary: fc.Arbitrary<T>;
  /** Throws where the statement does not hold. */
  readonly check: (backend: TestBackend, value: T) => Promise<void> | void;
  /** What it has to notice, planted in the reference. */
  readonly bugs: readonly Bug[];
  /** Devices it is about. Default: all. */
  readonly on?: (backend: TestBackend) => boolean;
}

const { PROPERTY_RUNS, PROPERTY_SEED, PROPERTY_PATH } = process.env;

/** The seed of this run. */
export const seed = Number(PROPERTY_SEED ?? 2026);

/** How many cases a device gets. */
export function runsOf(quick: number, backend: TestBackend): number {
  const whole = PROPERTY_RUNS === undefined ? quick : Number(PROPERTY_RUNS);
  return Math.max(1, Math.ceil(whole * backend.share));
}

/** Defines the tests of one property. */
export function property<T>(title: string, { quick = 20, arbitrary, check, bugs, on }: Property<T>): void {
  describe(title, () => {
    for (const backend of backends.filter((one) => on?.(one) ?? true)) {
      test(`holds on ${backend.name}`, async () => {
        await fc.assert(
          fc.asyncProperty(arbitrary, async (value) => check(backend, value)),
          {
            seed,
            path: PROPERTY_PATH,
            numRuns: runsOf(quick, backend),
            // A property that leaves cases out has to find as many that it can judge.
            maxSkipsPerRun: 1,
            // A replay shows its counterexample as it is; it has been shrunk already.
            endOnFailure: PROPERTY_PATH !== undefined,
            asyncReporter: async (details) => report(title, backend, details),
          },
        );
      });
    }
    for (const bug of PROPERTY_PATH === undefined ? bugs : []) {
      test(`notices a bug: ${bug.name}`, async () => {
        const backend = broken(bug);
        // Within the cases that `npm test` has.
        const parameters = { seed: 2026, numRuns: quick, endOnFailure: true };
        const details = await fc.check(
          fc.asyncProperty(arbitrary, async (value) => check(backend, value)),
          parameters,
        );
        expect(details.failed).toBe(true);
        // By a comparison, not by a call that was refused.
        expect(String(details.errorInstance)).toMatch(/^AssertionError|^Error: off by/);
      });
    }
  });
}

/** Throws when a run has failed, with the counterexample as code, and leaves a file to run it again from. */
export function report<T>(title: string, backend: TestBackend, details: fc.RunDetails<[T]>): void {
  if (!details.failed) return;
  if (details.counterexample === null) throw new Error(fc.defaultReportMessage(details) ?? "no case was tried");
  const { counterexample, counterexamplePath, errorInstance } = details;
  const code = counterexampleCode(backend, counterexample[0]);
  const error = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  const file = (expect.getState().testPath ?? "").split("/").pop();
  // Shrunk histories of commands need to be told which of their commands were run.
  const history = code.match(/replayPath="([^"]*)"/)?.[1];
  const { seed } = details;
  const replay = { file, title, backend: backend.name, seed, path: counterexamplePath, history, error, code };
  const name = `${title} ${backend.name}`.replace(/[^a-z0-9]+/gi, "-");
  const folder = new URL("../out/replay/", import.meta.url);
  const address = new URL(`${name}.json`, folder);
  mkdirSync(folder, { recursive: true });
  writeFileSync(address, `${JSON.stringify(replay, null, 2)}\n`);
  throw new Error(
    `${error}\n\n// ${title} (${backend.name}), case ${details.numRuns}, ${details.numShrinks} times shrunk\n` +
      `// seed ${seed}, path "${counterexamplePath}"; again: npm run test:deep -- --replay out/replay/${name}.json\n${code}\n`,
    { cause: errorInstance },
  );
}
