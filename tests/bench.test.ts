/** What benches are made of: problems, the check before timing, the multiply-add loops, and the comparison of two runs. No time is asserted. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createRandom } from "../reference/random.js";
import type { Attention } from "../src/attention.js";
import { errorOverAllowed, makeOracle, verifyNaive } from "../src/bench/accuracy.js";
import { compareRuns, noiseOf } from "../src/bench/compare.js";
import { keyRange, makeProblem, parseSize, sizeName, unmaskedPairs } from "../src/bench/problem.js";
import { peakLoops } from "../src/bench/roofline.js";
import { type BenchGroup, type BenchRow, runBench } from "../src/bench/run.js";
import { processorClock, sampleInterleaved } from "../src/bench/sampler.js";
import { medianEstimate } from "../src/bench/statistics.js";
import { createAttention } from "../src/create.js";
import { runFna } from "./cli/run.js";

describe("the multiply-add loops", () => {
  const loops = peakLoops();

  it("are valid modules, whatever else the runtime has", () => {
    expect(loops.filter(({ relaxed }) => !relaxed).map(({ name }) => name)).toEqual([
      ...["plain chain 8", "plain chain 10", "plain chain 12"],
      ...["plain tile 1×8", "plain tile 2×4", "plain tile 4×2", "plain tile 2×5"],
    ]);
  });

  it("compute what they say, with the operations that they say", () => {
    for (const { name, text, operations, run } of loops) {
      const count = Number(/chain (\d+)/.exec(name)?.[1] ?? 0);
      // Each accumulator of a chain tends to 0.1/(1 − 0.9); where a rounding of 0.9 stops it is within ten of these.
      expect(Math.abs(run() - count)).toBeLessThanOrEqual(count * 10 * 2 ** -22);
      const inner = text.split("loop")[2].split("end")[0];
      const sums = inner.match(/f32x4\.(add|relaxed_madd)/g)!.length;
      expect(operations).toBe(5_000 * 64 * sums * 8);
      expect(inner.match(/f32x4\.(mul|relaxed_madd)/g)).toHaveLength(sums);
    }
  });
});

describe("problems", () => {
  it("are named by their sizes", () => {
    expect(parseSize("8x512x64")).toEqual({ slices: 8, length: 512, dim: 64 });
    expect(sizeName(parseSize(" 1x4x2 ")!)).toBe("1x4x2");
    expect(parseSize("1024x1024x64")).toBeDefined();
    for (const word of [
      "8x512",
      "0x1x1",
      "1x0x1",
      "1x1x0",
      "-1x2x3",
      "1x2x3x4",
      "1.5x2x3",
      "",
      "1x2xNaN",
      "9999999x1x1",
    ]) {
      expect(parseSize(word)).toBeUndefined();
    }
  });

  it("have as many pairs as their masks leave", () => {
    const size = { slices: 2, length: 100, dim: 4 };
    expect(unmaskedPairs({ ...size, alpha: 1, mask: "full" })).toBe(20_000);
    expect(unmaskedPairs({ ...size, alpha: 1, mask: "causal" })).toBe(2 * 5050);
    const window = { ...size, alpha: 1, mask: "window" } as const;
    expect([keyRange(window, 0), keyRange(window, 70), keyRange(window, 99)]).toEqual([
      [0, 65],
      [6, 100],
      [35, 100],
    ]);
    // 64 pairs to each side of the diagonal, less a triangle at either end.
    expect(unmaskedPairs(window)).toBe(2 * (100 * 129 - 64 * 65));
  });
});

describe("the check before timing", () => {
  it("has an oracle that agrees with the reference", () => verifyNaive());

  it.each(["output", "dq", "dk", "dv"] as const)("fails for one wrong number or a NaN in %s", (name) => {
    const problem = makeProblem({ slices: 1, length: 20, dim: 4 }, 1.2);
    const oracle = makeOracle(problem, "forward+backward");
    const { output, dq, dk, dv } = oracle.values as Record<string, Float64Array>;
    expect(errorOverAllowed({ output, dq, dk, dv }, oracle)).toBe(0);
    const wrong = oracle.values[name]!.slice();
    wrong[7] += 1e-2;
    expect(errorOverAllowed({ output, dq, dk, dv, [name]: wrong }, oracle)).toBeGreaterThan(1);
    wrong[7] = Number.NaN;
    expect(errorOverAllowed({ output, dq, dk, dv, [name]: wrong }, oracle)).toBeNaN();
  });
});

it("an interval has its median inside", () => {
  const { value, low, high } = medianEstimate([1, 2, 3, 4, 100], createRandom(1));
  expect(value).toBe(3);
  expect(low).toBeLessThanOrEqual(3);
  expect(high).toBeGreaterThanOrEqual(3);
});

/** A run of one row whose time in each round is given, with its peak. */
function runOf(times: readonly number[], peaks: readonly number[], label = "wasm", adapter?: string): BenchGroup {
  const row = {
    label,
    direction: "forward",
    error: 0.1,
    samples: times,
    calls: times.length,
    ...(adapter && { adapter }),
  };
  const numbers = { p50: 1, p99: 1, pairsPerSecond: 1, gflops: 1 };
  const size = { slices: 1, length: 8, dim: 4 };
  return { size, alpha: 1.2, mask: "full", peak: peaks, processorShare: 1, rows: [{ ...row, ...numbers } as BenchRow] };
}

describe("interleaved sampling", () => {
  it("goes by the clock that it is given", async () => {
    let now = 0;
    const entries = [3, 5].map((time) => ({
      id: `takes ${time}`,
      run: () => {
        now += time;
      },
      milliseconds: time,
      rounds: 2,
    }));
    const samples = await sampleInterleaved(
      entries,
      2,
      createRandom(1),
      () => {},
      () => now,
    );
    expect(Object.fromEntries(samples)).toEqual({ "takes 3": [3, 3], "takes 5": [5, 5] });
  });

  it("spreads the rounds of an entry with few of them over the whole, and runs a short one several times", async () => {
    let now = 0;
    const calls: number[] = [];
    const entry = (id: string, milliseconds: number, rounds: number) => ({
      id,
      run: () => {
        now += milliseconds;
      },
      milliseconds,
      rounds,
      onCall: (time: number) => calls.push(time),
    });
    const samples = await sampleInterleaved(
      [entry("short", 4, 2), entry("long", 100, 6)],
      6,
      createRandom(1),
      () => {},
      () => now,
    );
    expect(samples.get("short")).toEqual([Number.NaN, Number.NaN, 4, Number.NaN, Number.NaN, 4]);
    expect(samples.get("long")).toEqual(Array(6).fill(100));
    // A turn lasts 20 ms, or one run.
    expect(calls.filter((time) => time === 4)).toHaveLength(2 * 5);
    expect(calls.filter((time) => time === 100)).toHaveLength(6);
  });

  it("has a clock of the work of all threads, in milliseconds", () => {
    const usage = vi.spyOn(process, "cpuUsage").mockReturnValue({ user: 2500, system: 1000 });
    expect(processorClock()).toBe(3.5);
    usage.mockRestore();
  });
});

describe("the comparison of two runs", () => {
  const rounds = 30;
  /** Times about `center` with a spread of 2 %. */
  const times = (center: number, seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: rounds }, () => center * (1 + 0.02 * random.normal()));
  };
  const steady = new Array(rounds).fill(40);
  const verdict = (before: BenchGroup, now: BenchGroup) => compareRuns([before], [now])[0].verdict;

  it("finds the same code the same, 20 times of 20", () => {
    for (let seed = 0; seed < 20; seed++) {
      expect(verdict(runOf(times(5, seed), steady), runOf(times(5, seed + 100), steady))).toBe("same");
    }
  });

  it("finds a tenth slower, and a tenth faster, by whichever way round", () => {
    const [before, now] = [runOf(times(5, 1), steady), runOf(times(5.5, 2), steady)];
    expect(verdict(before, now)).toBe("slower");
    expect(verdict(now, before)).toBe("faster");
    expect(compareRuns([before], [now])[0]).toMatchObject({ what: "wasm forward 1x8x4 alpha 1.2" });
  });

  it("does not take a slower clock for slower code, but for a device that is no CPU", () => {
    const slow = new Array(rounds).fill(20);
    expect(verdict(runOf(times(5, 1), steady), runOf(times(10, 2), slow))).toBe("same");
    expect(verdict(runOf(times(5, 1), steady), runOf(times(5, 2), slow))).toBe("faster");
    const gpu = (center: number, seed: number, peak: readonly number[]) =>
      runOf(times(center, seed), peak, "webgpu", "some GPU");
    expect(verdict(gpu(5, 1, steady), gpu(5, 2, slow))).toBe("same");
    expect(verdict(gpu(5, 1, steady), gpu(10, 2, slow))).toBe("slower");
  });

  it("makes allowance for a run that drifts as much as the runs differ", () => {
    const drifting = times(5, 1).map((time, round) => time * (1 + (0.3 * round) / rounds));
    expect(noiseOf(drifting)).toBeGreaterThan(0.1);
    expect(noiseOf(times(5, 3))).toBeLessThan(0.05);
    expect(verdict(runOf(drifting, steady), runOf(times(6.3, 2), steady))).toBe("same");
    expect(verdict(runOf(times(5, 1), steady), runOf(times(6.3, 2), steady))).toBe("slower");
  });

  it("leaves out rows that only one run has, and rounds that a row sat out", () => {
    const everyOther = times(5, 1).map((time, round) => (round % 2 ? time : Number.NaN));
    const now = runOf(everyOther, steady);
    expect(compareRuns([runOf(times(5, 2), steady, "webgpu")], [now])).toEqual([]);
    expect(verdict(runOf(times(5, 2), steady), now)).toBe("same");
  });
});

describe("fna bench", () => {
  let folder: string;
  beforeAll(async () => {
    vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => null } });
    folder = await mkdtemp(join(tmpdir(), "fna-bench-"));
  });
  afterAll(async () => {
    vi.unstubAllGlobals();
    await rm(folder, { recursive: true, force: true });
  });
  const fna = (...argv: string[]) => runFna(["bench", ...argv], folder);
  const small = ["--size", "2x40x8", "--rounds", "3", "--device", "wasm,reference"];

  it("checks, times and says on what", async () => {
    const { code, out, err } = await fna(...small, "--alpha", "1.5", "--causal");
    expect(err).toBe("");
    expect(out).toMatch(/cores, .*Node \d+/);
    expect(out).toMatch(/\(batch x heads, N, d\) = 2x40x8, alpha = 1\.5, causal/);
    expect(out).toMatch(/plain .*: [\d.]+ GFLOP\/s on one thread; this process had [\d.]+ % of a core/);
    for (const row of [
      "wasm +forward ",
      "reference +forward ",
      "wasm +forward\\+backward ",
      "reference +forward\\+backward ",
    ]) {
      expect(out).toMatch(new RegExp(`\n${row}.* \\d.*\\(.*\\).* \\d\\.\\de-\\d+`));
    }
    expect(code).toBe(0);
  });

  it("writes JSON that it compares with, and fails when that was faster", async () => {
    const { code, out } = await fna(...small, "--json", "--out", "before.json");
    expect(code).toBe(0);
    const report = JSON.parse(out);
    expect(await readFile(join(folder, "before.json"), "utf8")).toBe(out);
    expect(report).toMatchObject({ format: "fna bench 1", settings: { rounds: 3, seed: 1 }, rejected: [] });
    const [group] = report.groups;
    expect(group).toMatchObject({ size: { slices: 2, length: 40, dim: 8 }, alpha: 1.2, mask: "full" });
    expect(group.peak).toHaveLength(3);
    for (const row of group.rows) {
      expect(row.samples).toHaveLength(3);
      expect(row.error).toBeLessThan(1);
      expect(row.p50).toBeGreaterThan(0);
      expect(row.p99).toBeGreaterThanOrEqual(row.p50);
      expect(row.pairsPerSecond).toBeCloseTo((2 * 40 * 40 * 1000) / row.p50, 0);
      expect(row.gflops).toBeCloseTo((row.pairsPerSecond * 8 * (row.direction === "forward" ? 4 : 14)) / 1e9, 9);
    }
    // A thousand times the speed: no noise explains that.
    const doctor = (factor: number) => {
      const rows = group.rows.map((row: BenchRow) => ({ ...row, samples: new Array(3).fill(row.p50 * factor) }));
      return JSON.stringify({ ...report, groups: [{ ...group, peak: [40, 40, 40], rows }] });
    };
    await writeFile(join(folder, "fast.json"), doctor(1e-3));
    const slower = await fna(...small, "--against", "fast.json");
    expect(slower.out).toMatch(/wasm forward 2x40x8 alpha 1\.2 +.* SLOWER\n/);
    expect(slower.out).toMatch(/4 of 4 rows are slower beyond the noise/);
    expect(slower.code).toBe(1);
    await writeFile(join(folder, "slow.json"), doctor(1e3));
    const faster = await fna(...small, "--against", "slow.json", "--json");
    expect(JSON.parse(faster.out).comparison.map(({ verdict }: { verdict: string }) => verdict)).toEqual(
      new Array(4).fill("faster"),
    );
    expect(faster.code).toBe(0);
    // Rows that are compared are of the same loop.
    expect(JSON.parse(faster.out).loop).toBe(report.loop);
    const other = await fna("--size", "1x8x2", "--rounds", "3", "--device", "wasm", "--against", "fast.json");
    expect(other.err).toMatch(/--against: expected a run with some of the rows of this one, got "fast\.json"/);
    expect(other.code).toBe(2);
    await writeFile(join(folder, "elsewhere.json"), JSON.stringify({ ...report, machine: { cpu: "Z80", cores: 1 } }));
    await writeFile(join(folder, "other.json"), JSON.stringify({ ...report, format: "another" }));
    const another = await fna(...small, "--against", "other.json");
    expect(another.err).toMatch(/--against: expected what "fna bench --json" prints, got "other\.json"/);
    const elsewhere = await fna(...small, "--against", "elsewhere.json");
    expect(elsewhere.err).toMatch(/--against: expected a run on this machine .*\(Z80, 1 cores\)/);
    expect(elsewhere.code).toBe(2);
  });

  it("takes a window and threads", async () => {
    const { out, code } = await fna(
      ...["--size", "1x80x4", "--rounds", "3", "--device", "wasm", "--threads", "1,2"],
      ...["--direction", "forward", "--window", "--json"],
    );
    expect(code).toBe(0);
    const [{ mask, rows }] = JSON.parse(out).groups;
    expect(mask).toBe("window");
    expect(rows.map(({ label }: { label: string }) => label)).toEqual(["wasm", "wasm, 2 threads"]);
  });

  it("says which devices took no part", async () => {
    const { out, code } = await fna("--size", "1x8x2", "--rounds", "3", "--direction", "forward");
    expect(out).toMatch(/webgpu took no part: WebGPU is there but offers no adapter/);
    expect(out).not.toMatch(/backward/);
    expect(code).toBe(0);
  });

  it("does not time a device that is wrong, and fails", async () => {
    const attention = (await createAttention({ device: "reference" })) as Attention;
    const wrong = {
      device: "wasm",
      forward: async (...call: Parameters<Attention["forward"]>) => {
        const result = await attention.forward(...call);
        return { ...result, output: result.output.map((x, at) => (at === 5 ? x + 0.01 : x)) };
      },
    } as unknown as Attention;
    const options = { alphas: [1.2], mask: "full", directions: ["forward"], rounds: 3, seed: 1 } as const;
    const targets = [
      { label: "right", attention, threads: 1 },
      { label: "wrong", attention: wrong, threads: 1 },
    ];
    const { groups } = await runBench(targets, { ...options, sizes: [{ slices: 1, length: 16, dim: 4 }] });
    const [right, broken] = groups[0].rows;
    expect(right.failed).toBeUndefined();
    expect(right.calls).toBeGreaterThan(0);
    expect(broken.failed).toMatch(/error is .* times what is allowed/);
    expect(broken.samples).toEqual([]);
  });

  const usage: [string, string[], RegExp][] = [
    ["a size of two numbers", ["--size", "8x512"], /--size.*'8x512'.*batch x heads, N and d, such as 8x512x64/],
    ["a size of zero", ["--size", "8x0x4"], /--size.*'8x0x4'/],
    ["an unknown device", ["--device", "tpu"], /--device.*'tpu'.*"wasm"/],
    ["a device that cannot run here", ["--device", "webgpu"], /--device: expected one that runs here/],
    ["threads without wasm", ["--device", "reference", "--threads", "2"], /--threads: expected with --device wasm/],
    ["no threads", ["--threads", "0"], /--threads.*'0'.*\[1, 256\]/],
    ["an order above 2", ["--alpha", "2.1"], /--alpha.*'2\.1'.*\(0, 2\]/],
    ["two masks", ["--causal", "--window"], /--window: expected without --causal/],
    ["an unknown direction", ["--direction", "backward"], /--direction.*'backward'.*"forward\+backward"/],
    ["too few rounds", ["--rounds", "2"], /--rounds.*'2'.*\[3, 10000\]/],
    ["no earlier run", ["--against", "nowhere.json"], /--against: .*"nowhere\.json" \(no such file\)/],
    [
      "another JSON",
      ["--against", "other.json"],
      /--against: expected what "fna bench --json" prints, got "other\.json"/,
    ],
    ["a place in a file", ["--out", "other.json/x"], /--out: .*a part of the path is a file/],
    ["a word", ["fast"], /too many arguments/],
  ];
  it.each(usage)("refuses %s", async (_name, argv, message) => {
    await writeFile(join(folder, "other.json"), '{"format":"fna bench 1","groups":[{}]}');
    const { code, out, err } = await fna(...argv);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect(out).toBe("");
    expect(code).toBe(2);
  });
});
