/** A folder of files, or one page as text, served by this process and opened in headless Chromium. */

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { executable, flags } from "./browser.js";

const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** A browser and what it shows. */
export class Site {
  private constructor(
    private readonly server: Server,
    private readonly browser: Browser,
  ) {}

  /** Serves a folder; `isolated` sends the headers that give a page shared memory. */
  static async open(folder: string, isolated = false): Promise<Site> {
    const server = createServer(async (request, response) => {
      const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
      if (isolated) {
        response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
        response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
      }
      try {
        const body = await readFile(join(folder, path === "/" ? "index.html" : path));
        response.writeHead(200, { "Content-Type": types[extname(path)] ?? "text/html" }).end(body);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Site(server, await chromium.launch({ executablePath: executable, args: [...flags] }));
  }

  /** Opens a page; `errors` collects what goes wrong in it. */
  async show(path: string, options: BrowserContextOptions = {}): Promise<{ page: Page; errors: string[] }> {
    const context = await this.browser.newContext(options);
    const page = await context.newPage();
    const errors: string[] = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`http://localhost:${(this.server.address() as AddressInfo).port}/${path}`);
    return { page, errors };
  }

  async close(): Promise<void> {
    await this.browser.close();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** What axe finds wrong with a page: rule, and where. The page's policy must let it in: `bypassCSP`. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: axe });
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}`));
  });
}
