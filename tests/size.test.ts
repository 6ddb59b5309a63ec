/**
 * What an embedder pays: gzipped bytes of everything that an entry loads at once, bundled by esbuild with splitting and
 * minified, and the raw modules. Dynamic imports (workers, the relaxed build) do not count: they load where they are used.
 * And what everybody who installs the package pays: the files of the tarball.
 */

import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));

/** @param alsoLoaded beginnings of the names of dynamic imports that count as well */
async function loadedBytes(entry: string, alsoLoaded: readonly string[] = []): Promise<number> {
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
    for (const { path, kind } of outputs.get(name)?.imports ?? []) {
      const isTaken = kind === "import-statement" || alsoLoaded.some((start) => basename(path).startsWith(start));
      if (isTaken) visit(basename(path));
    }
  };
  visit(basename(entry));
  return [...eager].reduce((sum, name) => sum + gzipSync(contents.get(name)!, { level: 9 }).length, 0);
}

test.each([
  ["index.js", 32_000],
  ["wasm.js", 20_000],
])("%s loads at most %i gzipped bytes", async (entry, budget) => {
  const bytes = await loadedBytes(entry);
  // A bundle that lost its kernels would be small too.
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThanOrEqual(budget);
});

test("webgpu.js loads at most 14 kB, and with what a first forward pass needs at most 18.5 kB", async () => {
  const eager = await loadedBytes("webgpu.js");
  const forward = await loadedBytes("webgpu.js", ["engine"]);
  expect(eager).toBeLessThanOrEqual(14_000);
  expect(forward).toBeLessThanOrEqual(18_500);
  // The kernels are in the one, and gradients are in neither.
  expect(forward).toBeGreaterThan(eager + 6_000);
  expect(await loadedBytes("webgpu.js", ["engine", "on-demand"])).toBeGreaterThan(forward + 5_000);
});

test.each(["attention.wasm", "attention.relaxed.wasm", "layers.wasm"])("%s is at most 32 kB", (file) => {
  expect(statSync(new URL(`../build/wasm/${file}`, import.meta.url)).size).toBeLessThanOrEqual(32_000);
});

describe("the tarball", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const words = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const answer = JSON.parse(
    execFileSync("npm", words, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );
  const [packed] = Object.values(answer) as { unpackedSize: number; files: { path: string; size: number }[] }[];
  const paths = packed.files.map((file) => file.path);

  test("is at most 1 MB unpacked", () => {
    expect(packed.unpackedSize).toBe(packed.files.reduce((sum, file) => sum + file.size, 0));
    expect(packed.unpackedSize).toBeLessThanOrEqual(1_000_000);
  });

  test("has what the exports, the types and the maps lead to, and nothing else", () => {
    const { exports, bin } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
    const needed = new Set(["CHANGELOG.md", "LICENSE", "README.md"]);
    const follow = (path: string): void => {
      if (needed.has(path)) return;
      needed.add(path);
      if (!/\.(js|d\.ts)$/.test(path)) return;
      const text = readFileSync(root + path, "utf8");
      const pattern = /(?:\bfrom|\bimport\(|\bimport|sourceMappingURL=)\s*["']?(\.{0,2}[\w./-]+\.js(?:\.map)?)/g;
      for (const [, found] of text.matchAll(pattern)) {
        const target = join(dirname(path), found);
        follow(path.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target);
      }
    };
    const targets = Object.values(exports).flatMap((target) =>
      typeof target === "string" ? [target] : Object.values(target!),
    );
    for (const target of [...targets, ...Object.values(bin)]) follow(join(target as string));
    expect(paths.sort()).toEqual([...needed].sort());
  });
});
