/**
 * Hops of the cheapest paths between all pairs of tokens (eq. section 14), counted fast: the same path lengths and hops as
 * `hopGraph` of the reference has, bit for bit, without keeping the N² of either.
 *
 * Dijkstra's algorithm on the dense matrix as there. What is saved: a source needs one pass over the open tokens for each
 * token that it settles, which both relaxes their labels and finds the nearest of them; settled tokens leave the list of
 * the open ones; the labels lie in the order of that list, next to each other.
 *
 * Why the bits agree: the label of a token is the least (length, hops) over the settled ones before it, of sums that are
 * formed alike, and tokens are settled in the order of their labels. Equal labels relax alike, so who of them comes first
 * does not matter.
 */

/** What the cheapest paths between all pairs of tokens come to. */
export interface HopCounts {
  /** Mean over the pairs i ≠ j that a path joins; NaN when there is none. */
  readonly mean: number;
  readonly max: number;
  /** Pairs that no path joins. */
  readonly unreachable: number;
  /** `counts[h]` is the number of pairs i ≠ j that are h hops apart; `counts[0]` is 0. */
  readonly counts: readonly number[];
}

/**
 * Hops between all pairs of tokens: edges of length 1/A_ij, cheapest paths, of equal ones that with the fewest edges.
 *
 * @param weights A [N, N], entries of at least 0, which is not checked; the diagonal is not looked at
 * @param size N, at least 1
 */
export function countHops(weights: Float64Array, size: number): HopCounts {
  const edges = Float64Array.from(weights, (w) => 1 / w);
  const tally = new Float64Array(size);
  const open = new Int32Array(size);
  const length = new Float64Array(size);
  const hops = new Int32Array(size);
  for (let source = 0; source < size; source++) addSource(edges, size, source, tally, open, length, hops);
  let joined = 0;
  let sum = 0;
  let max = 0;
  tally.forEach((pairs, count) => {
    if (pairs > 0) max = count;
    joined += pairs;
    sum += pairs * count;
  });
  return {
    mean: sum / joined,
    max,
    unreachable: size * (size - 1) - joined,
    counts: Array.from(tally.subarray(0, max + 1)),
  };
}

/** Adds the tokens that a path joins to the source to the tally of their hops. */
function addSource(
  edges: Float64Array,
  size: number,
  source: number,
  tally: Float64Array,
  /** Tokens that are not settled, and labels at the same places. */
  open: Int32Array,
  length: Float64Array,
  hops: Int32Array,
): void {
  let left = 0;
  for (let j = 0; j < size; j++) if (j !== source) open[left++] = j;
  length.fill(Number.POSITIVE_INFINITY, 0, left);
  let here = source;
  let hereLength = 0;
  let hereHops = 0;
  while (left > 0) {
    const row = here * size;
    const nextHops = hereHops + 1;
    let nearest = 0;
    let leastLength = Number.POSITIVE_INFINITY;
    let leastHops = 0;
    for (let p = 0; p < left; p++) {
      const through = hereLength + edges[row + open[p]];
      let known = length[p];
      if (through < known || (through === known && nextHops < hops[p])) {
        length[p] = known = through;
        hops[p] = nextHops;
      }
      if (known < leastLength || (known === leastLength && hops[p] < leastHops)) {
        nearest = p;
        leastLength = known;
        leastHops = hops[p];
      }
    }
    if (leastLength === Number.POSITIVE_INFINITY) return;
    tally[leastHops]++;
    here = open[nearest];
    hereLength = leastLength;
    hereHops = leastHops;
    left--;
    open[nearest] = open[left];
    length[nearest] = length[left];
    hops[nearest] = hops[left];
  }
}
