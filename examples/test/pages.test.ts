/** Examples that are pages, built by their bundlers where they have one, served as static files and opened in Chromium. */

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { build } from "esbuild";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { executable, flags } from "../../tests/browser/browser.js";
import { expectNumbers, expectResult, has, installed, run, tools } from "./shared.js";

const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

describe.skipIf(!has("Chromium", executable))("in Chromium", () => {
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    server = createServer(async (request, response) => {
      const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
      try {
        const body = await readFile(join(inject("folder"), path));
        response.writeHead(200, { "Content-Type": types[extname(path)] ?? "application/octet-stream" }).end(body);
      } catch {
        response.writeHead(path === "/favicon.ico" ? 204 : 404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    browser = await chromium.launch({ executablePath: executable, args: [...flags] });
  });

  afterAll(async () => {
    await browser?.close();
    await new Promise((resolve) => server.close(resolve));
  });

  /** Opens a page and waits for its <output>: that text, the items of its lists, and what went wrong. */
  async function show(path: string): Promise<{ output: string; items: string[]; errors: string[] }> {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/${path}`);
    await page
      .waitForFunction(() => document.querySelector("output")?.textContent, undefined, { timeout: 30_000 })
      .catch((error) => {
        throw new Error(`${path}: ${[error.message, ...errors].join("\n")}`);
      });
    const output = await page.locator("output").innerText();
    const items = await page.locator("li").allInnerTexts();
    await page.close();
    return { output, items, errors };
  }

  /** A page that computes on the wasm device, as Chromium has no GPU here, and has nothing to complain about. */
  async function expectPage(path: string): Promise<void> {
    const { output, errors } = await show(path);
    await expectResult(output, "wasm");
    expect(errors).toEqual([]);
  }

  test("script-tag", () => expectPage("script-tag/index.html"));

  test("vite-page", async () => {
    run("vite-page", process.execPath, `${tools}vite/bin/vite.js`, "build", "--base", "./");
    await expectPage("vite-page/dist/index.html");
  });

  test("module-worker", async () => {
    run("module-worker", process.execPath, `${tools}vite/bin/vite.js`, "build", "--base", "./");
    await expectPage("module-worker/dist/index.html");
  });

  test("webpack-page", async () => {
    run("webpack-page", process.execPath, `${tools}webpack/bin/webpack.js`, "--mode", "production");
    await expectPage("webpack-page/index.html");
  });

  test("esbuild-bundle", async () => {
    await build({
      absWorkingDir: join(inject("folder"), "esbuild-bundle"),
      entryPoints: ["main.js"],
      bundle: true,
      splitting: true,
      minify: true,
      format: "esm",
      outdir: "out",
    });
    await expectPage("esbuild-bundle/index.html");
  });

  test("webgpu-chain: the shader adds the input to what the reference gives", async () => {
    const { createAttention } = await installed();
    const x = Float32Array.from({ length: 64 * 16 }, (_, i) => Math.sin(i + 1));
    const reference = await createAttention({ device: "reference" });
    const shape = { batch: 1, heads: 1, queries: 64, keys: 64, headDim: 16 };
    const { output } = await reference.forward({ q: x, k: x, v: x, ...shape }, { alpha: 1.2 });
    const page = await show("webgpu-chain/index.html");
    // Values of at most 2, of which WGSL promises less accuracy than a CPU has; without either summand they are far off.
    expectNumbers(
      page.output,
      "webgpu",
      [0, 1, 2, 3].map((i) => output[i] + x[i]),
      2 ** -14,
    );
    expect(Math.min(...[0, 1, 2, 3].map((i) => Math.min(Math.abs(output[i]), Math.abs(x[i]))))).toBeGreaterThan(
      2 ** -12,
    );
    expect(page.errors).toEqual([]);
  });

  test("content-security-policy: 'wasm-unsafe-eval' is enough", () => expectPage("content-security-policy/wasm.html"));

  test("content-security-policy: without it the reference computes, and the page says why", async () => {
    const { output, items } = await show("content-security-policy/no-wasm.html");
    await expectResult(output, "reference");
    expect(items.filter((item) => item.startsWith("wasm:"))).toEqual([
      expect.stringMatching(/Content Security Policy/),
    ]);
  });
});
