/**
 * Verification anywhere: every golden group and a seeded random battery against every device that runs here, one row per
 * device and group. A check passes when its error is at most its bound; both are stated where the check is made.
 * The golden vectors come from a loader, so that this runs in browsers too; `index.ts` is the same from files.
 */

import { integer, oneOf } from "../../reference/check.js";
import { createRandom } from "../../reference/random.js";
import type { Attention } from "../attention.js";
import { createReferenceBackend } from "../backends/reference.js";
import { createAttention } from "../create.js";
import { BackendUnavailableError, InvalidArgumentError } from "../errors.js";
import type { DeviceName } from "../types.js";
import { type InputKind, inputKinds, randomProblem } from "./battery.js";
import { type Check, marginOf } from "./check.js";
import type { GoldenCase, GoldenLoader } from "./golden.js";
import { checkAnalysis } from "./golden-analysis.js";
import { checkEuclidean, checkKernel, checkSpherical, checkTranslation } from "./golden-attention.js";
import { checkDot, checkSinkhorn, checkTranslationDot } from "./golden-baselines.js";
import { checkCheckpoint, checkClassifier } from "./golden-classifier.js";
import { checkLevy } from "./golden-levy.js";
import { checkMultiHead } from "./golden-multi-head.js";
import { checkGoldenOnDevice, deviceGroups } from "./golden-problems.js";
import { judgeFloat32 } from "./judge-float32.js";
import { judgeReference } from "./judge-reference.js";

/** What to verify; everything by default. */
export interface VerifyOptions {
  /** Devices to judge. Default: every device that runs here, webgpu only on a real GPU. */
  devices?: readonly DeviceName[];
  /** Groups, by the names of `verifyGroups`. Default: all. */
  groups?: readonly string[];
  /** Seed of the random battery, in [0, 2^32). Default 1. */
  seed?: number;
  /** Problems per kind of input in the random battery, at least 1. Default 40. */
  cases?: number;
  /** Threads of the wasm device, at least 1. Default 1. */
  threads?: number;
}

/** One device and group. `error` and `bound` are those of the check with the least margin. */
export interface VerifyRow {
  readonly device: string;
  readonly group: string;
  readonly cases: number;
  readonly checks: number;
  readonly error: number;
  readonly bound: number;
  /** bound / error; Infinity for an exact result. */
  readonly margin: number;
  /** Case and tensor of that check. */
  readonly worst: string;
  readonly passed: boolean;
  readonly note?: string;
  /** For random groups. */
  readonly seed?: number;
}

/** The outcome. */
export interface VerifyResult {
  readonly rows: readonly VerifyRow[];
  /** Devices that were not judged, and why. */
  readonly rejected: readonly { readonly device: string; readonly reason: string }[];
  /** Groups that were left out because an installed package does not have the golden vectors. */
  readonly omitted: readonly string[];
  readonly passed: boolean;
}

/** Golden groups and what checks them. They judge functions of the reference that no other device has. */
const goldenGroups: Readonly<Record<string, (cases: readonly GoldenCase[]) => Check[]>> = {
  kernel: checkKernel,
  attention_euclidean: checkEuclidean,
  attention_spherical: checkSpherical,
  attention_translation: (cases) => [...checkTranslation(cases), ...checkTranslationDot(cases)],
  attention_dot: checkDot,
  multihead: checkMultiHead,
  classifier: checkClassifier,
  checkpoint: checkCheckpoint,
  sinkhorn: checkSinkhorn,
  analysis: checkAnalysis,
  levy: checkLevy,
};

const randomGroups = inputKinds.map((kind) => `random ${kind}`);

/** Names that `VerifyOptions.groups` takes. */
export const verifyGroups: readonly string[] = [...Object.keys(goldenGroups), ...randomGroups];

/** Devices that can be judged, where they run. */
export const verifyDevices: readonly DeviceName[] = ["reference", "wasm", "webgpu"];

/**
 * Verifies the devices.
 * @param load where the golden vectors come from; undefined: groups that need them are left out, or cannot be asked for
 * @param onProgress called before each row with the rows done, their total, and the name of the next
 * @throws InvalidArgumentError; whatever the loader throws
 */
export async function verifyWith(
  load: GoldenLoader | undefined,
  options: VerifyOptions = {},
  onProgress?: (done: number, total: number, label: string) => void,
): Promise<VerifyResult> {
  const seed = integer("seed", options.seed ?? 1, 0, 2 ** 32 - 1);
  const perKind = integer("cases", options.cases ?? 40, 1, 1_000_000);
  const threads = integer("threads", options.threads ?? 1, 1, 256);
  for (const group of options.groups ?? []) {
    oneOf("groups", group, verifyGroups);
    if (load || !goldenGroups[group]) continue;
    throw new InvalidArgumentError("golden", `a folder with the golden vectors, which group ${group} needs`, undefined);
  }
  const groups = options.groups ?? (load ? verifyGroups : randomGroups);
  const omitted = options.groups || load ? [] : Object.keys(goldenGroups);
  const devices = options.devices ?? verifyDevices;
  if (devices.length === 0) throw new InvalidArgumentError("devices", "at least one device", devices);
  for (const device of devices) oneOf<DeviceName>("devices", device, verifyDevices);

  if (!devices.some((device) => groups.some((group) => canRun(device, group)))) {
    const fitting = verifyGroups.filter((group) => devices.some((device) => canRun(device, group)));
    const domain = `a group that ${devices.join(" and ")} can be checked by (${fitting.join(", ")})`;
    throw new InvalidArgumentError("groups", domain, groups.join(", "));
  }

  const rows: VerifyRow[] = [];
  const rejected: { device: string; reason: string }[] = [];
  const open: Attention[] = [];
  for (const device of devices) {
    try {
      // Unless it was asked for by name, webgpu counts where "auto" would take it: not on an adapter that is a CPU.
      const automatic = device === "webgpu" && !options.devices;
      const attention = (await createAttention({ device: automatic ? "auto" : device, threads })) as Attention;
      if (attention.device === device) open.push(attention);
      else {
        rejected.push(...attention.rejected.filter((r) => r.device === device));
        attention.dispose();
      }
    } catch (error) {
      // A device that was asked for by name must run; by default those that do not are reported.
      if (options.devices || !(error instanceof BackendUnavailableError)) throw error;
      rejected.push(...error.causes);
    }
  }
  const jobs = open.flatMap((attention) =>
    groups.filter((group) => canRun(attention.device, group)).map((group) => ({ attention, group })),
  );
  for (const { attention, group } of jobs) {
    onProgress?.(rows.length, jobs.length, `${attention.device} ${group}`);
    // Lets a progress bar draw between rows.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const checks = await runGroup(attention, group, seed, perKind, load);
    const label = attention.device === "wasm" && threads > 1 ? `wasm, ${threads} threads` : attention.device;
    const row = summarize(label, group, checks);
    rows.push(group.startsWith("random ") ? { ...row, seed } : row);
  }
  for (const attention of open) attention.dispose();
  onProgress?.(jobs.length, jobs.length, "done");
  return { rows, rejected, omitted, passed: rows.every((row) => row.passed) };
}

/** Groups of functions that only the reference has are no business of other devices. */
function canRun(device: DeviceName, group: string): boolean {
  return device === "reference" || deviceGroups.includes(group) || group.startsWith("random ");
}

async function runGroup(
  attention: Attention,
  group: string,
  seed: number,
  perKind: number,
  load: GoldenLoader | undefined,
): Promise<Check[]> {
  const reference = attention.device === "reference";
  if (!group.startsWith("random ")) {
    const { cases } = await load!(group);
    return reference ? goldenGroups[group](cases) : checkGoldenOnDevice(attention, group, cases);
  }
  const kind = group.slice("random ".length) as InputKind;
  // Each kind has its own stream, so that a group alone gives the numbers that it gives among others.
  const random = createRandom((seed + inputKinds.indexOf(kind) * 0x9e3779b9) >>> 0);
  const backend = createReferenceBackend();
  const checks: Check[] = [];
  for (let c = 0; c < perKind; c++) {
    const problem = randomProblem(random, kind, !reference);
    const id = `${kind} ${c}`;
    checks.push(
      ...(reference
        ? judgeReference(backend, problem, id, (seed + c) % 2 ** 32)
        : await judgeFloat32(attention, problem, id)),
    );
  }
  return checks;
}

/** The row of a group: the check with the least margin, a failed one before all others. */
export function summarize(device: string, group: string, checks: readonly Check[]): VerifyRow {
  if (checks.length === 0) throw new Error(`group ${group} on ${device} has no checks`);
  const worst = checks.reduce((least, check) => (marginOf(check) < marginOf(least) ? check : least));
  return {
    device,
    group,
    cases: new Set(checks.map((check) => check.case)).size,
    checks: checks.length,
    error: worst.error,
    bound: worst.bound,
    margin: marginOf(worst),
    worst: `${worst.case} ${worst.tensor}`,
    passed: checks.every((check) => check.error <= check.bound),
  };
}
