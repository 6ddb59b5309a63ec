/** What takes longer than a frame, on a thread of its own: spectra, hops, diffusion maps, and the error of the device. */

import { type AttentionSummary, summarizeAttention } from "../../src/analysis/weights.js";
import { createReferenceBackend } from "../../src/backends/reference.js";
import { makePlan } from "../../src/plan.js";
import { type TokenPlaces, tokenPlaces } from "../../src/text/places.js";
import { largestDifference } from "../../src/verify/compare.js";
import type { Matrix } from "./attention.js";

/** A matrix to look into. */
export interface AnalysisRequest {
  readonly matrix: Matrix;
  readonly size: number;
  readonly reversible: boolean;
}

/** What was found, and about which matrix. */
export interface Analysis {
  readonly key: string;
  readonly summary: AttentionSummary;
  /** None where there is no such map. */
  readonly places: TokenPlaces | undefined;
  /** Largest |A_ij − reference| in float64; none for dot-product attention, which is the reference's own. */
  readonly error: number | undefined;
}

const oracle = createReferenceBackend();

self.onmessage = ({ data }: MessageEvent<AnalysisRequest>) => {
  const { matrix, size, reversible } = data;
  const { weights, problem, key } = matrix;
  const summary = summarizeAttention(weights, size, { reversible });
  const places = reversible ? tokenPlaces(weights, size) : undefined;
  let error: number | undefined;
  if (problem !== undefined) {
    const { inputs, options } = problem;
    const truth = oracle.weightsSync!(makePlan(inputs, options), inputs);
    error = largestDifference(weights, truth);
  }
  self.postMessage({ key, summary, places, error } satisfies Analysis);
};
