/** The shaders of `dist/`, which the build has shortened: they compile, and give the bits of those of the sources. */

import { expect, test } from "vitest";
import { createRandom } from "../reference/random.js";
import { Attention } from "../src/attention.js";
import type { AttentionOptions } from "../src/types.js";
import { openForTests, patience } from "./webgpu/open.js";

const backend = await openForTests();
const built = new URL("../dist/webgpu.js", import.meta.url).href;

/** Between them they run every pass, in both geometries. */
const cases: AttentionOptions[] = [
  { bandwidth: "median", degreeNormalization: 0.5, causal: true, alpha: Float32Array.of(1.2, 2) },
  { manifold: "sphere", bandwidth: "mean", degreeNormalization: 1, mask: new Uint8Array(35).fill(1, 0, 3) },
  { window: 5, globalTokens: 1, distanceThreshold: 0.4, excludeSelf: true },
];

test.runIf(backend).each(cases)(
  "the built shaders give the bits of the sources: case %#",
  { timeout: patience },
  async (options) => {
    const random = createRandom(3);
    const normals = (length: number) => Float32Array.from({ length }, () => random.normal());
    const sizes = { batch: 1, heads: 2, queries: 35, keys: 35, headDim: 6 };
    const inputs = { ...sizes, q: normals(420), k: normals(420), v: normals(420) };
    const dOutput = normals(420);
    const { createAttention } = (await import(built)) as typeof import("../src/webgpu.js");
    const ours = new Attention<Float32Array>(backend!);
    const theirs = await createAttention({ gpu: { device: backend!.gpu.device } });
    const found = await theirs.forward(inputs, options);
    expect(found).toEqual(await ours.forward(inputs, options));
    expect(found.output.some((x) => x !== 0)).toBe(true);
    const saved = { ...found, dOutput };
    expect(await theirs.backward(inputs, options, saved)).toEqual(await ours.backward(inputs, options, saved));
    expect(await theirs.weights(inputs, options)).toEqual(await ours.weights(inputs, options));
    const kept = await theirs.forward(inputs, { ...(options as object), output: "gpu" });
    kept.output.buffer.destroy();
    kept.logSumExp.buffer.destroy();
    theirs.dispose();
  },
);
