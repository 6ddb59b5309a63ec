/**
 * Mutants that nobody thought of: the operators, comparisons, constants and statements of a file, changed one at a time.
 *
 *   a + b -> a - b   a * b -> a / b   a < b -> a <= b   a && b -> a || b   >> -> <<   f32x4.add -> f32x4.sub   max -> min
 *   7 -> 8   0.5 -> 0.505   a statement of its own line left out
 *
 * It reads text, not trees, as it has three languages in front of it: TypeScript, AssemblyScript and WGSL inside template
 * strings. What does not compile is counted apart and proves nothing. Of all the changes of a file a seed picks some,
 * evenly spread over the file. A mutant is named by its line's text before and after, not by the line's number.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { stagesOf } from "./mutants/list.mjs";

/** Pattern of what is changed, and what takes its place. */
const rules = [
  [/(?<= )\+(?= )/g, "-"],
  [/(?<= )-(?= )/g, "+"],
  [/(?<= )\*(?= )/g, "/"],
  [/(?<= )\/(?= )/g, "*"],
  [/(?<= )<(?= )/g, "<="],
  [/(?<= )<=(?= )/g, "<"],
  [/(?<= )>(?= )/g, ">="],
  [/(?<= )>=(?= )/g, ">"],
  [/(?<= )===?(?= )/g, "!="],
  [/(?<= )!==?(?= )/g, "=="],
  [/(?<= )&&(?= )/g, "||"],
  [/(?<= )\|\|(?= )/g, "&&"],
  [/(?<= )<<(?= )/g, ">>"],
  [/(?<= )>>(?= )/g, "<<"],
  [/(?<= )\+=(?= )/g, "-="],
  [/(?<= )-=(?= )/g, "+="],
  [/\bf32x4\.add(?=\()/g, "f32x4.sub"],
  [/\bf32x4\.sub(?=\()/g, "f32x4.add"],
  [/\bf32x4\.mul(?=\()/g, "f32x4.add"],
  [/\bf32x4\.pmax(?=\()/g, "f32x4.pmin"],
  [/\bf32x4\.pmin(?=\()/g, "f32x4.pmax"],
  [/\bf32x4\.gt(?=\()/g, "f32x4.ge"],
  [/\bf32x4\.lt(?=\()/g, "f32x4.le"],
  [/\bi32x4\.gt_s(?=\()/g, "i32x4.ge_s"],
  [/\bi32x4\.lt_s(?=\()/g, "i32x4.le_s"],
  [/\bv128\.and(?=\()/g, "v128.or"],
  [/\bv128\.or(?=\()/g, "v128.and"],
  [/\bmax(?=\()/g, "min"],
  [/\bmin(?=\()/g, "max"],
  [/(?<![\w.$])\d+(?=u?\b(?![.\w]))/g, (n) => String(Number(n) + 1)],
  [/(?<![\w.$])\d+\.\d+(?![\w.])/g, (x) => String(Number(x) === 0 ? 0.5 : Number(x) * 1.01)],
];

/** A statement that may be left out: no declaration, no jump, whole on its line. */
const statement =
  /^\s*(?!\s)(?!(?:import|export|const|let|var|return|break|continue|throw|type|readonly|private|public)\b)[^{}/*]*[^{}/*,]\);$|^\s*[\w.[\]]+ [-+*|&]?= [^{}]*;$/;

/** Every change of one file: where, from what and to what. */
export function changesOf(text) {
  const changes = [];
  let at = 0;
  let isComment = false;
  for (const line of text.split("\n")) {
    const start = at;
    at += line.length + 1;
    const code = line.trim();
    if (code.startsWith("/*") && !code.includes("wgsl")) isComment = true;
    const skipped =
      isComment || code.startsWith("//") || code.startsWith("*") || /^(import|export \{|} from)/.test(code);
    if (isComment && code.includes("*/")) isComment = false;
    if (skipped || code === "") continue;
    const end = line.search(/\s\/\/ |\s?\/\*\*/);
    const body = end < 0 ? line : line.slice(0, end);
    for (const [pattern, replacement] of rules) {
      for (const match of body.matchAll(pattern)) {
        // Words of an error message are no arithmetic, and a loop that goes the other way only takes time.
        if (isInString(body, match.index) || (code.startsWith("for (") && /[-+]=/.test(match[0]))) continue;
        const [find] = match;
        const replace = typeof replacement === "function" ? replacement(find) : replacement;
        const column = match.index;
        const after = body.slice(0, column) + replace + body.slice(column + find.length);
        changes.push({ at: start + column, find, replace, line: code, name: `${code}  ->  ${after.trim()}` });
      }
    }
    if (statement.test(body)) {
      changes.push({ at: start, find: line, replace: "", line: code, name: `${code}  ->  (left out)` });
    }
  }
  return changes;
}

/** Whether a place is between quotes; template strings are code here, since WGSL stands in them. */
function isInString(line, at) {
  return (line.slice(0, at).match(/"/g) ?? []).length % 2 === 1;
}

/**
 * @param {string} root of the repository
 * @param {number} seed
 * @param {Record<string, number>} counts how many of each file
 * @param {Record<string, string>} survivors why a mutant, by its name, changes nothing that a test could notice
 * @returns {Promise<import("./mutants/list.mjs").Mutant[]>}
 */
export async function operatorMutants(root, seed, counts, survivors) {
  const mutants = [];
  for (const [file, count] of Object.entries(counts)) {
    const changes = changesOf(await readFile(join(root, file), "utf8"));
    const random = xoroshiro128plus(seed);
    const { stages, ...more } = stagesOf(file);
    const tests = [...new Set(stages.flat())].filter((argument) => argument.endsWith(".ts"));
    const seen = new Map();
    const possible = new Set(changes.map((change) => `${file}: ${change.name}`));
    for (const name of Object.keys(survivors)) {
      if (name.startsWith(`${file}: `) && !possible.has(name.replace(/ \(\d+\)$/, ""))) {
        throw new Error(`operator-survivors.mjs has a reason for a change that the code no longer offers: ${name}`);
      }
    }
    for (let n = 0; n < Math.min(count, changes.length); n++) {
      // One from each of `count` equal parts of the file.
      const [low, high] = [n, n + 1].map((part) =>
        Math.floor((part * changes.length) / Math.min(count, changes.length)),
      );
      const change = changes[low + ((random.next() >>> 0) % (high - low))];
      const again = (seen.get(change.name) ?? 0) + 1;
      seen.set(change.name, again);
      const name = `${file}: ${change.name}${again > 1 ? ` (${again})` : ""}`;
      const { at, find, replace } = change;
      const known = survivors[name] === undefined ? {} : { equivalent: survivors[name] };
      mutants.push({ name, file, at, find, replace, tests, stages, generated: true, ...more, ...known });
    }
  }
  return mutants;
}
