/**
 * Random attention calls for properties: a `Recipe` of small independent numbers, from which `build` makes the call.
 * Nothing in a recipe depends on anything else in it, so that fast-check can shrink every part by itself; a number that
 * does not fit (a key length, a head's order) is made to fit by `build`.
 *
 * All coordinates are multiples of 2^(exponent - 8) of at most 2^(exponent + 14): translations, half-integer rotations and
 * scalings by small numbers are then exact in float32, and a property needs no term for the rounding of its inputs.
 */

import fc from "fast-check";
import { createRandom, type Random } from "../reference/random.js";
import type { AttentionInputs, AttentionOptions } from "../src/types.js";
import type { Problem } from "../src/verify/battery.js";
import { awayFromThreshold } from "../src/verify/judge-float32.js";

/** Kinds of queries and keys; the first is the plainest. */
export const clouds = [
  "steps",
  "normal",
  "duplicates",
  "clustered",
  "collinear",
  "antipodal",
  "offset",
  "far",
  "approaching",
  "zeros",
] as const;
export type Cloud = (typeof clouds)[number];

/** Masks that a recipe may name, alone or together. */
export const maskNames = [
  "causal",
  "window",
  "excludeSelf",
  "keyLengths",
  "queryLengths",
  "mask",
  "distanceThreshold",
] as const;
export type MaskName = (typeof maskNames)[number];

/** What a call is made of. */
export interface Recipe {
  readonly batch: number;
  readonly keyHeads: number;
  /** Query heads per key head. */
  readonly group: number;
  readonly queries: number;
  /** Number of keys; -1 for as many as queries. */
  readonly keys: number;
  readonly headDim: number;
  /** Components of a value; 0 for as many as of a query. */
  readonly valueDim: number;
  readonly cloud: Cloud;
  readonly seed: number;
  /** Coordinates are multiplied by 2^exponent. */
  readonly exponent: number;
  readonly manifold: "euclidean" | "sphere";
  /** Orders of the heads in turn; one stands for all. */
  readonly alphas: readonly number[];
  /** A name, or length scales of the heads in turn in units of 2^exponent. */
  readonly kappa: "paper" | "dim" | "none" | readonly number[];
  readonly radius: number | "rescaled" | undefined;
  readonly intrinsicDim: number | undefined;
  /** Measured, or log2 of the factor eps^(1/alpha) at the smallest alpha. */
  readonly bandwidth: number | "median" | "mean";
  readonly bandwidthExponent: "1/alpha" | "1/2";
  readonly bandwidthPairs: "unmasked" | "all";
  readonly degreeNormalization: number;
  readonly masks: readonly MaskName[];
  /** Where in a larger array the tensors begin. */
  readonly offset: number;
}

/** A call made of a recipe: a problem whose tensors float32 holds exactly. */
export interface Case extends Problem {
  readonly recipe: Recipe;
}

/** Which calls a property is about. */
export interface Domain {
  /** Default: both. */
  readonly manifold?: "euclidean" | "sphere";
  /** Default: all. */
  readonly clouds?: readonly Cloud[];
  /** Default: any in (0, 2]. */
  readonly alphas?: readonly number[];
  /** Masks that may occur. Default: all. */
  readonly masks?: readonly MaskName[];
  /** Without measured bandwidths and without degree normalisation: rows are independent. Default false. */
  readonly independent?: boolean;
  /** Default: any. */
  readonly degreeNormalization?: 0;
  /** Only numeric bandwidths. Default false. */
  readonly numericBandwidth?: boolean;
  /** As many keys as queries. Default false. */
  readonly square?: boolean;
  /** One key head per query head. Default false. */
  readonly ungrouped?: boolean;
  /** Coordinates of ordinary size. Default false. */
  readonly ordinary?: boolean;
  /** Smallest lengths of queries and keys. Default 0. */
  readonly minimum?: number;
  /** Largest lengths. Default 65. */
  readonly maximum?: number;
  /** Least number of components of a query. Default 1. */
  readonly minimumDim?: number;
}

/** Lengths from ordinary to awkward: primes, SIMD width +-1, tiles of 32 and 64 +-1. Shrinks to the left. */
const lengths = [1, 2, 3, 4, 5, 7, 8, 9, 0, 11, 13, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65];
const headDims = [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 33, 64, 65];
/** Both sides of the edges of tiles, 32 queries and 64 keys, and of the lengths of sums that kernels treat apart. */
const tileLengths = [31, 32, 33, 63, 64, 65];
const tileDims = [15, 16, 17, 63, 64, 65];
/** Beyond 2^+-40 the squares of coordinates need care in float32; beyond 2^+-64 they leave it. */
const exponents = [0, 1, -1, 4, -4, 10, -10, 30, -30, 55, -55, 70, -70, 100, -100];
export const nearTwo = 2 - 2 ** -20;
const edgeAlphas = [1.2, 1, 2, nearTwo, 1e-3, 0.5, 1.5, 1.9].map(Math.fround);

/** One of a list, shrinking towards its beginning. */
export function among<T>(values: readonly T[]): fc.Arbitrary<T> {
  return fc.nat(values.length - 1).map((at) => values[at]);
}

/** The first values mostly, the others now and then. */
function mostly<T>(values: readonly T[], usual: number): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: among(values.slice(0, usual)), weight: 3 }, { arbitrary: among(values), weight: 1 });
}

/** Recipes of a domain. */
function recipes(domain: Domain): fc.Arbitrary<Recipe> {
  const { minimum = 0, maximum = 65, independent = false } = domain;
  const fitting = lengths.filter((n) => n >= minimum && n <= maximum);
  const dims = headDims.filter((n) => n >= (domain.minimumDim ?? 1));
  const length = mostly(fitting, Math.min(8, fitting.length));
  const alpha = domain.alphas
    ? among(domain.alphas)
    : fc.oneof(
        { arbitrary: among(edgeAlphas), weight: 2 },
        { arbitrary: fc.integer({ min: 1, max: 128 }).map((n) => n / 64), weight: 1 },
      );
  const masks = domain.masks ?? maskNames;
  const kappas = fc.array(among([1, 0.5, 3, 8, 0.0625]), { minLength: 1, maxLength: 3 });
  const measured = !(independent || domain.numericBandwidth);
  return fc.record({
    batch: minimum > 0 ? among([1, 2]) : mostly([1, 2, 0], 2),
    keyHeads: among([1, 2]),
    group: domain.ungrouped ? fc.constant(1) : mostly([1, 2, 3], 1),
    queries: length,
    keys: domain.square
      ? fc.constant(-1)
      : fc.oneof({ arbitrary: fc.constant(-1), weight: 1 }, { arbitrary: length, weight: 2 }),
    headDim: mostly(dims, 6),
    valueDim: mostly([0, 1, 2, 3, 5, 9, 33], 1),
    cloud: among(domain.clouds ?? clouds),
    seed: fc.nat(999),
    exponent: domain.ordinary ? fc.constant(0) : mostly(exponents, 3),
    manifold: domain.manifold ? fc.constant(domain.manifold) : mostly(["euclidean", "sphere"] as const, 2),
    alphas: fc.array(alpha, { minLength: 1, maxLength: 3 }),
    kappa: fc.oneof(among(["paper", "dim", "none"] as const), kappas),
    radius: among([undefined, "rescaled" as const, 1, 2.5]),
    intrinsicDim: mostly([undefined, 1, 2.5, 7], 1),
    bandwidth: measured ? mostly([0, 1, -2, "median", "mean"] as const, 1) : mostly([0, 1, -2], 1),
    bandwidthExponent: mostly(["1/alpha", "1/2"] as const, 1),
    bandwidthPairs: mostly(["unmasked", "all"] as const, 1),
    degreeNormalization:
      independent || domain.degreeNormalization === 0 ? fc.constant(0) : mostly([0, 0.5, 1, 1.75], 1),
    masks:
      masks.length === 0
        ? fc.constant([])
        : fc.oneof(
            fc.constant([]),
            among(masks).map((name) => [name]),
            fc.subarray([...masks], { minLength: Math.min(2, masks.length) }),
          ),
    offset: among([0, 1, 3, 5]),
  });
}

/** Recipes of a domain whose lengths and vectors are those of tiles, of one or two heads. */
function tileRecipes(domain: Domain): fc.Arbitrary<Recipe> {
  const { minimum = 0, maximum = 65 } = domain;
  const length = among(tileLengths.filter((n) => n >= minimum && n <= maximum));
  return fc
    .record({
      recipe: recipes(domain),
      queries: length,
      keys: length,
      headDim: among(tileDims),
      group: mostly([1, 2], 1),
    })
    .map(({ recipe, queries, keys, headDim, group }) => ({
      ...recipe,
      batch: 1,
      keyHeads: 1,
      group: domain.ungrouped ? 1 : group,
      queries,
      keys: domain.square ? -1 : keys,
      headDim,
    }));
}

/** Calls of a domain, printed as code when one fails. */
export function cases(domain: Domain = {}): fc.Arbitrary<Case> {
  const usual = recipes(domain).map(bounded);
  if ((domain.maximum ?? 65) < tileLengths[0]) return usual.map(build);
  const both = fc.oneof(
    { withCrossShrink: true },
    { arbitrary: usual, weight: 29 },
    { arbitrary: tileRecipes(domain), weight: 1 },
  );
  return both.map(build);
}

/**
 * The recipe with vectors no longer than many pairs allow, and with one large head in place of several. Many long vectors
 * are as telling as few, and the oracle is slow: without this a twentieth of the cases takes half of the time.
 */
function bounded(recipe: Recipe): Recipe {
  const { queries } = recipe;
  const pairs = queries * (recipe.keys < 0 ? queries : recipe.keys);
  const most = Math.floor(30_000 / Math.max(1, pairs));
  const headDim = Math.min(recipe.headDim, most);
  const valueDim = Math.min(recipe.valueDim, most);
  const vectors = { ...recipe, headDim, valueDim };
  if (pairs * (headDim + (valueDim || headDim)) <= 15_000) return vectors;
  return { ...vectors, batch: Math.min(1, recipe.batch), keyHeads: 1, group: Math.min(2, recipe.group) };
}

/** The call that a recipe stands for. */
export function build(recipe: Recipe): Case {
  const { queries, exponent } = recipe;
  const keys = recipe.keys < 0 ? queries : recipe.keys;
  const headDim = recipe.headDim;
  const valueDim = recipe.valueDim || headDim;
  const { batch, keyHeads } = recipe;
  const heads = keyHeads * recipe.group;
  const random = createRandom(recipe.seed);
  const scale = 2 ** exponent;

  const { q, k } = points(random, recipe.cloud, batch * heads * queries, batch * keyHeads * keys, headDim);
  // Where all points within the lengths are 0, or there are none, float32 devices refuse a length scale of this size.
  const hasTinyUnit = exponent < -40 && recipe.manifold === "euclidean";
  const scaled = (x: number) => (hasTinyUnit && x === 0 ? 2 ** -8 : x) * scale;
  const inputs: AttentionInputs<Float64Array> = {
    q: q.map(scaled),
    k: k.map(scaled),
    v: numbers(random, recipe.cloud === "steps", batch * keyHeads * keys * valueDim, 6),
    batch,
    heads,
    queries,
    keys,
    headDim,
    valueDim,
  };
  const dOutput = numbers(random, recipe.cloud === "steps", batch * heads * queries * valueDim, 6);

  const alphas = Float64Array.from({ length: heads }, (_, h) => recipe.alphas[h % recipe.alphas.length]);
  const options: AttentionOptions = { alpha: recipe.alphas.length === 1 ? alphas[0] : alphas };
  if (recipe.group > 1) options.keyHeads = keyHeads;
  if (recipe.manifold === "sphere") {
    options.manifold = "sphere";
    if (recipe.radius !== undefined) options.radius = recipe.radius;
  }
  if (recipe.intrinsicDim !== undefined) options.intrinsicDim = recipe.intrinsicDim;
  // A length scale of order 1 among coordinates beyond 2^40 is refused in float32.
  const isRefused = exponent > 40 && recipe.manifold === "euclidean" && typeof recipe.kappa === "string";
  const kappa = isRefused ? [1] : recipe.kappa;
  if (typeof kappa === "string") options.kappa = kappa;
  else {
    const unit = recipe.manifold === "sphere" || q.length + k.length === 0 ? 1 : scale;
    const all = Float64Array.from({ length: heads }, (_, h) => unit * kappa[h % kappa.length]);
    options.kappa = kappa.length === 1 ? all[0] : all;
  }
  const smallest = Math.min(...alphas);
  if (recipe.bandwidthExponent === "1/2") options.bandwidthExponent = "1/2";
  if (typeof recipe.bandwidth === "number") {
    // eps^(1/alpha) has to stay a number: eps = (2^bandwidth)^alpha.
    if (recipe.bandwidth !== 0) options.bandwidth = Math.fround(2 ** (recipe.bandwidth * smallest));
  } else {
    // Below that alpha eps^(1/alpha) is so large or small that squares of z leave float32: 10^-3 is the least median, and
    // a mean enters as (mean)^(2/alpha).
    const least = recipe.bandwidth === "mean" ? 1 : 0.25;
    options.bandwidth = smallest < least && recipe.bandwidthExponent === "1/alpha" ? 1 : recipe.bandwidth;
    if (recipe.bandwidthPairs === "all") options.bandwidthPairs = "all";
  }
  if (recipe.degreeNormalization > 0) options.degreeNormalization = recipe.degreeNormalization;
  Object.assign(options, masksOf(recipe.masks, inputs, random, hasTinyUnit ? 1 : 0));
  const kept = awayFromThreshold(inputs, options);
  return { recipe, inputs, options: kept, dOutput, kind: "normal" };
}

/** @param least least length, where there are so many */
function masksOf(names: readonly MaskName[], inputs: AttentionInputs, random: Random, least: number): AttentionOptions {
  const { batch, heads, queries, keys } = inputs;
  const lengths = (most: number) =>
    Int32Array.from({ length: batch }, () => Math.max(Math.min(least, most), random.integer(most + 1)));
  const options: AttentionOptions = {};
  for (const name of names) {
    if (name === "causal" || name === "excludeSelf") options[name] = true;
    else if (name === "window") {
      options.window = random.integer(5);
      options.globalTokens = random.integer(3);
    } else if (name === "keyLengths") {
      options.keyLengths = lengths(keys);
    } else if (name === "queryLengths") {
      options.queryLengths = lengths(queries);
    } else if (name === "distanceThreshold") {
      options.distanceThreshold = [0.31, 1.03, 2.07][random.integer(3)];
    } else {
      const some = (n: number) => (random.integer(2) === 0 ? 1 : n);
      const shape = [some(batch), some(heads), some(queries), keys] as const;
      const data = Uint8Array.from({ length: shape[0] * shape[1] * shape[2] * keys }, () =>
        random.uniform() < 0.35 ? 1 : 0,
      );
      options.mask = { data, shape };
    }
  }
  return options;
}

/** Numbers of order 1, multiples of 2^-bits; plain ones are small and tell apart where they stand. */
function numbers(random: Random, plain: boolean, length: number, bits: number): Float64Array {
  const grid = 2 ** bits;
  return Float64Array.from({ length }, (_, e) =>
    plain ? ((e * 7 + 3) % 11) / 2 - 2 : Math.round(random.normal() * grid) / grid,
  );
}

/** Queries and keys of a kind, multiples of 2^-8. */
function points(
  random: Random,
  cloud: Cloud,
  rowsQ: number,
  rowsK: number,
  headDim: number,
): { q: Float64Array; k: Float64Array } {
  const q = numbers(random, cloud === "steps", rowsQ * headDim, 8);
  const k = numbers(random, cloud === "steps", rowsK * headDim, 8);
  const eachRow = (change: (x: Float64Array, row: number) => void) => {
    for (const x of [q, k]) {
      for (let row = 0; row * headDim < x.length; row++) change(x.subarray(row * headDim, (row + 1) * headDim), row);
    }
  };
  const center = numbers(random, false, headDim, 8);
  if (cloud === "clustered") eachRow((x) => x.set(x.map((e, c) => center[c] + Math.round(e * 2) / 256)));
  if (cloud === "collinear") {
    eachRow((x) => {
      const t = random.integer(17) - 8;
      x.set(center.map((e) => t * e));
    });
  }
  if (cloud === "offset") eachRow((x) => x.set(x.map((e) => e + 64)));
  if (cloud === "far") eachRow((x, row) => x.set(x.map((e) => e + (row % 2) * 8192)));
  // Later keys are nearer, by so much that scores rise from tile to tile.
  if (cloud === "approaching") k.set(k.map((x, e) => x + 16 * (rowsK - Math.floor(e / headDim))));
  if (cloud === "zeros") eachRow((x, row) => row % 3 === 0 && x.fill(0));
  if ((cloud === "duplicates" || cloud === "antipodal") && rowsQ > 0) {
    for (let row = 0; row < rowsK; row++) {
      if (random.integer(3) === 0) continue;
      const from = random.integer(rowsQ) * headDim;
      const factor = cloud === "duplicates" ? 1 : -1 - random.integer(2);
      for (let c = 0; c < headDim; c++) k[row * headDim + c] = factor * q[from + c];
    }
  }
  return { q, k };
}
