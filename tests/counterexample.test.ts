/** The code that a property prints for a counterexample: it is run here, on devices with a bug and on one without. */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { build, type Case, type Recipe } from "../property-tests/arbitraries.js";
import { backends, reference, type TestBackend } from "../property-tests/backends.js";
import { counterexampleCode } from "../property-tests/print.js";
import { pool } from "./bad-input/domains.js";

// One folder deep, like `tests/`.
const folder = fileURLToPath(new URL("../out/", import.meta.url));
const written: string[] = [];
afterAll(() => {
  for (const file of written) rmSync(file);
});

/** Runs the body of the printed test. */
async function run(code: string): Promise<void> {
  const harness = 'import { test } from "vitest";';
  expect(code.startsWith(harness)).toBe(true);
  mkdirSync(folder, { recursive: true });
  const file = `${folder}counterexample-${process.pid}-${written.length}.ts`;
  const body = "export let body;\nconst test = (title, given) => {\n  body = given;\n};";
  writeFileSync(file, code.replace(harness, body));
  written.push(file);
  const module: { body: () => Promise<void> } = await import(/* @vite-ignore */ pathToFileURL(file).href);
  await module.body();
}

const recipe: Recipe = {
  batch: 1,
  keyHeads: 1,
  group: 2,
  queries: 3,
  keys: 4,
  headDim: 3,
  valueDim: 2,
  cloud: "normal",
  seed: 5,
  exponent: 0,
  manifold: "euclidean",
  alphas: [1.5, 2],
  kappa: [1, 3],
  radius: undefined,
  intrinsicDim: undefined,
  bandwidth: 0,
  bandwidthExponent: "1/alpha",
  bandwidthPairs: "unmasked",
  degreeNormalization: 0,
  masks: ["mask", "keyLengths"],
  offset: 3,
};
const small = build(recipe);
const large = build({ ...recipe, queries: 17, keys: 33 });
const moved: Case = { ...large, inputs: { ...large.inputs, q: large.inputs.q.map((x) => x + 1) } };

/** A device with a bug in what it is given, as the code that opens it. */
const withBug = (bug: string): TestBackend => ({
  ...reference,
  floats: Float32Array,
  unit: 2 ** -24,
  code: 'withBug(await createAttention({ device: "wasm" }))',
  setup: [
    "const withBug = (sound) =>",
    "  new Proxy(sound, {",
    `    get: (_, method) => ({ q, ...rest }, ...args) => sound[method]({ ...rest, q: (${bug})(q) }, ...args),`,
    "  });",
  ],
});

describe("the code of a counterexample", () => {
  test.each([
    ["a small call", small],
    ["a large call", large],
    ["a large call that was changed", moved],
  ])("is red on a device with a bug and green on one without: %s", async (_, call) => {
    const bug = withBug("(x) => x.map((e) => e * 1.001)");
    await expect(run(counterexampleCode(bug, { call, seed: 1 }))).rejects.toThrow(/^off by .*: weights\[/);
    for (const backend of backends) await run(counterexampleCode(backend, { call, seed: 1 }));
  });

  test("names the recipe of a large call only where that makes the call", () => {
    expect(counterexampleCode(reference, small)).not.toContain("build(");
    expect(counterexampleCode(reference, large)).toContain("build(");
    expect(counterexampleCode(reference, moved)).not.toContain("build(");
  });

  test("keeps where the numbers stood", async () => {
    const bug = withBug("(x) => new Float32Array(x.buffer).subarray(0, x.length)");
    await expect(run(counterexampleCode(bug, small))).rejects.toThrow(/^off by NaN: weights\[/);
  });

  test("has any value, as code where there is some for it", async () => {
    const values = [
      ...pool,
      1n,
      Symbol.iterator,
      new Date(Number.NaN),
      new DataView(new ArrayBuffer(2)),
      new WeakMap(),
    ];
    for (const value of values) await run(counterexampleCode(reference, { value, near: null }));
    const code = (value: unknown) => counterexampleCode(reference, { value });
    expect(code(-1n)).toContain("const value = -1n;");
    expect(code(new Map([[1, Symbol("a")]]))).toContain('const value = new Map([[1,Symbol("a")]]);');
    expect(code(new DataView(new ArrayBuffer(2)))).toContain("const value = undefined; // DataView of length 2");
  });
});
