/**
 * Judges the results of a file against the float64 reference on the numbers of the file, which are exact in float64
 * whatever their type. A tensor passes when its largest error is within
 *
 *   b(u, p) + r max|ref| + t
 *
 * b: the largest bound that `judge-float32.ts` has for it, which holds for any order of summation and for distances from differences q − k or as
 *    good. |q|² + |k|² − 2 q·k is not where points nearly coincide, and is meant to be found out.
 * u: roundoff of the operations, "compute" in the file; 2⁻²⁴ unless stated, 2⁻⁵³ where all results are float64. So a file of
 *    float16 or bfloat16 is taken to be summed up in float32.
 * p: roundoff of the type of q, k or v, whichever is coarsest, where that is more than u: the matrix units of GPUs take the
 *    weights and dS as numbers of that type. It joins the errors of all sums but L. 0 for operations in float64.
 * r, t: rounding of the result to its own type.
 *
 * Weights are relative to themselves, |x − ref| ≤ (b + r) |ref| + t, and their sum over the keys has roundings here that a
 * battery of short rows can do without: b = e + u (D + M + 8).
 */

import { createReferenceBackend } from "../backends/reference.js";
import { InvalidArgumentError } from "../errors.js";
import { makePlan } from "../plan.js";
import type { Check } from "./check.js";
import { type FileCase, type FileResult, positionOf, type ResultName } from "./file-cases.js";
import { awayFromThreshold, float32Bounds } from "./judge-float32.js";
import { precisions, roundings } from "./precision.js";

/** One tensor of one case, judged. */
export interface FileCheck extends Check {
  readonly tensor: ResultName;
  readonly dtype: string;
  /** Indices of the worst element, and both numbers there. */
  readonly position: readonly number[];
  readonly found: number;
  readonly expected: number;
  /** Whether the bound is as large as the numbers, so that passing it shows nothing. */
  readonly empty: boolean;
  readonly passed: boolean;
}

const oracle = createReferenceBackend();

/**
 * Judges every result of a case.
 * @throws InvalidArgumentError for a distance threshold that some pair meets within rounding
 */
export function judgeCase(
  { name, inputs, options, dOutput, results, compute, inputDtype }: FileCase,
  file: string,
): FileCheck[] {
  if (awayFromThreshold(inputs, options) !== options) {
    const where = `${file}: ${name === "" ? "" : `${name}/`}options.distanceThreshold`;
    throw new InvalidArgumentError(where, "one that no pair meets within 1e-4", options.distanceThreshold);
  }
  const plan = makePlan(inputs, options);
  const truth = oracle.forwardSync!(plan, inputs);
  const cotangent = dOutput ?? new Float64Array(truth.output.length);
  const slope = dOutput && oracle.backwardSync!(plan, inputs, { ...truth, dOutput });
  const weights = results.has("weights") ? oracle.weightsSync!(plan, inputs) : undefined;
  const unit = precisions[compute];
  const coarse = compute === "f64" ? 0 : roundings[inputDtype]!.unit;
  const bounds = float32Bounds(plan, inputs, cotangent, unit, coarse > unit ? coarse : 0);
  const expected = { ...truth, ...slope, weights };

  return [...results].map(([tensor, result]) => {
    const reference = expected[tensor] as Float64Array;
    const { unit: r, least: t } = roundings[result.dtype]!;
    const relative = tensor === "weights";
    const bound = relative
      ? bounds.weights + unit * (inputs.headDim + inputs.keys + 8) + r
      : largest(bounds[tensor]) + r * largest(reference) + t;
    // |x − ref| ≤ bound |ref| + t, as one number.
    const floor = relative ? t / bound : 0;
    const { error, at } = worstOf(result, reference, relative, floor);
    return {
      case: name,
      tensor,
      dtype: result.dtype,
      error,
      bound,
      position: positionOf(at, result.shape),
      found: result.values[at],
      expected: reference[at],
      empty: bound >= (relative ? 1 : largest(reference)) && largest(reference) > 0,
      passed: error <= bound,
    };
  });
}

function largest(x: Float64Array): number {
  return x.reduce((most, e) => (Number.isFinite(e) ? Math.max(most, Math.abs(e)) : most), 0);
}

/** The largest error and where it is; a NaN is larger than any, and an infinity has to be met exactly. */
function worstOf({ values }: FileResult, reference: Float64Array, relative: boolean, floor: number) {
  let worst = { error: 0, at: 0 };
  for (let at = 0; at < reference.length; at++) {
    if (values[at] === reference[at]) continue;
    const difference = Math.abs(values[at] - reference[at]);
    const error = relative ? difference / (Math.abs(reference[at]) + floor) : difference;
    if (Number.isNaN(error)) return { error, at };
    if (error > worst.error) worst = { error, at };
  }
  return worst;
}
