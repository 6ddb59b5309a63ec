/**
 * The random battery: seeded problems over shapes, kinds of input and every option, run through a device's public face.
 * Each case is one attention call; what it is judged by depends on the device (`judge.ts`).
 */

import type { Random } from "../../reference/random.js";
import type { AttentionInputs, AttentionOptions } from "../types.js";

/** One attention call with a cotangent for its output. */
export interface Problem {
  readonly inputs: AttentionInputs<Float64Array>;
  readonly options: AttentionOptions;
  /** [B, H, N, V] */
  readonly dOutput: Float64Array;
  /** What kind of numbers q and k are. */
  readonly kind: InputKind;
}

/** Kinds of queries and keys, from ordinary to hard. */
export const inputKinds = ["normal", "large", "clustered", "duplicates", "offset", "far"] as const;
export type InputKind = (typeof inputKinds)[number];

/**
 * A random problem. All numbers are float32 values, so that every device is given the same ones.
 * @param every with the options that the literal evaluation does not know: measured bandwidths and distance thresholds
 * @param maximum largest length of queries and keys
 */
export function randomProblem(random: Random, kind: InputKind, every = false, maximum = 24): Problem {
  const between = (low: number, high: number) => low + random.integer(high - low + 1);
  const chance = (p: number) => random.uniform() < p;
  const choose = <T>(...options: readonly T[]): T => options[random.integer(options.length)];

  const batch = between(1, 2);
  const keyHeads = between(1, 2);
  const heads = keyHeads * between(1, 2);
  const queries = between(1, maximum);
  const keys = chance(0.5) ? queries : between(1, maximum);
  const headDim = choose(1, 2, 3, 4, 5, 8, 12);
  const valueDim = chance(0.7) ? headDim : between(1, 9);
  const sphere = chance(0.35);
  const alpha = () => Math.fround(choose(0.4, 1, 1.2, 1.5, 1.9, 2));

  const q = points(random, kind, batch * heads * queries, headDim);
  const k = points(random, kind, batch * keyHeads * keys, headDim);
  if (kind === "duplicates") {
    for (let row = 0; row < batch * keyHeads * keys; row += 2) {
      const from = random.integer(batch * heads * queries) * headDim;
      k.set(q.subarray(from, from + headDim), row * headDim);
    }
  }
  const inputs = {
    q,
    k,
    v: gaussians(random, batch * keyHeads * keys * valueDim, 1),
    batch,
    heads,
    queries,
    keys,
    headDim,
    valueDim,
  };

  const options: AttentionOptions = { alpha: chance(0.3) ? Float64Array.from({ length: heads }, alpha) : alpha() };
  if (keyHeads !== heads) options.keyHeads = keyHeads;
  if (sphere) options.manifold = "sphere";
  if (chance(0.3)) options.intrinsicDim = choose(1, 2.5, 7);
  if (chance(0.4)) options.kappa = choose<AttentionOptions["kappa"]>("dim", "none", 0.7, 3);
  if (chance(0.3)) options.bandwidth = choose(0.2, 3);
  if (chance(0.3)) options.bandwidthExponent = "1/2";
  if (every && chance(0.25)) {
    options.bandwidth = choose("median", "mean");
    if (chance(0.4)) options.bandwidthPairs = "all";
  }
  if (every && chance(0.15)) options.distanceThreshold = choose(0.3, 1, 2, -0.5);
  if (chance(0.25)) options.degreeNormalization = choose(0.5, 1, 1.7);
  if (chance(0.25)) options.causal = true;
  if (chance(0.2)) {
    options.window = between(0, 4);
    options.globalTokens = between(0, 2);
  }
  if (chance(0.2)) options.excludeSelf = true;
  if (chance(0.25)) options.keyLengths = Int32Array.from({ length: batch }, () => between(0, keys));
  if (chance(0.2)) options.queryLengths = Int32Array.from({ length: batch }, () => between(0, queries));
  if (chance(0.25)) {
    const shape = [choose(1, batch), choose(1, heads), choose(1, queries), keys] as const;
    const data = Uint8Array.from({ length: shape[0] * shape[1] * shape[2] * keys }, () => (chance(0.3) ? 1 : 0));
    options.mask = { data, shape };
  }
  return { inputs, options, dOutput: gaussians(random, batch * heads * queries * valueDim, 1), kind };
}

/** Queries or keys of a kind, [rows, D]. */
function points(random: Random, kind: InputKind, rows: number, headDim: number): Float64Array {
  const x = gaussians(random, rows * headDim, kind === "large" ? 30 : 1);
  if (kind === "offset") return x.map((e) => Math.fround(e + 20));
  // Far: beyond the reach of a float32 kernel; two heaps that are far from each other.
  if (kind === "far") return x.map((e, at) => Math.fround(e + (Math.floor(at / headDim) % 2) * 1e4));
  if (kind === "clustered") {
    const center = gaussians(random, headDim, 1);
    return x.map((e, at) => Math.fround(center[at % headDim] * (1 + 1e-4 * e)));
  }
  return x;
}

function gaussians(random: Random, length: number, scale: number): Float64Array {
  return Float64Array.from({ length }, () => Math.fround(scale * random.normal()));
}
