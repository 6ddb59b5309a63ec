/** What it was measured on. Node only. */

import { cpus, release, totalmem } from "node:os";

/** The machine and the runtime. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch} ${release()}`,
    node: process.versions.node,
    v8: process.versions.v8,
  };
}

/** One line for people. */
export function machineLine({ cpu, cores, memoryGiB, node, v8, system }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}; Node ${node}, V8 ${v8}`;
}
