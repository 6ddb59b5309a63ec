/**
 * Before the tests: packs the package and installs the tarball beside a copy of the examples in a temporary folder, so that
 * what runs there is what an npm user gets, and nothing of the repository can be reached by accident.
 */

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The temporary folder with the examples and their node_modules. */
    folder: string;
  }
}

const examples = fileURLToPath(new URL("..", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

export default function setup(project: TestProject): () => void {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "fractional-attention-examples-")));
  for (const { name } of readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    if (name !== "node_modules" && name !== "test")
      cpSync(join(examples, name), join(folder, name), { recursive: true });
  }
  const npm = (...words: string[]) =>
    execFileSync("npm", words, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const [tarball] = npm("pack", "--ignore-scripts", "--pack-destination", folder).trim().split("\n").slice(-1);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  npm("install", "--prefix", folder, "--offline", "--no-audit", "--no-fund", join(folder, tarball));
  project.provide("folder", folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
