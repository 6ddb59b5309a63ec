/** The commands of `fna` on the webgpu device, where there is an adapter. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runFna } from "./cli/run.js";
import { openForTests, patience } from "./webgpu/open.js";

const backend = await openForTests();
const isSoftware = backend?.gpu.isSoftware ?? false;
const adapter = backend?.gpu.adapter ?? "";
backend?.dispose();

describe.skipIf(backend === undefined)("with an adapter", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fna-webgpu-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const small = ["--size", "1x40x8", "--rounds", "3", "--direction", "forward"];
  const fna = (...argv: string[]) => runFna(argv, folder);

  it("bench checks and times the device that is asked for, and says what runs it", { timeout: patience }, async () => {
    const { code, out, err } = await fna("bench", "--device", "wasm,webgpu", ...small);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(`\nwebgpu: ${adapter}${isSoftware ? ", which is a CPU and no GPU" : ""}\n`);
    expect(out).toMatch(/\nwasm +forward .*\nwebgpu +forward /);
  });

  it("bench takes it by itself only on a GPU, and says why not otherwise", { timeout: patience }, async () => {
    const { code, out } = await fna("bench", ...small);
    expect(code).toBe(0);
    if (isSoftware) expect(out).toMatch(/webgpu took no part: its adapter is a CPU \(.*\)/);
    else expect(out).toMatch(/\nwebgpu +forward /);
  });

  it("attend answers from it", { timeout: patience }, async () => {
    const attended = await fna("attend", "the cat saw the dog", "--device", "webgpu", "--json");
    expect([attended.code, attended.err]).toEqual([0, ""]);
    const onReference = await fna("attend", "the cat saw the dog", "--device", "reference", "--json");
    const [found, expected] = [attended, onReference].map(({ out }) => JSON.parse(out));
    expect(found.device).toBe("webgpu");
    for (const [a, { weights }] of expected.attentions.entries()) {
      for (const [i, row] of weights.entries()) {
        for (const [j, weight] of row.entries()) {
          // float32 against float64 on five tokens: far above roundoff, far below any difference that one could see.
          expect(Math.abs(found.attentions[a].weights[i][j] - weight)).toBeLessThan(1e-4);
        }
      }
    }
  });
});
