/** The page of `fna report` in a real browser: it loads nothing, complains about nothing, reads out, and is open to all. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { executable, hasBrowser } from "./browser/browser.js";
import { accessibilityFaults, Site } from "./browser/site.js";
import { runFna } from "./cli/run.js";

const available = hasBrowser();
if (!available) console.warn(`the page of the report is left out: no browser at ${executable}`);

describe.skipIf(!available)("in Chromium", () => {
  let folder: string;
  let site: Site;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fna-report-"));
    const words = ["the", "cat", "</script>", "saw", "the", "dog", "and", "the", "dog", "saw", "the", "cat"];
    expect((await runFna(["report", ...words, "--no-verify", "--out", "index.html"], folder)).code).toBe(0);
    site = await Site.open(folder);
  }, 120_000);

  afterAll(async () => {
    await site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("the page asks for nothing and complains about nothing; the pointer and the keys read the maps", async () => {
    const { page, errors } = await site.show("", { viewport: { width: 1280, height: 900 } });
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.reload();
    expect(asked.filter((url) => !url.endsWith("/favicon.ico"))).toEqual([page.url()]);
    const readout = page.locator("#readout");
    const map = page.locator(".probe").nth(1);
    const frame = await map.locator("rect.frame").boundingBox();
    const cell = frame!.width / 13;
    await page.mouse.move(frame!.x + 1.5 * cell, frame!.y + 0.5 * cell);
    // Tokens: the cat < script > saw …; punctuation is none.
    expect(await readout.innerText()).toMatch(
      /“the” \(1\) → “cat” \(2\).*dot-product: [\d.]+ %.*local, α = 2: .*multiscale/,
    );
    const table = await page.locator("table.links tbody tr").first().locator("td").allTextContents();
    const best = /^(.+?) \((\d+)\) (.+ %)/.exec(table[1].split(", ")[0])!;
    await map.focus();
    for (let step = 2; step < Number(best[2]); step++) await page.keyboard.press("ArrowRight");
    expect(await readout.innerText()).toContain(`“${best[1]}” (${best[2]})`);
    expect(await readout.innerText()).toContain(`dot-product: ${best[3]}`);
    expect(errors.filter((error) => !error.includes("404"))).toEqual([]);
    await page.context().close();
  });

  test("without scripts the maps keep their tips, and nothing asks to be pointed at in vain", async () => {
    const { page } = await site.show("", { javaScriptEnabled: false });
    expect(await page.locator("#readout").isVisible()).toBe(false);
    expect(await page.locator("rect.hit title").count()).toBeGreaterThan(30);
    await page.context().close();
  });

  test.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 390],
  ] as const)("axe finds nothing wrong, %s, %i wide, and nothing is cut off", async (colorScheme, width) => {
    const { page } = await site.show("", { colorScheme, viewport: { width, height: 800 }, bypassCSP: true });
    await page.locator("details").evaluate((details) => details.setAttribute("open", ""));
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    await page.context().close();
  });
});
