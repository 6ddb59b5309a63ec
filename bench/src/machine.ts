/** What it was measured on. */

import { cpus, release, totalmem } from "node:os";
import { versionOf } from "./load.js";

/** The machine, the runtime and the peers. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  /** Versions by package; absent where it is not installed. */
  readonly peers: Readonly<Record<string, string>>;
}

const packages = [
  "onnxruntime-web",
  "onnxruntime-node",
  "@jax-js/jax",
  "@tensorflow/tfjs-core",
  "@tensorflow/tfjs-backend-wasm",
  "ml-matrix",
];

export function describeMachine(): Machine {
  const peers: Record<string, string> = {};
  for (const name of packages) {
    const version = versionOf(name);
    if (version !== undefined) peers[name] = version;
  }
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch} ${release()}`,
    node: process.versions.node,
    v8: process.versions.v8,
    peers,
  };
}

/** One line for people. */
export function machineLine({ cpu, cores, memoryGiB, node, v8, system, peers }: Machine): string {
  const versions = Object.entries(peers).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}; Node ${node}, V8 ${v8}; ${versions.join(", ")}`;
}
