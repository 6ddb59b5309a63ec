/**
 * How a call is cut: into runs of key heads, so that no binding is larger than the device allows, and each pass into
 * dispatches that take a fraction of a second on a slow GPU, so that no watchdog ends them and a signal is heard.
 */

import { FractionalAttentionError } from "../../errors.js";
import type { Plan } from "../../plan.js";
import { type Chunk, maskSliceWords, vectors } from "./records.js";
import { maxHeads } from "./wgsl/tile.wgsl.js";

/** Multiplications and additions of one dispatch. */
const dispatchWork = 2 ** 33;

/** Bytes of the largest binding that one key head with its query heads needs. */
function largestBinding(plan: Plan, rowsOfMatrix: number): number {
  const group = plan.heads / plan.keyHeads;
  const { queries, keys, headDim, valueDim } = plan;
  return Math.max(
    16 * group * queries * (vectors(headDim) + 1),
    16 * group * queries * (vectors(valueDim) + 1),
    16 * keys * (vectors(headDim) + 1),
    16 * keys * vectors(valueDim),
    16 * group * keys,
    4 * (plan.mask && (plan.mask.headStride > 0 || plan.mask.batchStride > 0) ? group : 1) * maskSliceWords(plan),
    4 * group * rowsOfMatrix * keys,
  );
}

/**
 * The chunks of a call.
 * @param rowsOfMatrix rows of a weight matrix that must fit as well, 0 for none
 * @throws FractionalAttentionError when one key head with its query heads is too large
 */
export function chunksOf(plan: Plan, limits: GPUSupportedLimits, rowsOfMatrix = 0): Chunk[] {
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const group = plan.heads / plan.keyHeads;
  const bytes = largestBinding(plan, rowsOfMatrix);
  if (bytes > most || group > maxHeads) {
    throw new FractionalAttentionError(
      `webgpu: one key head and its ${group} query heads need a binding of ${bytes} bytes and ${group} records; this device has ${most} and ${maxHeads}`,
    );
  }
  const size = Math.min(Math.floor(maxHeads / group), Math.max(1, Math.floor(most / Math.max(1, bytes))));
  const chunks: Chunk[] = [];
  const total = plan.batch * plan.keyHeads;
  for (let keyHead = 0; keyHead < total; keyHead += size) {
    const keyHeads = Math.min(size, total - keyHead);
    chunks.push({ keyHead, keyHeads, head: keyHead * group, heads: keyHeads * group });
  }
  return chunks;
}

/** First block and number of blocks of each dispatch of `blocks` blocks of rows. */
export function spans(blocks: number, workPerBlock: number, limits: GPUSupportedLimits): [number, number][] {
  const fits = Math.max(1, Math.floor(dispatchWork / Math.max(1, workPerBlock)));
  const step = Math.min(fits, limits.maxComputeWorkgroupsPerDimension);
  const found: [number, number][] = [];
  for (let first = 0; first < blocks; first += step) found.push([first, Math.min(step, blocks - first)]);
  return found;
}
