/** Golden vectors of the attention core, of multi-head attention and of the text classifiers: every case of every file, at the tolerance that the case states. */
import { expect, test } from "vitest";
import type { Check } from "../src/verify/check.js";
import {
  checkEuclidean,
  checkKernel,
  checkSpherical,
  checkTranslation,
  refusedAttentionCases,
} from "../src/verify/golden-attention.js";
import { checkCheckpoint, checkClassifier } from "../src/verify/golden-classifier.js";
import { loadGolden } from "../src/verify/golden-files.js";
import { checkMultiHead } from "../src/verify/golden-multi-head.js";

const groups = [
  { group: "kernel", run: checkKernel, cases: 204 },
  { group: "attention_euclidean", run: checkEuclidean, cases: 80 },
  { group: "attention_spherical", run: checkSpherical, cases: 56 },
  { group: "attention_translation", run: checkTranslation, cases: 10 },
  { group: "multihead", run: checkMultiHead, cases: 22 },
  { group: "classifier", run: checkClassifier, cases: 9 },
  { group: "checkpoint", run: checkCheckpoint, cases: 1 },
];

test.each(groups)("$group: all $cases cases within their stated tolerance", ({ group, run, cases }) => {
  const checks: Check[] = run(loadGolden(group).cases);
  const failures = checks
    .filter((c) => !(c.error <= c.bound))
    .map((c) => `${c.case} ${c.tensor}: ${c.error} > ${c.bound}`);
  expect(failures).toEqual([]);
  expect(new Set(checks.map((c) => c.case)).size).toBe(cases);
});

test("the cases that are not reproduced are those whose published numbers are NaN", () => {
  const refused = groups.flatMap(({ group }) => loadGolden(group).cases.filter((c) => c.expect?.finite === false));
  expect(refused.map((c) => c.id).sort()).toEqual(Object.keys(refusedAttentionCases).sort());
});
