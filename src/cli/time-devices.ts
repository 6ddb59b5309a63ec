/** Which devices the report times on this machine: all that run, webgpu only on a real GPU unless it was asked for. */

import { availableParallelism } from "node:os";
import { Attention } from "../attention.js";
import { createWebgpuBackend } from "../backends/webgpu/index.js";
import { createAttention } from "../create.js";
import { BackendUnavailableError } from "../errors.js";
import type { Timings } from "../page/evidence-sections.js";
import { type TimedDevice, timingStudy } from "../page/timing-study.js";
import type { DeviceName } from "../types.js";
import type { Progress } from "./progress.js";

/** More threads than this gain nothing at the sizes that the page shows. */
const mostThreads = 8;

/** Checks and times the devices; `wanted` is the value of --device. */
export async function timeDevices(wanted: DeviceName | "auto", progress: Progress): Promise<Timings> {
  const threads = Math.min(mostThreads, availableParallelism());
  let adapter: string | undefined;
  const openWebgpu = async () => {
    const backend = await createWebgpuBackend({ hardwareOnly: wanted !== "webgpu" });
    adapter = backend.gpu.adapter;
    return new Attention(backend);
  };
  const candidates: [name: string, open: () => Promise<Attention>][] = [
    ["reference (float64)", () => createAttention({ device: "reference" }) as Promise<Attention>],
    ["wasm, 1 thread", () => createAttention({ device: "wasm" }) as Promise<Attention>],
    ["webgpu", openWebgpu],
  ];
  if (threads > 1) {
    const openThreads = () => createAttention({ device: "wasm", threads }) as Promise<Attention>;
    candidates.splice(2, 0, [`wasm, ${threads} threads`, openThreads]);
  }

  const open: TimedDevice[] = [];
  const rejected: { device: string; reason: string }[] = [];
  try {
    for (const [name, openDevice] of candidates) {
      try {
        open.push({ name, attention: await openDevice() });
      } catch (error) {
        if (!(error instanceof BackendUnavailableError)) throw error;
        rejected.push(...error.causes.map(({ reason }) => ({ device: name, reason })));
      }
    }
    return { devices: await timingStudy(open, { onProgress: progress.update }), rejected, adapter };
  } finally {
    for (const { attention } of open) attention.dispose();
  }
}
