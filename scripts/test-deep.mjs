/**
 * `npm run test:deep`: the properties of `property-tests/` with as many cases as asked, on every device that runs here.
 *
 *   npm run test:deep -- --runs 20000 --seed 7
 *   npm run test:deep -- --suite gradients --test "orthogonal"
 *   npm run test:deep -- --replay out/replay/NAME.json      the one counterexample that a failure has left there
 *
 * A device that is slow to start gets a share of the cases (`share` in property-tests/backends.ts). Exit code: that of the
 * tests, 2 on wrong usage.
 */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";

const usage = new Command("test-deep")
  .description("Runs the property tests with as many cases as asked.")
  .option("--runs <count>", "cases per property on the reference", readCount, 1000)
  .option("--seed <number>", "seed, in [0, 2^31 - 1] (default: another one each time)", readSeed)
  .option("--suite <name>", "only suites whose file name contains this", "")
  .option("--test <pattern>", "only tests whose title matches this")
  .option("--replay <file>", "run the one case that is written down there")
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse();

function readCount(text) {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("expected a whole number of at least 1");
  return count;
}

function readSeed(text) {
  const seed = Number(text);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 31) {
    throw new InvalidArgumentError("expected a whole number in [0, 2^31 - 1]");
  }
  return seed;
}

function readReplay(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    return usage.error(`--replay: cannot read ${file}: ${error.message}`);
  }
}

const options = usage.opts();
const env = { ...process.env };
let suite = `property-tests/${options.suite}`;
let pattern = options.test;
if (options.replay === undefined) {
  env.PROPERTY_RUNS = String(options.runs);
  env.PROPERTY_SEED = String(options.seed ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${env.PROPERTY_RUNS} cases per property, seed ${env.PROPERTY_SEED}`);
} else {
  const { file, title, backend, seed, path, history, code } = readReplay(options.replay);
  Object.assign(env, { PROPERTY_RUNS: "1", PROPERTY_SEED: String(seed), PROPERTY_PATH: path });
  if (history !== undefined) env.PROPERTY_HISTORY = history;
  suite = `property-tests/${file}`;
  // The title of the suite and of the test, word for word.
  pattern = `${title} holds on ${backend}`.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").concat("$");
  console.log(`${title} (${backend}), seed ${seed}, path "${path}"\n\n${code}\n`);
}

const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
const args = [vitest, "run", suite, "--testTimeout=0", "--maxWorkers=1", "--reporter=verbose"];
if (pattern !== undefined) args.push("-t", pattern);
const root = fileURLToPath(new URL("..", import.meta.url));
const child = spawn(process.execPath, args, { cwd: root, env, stdio: "inherit" });
child.on("close", (code) => {
  process.exitCode = code ?? 1;
});
