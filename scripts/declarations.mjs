/**
 * Type declarations: tsc writes one per source file that the entries import, and those that no entry of the package leads to are removed again, so
 * that what is internal is neither shipped nor found by a reader of the types.
 */

import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** Writes the declarations of `entries`, as libraryEntries gives them, to dist/types of the repository at `root`. */
export async function writeDeclarations(root, entries) {
  const config = join(root, "build/tsconfig.declarations.json");
  const sources = entries.map(({ source }) => join(root, source));
  await mkdir(dirname(config), { recursive: true });
  await writeFile(config, JSON.stringify({ extends: join(root, "tsconfig.build.json"), files: sources, include: [] }));
  const compiler = require.resolve("typescript/bin/tsc");
  await run(process.execPath, [compiler, "-p", config], { cwd: root }).catch((error) => {
    throw new Error(error.stdout || error.message);
  });
  const needed = new Set();
  for (const { types } of entries) await follow(resolve(root, types), needed);
  const folder = join(root, "dist/types");
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = found.filter((item) => item.isFile()).map((item) => join(item.parentPath, item.name));
  await Promise.all(files.filter((file) => !needed.has(file)).map((file) => rm(file)));
  // Deepest first, so that what is empty after its folders have gone goes too.
  const folders = found.filter((item) => item.isDirectory()).map((item) => join(item.parentPath, item.name));
  for (const path of folders.sort((a, b) => b.length - a.length)) {
    if ((await readdir(path)).length === 0) await rmdir(path);
  }
}

/** Adds a declaration and all that it imports to `needed`. */
async function follow(file, needed) {
  if (needed.has(file)) return;
  needed.add(file);
  const text = await readFile(file, "utf8");
  for (const [, specifier] of text.matchAll(/(?:from |import\()"(\.[^"]+)\.js"/g)) {
    await follow(resolve(dirname(file), `${specifier}.d.ts`), needed);
  }
}
