/** What several rows of the reference share: one head and its options, small numbers. Sizes are tiny, so that thousands of calls take seconds. */

import type * as reference from "../../reference/index.js";
import {
  boolean,
  bytes,
  type Domain,
  either,
  floats,
  integer,
  nonNegative,
  notNaN,
  oneOf,
  optional,
  order,
  positive,
  record,
  size,
  upTo,
} from "./domains.js";
import { type Argument, at } from "./walk.js";

export const f64 = (...x: number[]) => Float64Array.of(...x);
export const anyFinite = Number.isFinite;
export const atLeast0 = (x: number) => x >= 0;
export const finiteAtLeast0 = (x: number) => x >= 0 && x < Number.POSITIVE_INFINITY;
export const exponent = oneOf("1/alpha", "1/2");

/** Two queries and three keys in the plane, values of one component. */
export const head = () => ({
  q: f64(0.5, 1, -0.25, 2),
  k: f64(0, 1, 1, 0.5, -1, -1),
  v: f64(1, 2, 3),
  queries: 2,
  keys: 3,
  headDim: 2,
  valueDim: 1,
});
export const headArguments = (name: string): Argument[] => [
  at("0", record(), name),
  at("0.q", floats(4)),
  at("0.k", floats(6)),
  at("0.v", floats(3)),
  at("0.queries", size(0, 2)),
  at("0.keys", size(0, 3)),
  at("0.headDim", size(1, 2)),
  at("0.valueDim", { ...optional(size(1, 1)), contradicts: [undefined, 2] }),
];

export const headOptions = (): reference.HeadOptions => ({
  alpha: 1.5,
  manifold: "sphere",
  intrinsicDim: 2,
  kappa: 1,
  radius: 1,
  bandwidth: 0.5,
  bandwidthExponent: "1/2",
  bandwidthPairs: "all",
  degreeNormalization: 0.5,
  mask: Uint8Array.of(0, 0, 1, 0, 0, 0),
  distanceThreshold: 3,
  compatibility: { rowSumFloor: 1e-12, arccosLimit: 1, freeSphereGradient: false, localOrderGradient: false },
});
export const headOptionArguments: Argument[] = [
  at("1", optional(record(Object.keys(headOptions()))), "options"),
  at("1.alpha", optional(order)),
  at("1.manifold", optional(oneOf("euclidean", "sphere"))),
  at("1.intrinsicDim", optional(positive)),
  at("1.kappa", optional(positive)),
  at("1.radius", optional(positive)),
  at("1.bandwidth", optional(either(positive, oneOf("median", "mean")))),
  at("1.bandwidthExponent", optional(exponent)),
  at("1.bandwidthPairs", optional(oneOf("unmasked", "all"))),
  at("1.degreeNormalization", optional(nonNegative)),
  at("1.mask", optional(bytes(6))),
  at("1.distanceThreshold", optional(notNaN)),
  at("1.compatibility", optional(record(["rowSumFloor", "arccosLimit", "freeSphereGradient", "localOrderGradient"]))),
  at("1.compatibility.rowSumFloor", optional(positive), "compatibility.rowSumFloor"),
  at("1.compatibility.arccosLimit", optional(upTo(1)), "compatibility.arccosLimit"),
  at("1.compatibility.freeSphereGradient", optional(boolean), "compatibility.freeSphereGradient"),
  at("1.compatibility.localOrderGradient", optional(boolean), "compatibility.localOrderGradient"),
];

/** The size of a 2 × 2 matrix. */
export const square2 = size(1, 2);

/** How often Sinkhorn attention normalises. */
export const odd: Domain = {
  ...integer(1),
  holds: (n) => Number.isInteger(n) && (n as number) > 0 && (n as number) % 2 === 1,
};
