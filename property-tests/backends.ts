/**
 * The devices under test. Every property runs on each; what cannot run on this machine is left out, and `leftOut` says
 * so with the reason, which the suites print as the title of a test.
 */

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Attention } from "../src/attention.js";
import type { Backend, Tensors } from "../src/backends/backend.js";
import { createReferenceBackend } from "../src/backends/reference.js";
import { createAttention } from "../src/index.js";
import type { Plan } from "../src/plan.js";
import type { BackwardResult, Floats, ForwardResult } from "../src/types.js";
import { wgslUnit } from "../src/verify/judge-float32.js";

/** A device under test. */
export interface TestBackend {
  readonly name: string;
  readonly attention: Attention;
  /** Opens another of its kind. */
  readonly open: () => Promise<Attention>;
  /** `open` as an expression. */
  readonly code: string;
  /** What has to stand before that expression, beside the import of `createAttention`. */
  readonly setup: readonly string[];
  readonly floats: Float32ArrayConstructor | Float64ArrayConstructor;
  /** Half the distance from 1 to the next number, or on webgpu what stands for it. */
  readonly unit: number;
  /** How many of the cases that the reference gets it gets: starting workers and waiting for a GPU costs time. */
  readonly share: number;
}

/** A device that was left out. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

/** Node 20 has relaxed SIMD behind this flag; later ones have it on and complain of the flag. Nothing else changes by it. */
const relaxedFlag = "--experimental-wasm-relaxed-simd";
const relaxedFile = new URL("../build/wasm/attention.relaxed.wasm", import.meta.url);

interface Candidate extends Pick<TestBackend, "name" | "open" | "code"> {
  readonly share?: number;
  readonly setup?: readonly string[];
  /** Why it cannot run here, where that is known without trying. */
  readonly reason?: string;
}

function candidates(): Candidate[] {
  const relaxed = new Uint8Array(readFileSync(relaxedFile));
  const isBehindFlag = !WebAssembly.validate(relaxed);
  if (isBehindFlag) setFlagsFromString(relaxedFlag);
  return [
    {
      name: "reference",
      open: () => createAttention({ device: "reference" }),
      code: 'await createAttention({ device: "reference" })',
    },
    {
      name: "wasm",
      open: () => createAttention({ device: "wasm" }),
      code: 'await createAttention({ device: "wasm" })',
    },
    {
      name: "wasm, 2 threads",
      open: () => createAttention({ device: "wasm", threads: 2 }),
      code: 'await createAttention({ device: "wasm", threads: 2 })',
      share: 1 / 2,
    },
    {
      // `relaxed: true` would take it only where it is faster; here it is always judged.
      name: "wasm, relaxed",
      open: () => createAttention({ device: "wasm", wasm: relaxed }),
      code: 'await createAttention({ device: "wasm", wasm: readFileSync("build/wasm/attention.relaxed.wasm") })',
      setup: [
        'import { readFileSync } from "node:fs";',
        ...(isBehindFlag
          ? ['import { setFlagsFromString } from "node:v8";', `setFlagsFromString("${relaxedFlag}");`]
          : []),
      ],
      reason: WebAssembly.validate(relaxed) ? undefined : "this engine has no relaxed SIMD",
    },
    {
      name: "webgpu",
      open: () => createAttention({ device: "webgpu" }),
      code: 'await createAttention({ device: "webgpu" })',
      share: 1 / 40,
      // A software adapter compiles for seconds; its own tests judge it in the quick profile.
      reason: process.env.PROPERTY_RUNS === undefined ? "it takes part in npm run test:deep only" : undefined,
    },
  ];
}

async function openAll(): Promise<{ backends: TestBackend[]; leftOut: LeftOut[] }> {
  const backends: TestBackend[] = [];
  const leftOut: LeftOut[] = [];
  for (const { name, open, code, setup = [], share = 1, reason } of candidates()) {
    if (reason !== undefined) {
      leftOut.push({ name, reason });
      continue;
    }
    try {
      const attention = await open();
      const wide = attention.device === "reference";
      backends.push({
        name,
        attention,
        open,
        code,
        setup,
        floats: wide ? Float64Array : Float32Array,
        unit: wide ? 2 ** -53 : name === "webgpu" ? wgslUnit : 2 ** -24,
        share,
      });
    } catch (error) {
      // Only webgpu may be missing: without the others there would be nothing to test.
      if (name !== "webgpu") throw error;
      leftOut.push({ name, reason: (error as Error).message });
    }
  }
  return { backends, leftOut };
}

export const { backends, leftOut } = await openAll();
export const reference = backends[0];

/**
 * A bug to plant in the reference, which a property has to notice: a change of the plan, of the inputs or of results, or of
 * the calls themselves.
 */
export interface Bug {
  readonly name: string;
  readonly plan?: (plan: Plan) => Plan;
  readonly tensors?: (tensors: Tensors, plan: Plan) => Tensors;
  readonly forward?: (result: ForwardResult, plan: Plan) => ForwardResult;
  readonly weights?: (weights: Floats, plan: Plan) => Floats;
  readonly gradient?: (gradient: BackwardResult, plan: Plan) => BackwardResult;
  readonly attention?: (sound: Attention) => Attention;
}

/** The reference with a bug. */
export function broken(bug: Bug): TestBackend {
  const sound = createReferenceBackend();
  const same = <T>(x: T) => x;
  const { plan: change = same, tensors: move = same, forward = same, weights = same, gradient = same } = bug;
  const forwardSync: Backend["forwardSync"] = (plan, tensors) =>
    forward(sound.forwardSync!(change(plan), move(tensors, plan)), plan);
  const backwardSync: Backend["backwardSync"] = (plan, tensors, saved) =>
    gradient(sound.backwardSync!(change(plan), move(tensors, plan), saved), plan);
  const weightsSync: Backend["weightsSync"] = (plan, tensors) =>
    weights(sound.weightsSync!(change(plan), move({ ...tensors, v: new Float64Array(0) }, plan)), plan);
  const backend: Backend = {
    device: "reference",
    arrays: sound.arrays,
    forwardSync,
    backwardSync,
    weightsSync,
    forward: async (plan, tensors) => forwardSync(plan, tensors),
    backward: async (plan, tensors, saved) => backwardSync(plan, tensors, saved),
    weights: async (plan, tensors) => weightsSync(plan, tensors),
    dispose() {},
  };
  const attention = (bug.attention ?? same)(new Attention(backend));
  return { ...reference, name: `with a bug: ${bug.name}`, attention, open: async () => new Attention(backend) };
}
