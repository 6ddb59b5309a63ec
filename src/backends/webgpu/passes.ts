/**
 * Passes: a name, and the WGSL for a variant. What is compiled depends on limits, manifold and dimensions only; every other
 * option is a number that the kernels read. Those that a forward pass needs are here, the others with what runs them
 * (`backward.ts`, `weights.ts`, `bandwidth.ts`, `degree.ts`), which load on demand.
 */

import * as pack from "./wgsl/pack.wgsl.js";
import { forward as forwardSource } from "./wgsl/softmax.wgsl.js";

/** What a pass is compiled for. */
export interface Variant {
  /** Rows of a thread in the forward pass, an eighth of those of its tiles: 4, or 8 where there are rows enough. */
  readonly patch: number;
  readonly sphere: boolean;
  /** Times 32: components that one workgroup sums. */
  readonly slots: number;
}

/** A pass. */
export interface Pass {
  readonly name: string;
  /** What of the variant it depends on; the rest does not make it another. */
  readonly by: readonly (keyof Variant)[];
  source(variant: Variant): string;
}

/** Rows of the tiles of a pass. */
export function tileRows({ by }: Pass, { patch }: Variant): number {
  return by.includes("patch") ? 8 * patch : smallTile;
}

/** Rows of the smallest tiles. */
export const smallTile = 32;

export const inspect: Pass = { name: "inspect", by: [], source: () => pack.inspect };
export const packQueries: Pass = {
  name: "packQueries",
  by: ["sphere"],
  source: ({ sphere }) => pack.packQueries(sphere),
};
export const packKeys: Pass = { name: "packKeys", by: ["sphere"], source: ({ sphere }) => pack.packKeys(sphere) };
export const forward: Pass = {
  name: "forward",
  by: ["patch", "sphere", "slots"],
  source: ({ patch, sphere, slots }) => forwardSource(patch, sphere, slots),
};

/** Rows that one thread of a pass over single rows works on: one; threads in its workgroup. */
export const rowPassThreads = 64;

/** A pass, compiled. */
export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Name of each binding, by its number. */
  readonly names: readonly string[];
}

/** Compiles a pass; a mistake in it, or a limit it breaks, rejects with the name of the pass. */
export async function compile(device: GPUDevice, { name, source }: Pass, variant: Variant): Promise<Compiled> {
  const label = `fractional-attention ${name}`;
  const code = source(variant);
  const names: string[] = [];
  const entries: GPUBindGroupLayoutEntry[] = [];
  for (const [, kind, binding] of code.matchAll(/var<(uniform|storage, ?read(?:_write)?)> ?(\w+)/g)) {
    const type: GPUBufferBindingType =
      kind === "uniform" ? "uniform" : kind.endsWith("read_write") ? "storage" : "read-only-storage";
    entries.push({ binding: names.push(binding) - 1, visibility: computeStage, buffer: { type } });
  }
  // Declarations stand in the order of their numbers. A scope tells what the rejection of a pipeline does not.
  device.pushErrorScope("validation");
  const layout = device.createBindGroupLayout({ label, entries });
  const made = device.createComputePipelineAsync({
    label,
    layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ label, code }), entryPoint: "main" },
  });
  const [error, pipeline] = await Promise.allSettled([device.popErrorScope(), made]);
  if (error.status === "fulfilled" && error.value !== null) throw new Error(error.value.message);
  if (pipeline.status === "rejected") throw pipeline.reason;
  return { pipeline: pipeline.value, layout, names };
}

/** GPUShaderStage.COMPUTE, which is a global only in browsers. */
export const computeStage = 4;
