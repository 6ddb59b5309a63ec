/** `fna bench`: how fast the devices are, each checked before it is timed; and whether that is slower than before. */

import type { Command } from "commander";
import { Attention } from "../../attention.js";
import { compareRuns } from "../../bench/compare.js";
import { describeMachine } from "../../bench/machine.js";
import { type Direction, parseSize, type Size, sizeName } from "../../bench/problem.js";
import { runBench, type Target } from "../../bench/run.js";
import { createAttention } from "../../create.js";
import { BackendUnavailableError } from "../../errors.js";
import type { DeviceName } from "../../types.js";
import { verifyDevices } from "../../verify/index.js";
import { type BenchReport, benchText, readReport } from "../bench-output.js";
import { deviceError, exitCodes, UsageError } from "../errors.js";
import { checkPlace, writeWhole } from "../files.js";
import type { Io } from "../io.js";
import { createProgress } from "../progress.js";
import { integerIn, listOf, manyOf, numberIn, plainNumbers, valueIn } from "../values.js";

interface BenchFlags {
  size: readonly string[];
  device?: readonly DeviceName[];
  threads?: readonly number[];
  alpha: readonly number[];
  causal?: boolean;
  window?: boolean;
  direction: readonly Direction[];
  rounds: number;
  seed: number;
  against?: string;
  out?: string;
  json?: boolean;
}

const directions: readonly Direction[] = ["forward", "forward+backward"];

const help = `
Each device is checked first: all of its numbers against float64, under a derived bound (error/allowed; above 1 it is not
timed). Then all take turns, round by round in shuffled order, beside a multiply-add loop; ratios and shares of the peak are
formed within a round. p50 and p99 are over single calls, arrays in and arrays out. "of peak" is for wasm only.

--against compares with an earlier run of the same machine: time times the speed of the loop, so that a slower clock is not
taken for slower code. A row is slower if the 90 % interval of the ratio lies above 1 + noise, the noise being the largest
deviation of six blocks of rounds from their run, of both runs together.

Exit code 0 when all is well, 1 when a device is wrong or slower than before, 2 on wrong usage.

Examples:
  fna bench
  fna bench --size 8x512x64 --size 1x4096x64 --threads 1,4 --causal --direction forward
  fna bench --device wasm,webgpu --out before.json
  fna bench --device wasm,webgpu --against before.json`;

export function addBench(program: Command, io: Io, finish: (code: number) => void): void {
  const size = valueIn("batch x heads, N and d, such as 8x512x64, with a product of at most 2^26", (word) => {
    const parsed = parseSize(word);
    return parsed && sizeName(parsed);
  });
  const order = numberIn("a number in (0, 2]", (value) => value > 0 && value <= 2);
  program
    .command("bench")
    .description("time the devices, each checked first, and compare with an earlier run")
    .option("--size <sizes>", "batch x heads, N, d; repeat for several (default: 8x512x64, 1x2048x64)", manyOf(size))
    .option(
      "--device <name>",
      "device to time; repeat for several (default: wasm, and webgpu on a real GPU)",
      listOf(verifyDevices),
    )
    .option("--threads <numbers>", "threads of the wasm device; repeat for several", manyOf(integerIn(1, 256)))
    .option("--alpha <orders>", "order of the kernel, in (0, 2]; repeat for several (default: 1.2)", manyOf(order))
    .option("--causal", "no query attends to a later key")
    .option("--window", "queries attend to keys within 64 positions")
    .option("--direction <name>", "forward, forward+backward (default: both)", listOf(directions))
    .option("--rounds <number>", "rounds, an integer in [3, 10000]", integerIn(3, 10_000), 30)
    .option("--seed <number>", "of the numbers and of the order of turns", integerIn(0, 2 ** 32 - 1), 1)
    .option("--against <file>", "compare with the JSON of an earlier run")
    .option("--out <file>", "also write the result as JSON to this file")
    .option("--json", "print the result as JSON and nothing else")
    .addHelpText("after", help)
    .action(async (flags: Partial<BenchFlags> & Pick<BenchFlags, "rounds" | "seed">) => {
      const defaults = { size: ["8x512x64", "1x2048x64"], alpha: [1.2], direction: directions };
      finish(await bench({ ...defaults, ...flags }, io));
    });
}

async function bench(flags: BenchFlags, io: Io): Promise<number> {
  const { rounds, seed } = flags;
  if (flags.causal && flags.window) throw new UsageError("--window: expected without --causal");
  if (flags.threads && flags.device && !flags.device.includes("wasm")) {
    throw new UsageError(`--threads: expected with --device wasm, got --device ${flags.device.join(",")}`);
  }
  if (flags.out !== undefined) await checkPlace("--out", io.directory, flags.out);
  const machine = describeMachine();
  const before = flags.against === undefined ? undefined : await readReport(io, flags.against, machine);
  const { targets, rejected } = await openTargets(flags.device, flags.threads ?? [1]);
  const progress = createProgress(io);
  let result: Awaited<ReturnType<typeof runBench>>;
  try {
    const options = {
      sizes: flags.size.map((word) => parseSize(word) as Size),
      alphas: flags.alpha,
      mask: flags.causal ? "causal" : flags.window ? "window" : "full",
      directions: flags.direction,
      rounds,
      seed,
      ...(before && { loop: before.loop }),
    } as const;
    result = await runBench(targets, options, progress.update);
  } finally {
    progress.stop();
    for (const { attention } of targets) attention.dispose();
  }
  const comparison = before && compareRuns(before.groups, result.groups);
  if (comparison?.length === 0) {
    throw new UsageError(`--against: expected a run with some of the rows of this one, got "${flags.against}"`);
  }
  const { groups, loop } = result;
  const settings = { rounds, seed };
  const report: BenchReport = { format: "fna bench 1", machine, settings, loop, groups, rejected, comparison };
  const json = `${JSON.stringify(report, plainNumbers)}\n`;
  if (flags.out !== undefined) await writeWhole("--out", io.directory, flags.out, json);
  io.stdout.write(flags.json ? json : benchText(report, io));
  const wrong = groups.some(({ rows }) => rows.some(({ failed }) => failed !== undefined));
  const slower = comparison?.some(({ verdict }) => verdict === "slower") ?? false;
  return wrong || slower ? exitCodes.failed : exitCodes.done;
}

/** Opens the devices; one that was asked for by name has to run. */
async function openTargets(devices: readonly DeviceName[] | undefined, threadCounts: readonly number[]) {
  const targets: Target[] = [];
  const rejected: { device: string; reason: string }[] = [];
  for (const device of devices ?? (["wasm", "webgpu"] as const)) {
    try {
      if (device === "webgpu") {
        // Not loaded by commands that have no use for it.
        const { createWebgpuBackend } = await import("../../backends/webgpu/index.js");
        const backend = await createWebgpuBackend({ hardwareOnly: devices === undefined });
        const { adapter: name, isSoftware } = backend.gpu;
        const adapter = isSoftware ? `${name}, which is a CPU and no GPU` : name;
        targets.push({ label: device, attention: new Attention(backend), threads: 1, adapter });
        continue;
      }
      for (const threads of device === "wasm" ? threadCounts : [1]) {
        const attention = (await createAttention({ device, threads })) as Attention;
        targets.push({ label: threads === 1 ? device : `${device}, ${threads} threads`, attention, threads });
      }
    } catch (error) {
      if (devices || !(error instanceof BackendUnavailableError)) throw deviceError(error);
      rejected.push(...error.causes);
    }
  }
  return { targets, rejected };
}
