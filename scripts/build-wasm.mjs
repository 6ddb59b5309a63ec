/**
 * Compiles assembly/ into build/wasm/*.wasm, attention with plain and with relaxed SIMD and the layers of the models, and
 * writes each as a module of deflated base64 text into src/generated/. Does nothing when neither sources nor compiler have changed, which a hash in the generated
 * file tells. Run by itself it does that; `buildWasm(directory)` also copies the plain .wasm file there.
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { inflateRawSync } from "node:zlib";
import zopfli from "@gfx/zopfli";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);

const { deflateAsync } = zopfli;

/** The builds by target of asconfig.json. */
const targets = [
  { target: "plain", entry: "attention", file: "attention.wasm", module: "attention-wasm.ts" },
  { target: "relaxed", entry: "attention", file: "attention.relaxed.wasm", module: "attention-relaxed-wasm.ts" },
  { target: "layers", entry: "layers", file: "layers.wasm", module: "layers-wasm.ts" },
];

/** Compiles what has changed; copies the modules to `directory` when one is given. */
export async function buildWasm(directory) {
  const hash = await hashOfSources();
  await mkdir(join(root, "build/wasm"), { recursive: true });
  await mkdir(join(root, "src/generated"), { recursive: true });
  await Promise.all(targets.map((target) => buildTarget(target, hash)));
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  // The plain build is `fractional-attention/kernels.wasm`; the relaxed one is only ever loaded inlined.
  await copyFile(join(root, "build/wasm", targets[0].file), join(directory, targets[0].file));
}

async function buildTarget({ target, entry, file, module }, hash) {
  const binary = join(root, "build/wasm", file);
  const text = join(root, "src/generated", module);
  const upToDate = await Promise.all([readFile(text, "utf8"), readFile(binary)])
    .then(([source]) => source.includes(hash))
    .catch(() => false);
  if (upToDate) return;
  const compiler = join(require.resolve("assemblyscript/package.json"), "../bin/asc.js");
  const args = [compiler, `assembly/${entry}.ts`, "--config", "asconfig.json", "--target", target];
  await run(process.execPath, args, { cwd: root }).catch((error) => {
    throw new Error(`asc --target ${target}:\n${error.stdout}${error.stderr}`);
  });
  const bytes = await readFile(binary);
  // Zopfli finds a stream 4 % shorter than zlib's best; it is checked, because nothing else would notice.
  const deflated = Buffer.from(await deflateAsync(bytes, { numiterations: 30 }));
  if (!inflateRawSync(deflated).equals(bytes)) throw new Error(`${file} did not survive its compression`);
  const packed = deflated.toString("base64");
  await writeFile(
    text,
    `// Made by scripts/build-wasm.mjs from assembly/; sources ${hash}.\n` +
      `/** The ${target} build: ${bytes.length} bytes, deflated (raw), in base64. */\n` +
      `export const ${entry}Wasm: string =\n  "${packed}";\n`,
  );
}

/** One hash over everything that decides what the compiler writes. */
async function hashOfSources() {
  const hash = createHash("sha256");
  const entries = await readdir(join(root, "assembly"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  files.push(join(root, "asconfig.json"), join(root, "scripts/build-wasm.mjs"));
  for (const file of files.sort()) hash.update(file.slice(root.length)).update(await readFile(file));
  hash.update(require("assemblyscript/package.json").version);
  return hash.digest("hex").slice(0, 24);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await buildWasm();
