/** The float64 loops that one writes first, and this package's reference, which is written to be read. */

import { naiveBackward, naiveForward } from "../../../src/bench/naive.js";
import { pairs } from "../../../src/bench/problem.js";
import { createAttention } from "../../../src/index.js";
import type { Contestant } from "./contestant.js";

/** The reference keeps whole matrices and takes microseconds a pair. */
const referencePairs = 512 * 512;

/** Pairs times D from where both passes of the naive loop take more than half a minute. */
const longBackward = 8 * 2048 * 2048 * 64;

/** The naive loop. */
export async function loadNaive(): Promise<Contestant[]> {
  return [
    {
      name: "naive float64 loop",
      family: "naive",
      refuses: (settings, direction) =>
        direction !== "forward" && pairs(settings) * settings.dim >= longBackward ? "takes too long" : undefined,
      async open(problem, direction) {
        const both = direction === "forward+backward";
        const run = () => {
          const forward = naiveForward(problem);
          return both ? { ...forward, ...naiveBackward(problem, forward) } : forward;
        };
        return { run, close() {} };
      },
    },
  ];
}

/** The reference device. */
export async function loadReference(): Promise<Contestant[]> {
  const attention = await createAttention({ device: "reference" });
  return [
    {
      name: "reference",
      family: "reference",
      refuses: (problem) =>
        problem.mask !== "full" || pairs(problem) > referencePairs ? "small sizes without a mask only" : undefined,
      async open(problem, direction) {
        const { slices, length, dim, q, k, v, dOutput, alpha } = problem;
        const inputs = { q, k, v, batch: 1, heads: slices, queries: length, keys: length, headDim: dim };
        const both = direction === "forward+backward";
        const run = () => {
          const forward = attention.forwardSync(inputs, { alpha });
          return both ? { ...forward, ...attention.backwardSync(inputs, { alpha }, { ...forward, dOutput }) } : forward;
        };
        return { run, close() {} };
      },
    },
  ];
}
