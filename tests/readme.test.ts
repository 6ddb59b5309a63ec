/** The TypeScript of the README compiles, strictly and against the types of the package as it is installed, and runs. */

import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { transform } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openForTests, patience } from "./webgpu/open.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
/** Inside the package, where its name leads to its own exports. */
const folder = `${root}build/readme`;

const backend = await openForTests();
backend?.dispose();

beforeAll(async () => {
  const text = await readFile(`${root}README.md`, "utf8");
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block]) => block);
  const needsGpu = (block: string) => block.includes('from "webgpu"');
  await mkdir(folder, { recursive: true });
  // Those that need no GPU go on with each other's names.
  for (const [name, program] of [
    ["plain", blocks.filter((block) => !needsGpu(block)).join("\n")],
    ["gpu", blocks.filter(needsGpu).join("\n")],
  ]) {
    expect(program).toContain("createAttention(");
    await writeFile(`${folder}/${name}.mts`, program);
    await writeFile(`${folder}/${name}.mjs`, (await transform(program, { loader: "ts" })).code);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The least that the README asks for; types of Node among it would hide what is missing. */
const compilerOptions = {
  strict: true,
  module: "NodeNext",
  target: "ES2022",
  lib: ["ES2022", "DOM", "ESNext.Disposable"],
  types: [],
  noEmit: true,
};

test.each([
  ["plain", false],
  // What @webgpu/types declares, TypeScript 6 has in DOM as well, in other words.
  ["gpu", true],
])("compiles: %s", async (name, skipLibCheck) => {
  const config = { compilerOptions: { ...compilerOptions, skipLibCheck }, files: [`${name}.mts`] };
  await writeFile(`${folder}/tsconfig.json`, JSON.stringify(config));
  const compiler = `${root}node_modules/typescript/bin/tsc`;
  expect(await run(process.execPath, [compiler, "-p", folder])).toMatchObject({ stdout: "" });
});

test("runs", async () => {
  expect(await run(process.execPath, [`${folder}/plain.mjs`])).toEqual({ stdout: "", stderr: "" });
});

test.skipIf(backend === undefined)("runs on the GPU", { timeout: patience }, async () => {
  expect(await run(process.execPath, [`${folder}/gpu.mjs`])).toEqual({ stdout: "", stderr: "" });
});
