/** `fna verify FILE`: right results of every precision pass, small bugs do not, and a bad file is named with its fault. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../reference/random.js";
import { formatSafetensors, parseSafetensors, type Tensor } from "../src/files/safetensors.js";
import { decodeFloat64, encodeTensor, type WrittenDtype } from "../src/files/tensor-values.js";
import { makePlan, type Plan } from "../src/plan.js";
import type { AttentionOptions } from "../src/types.js";
import { type FileCase, positionOf, readCases, resultNames } from "../src/verify/file-cases.js";
import { judgeCase } from "../src/verify/judge-file.js";
import { naiveBackward, naiveForward } from "../src/verify/naive-float32.js";
import { caseOptionNames, inputDtypes, writeCases } from "../src/verify/write-cases.js";
import { runFna } from "./cli/run.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fna-verify-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const fna = (argv: string[]) => runFna(argv, folder);

/** The results of the naive float32 program for a case, stored in a type. */
function solve(one: FileCase, dtype: WrittenDtype, tamper: (plan: Plan) => Plan): FileCase {
  const plan = tamper(makePlan(one.inputs, one.options));
  const forward = naiveForward(plan, one.inputs);
  const found = { ...forward, ...naiveBackward(plan, one.inputs, { ...forward, dOutput: one.dOutput! }) };
  const results = new Map(
    resultNames.map((name) => {
      const shape = [found[name].length];
      return [name, { dtype, shape, values: decodeFloat64(encodeTensor(dtype, shape, found[name])) }] as const;
    }),
  );
  return { ...one, results, compute: "f32" };
}

const casesOf = async (dtype: (typeof inputDtypes)[number], cases: number, seed: number) =>
  readCases(parseSafetensors(await writeCases({ cases, seed, dtype, options: caseOptionNames })), "cases");

describe.each(["F32", "F16", "BF16"] as const)("results in %s", async (dtype) => {
  const cases = await casesOf(dtype, 36, 3);
  const failures = (tamper: (plan: Plan) => Plan, ones = cases) =>
    ones
      .flatMap((one) => judgeCase(solve(one, dtype, tamper), "cases"))
      .filter(({ passed }) => !passed)
      .map((check) => `${check.case} ${check.tensor} ${check.error} > ${check.bound}`);

  it("pass when they are those of naive float32, rounded", () => {
    expect(failures((plan) => plan)).toEqual([]);
  });

  // Long rows have weights among the subnormal numbers of float16, and sums of many terms.
  it.each<AttentionOptions>([{ alpha: 1.5, causal: true, kappa: 1 }, { alpha: 2 }, { manifold: "sphere" }])(
    "pass in rows of 400 keys, %o",
    (options) => {
      const random = createRandom(5);
      const numbers = () =>
        decodeFloat64(
          encodeTensor(
            dtype,
            [3200],
            Float64Array.from({ length: 3200 }, () => random.normal()),
          ),
        );
      const sizes = { batch: 1, heads: 1, queries: 400, keys: 400, headDim: 8, valueDim: 8 };
      const shape = { dtype, shape: [], values: new Float64Array(0) };
      const results = new Map(resultNames.map((name) => [name, shape]));
      const inputs = { q: numbers(), k: numbers(), v: numbers(), ...sizes };
      const one = {
        name: "long",
        inputs,
        options,
        dOutput: numbers(),
        results,
        compute: "f32",
        inputDtype: dtype,
      } as const;
      expect(failures((plan) => plan, [one])).toEqual([]);
    },
  );

  // As coarse as the type: a bug that its rounding hides cannot be seen.
  const slip = { F32: 1e-4, F16: 0.02, BF16: 0.1 }[dtype];
  const bugs: [string, (plan: Plan) => Plan][] = [
    ["kappa", (plan) => ({ ...plan, kappa: plan.kappa.map((kappa) => kappa * (1 + slip)) })],
    ["d_M", (plan) => ({ ...plan, intrinsicDim: plan.intrinsicDim * (1 + slip) })],
    [
      "the causal mask by one",
      (plan) => ({ ...plan, queryLengths: plan.queryLengths.map((n) => n - (plan.causal ? 1 : 0)) }),
    ],
  ];
  it.each(bugs)("fail when %s is off", (_name, tamper) => {
    const failed = failures(tamper).join("\n");
    for (const tensor of ["output", "weights", "logSumExp"]) expect(failed).toContain(` ${tensor} `);
  });
});

it("knows the place of one wrong number", async () => {
  for (const one of await casesOf("F32", 6, 5)) {
    for (const [name, result] of one.results) {
      const at = Math.floor(result.values.length / 2);
      const values = result.values.slice();
      values[at] = Number.isFinite(values[at]) ? values[at] + 1e4 : 0;
      const results = new Map([...one.results, [name, { ...result, values }]]);
      const check = judgeCase({ ...one, results }, "cases").find(({ tensor }) => tensor === name)!;
      expect(check).toMatchObject({ passed: false, position: positionOf(at, result.shape), found: values[at] });
      values[at] = Number.NaN;
      const [broken] = judgeCase({ ...one, results }, "cases").filter(({ passed }) => !passed);
      expect(broken).toMatchObject({ tensor: name, error: Number.NaN, position: positionOf(at, result.shape) });
    }
  }
});

it("takes operations for as precise as the file says", async () => {
  const boundAt = async (dtype: "F32" | "F16", compute: FileCase["compute"]) =>
    (await casesOf(dtype, 6, 1)).reduce((sum, one) => sum + judgeCase({ ...one, compute }, "cases")[0].bound, 0);
  const single = await boundAt("F32", "f32");
  expect(await boundAt("F32", "f32-fast")).toBeGreaterThan(3 * single);
  expect(await boundAt("F32", "bf16")).toBeGreaterThan(1000 * single);
  // Matrix units round what they multiply to the type of the inputs; double precision does not.
  expect(await boundAt("F16", "f32")).toBeGreaterThan(30 * single);
  expect(await boundAt("F16", "f64")).toBeLessThan(1e-10);
});

it("counts the indices of an element", () => {
  expect(positionOf(0, [2, 3])).toEqual([0, 0]);
  expect(positionOf(5, [2, 3])).toEqual([1, 2]);
  expect(positionOf(23, [2, 3, 4])).toEqual([1, 2, 3]);
  expect(positionOf(0, [])).toEqual([]);
});

describe("the command", () => {
  it.each(inputDtypes)("writes cases of %s that pass as they are, the same for the same seed", async (dtype) => {
    const flags = ["--cases", "7", "--seed", "4", "--dtype", dtype];
    const { code, out } = await fna(["verify", "--write", "cases.safetensors", ...flags]);
    expect(out).toMatch(new RegExp(`^wrote .*cases\\.safetensors: 7 cases of ${dtype} inputs, seed 4\n$`));
    expect(code).toBe(0);
    const judged = await fna(["verify", "cases.safetensors"]);
    expect(judged.out).toMatch(/all 56 checks in 7 cases passed/);
    expect(judged.code).toBe(0);
    const bytes = await readFile(join(folder, "cases.safetensors"));
    await fna(["verify", "--write", "again.safetensors", ...flags]);
    expect(await readFile(join(folder, "again.safetensors"))).toEqual(bytes);
    const { tensors } = parseSafetensors(bytes);
    for (const name of ["normal-0/q", "large-0/k", "far-0/v", "normal-1/dOutput"])
      expect(tensors.get(name)?.dtype).toBe(dtype);
    expect(tensors.get("offset-0/output")?.dtype).toBe("F64");
  });

  it("writes cases of the options that it is given, and no others", async () => {
    await fna(["verify", "--write", "few.safetensors", "--cases", "30", "--options", "alpha,causal"]);
    const { tensors, metadata } = parseSafetensors(await readFile(join(folder, "few.safetensors")));
    const used = new Set(Object.values(metadata).flatMap((text) => Object.keys(JSON.parse(text))));
    expect([...used].sort()).toEqual(["alpha", "causal"]);
    for (const [name, { shape }] of tensors) {
      expect(name).not.toMatch(/mask$/);
      if (name.endsWith("/k")) expect(shape[1]).toBe(tensors.get(name.replace(/k$/, "q"))!.shape[1]);
    }
  });

  it("fails with the tensor, the place and both numbers, as a table and as JSON", async () => {
    const tensors = goodTensors();
    tensors.set("output", encodeTensor("F16", [1, 1, 2, 1], [1, 0.5]));
    await writeFile(join(folder, "bad.safetensors"), formatSafetensors(tensors));
    const { code, out } = await fna(["verify", "bad.safetensors", "--out", "result.json"]);
    expect(out).toMatch(/output +F16 .*output\[0, 0, 1, 0\] +0\.5 +1 +FAILED/);
    expect(out).toMatch(/bounds for f32 from F32 inputs\n1 of 1 checks failed/);
    expect(code).toBe(1);
    const json = await fna(["verify", "bad.safetensors", "--json"]);
    expect(json.code).toBe(1);
    expect(await readFile(join(folder, "result.json"), "utf8")).toBe(json.out);
    const [check] = JSON.parse(json.out).checks;
    expect(check).toMatchObject({ tensor: "output", position: [0, 0, 1, 0], found: 0.5, expected: 1, passed: false });
  });

  const ones = (dtype: WrittenDtype, ...shape: number[]) =>
    encodeTensor(dtype, shape, new Float64Array(shape.reduce((size, extent) => size * extent, 1)).fill(1));
  /** One query pair that attends to values of 1: the output is 1. */
  function goodTensors(): Map<string, Tensor> {
    const [q, k, v] = [ones("F32", 1, 1, 2, 3), ones("F32", 1, 1, 4, 3), ones("F32", 1, 1, 4, 1)];
    return new Map(Object.entries({ q, k, v, output: ones("F32", 1, 1, 2, 1) }));
  }
  const faults: [string, changes: Record<string, Tensor | undefined>, metadata: Record<string, string>, RegExp][] = [
    [
      "no tensors",
      { q: undefined, k: undefined, v: undefined, output: undefined },
      {},
      /f\.st: expected the tensors q/,
    ],
    ["no queries", { q: undefined }, {}, /f\.st: q: expected a tensor of shape \[batch, heads, queries, components\]/],
    ["no output", { output: undefined }, {}, /f\.st: output: expected a tensor of shape/],
    ["no dOutput", { dk: ones("F32", 1, 1, 4, 3) }, {}, /f\.st: dOutput: expected a tensor/],
    ["an unknown tensor", { out: ones("F32", 1) }, {}, /f\.st: tensor: expected one of q, .*got "out"/],
    ["three axes", { q: ones("F32", 1, 2, 3) }, {}, /f\.st: q: shape: expected \[B, H, N, D\].*"\[1, 2, 3\]"/],
    [
      "other components",
      { k: ones("F32", 1, 1, 4, 2) },
      {},
      /f\.st: k: shape: expected \[B = 1, K, M, D = 3\].*"\[1, 1, 4, 2\]"/,
    ],
    ["an empty axis", { q: ones("F32", 1, 1, 0, 3) }, {}, /f\.st: q: shape: .*all above 0/],
    [
      "heads that do not divide",
      { k: ones("F32", 1, 2, 4, 3), v: ones("F32", 1, 2, 4, 1) },
      {},
      /f\.st: k: shape: .*divide the 1 of q/,
    ],
    ["integers for floats", { v: ones("I32", 1, 1, 4, 1) }, {}, /f\.st: v: dtype: expected F64, .*"I32"/],
    [
      "a NaN",
      { k: encodeTensor("F32", [1, 1, 4, 3], [1, 1, 1, 1, Number.NaN, 1, 1, 1, 1, 1, 1, 1]) },
      {},
      /f\.st: k\[0, 0, 1, 1\]: expected a finite number, got NaN/,
    ],
    ["a mask of floats", { mask: ones("F32", 1, 1, 2, 4) }, {}, /f\.st: mask: dtype: expected BOOL or U8/],
    ["a mask of 2", { mask: encodeTensor("U8", [1, 1, 1, 4], [0, 0, 2, 0]) }, {}, /f\.st: mask\[0, 0, 0, 2\]: .*got 2/],
    [
      "a mask of another shape",
      { mask: ones("BOOL", 1, 1, 2, 3) },
      {},
      /f\.st: mask\.shape: expected .*got "\[1,1,2,3\]"/,
    ],
    ["an unknown option", {}, { options: '{"alpah":1}' }, /f\.st: options: expected one of alpha, .*got "alpah"/],
    [
      "an option that is a tensor",
      {},
      { options: '{"mask":[1]}' },
      /f\.st: options: expected one of alpha, .*got "mask"/,
    ],
    ["an option outside its domain", {}, { options: '{"alpha":3}' }, /f\.st: options\.alpha: .*\(0, 2\].*got 3/],
    [
      "a list of another length",
      {},
      { options: '{"alpha":[1,2]}' },
      /f\.st: options\.alpha: expected a number in \(0, 2\], or a Float32Array of one per head \(1\)/,
    ],
    ["a list of texts", {}, { options: '{"alpha":["1"]}' }, /f\.st: options\.alpha\[0\]: expected a number, got "1"/],
    [
      "half a key",
      {},
      { options: '{"keyLengths":[2.5]}' },
      /f\.st: options\.keyLengths\[0\]: expected an integer, got 2\.5/,
    ],
    ["options that are no JSON", {}, { options: "alpha=1" }, /f\.st: options: expected JSON/],
    ["options that are a list", {}, { options: "[]" }, /f\.st: options: expected an object/],
    ["an unknown precision", {}, { compute: "fp32" }, /f\.st: compute: expected "f64" or "f32".*got "fp32"/],
    ["an unknown key", {}, { optoins: "{}" }, /f\.st: metadata: expected one of options, .*got "optoins"/],
    ["options of a case that is not there", {}, { "a/options": "{}" }, /f\.st: metadata: .*got "a\/options"/],
  ];
  it.each(faults)("refuses %s", async (_fault, changes, metadata, message) => {
    const tensors = goodTensors();
    for (const [name, tensor] of Object.entries(changes)) {
      if (tensor === undefined) tensors.delete(name);
      else tensors.set(name, tensor);
    }
    await writeFile(join(folder, "f.st"), formatSafetensors(tensors, metadata));
    const { code, out, err } = await fna(["verify", "f.st"]);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect(out).toBe("");
    expect(code).toBe(2);
  });

  it("refuses a threshold that a pair meets within rounding", async () => {
    const tensors = goodTensors().set("k", encodeTensor("F32", [1, 1, 4, 3], [2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
    const options: AttentionOptions = { distanceThreshold: 1, kappa: 1 };
    await writeFile(join(folder, "f.st"), formatSafetensors(tensors, { options: JSON.stringify(options) }));
    const { code, err } = await fna(["verify", "f.st"]);
    expect(err).toMatch(/f\.st: options\.distanceThreshold: expected one that no pair meets within 1e-4, got 1/);
    expect(code).toBe(2);
  });

  const usage: [string, string[], RegExp][] = [
    ["a file that is not there", ["nowhere.st"], /file: expected a file that can be read, got "nowhere\.st"/],
    ["a file and a device", ["f.st", "--device", "wasm"], /--device: expected without a file to judge, got "f\.st"/],
    ["a file and --write", ["f.st", "--write", "x"], /--write: expected without a file to judge/],
    ["--write and --json", ["--write", "x", "--json"], /--json: expected without --write/],
    ["a type without --write", ["--dtype", "F16"], /--dtype: expected with --write FILE only/],
    ["a type that is not written", ["--write", "x", "--dtype", "F8"], /--dtype.*'F8'.*"F64", "F32", "F16", "BF16"/],
    ["an option that is none", ["--write", "x", "--options", "alpah"], /--options.*'alpah'.*"alpha"/],
    ["a place in a file", ["--write", "f.st/x"], /--write: .*a part of the path is a file/],
  ];
  it.each(usage)("refuses %s", async (_name, argv, message) => {
    await writeFile(join(folder, "f.st"), formatSafetensors(goodTensors()));
    const { code, err } = await fna(["verify", ...argv]);
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });
});
