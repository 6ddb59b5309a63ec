/**
 * Test files for those who write a kernel: random and adversarial cases of `battery.ts` in the format of `file-cases.ts`,
 * with the right answers in float64. Whoever puts their own results in the place of the answers has a file for
 * `fna verify FILE`.
 */

import { createRandom } from "../../reference/random.js";
import { createReferenceBackend } from "../backends/reference.js";
import { formatSafetensors, type Tensor } from "../files/safetensors.js";
import { decodeFloat64, encodeTensor, type WrittenDtype } from "../files/tensor-values.js";
import { makePlan } from "../plan.js";
import type { AttentionInputs, AttentionOptions, ShapedMask } from "../types.js";
import { inputKinds, randomProblem } from "./battery.js";
import { fileOptionNames } from "./file-cases.js";
import { awayFromThreshold } from "./judge-float32.js";

/** Types that the inputs can be written in. */
export const inputDtypes = ["F64", "F32", "F16", "BF16"] as const satisfies readonly WrittenDtype[];

/** Options that cases may use; keyHeads and mask stand in the shapes and the tensors. */
export const caseOptionNames = [...fileOptionNames, "keyHeads", "mask"] as const;
export type CaseOption = (typeof caseOptionNames)[number];

/** What to write. */
export interface WriteOptions {
  /** Number of cases, which go through the kinds of input in turn. */
  readonly cases: number;
  readonly seed: number;
  /** Type of q, k, v and dOutput; the answers are those of the rounded numbers. */
  readonly dtype: (typeof inputDtypes)[number];
  /** Options that the cases may use; the others keep their defaults. */
  readonly options: readonly CaseOption[];
}

const oracle = createReferenceBackend();

/**
 * The bytes of such a file.
 * @param onProgress told before each case how many are done
 */
export async function writeCases(
  { cases, seed, dtype, options: allowed }: WriteOptions,
  onProgress?: (done: number) => void,
): Promise<Uint8Array> {
  const tensors: [string, Tensor][] = [];
  const metadata: Record<string, string> = {};
  const random = createRandom(seed);
  for (let c = 0; c < cases; c++) {
    onProgress?.(c);
    // Lets a progress bar draw now and then.
    if (c % 32 === 31) await new Promise((resolve) => setTimeout(resolve, 0));
    const kind = inputKinds[c % inputKinds.length];
    let problem = randomProblem(random, kind, true);
    // Grouped heads are a matter of shapes, which cannot be taken back: draw again.
    while (!allowed.includes("keyHeads") && problem.options.keyHeads !== undefined) {
      problem = randomProblem(random, kind, true);
    }
    const round = (x: Float64Array) => decodeFloat64(encodeTensor(dtype, [x.length], x));
    const { q, k, v, ...shape } = problem.inputs;
    const inputs: AttentionInputs<Float64Array> = { ...shape, q: round(q), k: round(k), v: round(v) };
    const dOutput = round(problem.dOutput);
    const kept = Object.entries(problem.options).filter(([name]) => allowed.includes(name as CaseOption));
    const options = awayFromThreshold(inputs, Object.fromEntries(kept) as AttentionOptions);

    const plan = makePlan(inputs, options);
    const forward = oracle.forwardSync!(plan, inputs);
    const gradient = oracle.backwardSync!(plan, inputs, { ...forward, dOutput });
    const { batch: B, heads: H, keyHeads: K, queries: N, keys: M, headDim: D, valueDim: V } = plan;
    const name = `${kind}-${Math.floor(c / inputKinds.length)}`;
    const put = (type: WrittenDtype, tensor: string, dims: readonly number[], values: ArrayLike<number>) =>
      tensors.push([`${name}/${tensor}`, encodeTensor(type, dims, values)]);
    put(dtype, "q", [B, H, N, D], inputs.q);
    put(dtype, "k", [B, K, M, D], inputs.k);
    put(dtype, "v", [B, K, M, V], inputs.v);
    put(dtype, "dOutput", [B, H, N, V], dOutput);
    const { mask, keyHeads: _, ...listed } = options;
    if (mask !== undefined) put("BOOL", "mask", (mask as ShapedMask).shape, (mask as ShapedMask).data);
    put("F64", "output", [B, H, N, V], forward.output);
    put("F64", "logSumExp", [B, H, N], forward.logSumExp);
    put("F64", "weights", [B, H, N, M], oracle.weightsSync!(plan, inputs));
    put("F64", "dq", [B, H, N, D], gradient.dq);
    put("F64", "dk", [B, K, M, D], gradient.dk);
    put("F64", "dv", [B, K, M, V], gradient.dv);
    put("F64", "dAlpha", [H], gradient.dAlpha);
    put("F64", "dKappa", [H], gradient.dKappa);
    metadata[`${name}/options`] = JSON.stringify(listed, (_key, value) =>
      ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
    );
  }
  return formatSafetensors(tensors, metadata);
}
