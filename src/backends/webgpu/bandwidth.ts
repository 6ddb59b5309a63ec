/** Measured bandwidths: what the device counts, the host turns into the ε of each head (equations section 3). */

import { bandwidthFloor } from "../../../reference/scale.js";
import { FractionalAttentionError } from "../../errors.js";
import type { ChunkCall } from "./call.js";
import type { Pass } from "./passes.js";
import { countsPerHead, measure as measureSource } from "./wgsl/measure.wgsl.js";

export const measure: Pass = {
  name: "measure",
  by: ["sphere"],
  source: ({ sphere }) => measureSource(sphere),
};

/** ε of each head: the square of the mean of d_g/κ, or the lower median of (d_g/κ)^α, at least 10⁻³. */
export async function bandwidths(call: ChunkCall): Promise<number[]> {
  const { plan, chunk, runner } = call;
  const { queries } = plan;
  if (queries * plan.keys >= 2 ** 32) {
    throw new FractionalAttentionError(`webgpu: a bandwidth is measured over at most 2^32 pairs of a head`);
  }
  const ignoreMasks = plan.bandwidthPairs === "all";
  const isMedian = plan.bandwidth === "median";
  const prefixes = new Array<number>(chunk.heads).fill(0);
  const ranks = new Array<number>(chunk.heads).fill(-1);
  const found = new Array<number>(chunk.heads).fill(1);
  for (const shift of isMedian ? [24, 16, 8, 0] : [24]) {
    call.setHeads(undefined, prefixes, ignoreMasks);
    const counts = runner.take(4 * chunk.heads * countsPerHead);
    const rowSums = runner.take(4 * chunk.heads * queries);
    runner.encode("measure", (encoder) => encoder.clearBuffer(counts.buffer, 0, counts.size));
    await call.tilePass(measure, { counts, rowSums }, call.queriesAsRows, { shift, ignoreMasks });
    const [bins, sums] = await runner.read(
      [counts, rowSums],
      [4 * chunk.heads * countsPerHead, 4 * chunk.heads * queries],
    );
    call.signal?.throwIfAborted();
    for (let head = 0; head < chunk.heads; head++) {
      const own = new Uint32Array(bins, 4 * head * countsPerHead, countsPerHead);
      const [pairs, spoiled] = [own[256], own[257]];
      if (spoiled > 0) found[head] = Number.NaN;
      else if (pairs > 0 && isMedian) {
        if (ranks[head] < 0) ranks[head] = ((pairs - 1) >> 1) >>> 0;
        let bin = 0;
        while (ranks[head] >= own[bin]) ranks[head] -= own[bin++];
        prefixes[head] = ((prefixes[head] << 8) | bin) >>> 0;
      } else if (pairs > 0) {
        const sum = new Float32Array(sums, 4 * head * queries, queries).reduce((total, x) => total + x, 0);
        found[head] = Math.max((sum / pairs) ** 2, bandwidthFloor);
      }
      if (shift === 0 && ranks[head] >= 0 && spoiled === 0) {
        const median = new Float32Array(Uint32Array.of(prefixes[head]).buffer)[0];
        const alpha = plan.alpha[(chunk.head + head) % plan.heads];
        found[head] = Math.max(median ** alpha, bandwidthFloor);
      }
    }
  }
  return found;
}
