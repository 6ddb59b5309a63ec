/**
 * The relaxed SIMD build: the same source with multiply-adds that the machine may fuse. Its results differ from machine to
 * machine in the last bits, so it is taken only when asked for, where it runs, where a probe finds it as right as the plain
 * build, and where it is faster.
 */

import { makePlan } from "../../plan.js";
import { compile, type Engine, inflate, instantiate } from "./module.js";
import { finish } from "./run.js";
import { forwardSteps } from "./steps.js";

/** Smallest gain that is worth results which depend on the machine. */
const worthwhile = 1.05;
/** The two builds differ by roundings: a few units of 2^-24 in each of some hundred operations, not all in one direction. */
const tolerance = 2 ** -18;

/** Bytes of the relaxed build if it should be used in place of `plain`, otherwise undefined. */
export async function probeRelaxed(plain: WebAssembly.Module): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { attentionWasm } = await import("../../generated/attention-relaxed-wasm.js");
  const bytes = await inflate(attentionWasm);
  if (!WebAssembly.validate(bytes)) return undefined;
  const open = (module: WebAssembly.Module) =>
    instantiate(module, new WebAssembly.Memory({ initial: 1, maximum: 65536 }));
  return isBetter(open(plain), open(await compile(bytes, false))) ? bytes : undefined;
}

/** Whether `relaxed` gives the results of `plain` up to rounding, in clearly less time. */
export function isBetter(plain: Engine, relaxed: Engine): boolean {
  const size = 192;
  const headDim = 64;
  const plan = makePlan({ batch: 1, heads: 1, queries: size, keys: size, headDim }, {});
  // Any irregular numbers of order 1 will do.
  const tensor = (seed: number) =>
    Float32Array.from({ length: size * headDim }, (_, i) => 2 * Math.sin(i * i * 0.618 + seed * i));
  const tensors = { q: tensor(1), k: tensor(2), v: tensor(3) };
  const run = (engine: Engine) => finish(forwardSteps(engine, plan, tensors));
  const expected = run(plain).output;
  const found = run(relaxed).output;
  const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (!found.every((x, i) => Math.abs(x - expected[i]) <= tolerance * largest)) return false;
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  // Interleaved, so that both see the same machine; the least time is the least disturbed. The first rounds compile.
  for (let round = 0; round < 12; round++) {
    for (const [build, engine] of [plain, relaxed].entries()) {
      const start = performance.now();
      run(engine);
      best[build] = Math.min(best[build], performance.now() - start);
    }
  }
  return best[0] >= worthwhile * best[1];
}
