/**
 * Where a GPU comes from: the browser, or Dawn in Node through the optional package `webgpu`. Only the limits and features
 * that every WebGPU device has are asked for.
 */

import { BackendUnavailableError } from "../../errors.js";

/** A device with what is known about the machine behind it. */
export interface Found extends Described {
  readonly device: GPUDevice;
}

/** What an adapter says of itself. */
export interface Described {
  /** Vendor, architecture and description, as far as they are told. */
  readonly adapter: string;
  /** Whether a CPU does the work. */
  readonly isSoftware: boolean;
}

function unavailable(reason: string): BackendUnavailableError {
  return new BackendUnavailableError([{ device: "webgpu", reason }]);
}

async function findGpu(): Promise<GPU> {
  const own = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (own !== undefined) return own;
  const isNode = typeof process === "object" && process.versions?.node !== undefined;
  if (!isNode) throw unavailable("there is no navigator.gpu here");
  // Not a literal, so that no bundler follows it.
  const name = "webgpu";
  let dawn: { create(flags: string[]): GPU };
  try {
    dawn = await import(/* @vite-ignore */ /* webpackIgnore: true */ name);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw unavailable(`in Node it needs the package "webgpu" (${detail})`);
  }
  return dawn.create([]);
}

const softwareNames = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bwarp\b|\bcpu\b/i;

/** What an adapter says of itself, and whether that is a CPU. */
export function describeAdapter(info: GPUAdapterInfo): Described {
  const parts = [info.vendor, info.architecture, info.device, info.description].filter((part) => part);
  const adapter = parts.join(" ") || "unnamed adapter";
  return { adapter, isSoftware: info.isFallbackAdapter === true || softwareNames.test(adapter) };
}

/** Why an adapter of this kind is not taken where only hardware counts. */
export function refusal(adapter: string): BackendUnavailableError {
  return unavailable(`its adapter is a CPU (${adapter}), which the wasm device uses better`);
}

/**
 * A device of our own.
 * @param hardwareOnly refuse a CPU
 * @throws BackendUnavailableError
 */
export async function requestDevice(hardwareOnly = false): Promise<Found> {
  const gpu = await findGpu();
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw unavailable("WebGPU is there but offers no adapter");
  const described = describeAdapter(adapter.info);
  if (hardwareOnly && described.isSoftware) throw refusal(described.adapter);
  try {
    const device = await adapter.requestDevice({ label: "fractional-attention" });
    // Dawn's instance must outlive the device.
    owners.set(device, gpu);
    return { device, ...described };
  } catch (cause) {
    throw unavailable(`${described.adapter} gives no device: ${cause instanceof Error ? cause.message : cause}`);
  }
}

const owners = new WeakMap<GPUDevice, GPU>();
