/**
 * The verdicts of a mutation check, written down one by one, so that a run that was interrupted can go on. A verdict holds
 * for the tree that it was found in: whatever changes there, code, tests or fixtures, makes all of them void. Only the
 * lists of mutants and prose may change: a verdict is found again by what was planted where, and by who had to notice.
 */

import { createHash } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

/** What has no say in a verdict: the mutation check itself, whose scripts all begin so, and prose. */
const isAside = (path) => /^scripts\/(mutant|operator-)|\.md$/.test(path);

/** A digest of all files below a folder that have a say, by path and content; links are not followed. */
export async function treeDigest(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
  const digest = createHash("sha256");
  for (const path of paths.filter((path) => !isAside(path)).sort()) {
    digest.update(`${path} ${digestOf(await readFile(join(folder, path)))}\n`);
  }
  return digest.digest("hex");
}

const digestOf = (content) => createHash("sha256").update(content).digest("hex");

/** What makes a mutant the same: the change, and the runs of tests that it is shown to. */
const keyOf = ({ file, at, find, replace, tests, stages }) =>
  digestOf(JSON.stringify([file, at, find, replace, stages ?? tests]));

/**
 * Opens the journal of a tree.
 *
 * @param {string} file
 * @param {string} tree its digest
 * @param {boolean} resume whether to go on with the verdicts that stand there; otherwise they are thrown away
 * @returns what is known of a mutant, a way to add to it, and whether what stood there was of another tree
 */
export async function openJournal(file, tree, resume) {
  const text = resume ? await readFile(file, "utf8").catch(() => "") : "";
  const [head, ...lines] = text.split("\n").flatMap(readLine);
  const isOther = head !== undefined && head.tree !== tree;
  const known = new Map(isOther ? [] : lines.map(({ key, found }) => [key, found]));
  await mkdir(dirname(file), { recursive: true });
  const kept = [...known].map(([key, found]) => ({ key, found }));
  await writeFile(file, [{ tree }, ...kept].map((line) => `${JSON.stringify(line)}\n`).join(""));
  return {
    isOther,
    find: (mutant) => known.get(keyOf(mutant)),
    add: (mutant, found) => appendFile(file, `${JSON.stringify({ key: keyOf(mutant), found })}\n`),
  };
}

/** Of a line that an interruption has cut short, nothing. */
function readLine(line) {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
