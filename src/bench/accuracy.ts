/**
 * The check that everything passes before it is timed: all of its numbers against float64, element by element,
 *
 *   |x − ref| ≤ K u S,   u = 2⁻²⁴,   S = the sum of the absolute values of the terms that x is the sum of.
 *
 * K allows what float32 with whole-tensor operations costs on N(0, 1) inputs. A sum of n terms is taken to err by λ√n u S
 * with λ = 5 (rounding errors as independent variables: Higham and Mary, SIAM J. Sci. Comput. 41, 2019).
 * - z² is a product of d + 2 terms. |q|² + |k|² + 2|q·k|₁ is below 4d there, d² is 2d typically, and ρ = 4 allows for pairs
 *   at a quarter of the typical distance: relative error of z below ρ λ√(d+2) u.
 * - s = −(d_M+α) log(1+z): the rounding of 1 + z costs (d_M+α) u, the error of z (d_M+α) z/(1+z) times that of z. At
 *   α = 2: ρ λ√(d+2) u |s|, |s| being 2 typically.
 * - a weight errs by e^(δs), its normaliser by as much again, the sum over keys by λ√N.
 * - gradients: dO·V is a sum of d terms, 1/d_g errs as z does.
 */

import { attentionForward } from "../../reference/attention.js";
import { attentionBackward } from "../../reference/attention-gradient.js";
import { type NaiveForward, naiveBackward, naiveForward } from "./naive.js";
import { type Direction, keyRange, makeProblem, type Problem, type Results } from "./problem.js";

const unit = 2 ** -24;
const lambda = 5;
const closeness = 4;

/** Float64 results, and S and K u of each. */
export interface Oracle {
  readonly values: Results;
  readonly scales: Results;
  readonly allowed: Record<keyof Results, number>;
}

function allowances({ dim, length, alpha, exponent, kappa }: Problem): Record<keyof Results, number> {
  const distance = closeness * lambda * Math.sqrt(dim + 2);
  const z = Math.sqrt(2 * dim) / kappa;
  const score = alpha === 2 ? 2 * distance : exponent * (1 + (distance * z) / (1 + z));
  const output = 2 * score + lambda * Math.sqrt(length);
  const gradient = output + lambda * Math.sqrt(dim) + distance;
  return { output: output * unit, dv: output * unit, dq: gradient * unit, dk: gradient * unit };
}

/** S of the gradients; whole-tensor operations split q − k into Σ and q, Σ and k, hence |q| + |k|. */
function gradientScales(problem: Problem, logSumExp: Float64Array, outputScale: Float64Array): Results {
  const { slices, length, dim, q, k, v, dOutput, alpha, kappa, exponent } = problem;
  const [dq, dk, dv] = [0, 0, 0].map(() => new Float64Array(outputScale.length));
  for (let slice = 0; slice < slices; slice++) {
    for (let i = 0; i < length; i++) {
      const iRow = (slice * length + i) * dim;
      let delta = 0;
      for (let c = 0; c < dim; c++) delta += Math.abs(dOutput[iRow + c]) * outputScale[iRow + c];
      const [first, last] = keyRange(problem, i);
      for (let j = first; j < last; j++) {
        const jRow = (slice * length + j) * dim;
        let squared = 0;
        let inner = 0;
        for (let c = 0; c < dim; c++) {
          squared += (q[iRow + c] - k[jRow + c]) ** 2;
          inner += Math.abs(dOutput[iRow + c] * v[jRow + c]);
        }
        const distance = Math.sqrt(squared);
        const score = alpha === 2 ? -squared / kappa ** 2 : -exponent * Math.log1p(distance / kappa);
        const slope = alpha === 2 ? 2 / kappa ** 2 : exponent / ((kappa + distance) * distance);
        const weight = Math.exp(score - logSumExp[slice * length + i]);
        const pull = distance === 0 ? 0 : weight * (inner + delta) * slope;
        for (let c = 0; c < dim; c++) {
          const term = pull * (Math.abs(q[iRow + c]) + Math.abs(k[jRow + c]));
          dq[iRow + c] += term;
          dk[jRow + c] += term;
          dv[jRow + c] += weight * Math.abs(dOutput[iRow + c]);
        }
      }
    }
  }
  return { dq, dk, dv };
}

/** The float64 results of a problem. */
export function makeOracle(problem: Problem, direction: Direction): Oracle {
  const forward: NaiveForward = naiveForward(problem);
  const magnitudes = naiveForward({ ...problem, v: problem.v.map(Math.abs) });
  const scales = { output: magnitudes.output };
  const allowed = allowances(problem);
  if (direction === "forward") return { values: { output: forward.output }, scales, allowed };
  const gradients = gradientScales(problem, forward.logSumExp, magnitudes.output);
  return {
    values: { output: forward.output, ...naiveBackward(problem, forward) },
    scales: { ...scales, ...gradients },
    allowed,
  };
}

/** The largest |x − ref| / (K u S) over all numbers; above 1, or NaN, fails. NaN when there is nothing to check. */
export function errorOverAllowed(results: Results, oracle: Oracle): number {
  let worst = Number.NaN;
  for (const name of ["output", "dq", "dk", "dv"] as const) {
    const [x, reference, scale] = [results[name], oracle.values[name], oracle.scales[name]];
    if (x === undefined || reference === undefined || scale === undefined) continue;
    if (x.length !== reference.length) return Number.NaN;
    let largest = 0;
    for (let i = 0; i < x.length; i++) {
      const error = Math.abs(x[i] - reference[i]) / scale[i];
      // Written so that NaN is caught: it is not at most anything.
      if (!(error <= largest)) {
        if (Number.isNaN(error)) return error;
        largest = error;
      }
    }
    const margin = largest / oracle.allowed[name];
    worst = Number.isNaN(worst) ? margin : Math.max(worst, margin);
  }
  return worst;
}

/**
 * Holds the naive loop against the reference at a small size, all masks and both branches of α.
 * Both compute in float64 with direct differences: 1e-12 is thousands of roundings.
 * @throws Error naming what differs
 */
export function verifyNaive(): void {
  for (const alpha of [1.2, 2]) {
    for (const mask of ["full", "causal", "window"] as const) {
      const problem = makeProblem({ slices: 1, length: 150, dim: 8 }, alpha, mask);
      const { q, k, v, length, dim, dOutput } = problem;
      const blocked = new Uint8Array(length * length).fill(1);
      for (let i = 0; i < length; i++) blocked.fill(0, ...rowRange(problem, i));
      const head = { q, k, v, queries: length, keys: length, headDim: dim };
      const expected = attentionForward(head, { alpha, mask: blocked });
      const forward = naiveForward(problem);
      const gradients = attentionBackward(head, { alpha, mask: blocked }, { ...expected, dOutput });
      const found = { ...forward, ...naiveBackward(problem, forward) };
      const wanted = { ...expected, ...gradients };
      for (const name of ["output", "logSumExp", "dq", "dk", "dv"] as const) {
        const difference = found[name].reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[name][i])), 0);
        if (!(difference <= 1e-12))
          throw new Error(`naive loop: ${name} differs by ${difference}, ${mask}, α = ${alpha}`);
      }
    }
  }
}

function rowRange(problem: Problem, i: number): [number, number] {
  const [first, last] = keyRange(problem, i);
  return [i * problem.length + first, i * problem.length + last];
}
