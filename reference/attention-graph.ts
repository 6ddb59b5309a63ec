/**
 * The attention graph: how many steps separate two tokens (eq. section 14; arXiv:2511.10208).
 *
 *   edge i → j of length 1/A_ij, i ≠ j          hops(i, j) = number of edges of the cheapest path from i to j
 *   edge i → j of length −log A_ij, i ≠ j       most likely path, of probability exp(−length) = Π A
 *
 * The reading of what this leaves open:
 * - A zero weight is no edge. So is one below 1/1.8·10³⁰⁸, whose reciprocal is not a number any more. A pair that no path
 *   joins has length and hops Infinity and takes no part in the mean; how many there are is reported.
 * - Of equally cheap paths the one with the fewest edges counts. Equal means equal in float64, lengths being added from
 *   the source on. If that is a tie too, which path is given is unspecified but always the same.
 * - From a token to itself: length 0, hops 0, path [i], not in the mean.
 *
 * Dijkstra's algorithm without a heap, N² for each source: an attention matrix is dense, so a heap would not help.
 * Shapes: matrices [N, N] row-major. Non-goals: sparse graphs, negative lengths.
 */

import { type Floats, floats, integer } from "./check.js";
import { InvalidArgumentError } from "./errors.js";

/** Cheapest paths from one source. */
export interface SourcePaths {
  /** Length of the cheapest path, [N]; Infinity where there is none. */
  readonly length: Float64Array;
  /** Its number of edges, [N]; Infinity where there is none. */
  readonly hops: Float64Array;
  /** The token before the last on it, [N]; −1 at the source and where there is no path. */
  readonly previous: Int32Array;
}

/** One path. */
export interface GraphPath {
  /** Infinity when there is none. */
  readonly length: number;
  /** Tokens from start to end, both included; empty when there is no path. */
  readonly path: readonly number[];
}

/** Hops between all pairs. */
export interface HopGraph {
  /** [N, N], whole numbers; 0 on the diagonal, Infinity where there is no path. */
  readonly hops: Float64Array;
  /** Σ 1/A along the cheapest path, [N, N]. */
  readonly length: Float64Array;
  /** Mean of the hops over all i ≠ j that a path joins; NaN when there is no such pair. */
  readonly meanHops: number;
  /** Largest of those hops; 0 when there is no such pair. */
  readonly maxHops: number;
  /** Number of pairs i ≠ j without any path. */
  readonly unreachable: number;
}

/** Largest excess of a weight over 1 that passes for rounding, that of float32 included. */
const unitTolerance = 1e-5;

/** Edge lengths of at least 0; Infinity is no edge. */
function checkLengths(lengths: Floats, size: number): void {
  integer("size", size, 1);
  for (const x of floats("lengths", lengths, size * size)) {
    if (!(x >= 0)) throw new InvalidArgumentError("lengths", "numbers of at least 0, Infinity for no edge", x);
  }
}

function checkWeights(weights: Floats, size: number): void {
  integer("size", size, 1);
  for (const x of floats("weights", weights, size * size)) {
    if (!(x >= 0 && x <= 1 + unitTolerance)) throw new InvalidArgumentError("weights", "numbers in [0, 1]", x);
  }
}

/** Dijkstra on a dense matrix of lengths, in the order (length, hops). No argument checks. */
function dijkstra(lengths: Floats, size: number, source: number): SourcePaths {
  const length = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  const hops = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  const previous = new Int32Array(size).fill(-1);
  const settled = new Uint8Array(size);
  length[source] = 0;
  hops[source] = 0;
  for (;;) {
    let here = -1;
    for (let j = 0; j < size; j++) {
      if (settled[j] || length[j] === Number.POSITIVE_INFINITY) continue;
      if (here < 0 || length[j] < length[here] || (length[j] === length[here] && hops[j] < hops[here])) here = j;
    }
    if (here < 0) return { length, hops, previous };
    settled[here] = 1;
    for (let j = 0; j < size; j++) {
      if (settled[j]) continue;
      const through = length[here] + lengths[here * size + j];
      if (through === Number.POSITIVE_INFINITY) continue;
      if (through < length[j] || (through === length[j] && hops[here] + 1 < hops[j])) {
        length[j] = through;
        hops[j] = hops[here] + 1;
        previous[j] = here;
      }
    }
  }
}

/**
 * Cheapest paths from one source. eq. section 14.
 *
 * @param lengths [N, N], entry [i, j] the length of the edge i → j: at least 0, Infinity for no edge; the diagonal is
 *   not looked at
 * @param size N, at least 1
 * @param source in [0, N − 1]
 * @throws InvalidArgumentError
 */
export function shortestPaths(lengths: Floats, size: number, source: number): SourcePaths {
  checkLengths(lengths, size);
  integer("source", source, 0, size - 1);
  return dijkstra(lengths, size, source);
}

/**
 * The cheapest path between two tokens. eq. section 14.
 *
 * @param lengths as for `shortestPaths`
 * @param size N, at least 1
 * @param start in [0, N − 1]
 * @param end in [0, N − 1]
 * @throws InvalidArgumentError
 */
export function shortestPath(lengths: Floats, size: number, start: number, end: number): GraphPath {
  checkLengths(lengths, size);
  integer("start", start, 0, size - 1);
  integer("end", end, 0, size - 1);
  const { length, previous } = dijkstra(lengths, size, start);
  if (length[end] === Number.POSITIVE_INFINITY) return { length: length[end], path: [] };
  const path = [end];
  while (path[0] !== start) path.unshift(previous[path[0]]);
  return { length: length[end], path };
}

/**
 * Hops between all pairs of tokens: edges of length 1/A_ij, cheapest paths, their number of edges. eq. section 14.
 *
 * @param weights A [N, N], entries in [0, 1]; the diagonal is not looked at
 * @param size N, at least 1
 * @throws InvalidArgumentError
 */
export function hopGraph(weights: Floats, size: number): HopGraph {
  checkWeights(weights, size);
  const lengths = Float64Array.from(weights, (w) => 1 / w);
  const hops = new Float64Array(size * size);
  const length = new Float64Array(size * size);
  let sum = 0;
  let maxHops = 0;
  let unreachable = 0;
  for (let i = 0; i < size; i++) {
    const from = dijkstra(lengths, size, i);
    hops.set(from.hops, i * size);
    length.set(from.length, i * size);
    for (const count of from.hops) {
      if (count === Number.POSITIVE_INFINITY) {
        unreachable++;
      } else {
        sum += count;
        maxHops = Math.max(maxHops, count);
      }
    }
  }
  return { hops, length, meanHops: sum / (size * (size - 1) - unreachable), maxHops, unreachable };
}

/** The most likely path and its probability. */
export interface LikelyPath extends GraphPath {
  /** Product of the weights along the path; 1 for start = end, 0 when there is none. */
  readonly probability: number;
}

/**
 * The path i → … → j of the largest product of weights: edges of length −log A_ij. eq. section 14.
 *
 * @param weights A [N, N], entries in [0, 1]; the diagonal is not looked at
 * @param size N, at least 1
 * @param start in [0, N − 1]
 * @param end in [0, N − 1]
 * @throws InvalidArgumentError
 */
export function mostLikelyPath(weights: Floats, size: number, start: number, end: number): LikelyPath {
  checkWeights(weights, size);
  // A weight that rounding has put above 1 has length 0, not a negative one.
  const lengths = Float64Array.from(weights, (w) => Math.max(0, -Math.log(w)));
  const found = shortestPath(lengths, size, start, end);
  return { ...found, probability: Math.exp(-found.length) };
}
