/**
 * The caller's boolean mask as bits, 32 keys a word, with a summary by which whole tiles are skipped:
 *
 *   slice    [rows][words] bits, 1 = may not attend; then [blocks][words], for 32 queries by 32 keys each:
 *            0 no pair may attend, 2 every pair may, 1 some
 *
 * with `words` = ⌈M/32⌉, `rows` = N or 1 and `blocks` = ⌈rows/32⌉. Heads that share a mask share a slice.
 */

import type { Plan } from "../../plan.js";
import { maskSliceWords } from "./records.js";

/** Slices of a range of heads and where each head's begins, in words. */
export interface PackedMask {
  readonly words: Uint32Array<ArrayBuffer>;
  /** One per head of the range. */
  readonly offsets: number[];
  /** Words from one query to the next, 0 for a mask that all share; from the bits to the summary; between its blocks. */
  readonly row: number;
  readonly blocks: number;
  readonly blockRow: number;
}

/** The mask of heads [from, to) of the B H heads. */
export function packMask(plan: Plan, from: number, to: number): PackedMask | undefined {
  const { mask } = plan;
  if (mask === undefined) return undefined;
  const width = Math.ceil(plan.keys / 32);
  const rows = mask.queryStride > 0 ? plan.queries : 1;
  const slice = maskSliceWords(plan);
  const starts = new Map<number, number>();
  const offsets: number[] = [];
  for (let head = from; head < to; head++) {
    const start = Math.floor(head / plan.heads) * mask.batchStride + (head % plan.heads) * mask.headStride;
    if (!starts.has(start)) starts.set(start, starts.size * slice);
    offsets.push(starts.get(start)!);
  }
  const words = new Uint32Array(starts.size * slice);
  for (const [start, at] of starts) {
    const bits = words.subarray(at, at + rows * width);
    for (let i = 0; i < rows; i++) {
      const row = start + i * mask.queryStride;
      for (let j = 0; j < plan.keys; j++) {
        if (mask.data[row + j] !== 0) bits[i * width + (j >> 5)] |= 1 << (j & 31);
      }
    }
    summarize(bits, rows, width, plan.keys, words.subarray(at + rows * width, at + slice));
  }
  const shared = mask.queryStride === 0;
  return { words, offsets, row: shared ? 0 : width, blocks: rows * width, blockRow: shared ? 0 : width };
}

function summarize(bits: Uint32Array, rows: number, width: number, keys: number, summary: Uint32Array): void {
  for (let word = 0; word < width; word++) {
    const valid = word === width - 1 && keys % 32 !== 0 ? 2 ** (keys % 32) - 1 : 0xffffffff;
    for (let block = 0; block * 32 < rows; block++) {
      let any = 0;
      let all = valid;
      for (let i = block * 32; i < Math.min(rows, block * 32 + 32); i++) {
        any |= bits[i * width + word];
        all &= bits[i * width + word];
      }
      summary[block * width + word] = all >>> 0 === valid ? 0 : any === 0 ? 2 : 1;
    }
  }
}
