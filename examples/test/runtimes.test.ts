/** Examples in other runtimes, from the packages that carry their binaries: Deno, Bun, and workerd, which forbids compiling bytes. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, inject, test } from "vitest";
import { expectResult, has, run, tools } from "./shared.js";

const platform = `${process.platform} ${process.arch}`;
const deno =
  { "linux x64": "linux-x64-glibc", "linux arm64": "linux-arm64-glibc" }[platform] ?? platform.replace(" ", "-");
const bun = platform.replace(" ", "-").replace("arm64", "aarch64");
const workerd = platform.replace(" x64", "-64").replace(" ", "-");

const denoPath = `${tools}@deno/${deno}/deno`;
const bunPath = `${tools}@oven/bun-${bun}/bin/bun`;
const workerdPath = `${tools}@cloudflare/workerd-${workerd}/bin/workerd`;

test.skipIf(!has("Deno", denoPath))("deno", async () => {
  await expectResult(run("deno", denoPath, "run", "--check", "--node-modules-dir=manual", "main.ts"), "wasm");
});

test.skipIf(!has("Bun", bunPath))("bun", async () => {
  await expectResult(run("bun", bunPath, "main.ts"), "wasm");
});

test.skipIf(!has("workerd", workerdPath))("given-module", async () => {
  const folder = join(inject("folder"), "given-module");
  await build({
    absWorkingDir: folder,
    entryPoints: ["worker.js"],
    outfile: "out/worker.js",
    bundle: true,
    format: "esm",
    external: ["*.wasm"],
  });
  const port = await freePort();
  const server = spawn(workerdPath, ["serve", "config.capnp", `--socket-addr=http=127.0.0.1:${port}`], { cwd: folder });
  let said = "";
  server.stderr.on("data", (data) => {
    said += data;
  });
  try {
    const response = await answer(`http://127.0.0.1:${port}/`, () => said);
    expect(response.status, said).toBe(200);
    await expectResult(await response.text(), "wasm");
  } finally {
    server.kill();
    await once(server, "exit");
  }
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The answer of a server that is still starting. */
async function answer(address: string, said: () => string): Promise<Response> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      return await fetch(address);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error(`no answer from ${address}: ${said()}`);
}
