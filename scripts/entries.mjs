/** The entries of the package, from the exports of package.json, so that no second list of them has to be kept. */

import { readFileSync } from "node:fs";

/** Of every export with types: its name in dist, its declarations, and the source of both; paths below the repository. */
export function libraryEntries() {
  const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return Object.values(exports)
    .filter((target) => target.types !== undefined)
    .map(({ types, default: bundle }) => ({
      name: /^\.\/dist\/(.+)\.js$/.exec(bundle)[1],
      types,
      source: types.replace(/^\.\/dist\/types\//, "").replace(/\.d\.ts$/, ".ts"),
    }));
}
