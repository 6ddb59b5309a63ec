/** What the bench makes of its samples: which bars are met, and what a missed one would take. */

import { expect, test } from "vitest";
import { judgeBars } from "../bench/src/bars.js";
import type { Group, Row } from "../bench/src/suite.js";
import { createRandom } from "../reference/random.js";

/** A timed row of the forward pass without a mask, the same time in each of three rounds. */
function row(contestant: string, family: string, milliseconds: number): Row {
  const samples = [milliseconds, milliseconds, milliseconds];
  return { contestant, family, mask: "full", direction: "forward", error: 0, samples };
}

test("a missed bar against a peer says which share of the peak would meet it", () => {
  const size = { slices: 1, length: 1000, dim: 64 };
  // 4 N^2 D operations in 8 ms are 32e9 a second, half of the peak.
  const rows = [row("ours", "ours", 8), row("onnxruntime-web, softmax of log", "onnxruntime-web", 16)];
  const peak = { plain: [64, 64, 64], relaxed: [] };
  const group: Group = { size, alpha: 1.2, rows, peak, processorShare: 1 };
  const bars = judgeBars([group], createRandom(1));
  const [each, mean, ofPeak] = bars;
  expect(each).toMatchObject({ where: "1x1000x64", value: 2, atLeast: 2.2, met: false });
  expect(each.needs).toBeCloseTo(0.55, 12);
  expect(mean).toMatchObject({ where: "geometric mean", value: 2, atLeast: 3.2, met: false });
  expect(mean.needs).toBeCloseTo(0.8, 12);
  // Half is short of 55 %, but no peer's time is behind that bar.
  expect(ofPeak).toMatchObject({ value: 0.5, met: false });
  expect(ofPeak.needs).toBeUndefined();
});

test("a bar that is met needs nothing", () => {
  const size = { slices: 1, length: 1000, dim: 64 };
  const rows = [row("ours", "ours", 4), row("onnxruntime-web, softmax of log", "onnxruntime-web", 16)];
  const group: Group = { size, alpha: 1.2, rows, peak: { plain: [80, 80, 80], relaxed: [] }, processorShare: 1 };
  const [each] = judgeBars([group], createRandom(1));
  expect(each).toMatchObject({ value: 4, met: true });
  expect(each.needs).toBeUndefined();
});
