/** Golden vectors of the baselines and of the analyses: every case of every file, at the tolerance that the case states. */
import { expect, test } from "vitest";
import type { Check } from "../src/verify/check.js";
import type { GoldenCase } from "../src/verify/golden.js";
import { checkAnalysis } from "../src/verify/golden-analysis.js";
import { checkDot, checkSinkhorn, checkTranslationDot } from "../src/verify/golden-baselines.js";
import { loadGolden } from "../src/verify/golden-files.js";

// `cases` is the number in the file (of the kind that is checked), written out so that none can go missing silently.
const groups = [
  { group: "analysis", run: checkAnalysis, cases: 21 },
  { group: "attention_dot", run: checkDot, cases: 14 },
  { group: "sinkhorn", run: checkSinkhorn, cases: 9 },
  { group: "attention_translation", run: checkTranslationDot, cases: 4 },
];

test.each(groups)("$group: all $cases cases within their stated tolerance", ({ group, run, cases }) => {
  const checks: Check[] = run(loadGolden(group).cases);
  const failures = checks
    .filter((c) => !(c.error <= c.bound))
    .map((c) => `${c.case} ${c.tensor}: ${c.error} > ${c.bound}`);
  expect(failures).toEqual([]);
  expect(new Set(checks.map((c) => c.case)).size).toBe(cases);
});

test("the files hold as many cases as are checked", () => {
  const inFile = (group: string, wanted: (c: GoldenCase) => boolean = () => true): number =>
    loadGolden(group).cases.filter(wanted).length;
  expect(inFile("analysis")).toBe(21);
  expect(inFile("attention_dot")).toBe(14);
  expect(inFile("sinkhorn")).toBe(9);
  expect(inFile("attention_translation", (c) => c.config.method === "scaled_dot_product_attention")).toBe(4);
});

test("a case of an unknown kind is an error, not a pass", () => {
  const [first] = loadGolden("analysis").cases;
  expect(() => checkAnalysis([{ ...first, kind: "other" }])).toThrow(/unknown kind/);
});
