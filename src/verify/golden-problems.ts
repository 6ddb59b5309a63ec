/**
 * The golden cases of the attention core as calls of the public face, for devices that have nothing but that: the same
 * inputs rounded to float32, the same parameters as options. The authors' compatibility switches have no option, so
 * the truth is the reference on the same rounded inputs; the golden numbers follow within the effect of rounding, which
 * the reference measures.
 */

import type { HeadOptions } from "../../reference/attention.js";
import type { Attention } from "../attention.js";
import { createReferenceBackend } from "../backends/reference.js";
import { makePlan } from "../plan.js";
import type { AttentionInputs, AttentionOptions } from "../types.js";
import type { Problem } from "./battery.js";
import type { Check } from "./check.js";
import { largestDifference, relativeError } from "./compare.js";
import { type GoldenCase, isTensor, tensor } from "./golden.js";
import { caseMask, euclideanOptions, sphericalOptions, translationOptions } from "./golden-attention.js";
import { float32Bounds, judgeFloat32, nearestToBound, unitOf } from "./judge-float32.js";

/** Options of a case by group, for those groups that the public face can run. */
const optionsOf: Readonly<Record<string, (c: GoldenCase) => HeadOptions>> = {
  attention_euclidean: euclideanOptions,
  attention_spherical: sphericalOptions,
  attention_translation: translationOptions,
};

/** Groups that `checkGoldenOnDevice` takes. */
export const deviceGroups: readonly string[] = Object.keys(optionsOf);

const oracle = createReferenceBackend();

/** A golden case as a call, its numbers rounded to float32 unless told otherwise. */
export function goldenProblem(group: string, c: GoldenCase, round = Math.fround): Problem {
  const q = tensor(c.inputs, "q");
  const k = isTensor(c.inputs.k) ? c.inputs.k : q;
  const v = tensor(c.inputs, "v");
  const [batch, heads, queries, headDim] = q.shape;
  const keys = k.shape[2];
  const valueDim = v.shape[3];
  const { compatibility: _, mask: shared, ...options } = optionsOf[group](c);
  const data = new Uint8Array(batch * heads * queries * keys);
  for (let s = 0; s < batch * heads; s++) {
    data.set(shared ?? caseMask(c, s, queries, keys), s * queries * keys);
  }
  const inputs: AttentionInputs<Float64Array> = {
    q: q.data.map(round),
    k: k.data.map(round),
    v: v.data.map(round),
    batch,
    heads,
    queries,
    keys,
    headDim,
    valueDim,
  };
  const full: AttentionOptions = { ...options, mask: { data, shape: [batch, heads, queries, keys] } };
  const dOutput = isTensor(c.inputs.dout) ? c.inputs.dout.data.map(round) : v.data.subarray(0, 0);
  const length = batch * heads * queries * valueDim;
  return {
    inputs,
    options: full,
    dOutput: dOutput.length ? dOutput : new Float64Array(length).fill(1),
    kind: "normal",
  };
}

/** Checks the cases of a group on a float32 device. */
export async function checkGoldenOnDevice(
  attention: Attention,
  group: string,
  cases: readonly GoldenCase[],
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const c of cases) {
    if (group === "attention_translation" && c.config.method !== "rdfns_attention") continue;
    const problem = goldenProblem(group, c);
    checks.push(...(await judgeFloat32(attention, problem, c.id)));
    const golden = tensor(c.outputs, "output").data;
    // Where only a compatibility switch gives the golden numbers, they say nothing about this device.
    if (!isReproduced(group, c, golden)) continue;
    const plan = makePlan(problem.inputs, problem.options);
    const { output } = oracle.forwardSync!(plan, problem.inputs);
    const { q, k, v } = problem.inputs;
    const narrow = { ...problem.inputs, q: Float32Array.from(q), k: Float32Array.from(k), v: Float32Array.from(v) };
    const result = await attention.forward(narrow, problem.options);
    const bounds = float32Bounds(plan, problem.inputs, problem.dOutput, unitOf(attention)).output;
    const rounding = largestDifference(output, golden);
    checks.push({
      case: c.id,
      tensor: "golden output",
      ...nearestToBound(
        result.output,
        golden,
        bounds.map((bound) => bound + rounding),
      ),
    });
  }
  return checks;
}

/** Whether the public options alone, in float64 and without rounding, give the golden output at its tolerance. */
function isReproduced(group: string, c: GoldenCase, golden: Float64Array): boolean {
  const { inputs, options } = goldenProblem(group, c, (x) => x);
  const { output } = oracle.forwardSync!(makePlan(inputs, options), inputs);
  return relativeError(output, golden) <= (c.expect.rtol as number);
}
