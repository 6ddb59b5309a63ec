/** The devices inside a real browser: the golden groups and the random battery, with and without shared memory. */

import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { VerifyResult } from "../src/verify/run.js";
import { executable, hasBrowser, openPage } from "./browser/browser.js";

const available = hasBrowser();
if (!available) console.warn(`browser tests left out: no browser at ${executable}`);

describe.skipIf(!available)("in Chromium", () => {
  test.each([1, 2])("the wasm device passes verification on %i thread(s)", async (threads) => {
    const { page, errors, close } = await openPage(true);
    try {
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      const result = await page.evaluate(
        (count) => window.verify({ devices: ["wasm"], threads: count, cases: 10 }),
        threads,
      );
      expect(result.rows.filter((row) => !row.passed)).toEqual([]);
      expect(result.rows.length).toBe(9);
      expect(errors).toEqual([]);
    } finally {
      await close();
    }
  });

  test("the webgpu device passes verification on the browser's own implementation", async () => {
    const { page, errors, close } = await openPage(false);
    try {
      // `npm run verify:adapters` asks for all groups and takes their rows.
      const { FNA_WEBGPU_ROWS: file, FNA_WEBGPU_CASES: cases = "3" } = process.env;
      const groups = file ? undefined : ["attention_translation", "random normal", "random far"];
      const result = await page.evaluate((options) => window.verify(options), {
        devices: ["webgpu" as const],
        cases: Number(cases),
        groups,
      });
      if (file) await writeFile(file, JSON.stringify(result.rows));
      expect(result.rows.filter((row) => !row.passed)).toEqual([]);
      expect(result.rows.length).toBeGreaterThanOrEqual(3);
      expect(result.rows.every((row) => row.device === "webgpu")).toBe(true);
      expect(errors).toEqual([]);
    } finally {
      await close();
    }
  }, 600_000);

  test("a page without shared memory is refused threads, by name and with the reason", async () => {
    const { page, close } = await openPage(false);
    try {
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
      const refusal = await page.evaluate(() =>
        window.verify({ devices: ["wasm"], threads: 2, cases: 1 }).then(
          () => "no refusal",
          (error: Error) => `${error.name}: ${error.message}`,
        ),
      );
      expect(refusal).toMatch(/^BackendUnavailableError: .*wasm: .*(SharedArrayBuffer|cross-origin)/);
      const alone: VerifyResult = await page.evaluate(() => window.verify({ devices: ["wasm"], cases: 1 }));
      expect(alone.passed).toBe(true);
    } finally {
      await close();
    }
  });
});
