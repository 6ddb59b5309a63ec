/** Which devices the report times on this machine: all that run, webgpu only on a real GPU unless it was asked for. */

import { availableParallelism } from "node:os";
import type { Attention } from "../attention.js";
import { type CreateAttentionOptions, createAttention } from "../create.js";
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
  const candidates: [name: string, device: DeviceName, options: CreateAttentionOptions][] = [
    ["reference (float64)", "reference", { device: "reference" }],
    ["wasm, 1 thread", "wasm", { device: "wasm" }],
  ];
  if (threads > 1) candidates.push([`wasm, ${threads} threads`, "wasm", { device: "wasm", threads }]);
  candidates.push(["webgpu", "webgpu", { device: wanted === "webgpu" ? "webgpu" : "auto" }]);

  const open: TimedDevice[] = [];
  const rejected: { device: string; reason: string }[] = [];
  try {
    for (const [name, device, options] of candidates) {
      try {
        const attention = (await createAttention(options)) as Attention;
        if (attention.device === device) {
          open.push({ name, attention });
          continue;
        }
        rejected.push(...attention.rejected.filter((r) => r.device === device));
        attention.dispose();
      } catch (error) {
        if (!(error instanceof BackendUnavailableError)) throw error;
        rejected.push(...error.causes.map(({ reason }) => ({ device: name, reason })));
      }
    }
    return { devices: await timingStudy(open, { onProgress: progress.update }), rejected };
  } finally {
    for (const { attention } of open) attention.dispose();
  }
}
