/** The page of `fna report` in a real browser: it loads nothing, complains about nothing, reads out, and is open to all. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRandom } from "../reference/random.js";
import { tokenMap } from "../src/page/charts.js";
import { toMarkup } from "../src/page/svg.js";
import { executable, hasBrowser } from "./browser/browser.js";
import { accessibilityFaults, Site } from "./browser/site.js";
import { runFna } from "./cli/run.js";

const available = hasBrowser();
if (!available) console.warn(`the page of the report is left out: no browser at ${executable}`);

/** Pairs of texts of a drawing that lie upon each other, beyond the roundings of a layout. */
const overlapping = (page: Page) =>
  page.locator("svg text").evaluateAll((texts) => {
    const boxes = texts.filter((text) => text.textContent.trim() !== "").map((text) => text.getBoundingClientRect());
    const common = (a: DOMRect, b: DOMRect) =>
      Math.min(
        Math.min(a.right, b.right) - Math.max(a.left, b.left),
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top),
      );
    return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => common(a, b) > 0.01)).length;
  });

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

  test("no number of a table is broken on a phone", async () => {
    const { page } = await site.show("", { viewport: { width: 390, height: 800 } });
    const lines = await page.locator("td.n, th.n", { hasText: /^N|\d/ }).evaluateAll((cells) =>
      cells.map((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return new Set([...range.getClientRects()].map(({ top }) => top)).size;
      }),
    );
    expect(lines.length).toBeGreaterThan(50);
    expect(Math.max(...lines)).toBe(1);
    await page.context().close();
  });

  test.each([
    ["letters of every width", [..."abcdefghijklmnopqrstuvwxyz0123456789"]],
    ["other alphabets and symbols", [..."äß€+<=λωжщыю漢字가나あ★🙂🚀ش"]],
  ])("labels of a diffusion map lie upon nothing: %s", async (_name, letters) => {
    const { page } = await site.show("", { viewport: { width: 1280, height: 800 } });
    const random = createRandom(5);
    const words = Array.from({ length: 400 }, () =>
      Array.from({ length: 1 + random.integer(6) }, () => letters[random.integer(letters.length)]).join(""),
    );
    const points = words.map(() => [random.uniform(), random.uniform()] as const);
    const map = toMarkup((document) => tokenMap(document, "a map", words, points));
    await page.setContent(String(map));
    expect(await page.locator("svg text").count()).toBeGreaterThan(40);
    expect(await overlapping(page)).toBe(0);
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
