/**
 * What an embedder pays: gzipped bytes of everything that an entry loads at once, bundled by esbuild with splitting and
 * minified, and the raw modules. Dynamic imports (workers, the relaxed build) do not count: they load where they are used.
 */

import { statSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));

async function eagerBytes(entry: string): Promise<number> {
  const { outputFiles, metafile } = await build({
    entryPoints: [`${dist}${entry}`],
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    outdir: "out",
    write: false,
    metafile: true,
    logLevel: "silent",
    external: ["webgpu"],
  });
  const contents = new Map(outputFiles.map((file) => [basename(file.path), file.contents]));
  const outputs = new Map(Object.entries(metafile.outputs).map(([path, output]) => [basename(path), output]));
  const eager = new Set<string>();
  const visit = (name: string): void => {
    if (eager.has(name)) return;
    eager.add(name);
    for (const { path, kind } of outputs.get(name)?.imports ?? [])
      if (kind === "import-statement") visit(basename(path));
  };
  visit(basename(entry));
  return [...eager].reduce((sum, name) => sum + gzipSync(contents.get(name)!, { level: 9 }).length, 0);
}

test.each([
  ["index.js", 32_000],
  ["wasm.js", 20_000],
])("%s loads at most %i gzipped bytes", async (entry, budget) => {
  const bytes = await eagerBytes(entry);
  // A bundle that lost its kernels would be small too.
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThanOrEqual(budget);
});

test.each(["attention.wasm", "attention.relaxed.wasm"])("%s is at most 32 kB", (file) => {
  expect(statSync(dist + file).size).toBeLessThanOrEqual(32_000);
});
