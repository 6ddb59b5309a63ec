/** The playground as it is built, in a real browser: its numbers, its devices, its address, and who can use it. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaults, readState, type State, writeState } from "../playground/src/state.js";
import { executable, hasBrowser } from "./browser/browser.js";
import { accessibilityFaults, Site } from "./browser/site.js";

describe("the state in the address", () => {
  test("comes back as it was, and is empty for the defaults", () => {
    expect(writeState({ ...defaults })).toBe("");
    expect(readState("")).toEqual(defaults);
    const states: Partial<State>[] = [
      { text: "größer & kleiner = ähnlich? #1 %20\n中文 👩‍🚀", alpha: 0.35, causal: true },
      { tokens: 17, dim: 64, kappa: 0.25, bandwidth: "median", epsilon: 4, manifold: "sphere" },
      { window: 3, excludeSelf: false, device: "reference", text: "" },
    ];
    for (const part of states) {
      const state = { ...defaults, ...part };
      expect(readState(`#${writeState(state)}`)).toEqual(state);
      expect([...new URLSearchParams(writeState(state)).keys()].sort()).toEqual(Object.keys(part).sort());
    }
  });

  test("takes the default for anything outside of its domain", () => {
    for (const hash of [
      "alpha=0",
      "alpha=2.01",
      "alpha=",
      "alpha=x",
      "tokens=1.5",
      "tokens=9999",
      "dim=-1",
      "causal=yes",
    ]) {
      expect(readState(hash)).toEqual(defaults);
    }
    for (const hash of ["device=tpu", "manifold=torus", "window=1e9", "constructor=1", "__proto__=1", "nothing=1"]) {
      expect(readState(hash)).toEqual(defaults);
    }
  });
});

const available = hasBrowser();
if (!available) console.warn(`the playground is left out: no browser at ${executable}`);

describe.skipIf(!available)("in Chromium", () => {
  let folder: string;
  let plain: Site;
  let isolated: Site;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fna-playground-"));
    await build({ configFile: "playground/vite.config.ts", build: { outDir: folder }, logLevel: "error" });
    plain = await Site.open(folder);
    isolated = await Site.open(folder, true);
  }, 120_000);

  afterAll(async () => {
    await plain?.close();
    await isolated?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Opens the page and waits until everything has been drawn. */
  async function show(site: Site, hash = "", options = {}): Promise<{ page: Page; errors: string[] }> {
    const shown = await site.show(`#${hash}`, options);
    await settled(shown.page);
    return shown;
  }

  async function settled(page: Page): Promise<void> {
    await page.waitForSelector('[aria-label="Numbers"][aria-busy="false"] tbody');
  }

  /** The table: one row a matrix, numbers only. */
  async function numbers(page: Page): Promise<number[][]> {
    await settled(page);
    const rows = await page.locator('[aria-label="Numbers"] tbody tr').all();
    return Promise.all(
      rows.map(async (row) => (await row.locator("td").allInnerTexts()).map((cell) => Number.parseFloat(cell))),
    );
  }

  /** Moves a slider as a hand does. */
  async function slide(page: Page, id: string, value: number): Promise<void> {
    await page.locator(`#${id}`).fill(String(value));
  }

  test("sliders move numbers, maps and paths, and nothing complains", async () => {
    const { page, errors } = await show(plain);
    const before = await numbers(page);
    const picture = () =>
      page
        .locator("canvas")
        .nth(2)
        .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
    const path = () => page.locator('svg[aria-label^="Path of"]').first().getAttribute("aria-label");
    const pictureBefore = await picture();
    await slide(page, "kappa", -4);
    await page.waitForFunction((old) => document.querySelectorAll("canvas")[2].toDataURL() !== old, pictureBefore);
    const after = await numbers(page);
    // A smaller length scale: fewer tokens count, and more hops lie between them.
    for (const matrix of [1, 2]) {
      expect(after[matrix][4]).toBeLessThan(before[matrix][4]);
      expect(after[matrix][2]).toBeGreaterThan(before[matrix][2]);
    }
    expect(after[0]).toEqual(before[0]);
    await slide(page, "alpha", 2);
    await page.waitForFunction(() => document.querySelectorAll("h3")[2].textContent === "multiscale, α = 2");
    const same = await numbers(page);
    expect(same[2]).toEqual(same[1]);
    expect(await path()).toContain("α = 2");
    expect(errors).toEqual([]);
    await page.context().close();
  });

  test("masks and manifolds are those of the package", async () => {
    const { page, errors } = await show(plain, "causal=1&text=a+rose+is+a+rose+is+a+rose");
    // Under a causal mask the first token attends to itself alone, and nobody reaches a later one: 8 · 7/2 pairs.
    await page.locator(".heat").first().focus();
    for (let step = 0; step < 9; step++) await page.keyboard.press("ArrowLeft");
    expect(await page.locator("#readout").innerText()).toMatch(
      /dot-product: 100 %.*local, α = 2: 100 %.*multiscale, α = 1.2: 100 %/,
    );
    expect(await page.locator('[aria-label="Numbers"]').innerText()).toContain("(28 pairs apart)");
    expect(await page.getByText("None under a causal mask.").count()).toBe(3);
    await page.locator("#causal").uncheck();
    await page.locator("#manifold").selectOption("sphere");
    await slide(page, "window", 1);
    await page.waitForFunction(() => document.querySelector("#readout")?.textContent?.includes("local, α = 2: 0.0 %"));
    await settled(page);
    const [, , multiscale] = await numbers(page);
    // Each token has its two neighbours, and those at the ends have one.
    expect(multiscale[4]).toBeLessThanOrEqual(2);
    expect(multiscale[5]).toBe(1);
    expect(errors).toEqual([]);
    await page.context().close();
  });

  test("devices agree, with the error of each against the reference beside it", async () => {
    const found: Record<string, number[][]> = {};
    for (const [site, device] of [
      [plain, "reference"],
      [plain, "wasm"],
      [isolated, "threads"],
      [plain, "webgpu"],
    ] as const) {
      const { page, errors } = await show(site, `device=${device}&kappa=0.25`);
      expect(await page.locator("#results > .status").innerText()).toContain(device === "threads" ? "threads" : device);
      found[device] = await numbers(page);
      expect(errors).toEqual([]);
      await page.context().close();
    }
    for (const [device, rows] of Object.entries(found)) {
      for (const matrix of [1, 2]) {
        const [gap, modulus, hops, , links, reach, error] = rows[matrix];
        const wanted = found.reference[matrix];
        // One unit of the last digit that is shown: weights agree far better, but may fall to either side.
        expect(Math.abs(gap - wanted[0])).toBeLessThanOrEqual(1.01e-4);
        expect(Math.abs(modulus - wanted[1])).toBeLessThanOrEqual(1.01e-4);
        expect(Math.abs(hops - wanted[2])).toBeLessThanOrEqual(1.01e-3);
        expect(Math.abs(links - wanted[4])).toBeLessThanOrEqual(0.101);
        expect(Math.abs(reach - wanted[5])).toBeLessThanOrEqual(0.101);
        // 8u (1 + max|s|) of a weight of at most 1, with scores of at most 40, four times that in WGSL.
        expect(error).toBeLessThanOrEqual(device === "reference" ? 0 : 4 * 8 * 41 * 2 ** -24);
        if (device !== "reference") expect(error).toBeGreaterThan(0);
      }
    }
  }, 120_000);

  test("times the devices that run, each after its check", async () => {
    const { page, errors } = await show(isolated, "text=a+rose+is+a+rose");
    await page.getByRole("button", { name: "Time the devices" }).click();
    await page.waitForSelector('[aria-label="Errors of the devices"] tbody tr', { timeout: 100_000 });
    const rows = await page.locator('[aria-label="Errors of the devices"] tbody tr').allInnerTexts();
    expect(rows.length).toBeGreaterThanOrEqual(3);
    for (const row of rows) expect(row).toMatch(/passed$/);
    expect(await page.locator('svg[aria-label^="Milliseconds of one forward call"] path').count()).toBeGreaterThan(3);
    expect(errors).toEqual([]);
    await page.context().close();
  }, 120_000);

  test("threads need shared memory, and the page says so where there is none", async () => {
    const { page } = await show(plain);
    expect(await page.locator('option[value="threads"]').isDisabled()).toBe(true);
    await page.context().close();
    const { page: other } = await show(isolated);
    expect(await other.locator('option[value="threads"]').isDisabled()).toBe(false);
    await other.context().close();
    const asked = await plain.show("#device=threads");
    await asked.page.waitForSelector(".status.bad");
    expect(await asked.page.locator(".status.bad").innerText()).toMatch(/SharedArrayBuffer/);
    await asked.page.context().close();
  });

  test("the address brings back what was set", async () => {
    const { page } = await show(plain);
    await slide(page, "alpha", 0.7);
    await page.locator("#bandwidth").selectOption("mean");
    await page.locator("#text").fill("one & two # three");
    await page.waitForFunction(() => location.hash.includes("three"));
    const address = page.url();
    const shown = await numbers(page);
    await page.goto("about:blank");
    await page.goto(address);
    await settled(page);
    expect(await page.locator("#alpha").inputValue()).toBe("0.7");
    expect(await page.locator("#bandwidth").inputValue()).toBe("mean");
    expect(await page.locator("#text").inputValue()).toBe("one & two # three");
    expect(await numbers(page)).toEqual(shown);
    await page.getByRole("button", { name: "Back to the defaults" }).click();
    await page.waitForFunction(() => location.hash === "");
    await page.context().close();
  });

  test("a text without two words is asked for more", async () => {
    const { page, errors } = await show(plain);
    await page.locator("#text").fill("alone");
    await page.waitForSelector(".status.bad");
    expect(await page.locator(".status.bad").innerText()).toBe("Write at least two words.");
    await page.locator("#text").fill("not alone");
    await page.waitForSelector("#results > .status:not(.bad)");
    expect(errors).toEqual([]);
    await page.context().close();
  });

  test("the keyboard reaches everything, and reads the maps", async () => {
    const { page } = await show(plain);
    const reached = new Set<string>();
    for (let step = 0; step < 24; step++) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.className || ""));
    }
    for (const id of [
      "text",
      "alpha",
      "kappa",
      "epsilon",
      "window",
      "dim",
      "tokens",
      "bandwidth",
      "manifold",
      "causal",
    ])
      expect([...reached]).toContain(id);
    expect([...reached]).toContain("heat probe");
    await page.locator(".heat").nth(1).focus();
    expect(await page.locator("#readout").innerText()).toMatch(/“this” \(1\) → “is” \(2\)/);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Shift+ArrowRight");
    expect(await page.locator("#readout").innerText()).toMatch(/“is” \(2\) → “\S+” \(12\)/);
    await page.locator("#alpha").focus();
    await page.keyboard.press("ArrowRight");
    expect(await page.locator('output[for="alpha"]').innerText()).toBe("1.25");
    await page.context().close();
  });

  test.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 390],
  ] as const)("axe finds nothing wrong, %s, %i wide, and nothing is cut off", async (colorScheme, width) => {
    const { page } = await show(plain, "", { colorScheme, viewport: { width, height: 800 } });
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    await page.context().close();
  });
});
