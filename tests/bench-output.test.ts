/** What `fna bench` says of a run in words: what a table alone would hide. */

import { describe, expect, it } from "vitest";
import type { Comparison } from "../src/bench/compare.js";
import { three } from "../src/bench/format.js";
import type { BenchGroup, BenchRow } from "../src/bench/run.js";
import { type BenchReport, benchText } from "../src/cli/bench-output.js";
import type { Io } from "../src/cli/io.js";

const machine = { cpu: "Z80", cores: 1, memoryGiB: 1, system: "CP/M", node: "20", v8: "11" };

const right: BenchRow = {
  label: "wasm",
  direction: "forward",
  error: 0.25,
  samples: [2, 2, 2],
  calls: 3,
  p50: 2,
  p99: 3,
  pairsPerSecond: 5e6,
  gflops: 0.1,
  share: 0.5,
};
const { share: _, ...noCpu } = right;
const gpu: BenchRow = { ...noCpu, label: "webgpu", adapter: "acme llvmpipe, which is a CPU and no GPU" };
const sizes = { size: { slices: 2, length: 40, dim: 8 }, alpha: 1.5, mask: "window" } as const;

function text(group: Partial<BenchGroup>, more: Partial<BenchReport> = {}, env: Io["env"] = {}): string {
  const groups = [{ ...sizes, peak: [40, 40, 40], processorShare: 1, rows: [right], ...group }];
  const settings = { rounds: 3, seed: 1 };
  const report: BenchReport = { format: "fna bench 1", machine, settings, loop: "loop", groups, rejected: [], ...more };
  return benchText(report, { stdout: { interactive: true, columns: 80, write() {} }, env } as unknown as Io);
}

const plain = { NO_COLOR: "1" };

describe("a run in words", () => {
  it("has the mask, the share of the peak, and the time over that of the first row", () => {
    const out = text(
      { rows: [right, { ...right, label: "reference", samples: [4, 4, 4], error: Number.NaN }] },
      {},
      plain,
    );
    expect(out).toMatch(/= 2x40x8, alpha = 1\.5, window of 64\n/);
    expect(out).toMatch(/\nwasm .* 50 % +1\.00 \(1\.00-1\.00\) +2\.5e-1\n/);
    expect(out).toMatch(/\nreference .* 2\.00 \(2\.00-2\.00\) +NaN\n/);
    expect(out).not.toContain("\x1b[");
    expect(text({}, {}, { TERM: "xterm" })).toContain("\x1b[");
  });

  it("names the adapter of a GPU, and has no share of a peak for it", () => {
    const out = text({ rows: [right, gpu] }, {}, plain);
    expect(out).toMatch(/\nwebgpu: acme llvmpipe, which is a CPU and no GPU\n/);
    expect(out).toMatch(/\nwebgpu .* 0\.100 +1\.00 \(1\.00-1\.00\)/);
  });

  it("says when others had the machine, but not of a device that leaves the processor idle", () => {
    expect(text({ processorShare: 0.5 }, {}, plain)).toMatch(/others had the machine/);
    expect(text({ processorShare: 0.5, rows: [right, gpu] }, {}, plain)).not.toMatch(/others had the machine/);
    expect(text({ processorShare: 0.9 }, {}, plain)).not.toMatch(/others had the machine/);
  });

  it("gives no time of a row that was wrong, but says why, and compares others with themselves", () => {
    const wrong = { ...right, samples: [], error: 7, failed: "its error is 7 times what is allowed" };
    const out = text({ rows: [wrong, { ...right, label: "reference" }] }, {}, plain);
    expect(out).toMatch(/\nwasm +forward +7\.0e\+0\n/);
    expect(out).toMatch(/wasm forward was not timed: its error is 7 times what is allowed/);
    expect(out).toMatch(/\nreference .* 50 % +2\.5e-1\n/);
  });

  it("says whether anything is slower, and how much the noise could hide", () => {
    const row: Comparison = { what: "wasm forward", value: 1, low: 0.9, high: 1.1, noise: 0.05, verdict: "same" };
    const quiet = text({}, { comparison: [row, { ...row, verdict: "faster" }] }, plain);
    expect(quiet).toMatch(/5\.0 % +same\n/);
    expect(quiet).toMatch(/\nnothing is slower\n$/);
    const noisy = text({}, { comparison: [row, { ...row, noise: 0.3, verdict: "slower" }] }, plain);
    expect(noisy).toMatch(/1 of 2 rows are slower beyond the noise of the two runs\n/);
    expect(noisy).toMatch(/changes of up to 30\.0 % are hidden by noise/);
  });

  it("writes numbers with three digits", () => {
    expect([1234.5, 12.34, 0.01234, 0, Number.NaN].map(three)).toEqual(["1235", "12.3", "0.0123", "0.00", "NaN"]);
  });
});
