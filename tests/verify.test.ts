/** The verification around its checks: its measures, what it leaves out, what it refuses, and what it says. */

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { verifyText } from "../src/cli/commands/verify.js";
import type { Io } from "../src/cli/io.js";
import { marginOf } from "../src/verify/check.js";
import { compareWithin, holds, largestDifference, relativeError } from "../src/verify/compare.js";
import { decodeGolden, tensor } from "../src/verify/golden.js";
import { loadGolden } from "../src/verify/golden-files.js";
import { summarize, verifyGroups, verifyWith } from "../src/verify/run.js";

beforeAll(() => {
  // A machine without a GPU, whatever this one has.
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => null } });
});
afterAll(() => {
  vi.unstubAllGlobals();
});

describe("measures", () => {
  it("of an error are relative to the largest entry, and never pass what is missing or none", () => {
    expect(relativeError([1, 2.5], [1, 2])).toBe(0.25);
    expect(relativeError([0, 0], [0, 0])).toBe(0);
    expect(relativeError([1, 0], [0, 0])).toBe(Number.POSITIVE_INFINITY);
    expect(relativeError([Number.POSITIVE_INFINITY, 1], [Number.POSITIVE_INFINITY, 1.5])).toBe(0.5 / 1.5);
    expect(relativeError([1], [Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY);
    expect(relativeError([Number.NaN], [1])).toBeNaN();
    expect(relativeError([1], [Number.NaN])).toBeNaN();
    expect(() => relativeError([1], [1, 2])).toThrow("compared 1 numbers with 2");
    expect(largestDifference([1, Number.NaN, 2], [1, 1, 2])).toBeNaN();
  });

  it("of a fact are 0 or beyond every bound, and numbers that are missing are none", () => {
    expect([true, false].map((truth) => holds("c", "t", truth).error)).toEqual([0, Number.POSITIVE_INFINITY]);
    expect(compareWithin("c", "t", [1, 2.5], [1, 2], 0.5, 1).error).toBe(0.5 / (2 + 1 / 0.5));
    expect(compareWithin("c", "t", [1], [1, 2], 0.5, 1).error).toBeNaN();
  });

  it("of a margin put a NaN below everything and an exact result above", () => {
    const margins = [Number.NaN, 2, 0.5, 0].map((error) => marginOf({ error, bound: 1 }));
    expect(margins).toEqual([-1, 0.5, 2, Number.POSITIVE_INFINITY]);
  });
});

describe("golden vectors", () => {
  it("that lost numbers or a tensor are refused", () => {
    const group = (shape: number[]) =>
      JSON.stringify({ cases: [{ outputs: { y: { shape, data: [1, "-Infinity"] } } }] });
    const [{ outputs }] = decodeGolden(group([2])).cases;
    expect([...tensor(outputs, "y").data]).toEqual([1, Number.NEGATIVE_INFINITY]);
    expect(() => tensor(outputs, "z")).toThrow('golden case has no tensor "z"');
    expect(() => decodeGolden(group([3]))).toThrow("golden tensor of shape [3] has 2 numbers");
  });
});

describe("verification", () => {
  const one = { devices: ["reference"], cases: 1 } as const;

  it("leaves out the groups whose golden vectors are not there, unless one is asked for by name", async () => {
    const result = await verifyWith(undefined, one);
    expect(result.omitted).toEqual(verifyGroups.filter((group) => !group.startsWith("random ")));
    expect(result.rows.map(({ group }) => group)).toEqual(verifyGroups.filter((group) => group.startsWith("random ")));
    expect(result.passed).toBe(true);
    const io = { stdout: { interactive: false, columns: 80, write() {} }, env: {} } as unknown as Io;
    expect(verifyText(result, io)).toMatch(/\nnot checked, for want of the golden vectors .*: kernel, attention_/);
    await expect(verifyWith(undefined, { ...one, groups: ["kernel"] })).rejects.toThrow(
      "golden: expected a folder with the golden vectors, which group kernel needs",
    );
    const whole = await verifyWith(loadGolden, { ...one, groups: ["attention_translation"] });
    expect(whole.omitted).toEqual([]);
    expect(whole.rows).toMatchObject([{ device: "reference", group: "attention_translation", passed: true }]);
  });

  it("names the threads of a device, and a group without checks is a fault", async () => {
    const { rows } = await verifyWith(undefined, {
      groups: ["random normal"],
      cases: 1,
      devices: ["wasm"],
      threads: 2,
    });
    expect(rows).toMatchObject([{ device: "wasm, 2 threads", passed: true }]);
    expect(() => summarize("wasm", "random normal", [])).toThrow("group random normal on wasm has no checks");
  });

  it("reports a device that does not run here, unless it is asked for by name", async () => {
    const groups = ["random normal"];
    const { rejected, rows } = await verifyWith(undefined, { groups, cases: 1 });
    expect(rejected).toMatchObject([{ device: "webgpu", reason: expect.stringMatching(/no adapter/) }]);
    expect(rows.map(({ device }) => device)).toEqual(["reference", "wasm"]);
    await expect(verifyWith(undefined, { groups, cases: 1, devices: ["webgpu"] })).rejects.toThrow(/no adapter/);
    await expect(verifyWith(undefined, { groups, devices: [] })).rejects.toThrow("devices: expected at least one");
  });
});
