/**
 * The passes by name: their WGSL for a variant. What is compiled depends on limits, manifold and dimensions only; every
 * other option is a number that the kernels read.
 */

import * as backward from "./wgsl/backward.wgsl.js";
import { measure } from "./wgsl/measure.wgsl.js";
import * as pack from "./wgsl/pack.wgsl.js";
import * as softmax from "./wgsl/softmax.wgsl.js";

/** What a pass is compiled for. */
export interface Variant {
  /** A fourth of the rows of a tile. */
  readonly rowThreads: number;
  readonly sphere: boolean;
  /** Times 32: components that one workgroup sums. */
  readonly slots: number;
}

export const passes = {
  inspect: () => pack.inspect,
  packQueries: ({ sphere }: Variant) => pack.packQueries(sphere),
  packKeys: ({ sphere }: Variant) => pack.packKeys(sphere),
  packCotangents: () => pack.packCotangents,
  project: () => pack.project,
  measure: ({ rowThreads, sphere }: Variant) => measure(rowThreads, sphere),
  columnSums: ({ rowThreads, sphere }: Variant) => softmax.columnSums(rowThreads, sphere),
  forward: ({ rowThreads, sphere, slots }: Variant) => softmax.forward(rowThreads, sphere, slots),
  weights: ({ rowThreads, sphere }: Variant) => softmax.weights(rowThreads, sphere),
  columnGradients: ({ rowThreads, sphere }: Variant) => backward.columnGradients(rowThreads, sphere),
  dQueries: ({ rowThreads, sphere, slots }: Variant) => backward.dQueries(rowThreads, sphere, slots),
  dKeys: ({ rowThreads, sphere, slots }: Variant) => backward.dKeys(rowThreads, sphere, slots),
} satisfies Record<string, (variant: Variant) => string>;

export type PassName = keyof typeof passes;

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
export async function compile(device: GPUDevice, name: PassName, variant: Variant): Promise<Compiled> {
  const label = `fractional-attention ${name}`;
  const code = passes[name](variant);
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

const computeStage = 4;
