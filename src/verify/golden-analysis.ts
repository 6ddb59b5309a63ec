/**
 * The golden group of the analyses against the float64 reference: spectra and gaps, hops and paths, diffusion maps, the
 * magnetic transform and the circle. Every case is reproduced. The order of eigenvalues is free in the file where it is
 * that of a sort on rounded numbers, the sign of eigenvectors everywhere; both are matched before they are compared.
 */

import { attentionForward } from "../../reference/attention.js";
import { hopGraph, mostLikelyPath, shortestPath } from "../../reference/attention-graph.js";
import { type CircleOptions, circleDenseSpectrum, circleSpectrum, modeRange } from "../../reference/circle-spectrum.js";
import { diffusionMap } from "../../reference/diffusion-map.js";
import { euclideanDistances } from "../../reference/distance.js";
import { dotProductAttention } from "../../reference/dot-product.js";
import { distanceToScore } from "../../reference/kernel.js";
import { hermitianEigenvalues, magneticTransform } from "../../reference/magnetic.js";
import { selfMask } from "../../reference/masks.js";
import { scaleKappa } from "../../reference/scale.js";
import {
  attentionEigenvalues,
  type ComplexValues,
  sharedEigenvalues,
  spectralGap,
  symmetricEigen,
} from "../../reference/spectrum.js";
import type { Check } from "./check.js";
import { compare, holds } from "./compare.js";
import { type GoldenCase, type GoldenTensor, type GoldenValue, isTensor, tensor } from "./golden.js";

type Part = { readonly [name: string]: GoldenValue };

/** The bound rtol·max|ref| + atol of a case, in units of max|ref|. */
function boundOf(reference: ArrayLike<number>, rtol: number, atol = 0): number {
  let largest = 0;
  for (let i = 0; i < reference.length; i++) largest = Math.max(largest, Math.abs(reference[i]));
  return largest > 0 ? rtol + atol / largest : rtol;
}

/** Puts each computed eigenvalue where the closest published one stands, each used once. */
function matched(found: ComplexValues, re: Float64Array, im: Float64Array): ComplexValues {
  const free = new Set(found.re.keys());
  const order = Array.from(re, (_, j) => {
    let best = -1;
    let distance = Number.POSITIVE_INFINITY;
    for (const l of free) {
      const apart = Math.hypot(found.re[l] - re[j], found.im[l] - im[j]);
      if (apart < distance) [best, distance] = [l, apart];
    }
    free.delete(best);
    return best;
  });
  return { re: Float64Array.from(order, (l) => found.re[l]), im: Float64Array.from(order, (l) => found.im[l]) };
}

/** The last columns of `found` [N, N] with the signs of the published ones [N, saved]. */
function alignedColumns(found: Float64Array, size: number, { data, shape }: GoldenTensor): Float64Array {
  const saved = shape[1];
  const columns = new Float64Array(size * saved);
  for (let l = 0; l < saved; l++) {
    let overlap = 0;
    for (let i = 0; i < size; i++) overlap += found[i * size + size - saved + l] * data[i * saved + l];
    for (let i = 0; i < size; i++) {
      columns[i * saved + l] = Math.sign(overlap) * found[i * size + size - saved + l];
    }
  }
  return columns;
}

/** What a list of shortest paths in a case must say. */
function checkPaths(
  id: string,
  name: string,
  list: GoldenValue,
  rtol: number,
  find: (start: number, end: number) => { length: number; path: readonly number[] },
): Check[] {
  return (list as readonly Part[]).flatMap(({ start, end, distance, path }) => {
    const found = find(start as number, end as number);
    const label = `${name} ${start} to ${end}`;
    return [
      compare(id, `${label}, length`, [found.length], [distance as number], rtol),
      holds(id, `${label}, path`, found.path.join() === (path as readonly number[]).join()),
    ];
  });
}

function checkSpectralGraph(c: GoldenCase): Check[] {
  const { rtol, atol } = c.expect as Record<string, number>;
  const config = c.config as Record<string, number>;
  const { N: size, head_dim: headDim } = config;
  const weights = tensor(c.inputs, "attn_weights").data;
  const q = tensor(c.inputs, "q").data;
  const k = isTensor(c.inputs.k) ? c.inputs.k.data : q;
  const shared = Boolean(c.config.qk_share);
  const isDot = c.config.model === "dp";
  const checks: Check[] = [];

  const head = { q, k, v: q, queries: size, keys: size, headDim };
  const ours = isDot
    ? dotProductAttention(head).weights
    : attentionForward(head, { alpha: config.alpha, mask: shared ? selfMask(size, size) : undefined }).weights;
  checks.push(compare(c.id, "attn_weights", ours, weights, rtol));

  const eigvals = c.outputs.eigvals as Part;
  const [re, im] = [tensor(eigvals, "real").data, tensor(eigvals, "imag").data];
  const spectrum = attentionEigenvalues(weights, size);
  const nearest = matched(spectrum, re, im);
  checks.push(
    compare(c.id, "eigvals, real", nearest.re, re, boundOf(re, rtol, atol)),
    // The eigenvalues have modulus 1 at most, and the imaginary parts of a real spectrum are all zero: absolute.
    compare(c.id, "eigvals, imaginary", [1, ...nearest.im], [1, ...im], rtol + atol),
    holds(
      c.id,
      "eigvals, ascending",
      spectrum.re.every((x, j) => j === 0 || spectrum.re[j - 1] <= x),
    ),
  );
  const gap = [c.outputs.spectral_gap as number];
  checks.push(compare(c.id, "spectral_gap", [spectralGap(spectrum).byRealPart], gap, boundOf(gap, rtol, atol)));
  if (shared) {
    const kappa = scaleKappa("paper", headDim, config.alpha);
    const rescaled = euclideanDistances(q, q, size, size, headDim).map((d) => d / kappa);
    const phi = distanceToScore(rescaled, config.alpha, config.d_intrinsic);
    for (let i = 0; i < size; i++) phi[i * size + i] = 0;
    const real = sharedEigenvalues(phi, size);
    checks.push(
      compare(c.id, "eigvals, symmetric route", real, re, boundOf(re, rtol, atol)),
      compare(c.id, "spectral_gap, symmetric route", [spectralGap(real).byRealPart], gap, boundOf(gap, rtol, atol)),
    );
  }

  const graph = hopGraph(weights, size);
  checks.push(
    compare(c.id, "hops", graph.hops, tensor(c.outputs, "hops").data, 0),
    compare(c.id, "mean_hops", [graph.meanHops], [c.outputs.mean_hops as number], rtol),
  );
  if (isTensor(c.outputs.path_cost)) {
    checks.push(compare(c.id, "path_cost", graph.length, c.outputs.path_cost.data, rtol));
  }
  const likely = (start: number, end: number) => mostLikelyPath(weights, size, start, end);
  return [...checks, ...checkPaths(c.id, "dijkstra_neglog", c.outputs.dijkstra_neglog, rtol, likely)];
}

function checkSparsePaths(c: GoldenCase): Check[] {
  const graph = tensor(c.inputs, "graph");
  const find = (start: number, end: number) => shortestPath(graph.data, graph.shape[0], start, end);
  return checkPaths(c.id, "dijkstra", c.outputs.dijkstra, c.expect.rtol as number, find);
}

/** Φ of the diffusion and magnetic cases: scores of the listed distances, diagonal kept. */
function caseKernel(c: GoldenCase): Float64Array {
  const { alpha, d_intrinsic: dim, bdwth } = c.config as Record<string, number>;
  return distanceToScore(tensor(c.inputs, "g_dist").data, alpha, dim, bdwth, "1/2");
}

function checkDiffusionMap(c: GoldenCase): Check[] {
  const { rtol, atol } = c.expect as Record<string, number>;
  const { N: size, a } = c.config as Record<string, number>;
  const map = diffusionMap(caseKernel(c), size, { degreeNormalization: a });
  // Published in ascending order, the trivial pair last.
  const ascending = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let l = 0; l < size; l++) ascending[i * size + size - 1 - l] = map.vectors[i * size + l];
  }
  const saved = tensor(c.outputs, "diffusion_map");
  const check = (name: string, actual: Float64Array) => {
    const reference = tensor(c.outputs, name).data;
    return compare(c.id, name, actual, reference, boundOf(reference, rtol, atol));
  };
  return [
    check("D_tilde", map.degree),
    check("eigvals", map.eigenvalues.toReversed()),
    check("diffusion_map", alignedColumns(ascending, size, saved)),
  ];
}

function checkMagnetic(c: GoldenCase): Check[] {
  const { rtol, atol, rtol_complex64: rtolSingle } = c.expect as Record<string, number>;
  const size = c.config.N as number;
  const matrix = magneticTransform(caseKernel(c), size);
  const ofReal = symmetricEigen(matrix.re, size);
  const full = c.outputs.complex128 as Part;
  const single = c.outputs.complex64_as_code as Part;
  const check = (name: string, actual: Float64Array) => {
    const reference = tensor(full, name).data;
    return compare(c.id, name, actual, reference, boundOf(reference, rtol, atol));
  };
  const checks = [
    compare(c.id, "q", [matrix.charge], [full.q as number], rtol),
    check("H_q_real", matrix.re),
    check("H_q_imag_before_real", matrix.im),
    check("eigvals", ofReal.values),
    check("eigvecs_last4", alignedColumns(ofReal.vectors, size, tensor(full, "eigvecs_last4"))),
    check("eigvals_of_full_hermitian", hermitianEigenvalues(matrix.re, matrix.im, size)),
    compare(c.id, "q, complex64", [matrix.charge], [single.q as number], rtolSingle),
    compare(c.id, "eigvals, complex64", ofReal.values, tensor(single, "eigvals").data, rtolSingle),
  ];
  if (isTensor(single.H_q_real)) {
    checks.push(compare(c.id, "H_q_real, complex64", matrix.re, single.H_q_real.data, rtolSingle));
  }
  return checks;
}

function circleOptions(c: GoldenCase): CircleOptions {
  const { n, alpha, bandwidth } = c.config as Record<string, number>;
  return { points: n, alpha, bandwidth };
}

/** The notebook: first and last point coincide. */
function checkDoubledCircle(c: GoldenCase): Check[] {
  const expect = c.expect as Record<string, number>;
  const { n, alpha } = c.config as Record<string, number>;
  const found = circleDenseSpectrum(circleOptions(c), "doubled");
  const eigvals = tensor(c.outputs, "eigvals").data;
  // Index 0 is the logarithm of 1, which the file gives as rounding noise; it ends before the eigenvalue 0.
  const transformed = tensor(c.outputs, "eigvals_transformed").data.slice(1);
  const theory = c.outputs.eigvals_theory_first10 as readonly number[];
  return [
    compare(c.id, "eigvals", found.eigenvalues, eigvals, boundOf(eigvals, expect.rtol, expect.atol_eigvals)),
    compare(
      c.id,
      "eigvals_transformed",
      found.generator.slice(1, n - 1),
      transformed,
      boundOf(transformed, expect.rtol, expect.atol_transformed),
    ),
    compare(
      c.id,
      "eigvals_theory_first10",
      modeRange(1, theory.length).map((k) => k ** alpha),
      theory,
      expect.rtol,
    ),
  ];
}

/** Equally spaced points, by the circulant formula and from the dense matrix. */
function checkPeriodicCircle(c: GoldenCase): Check[] {
  const expect = c.expect as Record<string, number>;
  const options = circleOptions(c);
  const half = Math.floor(options.points / 2);
  const exact = circleSpectrum(options, modeRange(0, half));
  const frequency = tensor(c.outputs, "eigenvalue_of_frequency").data;
  const transformed = tensor(c.outputs, "transformed").data;
  const eigenBound = boundOf(frequency, expect.rtol, expect.atol_eigvals);
  // λ falls with k here, so that the sorted dense spectrum is λ₀, λ₁, λ₁, λ₂, λ₂, …
  const dense = circleDenseSpectrum(options).eigenvalues;
  const descending = dense.map((_, j) => frequency[Math.ceil(j / 2)]);
  return [
    compare(c.id, "eigenvalue_of_frequency", exact.eigenvalues, frequency, eigenBound),
    compare(
      c.id,
      "transformed",
      exact.generator.slice(1),
      transformed,
      boundOf(transformed, expect.rtol, expect.atol_transformed),
    ),
    compare(c.id, "eigenvalue_of_frequency, dense", dense, descending, eigenBound),
  ];
}

const checkers: Readonly<Record<string, (c: GoldenCase) => Check[]>> = {
  "spectral+paths": checkSpectralGraph,
  dijkstra: checkSparsePaths,
  diffusion_map: checkDiffusionMap,
  magnetic: checkMagnetic,
  circle_spectrum: checkDoubledCircle,
  circle_spectrum_periodic: checkPeriodicCircle,
};

/**
 * Checks analysis.json.
 * @throws Error for a case of a kind that is not known here
 */
export function checkAnalysis(cases: readonly GoldenCase[]): Check[] {
  return cases.flatMap((c) => {
    const kind = String(c.kind);
    if (!Object.hasOwn(checkers, kind)) throw new Error(`golden case ${c.id} is of the unknown kind "${kind}"`);
    return checkers[kind](c);
  });
}
