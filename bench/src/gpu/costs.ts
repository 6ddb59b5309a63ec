/**
 * What the WGSL kernels do for one call without masks in the plane at α < 2, counted from their text: floating-point
 * operations (a multiply-add is two; square roots, divisions and roundings one each) and bytes of device memory.
 *
 *   least    every tensor that a pass reads or writes, once: what memory moves where caches hold the rest
 *   loaded   all that the workgroups ask for: rows again for every tile of 32 columns, columns again for every block of rows;
 *            what several threads of a workgroup ask for in one tile counts once
 *
 * A pass takes at least max(operations / rate, least / bandwidth).
 */

import { patchOf } from "../../../src/backends/webgpu/call.js";
import { smallTile } from "../../../src/backends/webgpu/passes.js";
import { tileColumns as columns } from "../../../src/backends/webgpu/wgsl/tile.wgsl.js";
import { type Direction, pairs, type Size } from "../../../src/bench/problem.js";

/** One pass of a call. */
export interface Cost {
  readonly pass: string;
  readonly operations: number;
  readonly least: number;
  readonly loaded: number;
}

/**
 * Operations of a pair besides those of its components: √, clamp and scale 3; log1p 1 + 1 + 2 + 16 + 1 + 2 = 23; the score and
 * its bias 2; the largest of a row 1; exp of the difference 1 + 4 + 10 = 15; the sum 1.
 */
const forwardPair = 3 + 23 + 2 + 1 + 15 + 1;
/** Without the largest and the sum; dS 2, z/(1 + z) 2, the pull 3, the two sums for dα and dκ 4, the level and the bias 2. */
const backwardPair = 3 + 23 + 2 + 15 + 2 + 2 + 3 + 4 + 2;

/** Bytes of a packed row of `dim` components: whole vectors and one of facts. */
const packedRow = (dim: number) => 16 * (Math.ceil(dim / 4) + 1);
/** Of a column in every tile, and of a query with its cotangents. */
const [columnFlags, queryFacts] = [4, 16];
const wholeRow = (dim: number) => 16 * Math.ceil(dim / 4);

/** Workgroups that share the components of a sum: 32 for each slot, of which gradients have half as many. */
function sumGroups(dim: number, mostSlots: number): number {
  const slots = Math.min(mostSlots, 2 ** Math.ceil(Math.log2(Math.ceil(dim / 32))));
  return Math.ceil(dim / (32 * slots));
}

/** The passes of a direction in their order; both directions pack twice, as two calls do. */
export function costsOf(size: Size, direction: Direction): Cost[] {
  const { slices, length, dim } = size;
  const raw = 4 * slices * length * dim;
  const packed = slices * length * packedRow(dim);
  const values = slices * length * wholeRow(dim);
  const perRow = 4 * slices * length;
  const forwardSums = sumGroups(dim, 4);
  const sums = sumGroups(dim, 2);
  const calls = direction === "forward" ? 1 : 2;
  const points = wholeRow(dim);
  const count = pairs(size);
  /** Bytes of all tiles of `height` rows, by the bytes of a row and a column. */
  const tiles = (height: number, row: number, column: number) =>
    slices * length * (Math.ceil(length / columns) * row + Math.ceil(length / height) * column);
  /** Bytes that workgroups read once: flags and zeros of their rows and `more` of each, the power of two of one row. */
  const facts = (height: number, more: number) => slices * (length * (8 + more) + 4 * Math.ceil(length / height));

  const costs: Cost[] = [
    { pass: "inspect", operations: 0, least: 2 * raw, loaded: 2 * raw },
    { pass: "packQueries", operations: slices * length * dim, least: raw + packed, loaded: 2 * raw + packed },
    {
      pass: "packKeys",
      operations: slices * length * dim,
      least: 2 * raw + packed + values,
      loaded: 4 * raw + packed + values,
    },
  ].map(({ pass, operations, least, loaded }) => ({
    pass,
    operations: calls * operations,
    least: calls * least,
    loaded: calls * loaded,
  }));
  const height = 8 * patchOf({ batch: 1, heads: slices, queries: length });
  costs.push({
    pass: "forward",
    // Each workgroup that sums other components forms the distances and weights anew.
    operations: count * (forwardSums * (3 * dim + forwardPair) + 2 * dim),
    least: 2 * packed + values + raw + perRow,
    loaded:
      forwardSums * (tiles(height, points, points + columnFlags) + facts(height, 0)) +
      tiles(height, 0, points) +
      raw +
      perRow,
  });
  if (direction === "forward") return costs;
  const common = 3 * dim + 2 * dim + backwardPair;
  // Distances and products; then the points or cotangents of the sums, of which each workgroup has its part.
  const [rows, own] = [smallTile, slices * length * points];
  costs.push(
    {
      pass: "packCotangents",
      operations: 2 * slices * length * dim,
      least: 2 * raw + perRow + packed,
      loaded: 4 * raw + perRow + packed,
    },
    {
      pass: "dQueries",
      operations: count * (sums * common + 3 * dim),
      least: 3 * packed + values + raw + 2 * perRow,
      loaded:
        sums * (tiles(rows, 2 * points, 2 * points + columnFlags) + facts(rows, queryFacts)) +
        tiles(rows, 0, points) +
        own +
        raw +
        2 * perRow,
    },
    {
      pass: "dKeys",
      operations: count * (sums * common + 5 * dim),
      least: 3 * packed + values + 2 * raw,
      loaded:
        sums * (tiles(rows, 2 * points, 2 * points + columnFlags + queryFacts) + facts(rows, 0)) +
        tiles(rows, 0, 2 * points) +
        own +
        2 * raw,
    },
    { pass: "headGradients", operations: 2 * slices * length, least: 2 * perRow, loaded: 2 * perRow },
  );
  return costs;
}

/** Least seconds of a pass on a machine of so many operations and bytes a second. */
export function impliedSeconds({ operations, least }: Cost, rate: number, bandwidth: number): number {
  return Math.max(operations / rate, least / bandwidth);
}
