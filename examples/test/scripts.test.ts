/** Examples that run in Node. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, inject, test } from "vitest";
import { expectNumbers, expectResult, installed, run } from "./shared.js";

test("node-script", async () => {
  await expectResult(run("node-script", process.execPath, "main.mjs"), "wasm");
});

test("node-worker", async () => {
  await expectResult(run("node-worker", process.execPath, "main.mjs"), "wasm");
});

test("swap-attention: the model's own attention is untouched, the other one is that of the reference", async () => {
  const { createAttention } = await installed();
  const transformer = await import(pathToFileURL(join(inject("folder"), "swap-attention/transformer.mjs")).href);
  const model = transformer.randomModel();
  const ids = [5, 17, 3, 42, 8, 17];
  const reference = await createAttention({ device: "reference" });
  type Heads = { q: Float32Array; k: Float32Array; v: Float32Array; heads: number; length: number; headDim: number };
  const attend = async ({ length, ...tensors }: Heads) => {
    const inputs = { ...tensors, batch: 1, queries: length, keys: length };
    return Float32Array.from((await reference.forward(inputs, { alpha: 1.2, causal: true })).output);
  };
  const [before, after] = [await transformer.logits(model, ids), await transformer.logits(model, ids, { attend })];
  const [dotProduct, fractional] = run("swap-attention", process.execPath, "main.mjs").split("\n");
  expectNumbers(dotProduct, "dot product", [...before.slice(-4)], 1e-12);
  // Logits of order 1 after two blocks that hand roundings of 2^-18 on.
  expectNumbers(fractional, "fractional, wasm", [...after.slice(-4)], 1e-4);
  // Another attention is not a rounding: the two models differ in the first digits.
  expect(Math.abs(after.at(-1) - before.at(-1))).toBeGreaterThan(1e-2);
});

test("the command line, whose bundle leaves parts of packages out, writes its page with every chart", () => {
  const program = "../node_modules/fractional-attention/dist/cli.js";
  const words = ["report", "the cat saw the dog and the dog saw the cat", "--device", "wasm", "--out", "report.html"];
  run("node-script", process.execPath, program, ...words);
  const page = readFileSync(join(inject("folder"), "node-script/report.html"), "utf8");
  expect(page.match(/<svg class="plot/g)?.length).toBeGreaterThan(8);
});
