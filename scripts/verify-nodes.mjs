/**
 * `npm run verify:nodes`: `fna verify --device wasm` on Node 20, 22 and 24, with one thread and with two. The versions come
 * from the npm package `node`. Exit code 1 when one of them fails. Needs the build.
 */

import { spawnSync } from "node:child_process";

const versions = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ["20", "22", "24"];
let failed = false;
for (const version of versions) {
  for (const threads of ["1", "2"]) {
    const words = [
      "-y",
      "-p",
      `node@${version}`,
      "node",
      "dist/cli.js",
      "verify",
      "--device",
      "wasm",
      "--threads",
      threads,
    ];
    const { status, stdout, stderr } = spawnSync("npx", words, { encoding: "utf8" });
    const last = stdout.trim().split("\n").at(-1) || stderr.trim();
    console.log(`Node ${version}, ${threads} thread(s): ${last}`);
    failed ||= status !== 0;
  }
}
process.exitCode = failed ? 1 : 0;
