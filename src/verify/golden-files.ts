/** Reads the golden vectors from files. Node only. */

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { decodeGolden, type GoldenGroup, weightFiles, withWeights } from "./golden.js";

/**
 * Where the golden vectors stand in this repository, seen from this file and from the bundle in dist; undefined in an
 * installed package, which is spared their weight.
 */
export function goldenFolder(): string | undefined {
  const folders = ["../../fixtures/golden/", "../fixtures/golden/"];
  return folders.map((at) => fileURLToPath(new URL(at, import.meta.url))).find((folder) => existsSync(folder));
}

/**
 * Reads one group.
 * @param group file name without ending, e.g. `"analysis"`
 * @param folder where `<group>.json.gz` stands; fixtures/golden of this repository by default
 * @throws the file system's error when there is no such file
 */
export function loadGolden(group: string, folder: string = goldenFolder() ?? "fixtures/golden"): GoldenGroup {
  const read = (file: string) => gunzipSync(readFileSync(`${folder.replace(/\/$/, "")}/${file}.gz`));
  const decoded = decodeGolden(read(`${group}.json`).toString("utf8"));
  return withWeights(decoded, Object.fromEntries(weightFiles(decoded).map((file) => [file, read(file)])));
}
