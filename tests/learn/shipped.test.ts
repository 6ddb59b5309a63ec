/** The trained model of the repository: it is whole, it is small, it has learnt something, and the command line finds it. */

import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { expect, it } from "vitest";
import { runFna } from "../cli/run.js";

const file = "checkpoints/spam-8.safetensors";

it("is at most 300 kB", () => {
  expect(statSync(file).size).toBeLessThanOrEqual(300_000);
});

it.each([
  ["spam", "dear friend, we have a free offer for you: click here and get your money today, satisfaction guaranteed"],
  ["ham", "I think the patch is wrong: the function returns before the list is locked, so the server still crashes"],
])("tells %s", async (name, text) => {
  const { out } = await runFna(["eval", file, "--json", text], process.cwd());
  const { classes, unknown } = JSON.parse(out) as { classes: { name: string; probability: number }[]; unknown: number };
  expect(classes.find((c) => c.name === name)?.probability).toBeGreaterThan(0.75);
  expect(unknown).toBeLessThan(4);
});

it("is what the built fna attend shows by itself", () => {
  const out = execFileSync(process.execPath, ["dist/cli.js", "attend", "--json", "click", "here", "for", "money"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  expect(JSON.parse(out).checkpoint).toMatchObject({ checkpoint: file, corpus: "spam-assassin", alpha: 1.2 });
});
