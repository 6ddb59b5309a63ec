/**
 * Wrong input to every public function: the error names the argument, its domain and the value, and nothing has been
 * computed or written. The table is in `bad-input/`; a function that is exported without a row fails here.
 */

import { describe, expect, test } from "vitest";
import * as reference from "../reference/index.js";
import * as analysis from "../src/analysis/index.js";
import * as fractionalAttention from "../src/index.js";
import { analysisRows } from "./bad-input/analysis-rows.js";
import { attentionRows } from "./bad-input/attention-rows.js";
import { headRows } from "./bad-input/head-rows.js";
import { layerRows } from "./bad-input/layer-rows.js";
import { levyRows } from "./bad-input/levy-rows.js";
import { modelRows } from "./bad-input/model-rows.js";
import { expectComplete, fuzz, type Row, walk } from "./bad-input/walk.js";

const attention = await fractionalAttention.createAttention({ device: "reference" });
const packageRows = attentionRows(attention);
const referenceRows: readonly Row[] = [...headRows, ...layerRows, ...modelRows, ...analysisRows, ...levyRows];

const isClass = (value: unknown) => typeof value === "function" && /^class\b/.test(String(value));

/** Names of the functions of a module, other than classes. */
const functionsOf = (module: object): string[] =>
  Object.entries(module)
    .filter(([, value]) => typeof value === "function" && !isClass(value))
    .map(([name]) => name);

const missing = (names: readonly string[], rows: readonly Row[]) =>
  names.filter((name) => !rows.some((row) => row.name === name));

describe("the table is complete", () => {
  test("every function that the reference exports has its row", () => {
    expect(missing(functionsOf(reference), referenceRows)).toEqual([]);
  });

  test("every function that the analyses export has its row", () => {
    expect(missing(functionsOf(analysis), referenceRows)).toEqual([]);
  });

  test("every function that the package exports, and every call of an attention object, has its row", () => {
    expect(missing(functionsOf(fractionalAttention), packageRows)).toEqual([]);
    // Calls that take arguments; getters and dispose take none.
    const calls = Object.entries(Object.getOwnPropertyDescriptors(fractionalAttention.Attention.prototype))
      .filter(([name, { value }]) => name !== "constructor" && typeof value === "function" && value.length > 0)
      .map(([name]) => name);
    expect(calls).toContain("forward");
    expect(missing(calls, packageRows)).toEqual([]);
  });

  test("classes are errors, and what createAttention returns", () => {
    const classes = Object.values({ ...reference, ...fractionalAttention }).filter(isClass) as { prototype: unknown }[];
    expect(classes.filter((c) => !(c.prototype instanceof Error))).toEqual([fractionalAttention.Attention]);
  });
});

describe.each([...packageRows, ...referenceRows].map((row): [string, Row] => [row.name, row]))("%s", (_, row) => {
  // Rows about one argument alone stand beside the full row of the same name.
  if (row.arguments.length > 1) {
    test("every argument and every option is in the table", () => expectComplete(row));
  }
  test("wrong values are refused by name", () => walk(row));
  test("random values are refused or in the domain", () => fuzz(row, 2026, 60));
});
