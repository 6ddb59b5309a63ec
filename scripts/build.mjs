/**
 * Builds `dist/` from the exports of package.json: every entry that has types is a bundle of the source that its types come
 * from. The command line is one more entry of the same build, so that it shares the chunks of the library instead of
 * carrying a second copy. Nothing of it is committed.
 *
 * Everything is minified, as the package is to be small. The library has source maps that are exact to the line and carry no
 * sources: stack traces name them. Chunks that only the command line loads have none.
 */

import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { decode, encode } from "@jridgewell/sourcemap-codec";
import { build } from "esbuild";
import { buildWasm } from "./build-wasm.mjs";
import { writeDeclarations } from "./declarations.mjs";
import { libraryEntries } from "./entries.mjs";
import { leaveOutPlugin, manifestPlugin, mlMatrixPlugin, nodeBuiltinsPlugin, tablePlugin } from "./lighten.mjs";
import { minifyWgslPlugin } from "./minify-wgsl.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

await rm(`${root}dist`, { recursive: true, force: true });

// The kernels come first: the library inlines them.
await buildWasm(`${root}dist`);

const entries = libraryEntries();

await Promise.all([bundle(), writeDeclarations(root, entries)]);

async function bundle() {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      ...Object.fromEntries(entries.map(({ name, source }) => [name, source])),
      cli: "src/cli/main.ts",
    },
    plugins: [leaveOutPlugin, manifestPlugin, mlMatrixPlugin, nodeBuiltinsPlugin, tablePlugin, minifyWgslPlugin],
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    outdir: "dist",
    chunkNames: "chunks/[name]-[hash]",
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    logLevel: "warning",
    metafile: true,
    write: false,
  });
  const library = new Set();
  for (const { name } of entries) reach(`dist/${name}.js`, metafile.outputs, library);
  await mkdir(`${root}dist/chunks`, { recursive: true });
  for (const { path, text } of outputFiles) {
    const name = relative(root, path);
    if (library.has(name.replace(/\.map$/, ""))) await writeFile(path, name.endsWith(".map") ? byLine(text) : text);
    else if (name.endsWith(".js")) await writeFile(path, text.replace(/^\/\/# sourceMappingURL=.*$/m, ""));
  }
  // npm makes it executable where it installs the package, and not again after a build.
  await chmod(`${root}dist/cli.js`, 0o755);
}

/** Adds an output and all that it imports, at once or later, to `reached`. */
function reach(output, outputs, reached) {
  if (reached.has(output) || outputs[output] === undefined) return;
  reached.add(output);
  for (const { path } of outputs[output].imports) reach(path, outputs, reached);
}

/** A source map without the mappings that stay on the line of the one before: a fifth of the size. */
function byLine(text) {
  const map = JSON.parse(text);
  let last = "";
  const mappings = decode(map.mappings).map((segments) =>
    segments.filter(([, source, line]) => {
      const here = `${source}:${line}`;
      const isNew = here !== last;
      last = here;
      return isNew;
    }),
  );
  return JSON.stringify({
    ...map,
    names: [],
    mappings: encode(mappings.map((line) => line.map((s) => s.slice(0, 4)))),
  });
}
