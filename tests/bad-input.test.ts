/**
 * Wrong input to every public function: the error names the argument, its domain and the value, and nothing has been
 * computed or written. The table is in `bad-input/`; a function that is exported without a row fails here.
 */

import { describe, expect, test } from "vitest";
import * as reference from "../reference/index.js";
import { referenceRows } from "./bad-input/reference-rows.js";
import { expectComplete, fuzz, type Row, walk } from "./bad-input/walk.js";

const isClass = (value: unknown) => typeof value === "function" && /^class\b/.test(String(value));

/** Names of the functions of a module, other than classes. */
const functionsOf = (module: object): string[] =>
  Object.entries(module)
    .filter(([, value]) => typeof value === "function" && !isClass(value))
    .map(([name]) => name);

describe("the reference", () => {
  test("every exported function has its row", () => {
    const rows = new Set(referenceRows.map((row) => row.name));
    expect(functionsOf(reference).filter((name) => !rows.has(name))).toEqual([]);
  });
});

describe.each(referenceRows.map((row): [string, Row] => [row.name, row]))("%s", (_, row) => {
  test("every argument and every option is in the table", () => expectComplete(row));
  test("wrong values are refused by name", () => walk(row));
  test("random values are refused or in the domain", () => fuzz(row, 2026, 60));
});
