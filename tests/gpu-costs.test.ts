/**
 * What the GPU bench says that the kernels cost, against a count of its own: bytes by walking the tiles of small problems,
 * operations from the text of the shaders.
 */

import { describe, expect, test } from "vitest";
import { costsOf, impliedSeconds } from "../bench/src/gpu/costs.js";
import { ChunkCall, patchOf } from "../src/backends/webgpu/call.js";
import type { Runner } from "../src/backends/webgpu/runner.js";
import { dKeys, dQueries } from "../src/backends/webgpu/wgsl/backward.wgsl.js";
import { forward } from "../src/backends/webgpu/wgsl/softmax.wgsl.js";
import { makePlan } from "../src/plan.js";

const wgsl = forward(4, false, 1);

/** The body of a function of the shaders. */
function body(name: string, source = wgsl): string {
  const found = new RegExp(`fn ${name}\\([^{]*\\{(.*?)\\n\\}`, "s").exec(source);
  if (found === null) throw new Error(`there is no function ${name}`);
  return found[1];
}

/** Floating-point operations of each of four pairs in a text, of which integer arithmetic is none. */
function operations(text: string): number {
  const floats = text.replace(/ [-+] \(?vec4i\b/g, "").replace(/vec4i\([^()]*\) - /g, "");
  const count = (pattern: RegExp) => [...floats.matchAll(pattern)].length;
  const functions = count(/\b(?:sqrt|min|max|round)\(/g);
  return 2 * count(/\b(?:fma|dot)\(/g) + functions + count(/ [-+*/]=? (?!\w*>)/g);
}

/** What is behind the test for the Gaussian kernel. */
const heavyTail = (text: string) => text.split("h.gauss == 0u) {")[1].split("}")[0];

const reach = operations(heavyTail(body("reach")));
const [logarithm, exponential] = [operations(body("log1p4")), operations(body("exp4"))];
const score = operations(body("score").split("return -h.exponent")[1]) + logarithm;

/** Workgroups that share the components of a sum. */
function sumGroups(dim: number, isBackward: boolean): number {
  const plan = makePlan({ batch: 1, heads: 1, queries: 1, keys: 1, headDim: dim }, {});
  const runner = { put: () => ({}) } as unknown as Runner;
  const chunk = { keyHead: 0, keyHeads: 1, head: 0, heads: 1 };
  return new ChunkCall(runner, plan, chunk, undefined, undefined, isBackward).slotChunks;
}

/** Asks for bytes at an address of a tensor. */
type Ask = (tensor: string, address: number, bytes: number) => void;

/** Bytes that are asked for, each address once. */
function different(list: (ask: Ask) => void): number {
  let total = 0;
  const seen = new Set<string>();
  list((tensor, address, bytes) => {
    if (!seen.has(`${tensor} ${address}`)) total += bytes;
    seen.add(`${tensor} ${address}`);
  });
  return total;
}

interface Walk {
  readonly rows: number;
  readonly groups: number;
  /** What is asked for of a row at the start, and of a pair in a tile. */
  block(ask: Ask, row: number, group: number): void;
  tile(ask: Ask, row: number, column: number, group: number): void;
}

/** Bytes that the workgroups of a pass ask for over `length` rows and columns of one head. */
function walk(length: number, { rows, groups, block, tile }: Walk): number {
  let bytes = 0;
  for (let group = 0; group < groups; group++) {
    for (let row0 = 0; row0 < length; row0 += rows) {
      const own = Array.from({ length: rows }, (_, r) => Math.min(row0 + r, length - 1));
      bytes += different((ask) => {
        ask("exponent", 0, 4);
        for (const row of own) block(ask, row, group);
      });
      for (let column0 = 0; column0 < length; column0 += 32) {
        bytes += different((ask) => {
          for (const row of own) {
            for (let c = 0; c < 32; c++) tile(ask, row, Math.min(column0 + c, length - 1), group);
          }
        });
      }
    }
  }
  return bytes;
}

describe.each([
  { slices: 2, length: 70, dim: 10 },
  { slices: 1, length: 45, dim: 150 },
  { slices: 64, length: 66, dim: 6 },
])("$slices x $length x $dim", (size) => {
  const { slices, length, dim } = size;
  const vectors = Math.ceil(dim / 4);
  const costs = new Map(costsOf(size, "forward+backward").map((cost) => [cost.pass, cost]));
  const count = slices * length * length;
  const [numbers, perRow] = [4 * slices * length * dim, 4 * slices * length];
  /** The vectors of a row that are summed by one of the workgroups that share them. */
  const part = (ask: Ask, name: string, row: number, group: number, groups: number) => {
    const width = Math.ceil(vectors / groups / 8) * 8;
    for (let c = group * width; c < Math.min(vectors, (group + 1) * width); c++) ask(name, row * vectors + c, 16);
  };
  const whole = (ask: Ask, name: string, row: number) => part(ask, name, row, 0, 1);
  const facts = (ask: Ask, row: number) => {
    ask("row flags", row, 4);
    ask("row zeros", row, 4);
  };

  test("forward", () => {
    const groups = sumGroups(dim, false);
    const loaded = walk(length, {
      rows: 8 * patchOf({ batch: 1, heads: slices, queries: length }),
      groups,
      block: facts,
      tile(ask, row, column, group) {
        whole(ask, "queries", row);
        whole(ask, "keys", column);
        ask("column flags", column, 4);
        part(ask, "values", column, group, groups);
      },
    });
    const squares = operations(body("squares").split("\n")[1]) + operations("dot(p, p)");
    // Largest of a row, difference to it, and the sum.
    const pair = reach + score + operations("s - bias") + exponential + 3;
    const { operations: found, ...rest } = costs.get("forward")!;
    expect(found).toBe(count * (groups * (squares * dim + pair) + 2 * dim));
    expect(rest.loaded).toBe(slices * loaded + numbers + perRow);
  });

  /** Queries as rows, or keys, which have other facts and one more sum. */
  test.each(["dQueries", "dKeys"] as const)("%s", (pass) => {
    const isOfKeys = pass === "dKeys";
    const groups = sumGroups(dim, true);
    const queryFacts = (ask: Ask, query: number) => ask("L and delta", query, 16);
    const loaded = walk(length, {
      rows: 32,
      groups,
      block(ask, row, group) {
        facts(ask, row);
        if (!isOfKeys) queryFacts(ask, row);
        part(ask, "own points", row, group, groups);
      },
      tile(ask, row, column, group) {
        whole(ask, "points of rows", row);
        whole(ask, "points of columns", column);
        whole(ask, "values or cotangents of rows", row);
        whole(ask, "values or cotangents of columns", column);
        ask("column flags", column, 4);
        if (isOfKeys) queryFacts(ask, column);
        // The sums come after the products, whose reads are long past.
        part(ask, "points again", column, group, groups);
        if (isOfKeys) part(ask, "cotangents again", column, group, groups);
      },
    });
    const source = isOfKeys ? dKeys(false, 1) : dQueries(false, 1);
    // Without the degree normalisation, in the plane and below alpha = 2.
    const [before, behind] = body("gradient", source).split(/if \(params\.degree > 0\.0\) \{.*?\n {2}\}/s);
    const gradient = operations(before) + operations(behind.split("} else {")[0].split("if (h.gauss")[0]);
    const pulling = operations(behind.split("} else {")[1]);
    const pair = reach + score + exponential + gradient + pulling;
    const { operations: found, ...rest } = costs.get(pass)!;
    // Distances 3, products 2, the pull 3 with its difference, and for keys the sum of cotangents 2.
    expect(found).toBe(count * (groups * (5 * dim + pair) + (isOfKeys ? 5 : 3) * dim));
    expect(rest.loaded).toBe(slices * loaded + (isOfKeys ? 2 * numbers : numbers + 2 * perRow));
  });

  test("the least is every tensor once", () => {
    const [packed, values] = [16 * slices * length * (vectors + 1), 16 * slices * length * vectors];
    const [queries, keys, cotangents] = [packed, packed, packed];
    const least = (pass: string) => costs.get(pass)?.least;
    expect(least("forward")).toBe(queries + keys + values + numbers + perRow);
    expect(least("dQueries")).toBe(queries + keys + cotangents + values + numbers + 2 * perRow);
    expect(least("dKeys")).toBe(queries + keys + cotangents + values + numbers + numbers);
    // Both calls read q, k and v twice, raw, and write them packed.
    expect(least("inspect")).toBe(2 * (numbers + numbers));
    expect(least("packQueries")).toBe(2 * (numbers + queries));
    expect(least("packKeys")).toBe(2 * (numbers + numbers + keys + values));
  });
});

test("a pass takes as long as the slower of arithmetic and memory", () => {
  const cost = { pass: "forward", operations: 6e9, least: 3e6, loaded: 9e6 };
  expect(impliedSeconds(cost, 1e12, 1e9)).toBe(6e-3);
  expect(impliedSeconds(cost, 1e13, 1e9)).toBe(3e-3);
});
