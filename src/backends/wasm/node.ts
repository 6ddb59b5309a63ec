/**
 * Node's own modules where there are any. Asked for at run time, as an import of them, however it is written, ends up in the
 * way of bundlers that build for browsers.
 */

interface Modules {
  "node:fs/promises": typeof import("node:fs/promises");
  "node:worker_threads": typeof import("node:worker_threads");
  "node:zlib": typeof import("node:zlib");
}

/** A module of Node's, or undefined outside of Node. */
export function nodeModule<Name extends keyof Modules>(name: Name): Modules[Name] | undefined {
  const host = (globalThis as { process?: { getBuiltinModule?: (name: Name) => Modules[Name] } }).process;
  return host?.getBuiltinModule?.(name);
}
