/**
 * What `npm start` runs after the build: verify, then attend on the text that ships, through the command line that a user
 * gets; the last line is the path of the page. Exit code 1 when a check failed; the page is written all the same, because
 * it says which.
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs `fna` in the repository and gives back its exit code; it writes to this terminal. */
function fna(...words) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["dist/cli.js", ...words], { cwd: root, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
}

await mkdir(new URL("../out", import.meta.url), { recursive: true });
await rm(new URL("../out/verify.json", import.meta.url), { force: true });
const verified = await fna("verify", "--out", "out/verify.json");
const shown = existsSync(new URL("../out/verify.json", import.meta.url)) ? ["--verification", "out/verify.json"] : [];
console.log();
const attended = await fna("attend", "--text", "texts/house.txt", "--links", "2", "--out", "out/report.html", ...shown);
process.exitCode = attended || verified;
