import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../../reference/random.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { formatSafetensors, parseSafetensors } from "../../src/files/safetensors.js";
import { type Checkpoint, formatCheckpoint, parseCheckpoint, writeCheckpoint } from "../../src/learn/checkpoint.js";
import { resolveRun } from "../../src/learn/run-config.js";
import { linearClassifier } from "./linear-classifier.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fna-checkpoint-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const words = ["<pad>", "<unk>", "<cls>", "one", "zwei", "三"];

/** All of its numbers are `step`, so that a mixture of two checkpoints would show. */
function checkpointOf(step: number, length = 6 * 4): Checkpoint {
  const tensor = (factor: number) => ({
    "embedding.weight": { shape: [length / 4, 4], data: new Float32Array(length).fill(factor * step) },
  });
  return {
    run: resolveRun({ model: { width: 4 } }),
    classes: ["ham", "spam"],
    vocabulary: new Vocabulary(words),
    state: { seed: 3, step, parameters: tensor(1), firstMoments: tensor(2), secondMoments: tensor(3) },
    progress: { best: { loss: 0.25, step: 1 } },
  };
}

describe("a checkpoint", () => {
  it("comes back as it was", () => {
    const checkpoint = checkpointOf(9);
    const { vocabulary, ...rest } = parseCheckpoint(formatCheckpoint(checkpoint), "file");
    const { vocabulary: _, ...expected } = checkpoint;
    expect(rest).toEqual(expected);
    expect(vocabulary.words).toEqual(words);
  });

  it("is a safetensors file with the authors' names and float32 numbers", () => {
    const { tensors, metadata } = parseSafetensors(formatCheckpoint(checkpointOf(9)), "file");
    expect([...tensors.keys()]).toEqual([
      "embedding.weight",
      "adam.first.embedding.weight",
      "adam.second.embedding.weight",
    ]);
    expect([...tensors.values()].every(({ dtype, shape }) => dtype === "F32" && shape.join() === "6,4")).toBe(true);
    expect(metadata.format).toBe("pt");
  });

  it("that is cut anywhere is refused with its name", () => {
    const bytes = formatCheckpoint(checkpointOf(9));
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => parseCheckpoint(bytes.subarray(0, length), "runs/a/state.safetensors")).toThrow(
        /^runs\/a\/state\.safetensors/,
      );
    }
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      "another program's",
      { format: "pt" },
      /file: expected a checkpoint that "fna train" wrote.* got "a file without it"/,
    ],
    ["no JSON", { fna: "{" }, /file: expected a checkpoint.*no JSON object/],
    ["another version's", { fna: '{"version":2}' }, /file: expected a checkpoint of version 1, got 2/],
    ["half", { fna: '{"version":1,"classes":["a","b"]}' }, /file: expected a checkpoint.*without some of it/],
  ])("of %s is refused", (_name, metadata, message) => {
    expect(() => parseCheckpoint(formatSafetensors([], metadata), "file")).toThrow(message);
  });

  it("of another shape is refused by the model, by the tensor's name", async () => {
    const model = await linearClassifier()({ width: 4, vocabulary: 6, maxLength: 8 }, {});
    const { state } = parseCheckpoint(formatCheckpoint(checkpointOf(1)), "file");
    expect(() => model.load(state)).toThrow(/embedding\.weight: expected the shape 6 x 2, got "6 x 4"/);
  });

  it("that finds no space leaves the one before it, and says so", async () => {
    const path = join(folder, "full.safetensors");
    await writeCheckpoint(path, checkpointOf(1));
    // Every write to this device ends with ENOSPC.
    await symlink("/dev/full", `${path}.${process.pid}.part`);
    await expect(writeCheckpoint(path, checkpointOf(2))).rejects.toThrow(
      /full\.safetensors: could not be written \(no space left on the device\); what was there before is unchanged/,
    );
    expect(parseCheckpoint(await readFile(path), path).state.step).toBe(1);
    expect((await readdir(folder)).filter((name) => name.startsWith("full"))).toEqual(["full.safetensors"]);
  });

  it("in a folder that is gone says so", async () => {
    await expect(writeCheckpoint(join(folder, "gone/state.safetensors"), checkpointOf(1))).rejects.toThrow(
      /could not be written \(ENOENT/,
    );
  });

  it("that is replaced is whole at every moment, when its writer is killed 100 times", {
    timeout: 360_000,
  }, async () => {
    const path = join(folder, "killed.safetensors");
    const writer = join(folder, "writer.mjs");
    await writeFile(join(folder, "writer.ts"), writerSource);
    await build({
      entryPoints: [join(folder, "writer.ts")],
      outfile: writer,
      bundle: true,
      platform: "node",
      format: "esm",
      absWorkingDir: process.cwd(),
    });
    const random = createRandom(11);
    let partial = 0;
    let last = 0;
    for (let kill = 0; kill < 100; kill++) {
      const child = spawn(process.execPath, [writer, path, String(last)], { stdio: ["ignore", "pipe", "inherit"] });
      await firstOutput(child);
      await new Promise((resolve) => setTimeout(resolve, 12 * random.uniform()));
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      const { state } = parseCheckpoint(await readFile(path), path);
      for (const [factor, tensors] of [state.parameters, state.firstMoments, state.secondMoments].entries()) {
        const data = tensors?.["embedding.weight"].data ?? new Float32Array();
        expect(data.length).toBe(200_000);
        expect(data.every((x) => x === (factor + 1) * state.step)).toBe(true);
      }
      expect(state.step).toBeGreaterThan(last);
      last = state.step;
      const left = (await readdir(folder)).filter((name) => name.endsWith(".part"));
      partial += left.length;
      for (const name of left) await rm(join(folder, name));
    }
    // The kills did hit writers at work, else this shows nothing.
    expect(partial).toBeGreaterThan(20);
  });
});

/** Writes five checkpoints over each other until it is killed, and says when the first is written. */
const writerSource = `
import { formatCheckpoint } from ${JSON.stringify(join(process.cwd(), "src/learn/checkpoint.ts"))};
import { replaceFile } from ${JSON.stringify(join(process.cwd(), "src/files/replace.ts"))};
import { Vocabulary } from ${JSON.stringify(join(process.cwd(), "src/data/vocabulary.ts"))};
import { resolveRun } from ${JSON.stringify(join(process.cwd(), "src/learn/run-config.ts"))};
const run = resolveRun({ model: { width: 4 } });
const vocabulary = new Vocabulary(${JSON.stringify(words)});
// Made beforehand, so that nearly all of the time is spent writing.
const checkpoints = [1, 2, 3, 4, 5].map((more) => {
  const step = Number(process.argv[3]) + more;
  const tensor = (factor) => ({ "embedding.weight": { shape: [50_000, 4], data: new Float32Array(200_000).fill(factor * step) } });
  return formatCheckpoint({ run, classes: ["ham", "spam"], vocabulary, progress: {},
    state: { seed: 3, step, parameters: tensor(1), firstMoments: tensor(2), secondMoments: tensor(3) } });
});
for (let i = 0; ; i++) {
  await replaceFile(process.argv[2], checkpoints[i % 5]);
  if (i === 0) process.stdout.write("written\\n");
}
`;

function firstOutput(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    child.once("exit", () => reject(new Error("the writer ended by itself")));
  });
}
