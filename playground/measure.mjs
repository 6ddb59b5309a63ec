/**
 * `npm run playground:measure`: how long a step of a slider takes to the frame that shows it, in Chromium, at N = 256 on one
 * wasm thread; and how long until the figures of the worker have followed. Beside each step a frame without any work is
 * timed: what this machine takes for that is no cost of the page. Prints medians and worst of the steps.
 */

import { chromium } from "playwright-core";
import { preview } from "vite";

const executable = process.env.CHROMIUM ?? "/usr/bin/chromium";
const steps = Number(process.env.STEPS ?? 30);
const text = Array.from({ length: 256 }, (_, i) => `${["river", "house", "cat", "walk"][i % 4]}${i % 61}`).join(" ");

const server = await preview({ configFile: new URL("vite.config.ts", import.meta.url).pathname, preview: { port: 0 } });
const browser = await chromium.launch({ executablePath: executable, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const hash = new URLSearchParams({ text, tokens: "256", device: "wasm" });
  await page.goto(`${server.resolvedUrls.local[0]}#${hash}`);
  await page.waitForSelector('[aria-busy="false"]', { timeout: 60_000 });
  const samples = await page.evaluate(async (count) => {
    const slider = document.getElementById("alpha");
    const found = [];
    // A task that is queued inside of the next frame runs after that frame has been painted.
    const nextFrame = () =>
      new Promise((resolve) =>
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = resolve;
          port2.postMessage(0);
        }),
      );
    for (let s = 0; s < count; s++) {
      slider.value = String(0.5 + 0.05 * ((s * 7) % 29));
      const began = performance.now();
      const drawn = new Promise((resolve) => addEventListener("step", resolve, { once: true }));
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      await drawn;
      const computed = performance.now() - began;
      await nextFrame();
      const frame = performance.now() - began;
      const patience = began + 20_000;
      while (document.querySelector('[aria-busy="true"]')) {
        if (performance.now() > patience) throw new Error("the figures did not follow");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const idle = performance.now();
      await nextFrame();
      found.push({ empty: performance.now() - idle, computed, frame, settled: performance.now() - began });
    }
    return found;
  }, steps);
  console.log(`Chromium ${browser.version()}, N = 256, D = 8, wasm on one thread, ${steps} steps of α, milliseconds:`);
  for (const [name, words] of Object.entries({
    empty: "a frame without work",
    computed: "computed and drawn",
    frame: "frame on the screen",
    settled: "all figures followed",
  })) {
    const sorted = samples.map((sample) => sample[name]).sort((a, b) => a - b);
    const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))].toFixed(1);
    console.log(`  ${words.padEnd(22)} median ${at(0.5)}, p90 ${at(0.9)}, worst ${at(1)}`);
  }
} finally {
  await browser.close();
  await new Promise((resolve) => server.httpServer.close(resolve));
}
