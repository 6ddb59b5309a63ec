/**
 * Builds `dist/`: the library bundles (esbuild), the command line with everything it needs inside, and the type
 * declarations (tsc). Nothing of it is committed.
 */

import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { build } from "esbuild";
import { buildWasm } from "./build-wasm.mjs";
import { minifyWgslPlugin } from "./minify-wgsl.mjs";

const run = promisify(execFile);
const root = new URL("..", import.meta.url).pathname;
const require = createRequire(import.meta.url);

await rm(new URL("../dist", import.meta.url), { recursive: true, force: true });

// The kernels come first: the library inlines them.
await buildWasm(`${root}dist`);

const shared = {
  plugins: [minifyWgslPlugin],
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
};

const library = build({
  ...shared,
  entryPoints: {
    index: "src/index.ts",
    wasm: "src/wasm.ts",
    webgpu: "src/webgpu.ts",
    analysis: "src/analysis/index.ts",
    reference: "reference/index.ts",
  },
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  splitting: true,
  sourcemap: true,
  sourcesContent: false,
  platform: "neutral",
  mainFields: ["module", "main"],
});

const commandLine = build({
  ...shared,
  entryPoints: { cli: "src/cli/main.ts" },
  outdir: "dist",
  platform: "node",
  minify: true,
  // CommonJS dependencies inside an ES module ask for Node's own modules through require.
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});

const declarations = run(process.execPath, [require.resolve("typescript/bin/tsc"), "-p", "tsconfig.build.json"], {
  cwd: root,
}).catch((error) => {
  throw new Error(error.stdout || error.message);
});

await Promise.all([library, commandLine, declarations]);
