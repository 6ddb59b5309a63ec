/**
 * Node's own modules where there are any. Asked for at run time, as an import of them, however it is written, ends up in the
 * way of bundlers that build for browsers.
 */

/** `node:worker_threads`, or undefined outside of Node. */
export function nodeWorkerThreads(): typeof import("node:worker_threads") | undefined {
  return builtin("node:worker_threads") as typeof import("node:worker_threads") | undefined;
}

/** `node:fs/promises`, or undefined outside of Node. */
export function nodeFiles(): typeof import("node:fs/promises") | undefined {
  return builtin("node:fs/promises") as typeof import("node:fs/promises") | undefined;
}

function builtin(name: string): unknown {
  const host = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process;
  return host?.getBuiltinModule?.(name);
}
