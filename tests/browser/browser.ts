/**
 * A real browser on a local page: the bundle of `page.ts` and the golden vectors from a server of this process, with the
 * headers that give a page shared memory, in headless Chromium driven by playwright-core.
 */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium, type Page } from "playwright-core";

/** Where Debian puts Chromium; CHROMIUM names another place. */
export const executable = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Whether there is a browser to test in. FNA_REQUIRE_BROWSER=1 makes its absence a failure instead of an omission. */
export function hasBrowser(): boolean {
  if (existsSync(executable)) return true;
  if (process.env.FNA_REQUIRE_BROWSER === "1") throw new Error(`no browser at ${executable}`);
  return false;
}

/** How Chromium is started: quiet, as root, with whatever WebGPU it has. */
export const flags = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--enable-unsafe-webgpu",
];

/** A page with the bundle loaded, whether it is cross-origin isolated, and what it wrote to its console as errors. */
export interface OpenPage {
  readonly page: Page;
  readonly errors: readonly string[];
  close(): Promise<void>;
}

/** Serves the bundle and opens a page on it. `isolated` sends the headers that allow shared memory. */
export async function openPage(isolated: boolean): Promise<OpenPage> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("page.ts", import.meta.url))],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
    logLevel: "warning",
    external: ["webgpu"],
  });
  const golden = fileURLToPath(new URL("../../fixtures/golden/", import.meta.url));
  const server = createServer(async (request, response) => {
    const path = request.url ?? "/";
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    const vectors = /^\/golden\/(\w+\.(?:json|safetensors)\.gz)$/.exec(path);
    if (vectors) return response.end(await readFile(golden + vectors[1]));
    if (path === "/page.js") return response.setHeader("Content-Type", "text/javascript").end(outputFiles[0].text);
    if (path === "/favicon.ico") return response.writeHead(204).end();
    const html = '<!doctype html><title>verify</title><script type="module" src="/page.js"></script>';
    return response.setHeader("Content-Type", "text/html").end(html);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await chromium.launch({ executablePath: executable, args: flags });
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction(() => "verify" in window);
  return {
    page,
    errors,
    close: async () => {
      await browser.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
