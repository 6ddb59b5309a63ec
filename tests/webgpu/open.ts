/** A WebGPU device for tests, or the reason why there is none. FNA_REQUIRE_WEBGPU=1 makes that a failure. */

import { createWebgpuBackend, type WebgpuBackend } from "../../src/backends/webgpu/index.js";

export async function openForTests(): Promise<WebgpuBackend | undefined> {
  try {
    return await createWebgpuBackend();
  } catch (error) {
    if (process.env.FNA_REQUIRE_WEBGPU === "1") throw error;
    const reason = error instanceof Error ? error.message : String(error);
    console.warn(`Left out: the tests of the webgpu device (${reason}). scripts/webgpu-env.sh offers a CPU adapter.`);
    return undefined;
  }
}

/** The first call of each pass compiles it, which takes seconds on a CPU adapter. */
export const patience = 600_000;
