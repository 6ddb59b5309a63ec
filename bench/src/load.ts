/**
 * Packages that only `bench/` installs, loaded when they are needed. Their own types are not there when the repository is
 * checked without them, so an adapter declares the few names that it uses and says so in the type argument.
 */

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** An ES module by its package name. @throws the loader's error when it is not installed */
export async function load<Module>(name: string): Promise<Module> {
  return (await import(name)) as Module;
}

/** A CommonJS module by its package name. @throws the loader's error when it is not installed */
export function loadCommonJs<Module>(name: string): Module {
  return require(name) as Module;
}

/** Where a file of an installed package is. */
export function locate(name: string): string {
  return require.resolve(name);
}

/** The version of an installed package, or undefined. */
export function versionOf(name: string): string | undefined {
  // Not every package exports its package.json, so it is found by its folder.
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return (require(`${folder}/${name}/package.json`) as { version: string }).version;
    } catch {}
  }
  return undefined;
}
