/**
 * The uniforms of `wgsl/tile.wgsl.ts`: sizes and masks of a chunk of a call, and a record for each of its heads.
 *
 *   z = scale · d,   scale = r/(κ ε^(1/α)) as mantissa and exponent, so that the kernels can take out the power of two
 *   by which they scale coordinates; r = 1 in the plane                                        equations sections 2 and 3
 */

import { bandwidthFactor } from "../../../reference/scale.js";
import type { Plan } from "../../plan.js";
import type { PackedMask } from "./mask.js";

/** Some consecutive key heads of the B K, with all their query heads. */
export interface Chunk {
  /** First of its key heads, and how many. */
  readonly keyHead: number;
  readonly keyHeads: number;
  /** First of its query heads among B H, and how many. */
  readonly head: number;
  readonly heads: number;
}

/** Fields that differ between the passes of a call. */
export interface PassFields {
  /** First block of rows. */
  first?: number;
  shift?: number;
  /** Heads, or rows of a matrix: see the pass. */
  heads?: number;
  /** Every pair counts, padding included. */
  ignoreMasks?: boolean;
}

export const paramsBytes = 80;
const headWords = 12;

/** Vectors of 4 of a packed row. */
export function vectors(dim: number): number {
  return Math.ceil(dim / 4);
}

/** Integers that a 32-bit position can never pass. */
const far = 2 ** 30;

/** Words of one slice of a packed mask: see `mask.ts`. */
export function maskSliceWords(plan: Plan): number {
  if (plan.mask === undefined) return 0;
  const rows = plan.mask.queryStride > 0 ? plan.queries : 1;
  return (rows + Math.ceil(rows / 32)) * Math.ceil(plan.keys / 32);
}

export function writeParams(plan: Plan, mask: PackedMask | undefined, fields: PassFields): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(paramsBytes);
  const view = new DataView(bytes.buffer);
  const all = fields.ignoreMasks === true;
  const integers = [
    plan.queries,
    plan.keys,
    vectors(plan.headDim),
    vectors(plan.valueDim),
    plan.headDim,
    plan.valueDim,
    plan.heads / plan.keyHeads,
    fields.first ?? 0,
    0,
    Number(plan.causal && !all),
    Number(plan.excludeSelf && !all),
    all ? -1 : Math.min(plan.window, far),
    Math.min(plan.globalTokens, far),
    Number(plan.distanceThreshold !== Number.POSITIVE_INFINITY && !all),
    Number(mask !== undefined && !all),
    mask?.row ?? 0,
    mask?.blocks ?? 0,
    mask?.blockRow ?? 0,
    fields.shift ?? 0,
    fields.heads ?? 0,
  ];
  integers.forEach((value, at) => {
    view.setInt32(4 * at, value, true);
  });
  view.setFloat32(4 * 8, plan.degreeNormalization, true);
  return bytes;
}

/** κ ε^(1/α) of a head, or κ ε^(1/2); a bandwidth that is NaN counts as 1. */
export function divisorOf(plan: Plan, head: number, bandwidth: number): number {
  const factor = bandwidthFactor(Number.isNaN(bandwidth) ? 1 : bandwidth, plan.alpha[head], plan.bandwidthExponent);
  return plan.kappa[head] * factor;
}

/**
 * Records of the heads of a chunk.
 * @param bandwidths one ε per head; undefined while they are measured, when z is d_g/κ for every kernel
 * @param prefixes found bits of the medians
 */
export function writeHeads(
  plan: Plan,
  chunk: Chunk,
  mask: PackedMask | undefined,
  bandwidths: readonly number[] | undefined,
  prefixes: readonly number[] = [],
  ignoreMasks = false,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunk.heads * headWords * 4);
  const view = new DataView(bytes.buffer);
  for (let local = 0; local < chunk.heads; local++) {
    const batch = Math.floor((chunk.head + local) / plan.heads);
    const head = (chunk.head + local) % plan.heads;
    const alpha = plan.alpha[head];
    const bandwidth = bandwidths?.[local] ?? 1;
    const isBad = Number.isNaN(bandwidth);
    const divisor = divisorOf(plan, head, bandwidth);
    // Not 0 where the divisor has left float64: no logarithm of it would be a number.
    const scale = Math.max(plan.radius[head] / divisor, 1e-300);
    const exponent = Math.floor(Math.log2(scale));
    const isGauss = alpha === 2 && bandwidths !== undefined;
    const threshold = (plan.distanceThreshold * plan.kappa[head]) / divisor;
    const at = local * headWords * 4;
    view.setFloat32(at, scale / 2 ** exponent, true);
    view.setInt32(at + 4, exponent, true);
    view.setFloat32(at + 8, plan.intrinsicDim + alpha, true);
    view.setUint32(at + 12, Number(isGauss), true);
    // Compared with z², of which it must keep the sign; never infinite.
    view.setFloat32(at + 16, clamp(isGauss ? threshold * Math.abs(threshold) : threshold), true);
    view.setInt32(at + 20, ignoreMasks ? plan.queries : plan.queryLengths[batch], true);
    view.setInt32(at + 24, ignoreMasks ? plan.keys : plan.keyLengths[batch], true);
    view.setUint32(at + 28, mask?.offsets[local] ?? 0, true);
    view.setUint32(at + 32, prefixes[local] ?? 0, true);
    view.setUint32(at + 36, Number(isBad), true);
  }
  return bytes;
}

/** Within float32. */
export function clamp(x: number): number {
  return Math.max(-3e38, Math.min(3e38, x));
}
