/** The matrix of weights, some rows of all heads of a chunk at a time. */

import { type Plan, tensorLengths } from "../../plan.js";
import type { Tensor } from "../../types.js";
import type { Kept } from "../backend.js";
import type { Sources } from "./call.js";
import { chunksOf } from "./chunks.js";
import { type Pass, smallTile } from "./passes.js";
import { openResults, type Piece } from "./results.js";
import type { Runner } from "./runner.js";
import { collect, openChunk } from "./steps.js";
import { weights as weightsSource } from "./wgsl/weights.wgsl.js";

const weightsPass: Pass = {
  name: "weights",
  by: ["sphere"],
  source: ({ sphere }) => weightsSource(sphere),
};

export async function weights(
  runner: Runner,
  plan: Plan,
  sources: Omit<Sources, "v">,
  signal?: AbortSignal,
  kept?: Kept,
): Promise<Tensor> {
  const lengths = tensorLengths(plan);
  const { limits } = runner.device;
  const block = smallTile;
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const chunks = lengths.weights === 0 ? [] : chunksOf(plan, limits, block);
  const results = await openResults(runner, { weights: lengths.weights }, kept);
  const found = await collect(runner, results, chunks, signal, async (chunk) => {
    const call = await openChunk(runner, { ...plan, valueDim: 0 }, chunk, signal);
    await call.prepare([weightsPass]);
    await call.pack({ q: sources.q, k: sources.k });
    await call.measure();
    const fitting = Math.floor(most / (4 * chunk.heads * plan.keys * block)) * block;
    const step = Math.min(fitting, Math.ceil(plan.queries / block) * block);
    const pieces: Piece<"weights">[] = [];
    for (let first = 0; first < plan.queries; first += step) {
      const rows = Math.min(step, plan.queries - first);
      const from = runner.take(4 * chunk.heads * rows * plan.keys);
      runner.encode("weights", (encoder) => encoder.clearBuffer(from.buffer, 0, from.size));
      // Its first row begins a tile.
      const extent = { ...call.queriesAsRows, rows, firstRow: first };
      await call.tilePass(weightsPass, { matrix: from }, extent, { shift: first, heads: rows });
      const length = rows * plan.keys;
      for (let head = 0; head < chunk.heads; head++) {
        const at = ((chunk.head + head) * plan.queries + first) * plan.keys;
        pieces.push({ name: "weights", from, start: head * length, at, length });
      }
    }
    return pieces;
  });
  return found.weights;
}
