import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../../reference/random.js";
import type { Corpus, Document } from "../../src/data/corpus.js";
import { buildVocabulary } from "../../src/data/vocabulary.js";
import { collate, encodeDocuments, epochBatches, sortedBatches, stepsPerEpoch } from "../../src/learn/batches.js";
import { parseCheckpoint } from "../../src/learn/checkpoint.js";
import { resolveRun } from "../../src/learn/run-config.js";
import { gatherSweep, spread, sweepJobs } from "../../src/learn/sweep.js";
import { type TrainOptions, train, trainingDocuments } from "../../src/learn/train.js";
import { linearClassifier } from "./linear-classifier.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fna-train-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Texts of words `a…` or `b…` by class, with some of the other. */
function corpusOf(train: number): Corpus {
  const random = createRandom(2);
  const draw = (part: string, count: number): Document[] =>
    Array.from({ length: count }, (_, i) => {
      const label = i % 2;
      const tokens = Array.from({ length: 3 + random.integer(20) }, () => {
        const own = random.uniform() < 0.7 ? label : 1 - label;
        return `${"ab"[own]}${random.integer(10)}`;
      });
      return { id: `${part}/${i}`, group: "all", tokens, label };
    });
  return {
    name: "letters",
    classes: ["a", "b"],
    train: draw("train", train),
    validation: draw("validation", 40),
    test: draw("test", 60),
    notes: [],
  };
}

const corpus = corpusOf(100);
const run = resolveRun({
  data: { corpus: "listops" },
  model: { width: 4 },
  training: { epochs: 3, batch: 8, seed: 5 },
});
const options = (name: string, over: Partial<TrainOptions> = {}): TrainOptions => ({
  run,
  corpus,
  folder: join(folder, name),
  create: linearClassifier(),
  ...over,
});

async function contents(name: string): Promise<Record<string, unknown>> {
  const files: Record<string, unknown> = {};
  for (const file of await readdir(join(folder, name))) {
    const text = await readFile(join(folder, name, file), "latin1");
    // Times are the one thing that differs between two sittings.
    files[file] = text.replace(/"(tokensPerSecond|seconds|trainingSeconds)": ?[\d.]+/g, '"$1":0');
  }
  return files;
}

describe("batches", () => {
  const vocabulary = buildVocabulary(corpus.train, 30);
  const encoded = encodeDocuments(corpus.train, vocabulary, 10);

  it("take every document once an epoch, in another order each, the same for the same seed", () => {
    const first = epochBatches(encoded, 8, 1, 0);
    expect(first.length).toBe(stepsPerEpoch(100, 8));
    expect(first.flat().sort((a, b) => a - b)).toEqual([...encoded.tokens.keys()]);
    expect(epochBatches(encoded, 8, 1, 0)).toEqual(first);
    expect(epochBatches(encoded, 8, 1, 1)).not.toEqual(first);
    expect(epochBatches(encoded, 8, 2, 0)).not.toEqual(first);
    const lengths = sortedBatches(encoded, 8)
      .flat()
      .map((i) => encoded.tokens[i].length);
    expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
  });

  it("pad to their longest text", () => {
    const short = [...encoded.tokens.keys()].filter((i) => encoded.tokens[i].length < 8).slice(0, 3);
    const { tokens, lengths, labels } = collate(encoded, short);
    const size = tokens.length / 3;
    expect(size).toBe(Math.max(...lengths));
    short.forEach((i, row) => {
      expect(lengths[row]).toBe(encoded.tokens[i].length);
      expect(labels[row]).toBe(corpus.train[i].label);
      expect([...tokens.subarray(row * size, row * size + lengths[row])]).toEqual([...encoded.tokens[i]]);
      expect(tokens.subarray(row * size + lengths[row], (row + 1) * size).every((id) => id === 0)).toBe(true);
    });
  });

  it("refuse a text without words, by its name", () => {
    expect(() => encodeDocuments([{ id: "mail 7", tokens: [], label: 0 }], vocabulary, 5)).toThrow(
      /mail 7: expected a text with words, got "none"/,
    );
  });
});

describe("a run", () => {
  it("learns, keeps the model of the lowest validation loss, and writes what it says", async () => {
    const outcome = await train(options("whole"));
    if (outcome.status !== "done") throw new Error("not done");
    expect(outcome.result.steps).toBe(39);
    expect(outcome.result.test.accuracy).toBeGreaterThan(0.8);
    expect(Object.keys(await contents("whole")).sort()).toEqual([
      "config.json",
      "log.jsonl",
      "model.safetensors",
      "result.json",
      "state.safetensors",
    ]);
    expect(JSON.parse(await readFile(join(folder, "whole/config.json"), "utf8"))).toEqual(run);
    expect(JSON.parse(await readFile(join(folder, "whole/result.json"), "utf8"))).toEqual(outcome.result);
    const log = (await readFile(join(folder, "whole/log.jsonl"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const validations = log.filter(({ event }) => event === "validation");
    expect(validations.map(({ step }) => step)).toEqual([13, 26, 39]);
    const best = validations.reduce((a, b) => (b.loss < a.loss ? b : a));
    expect(outcome.result.bestStep).toBe(best.step);
    expect(outcome.result.validation.loss).toBe(best.loss);
    const model = parseCheckpoint(await readFile(join(folder, "whole/model.safetensors")), "model");
    expect(model.state.step).toBe(best.step);
    expect(model.state.firstMoments).toBeUndefined();
  });

  it.each([[1], [7], [13], [14], [38]])(
    "interrupted after every %d steps ends with the same bits as one that never stopped",
    async (every) => {
      await train(options("steady", { resume: true }));
      const name = `interrupted-${every}`;
      let sittings = 0;
      for (let status = "interrupted"; status === "interrupted"; sittings++) {
        let steps = 0;
        // A new model each time, of another seed before the state is loaded: nothing may live on in memory.
        const outcome = await train(options(name, { resume: true, interrupted: () => ++steps % every === 0 }));
        status = outcome.status;
      }
      expect(sittings).toBe(Math.ceil(39 / every));
      expect(await contents(name)).toEqual(await contents("steady"));
    },
  );

  it("that died between two states does the same steps again, alike", async () => {
    await train(options("steady", { resume: true }));
    let steps = 0;
    const dies = options("died", {
      resume: true,
      saveEvery: 1e9,
      interrupted: () => {
        if (++steps === 20) throw new Error("power is gone");
        return false;
      },
    });
    await expect(train(dies)).rejects.toThrow("power is gone");
    await writeFile(join(folder, "died/log.jsonl"), '{"event":"steps","step":18,"loss":0}\n{"event":"st', {
      flag: "a",
    });
    await train(options("died", { resume: true }));
    expect(await contents("died")).toEqual(await contents("steady"));
  });

  it("is not begun over another one, nor gone on with under another configuration", async () => {
    await train(options("taken"));
    const before = await contents("taken");
    await expect(train(options("taken"))).rejects.toThrow(/out: expected a folder without a run \(or --resume/);
    const other = resolveRun({ ...run, training: { ...run.training, seed: 6 } });
    await expect(train(options("taken", { resume: true, run: other }))).rejects.toThrow(
      /config: expected the configuration of the run in .*taken/,
    );
    expect(await contents("taken")).toEqual(before);
  });

  it("stops before a number that is none, names the tensor, and can go on from the step before", async () => {
    await expect(train(options("poisoned", { create: linearClassifier(17) }))).rejects.toThrow(
      /step 17: embedding\.weight is not finite/,
    );
    const state = parseCheckpoint(await readFile(join(folder, "poisoned/state.safetensors")), "state");
    expect(state.state.step).toBe(17);
    await train(options("poisoned", { resume: true }));
    await train(options("steady", { resume: true }));
    expect((await contents("poisoned"))["model.safetensors"]).toEqual((await contents("steady"))["model.safetensors"]);
  });

  it("stops in the middle of an epoch when asked for a part of one", async () => {
    const half = resolveRun({ ...run, training: { ...run.training, epochs: 0.5 } });
    const outcome = await train(options("half", { run: half }));
    expect(outcome).toMatchObject({ status: "done", result: { steps: 7, bestStep: 7 } });
  });
});

describe("a limit", () => {
  it("takes documents from all over the training part", () => {
    const limited = resolveRun({ ...run, data: { ...run.data, limit: 10 } });
    const taken = trainingDocuments(corpus, limited);
    expect(taken.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, i) => `train/${10 * i}`));
    expect(trainingDocuments(corpus, run)).toBe(corpus.train);
  });
});

describe("a configuration", () => {
  it.each<[object, RegExp]>([
    [{ training: { epochs: 0 } }, /training\.epochs: expected a finite number above 0, got 0/],
    [{ training: { learningRate: Number.NaN } }, /training\.learningRate: .* got NaN/],
    [{ training: { epoch: 3 } }, /training: expected one of epochs, .* got "epoch"/],
    [{ data: { corpus: "enron" } }, /data\.corpus: expected "spam-assassin" or "imdb" or "listops", got "enron"/],
    [{ model: { classes: 3 } }, /model\.classes: expected nothing: the corpus decides it/],
    [{ modle: {} }, /config: expected one of data, model, training, got "modle"/],
  ])("%j is refused by name", (options, message) => {
    expect(() => resolveRun(options)).toThrow(message);
  });
});

describe("a sweep", () => {
  const sweep = {
    grid: { attention: ["fna-euclidean", "dot-product"] as const, alpha: [1.2, 2], width: [4, 8], seed: [1, 2, 3] },
    base: { data: { corpus: "listops" as const }, training: { epochs: 1, batch: 16 } },
  };

  it("has every combination once, orders only where they mean something, seed by seed", () => {
    const jobs = sweepJobs(sweep);
    expect(jobs.length).toBe(3 * 2 * 3);
    expect(jobs.slice(0, 3).map(({ name }) => name)).toEqual([
      "fna-euclidean-a1.2-w4-s1",
      "fna-euclidean-a2-w4-s1",
      "dot-product-w4-s1",
    ]);
    expect(new Set(jobs.map(({ run }) => JSON.stringify(run))).size).toBe(18);
    expect(jobs[0].run.training).toMatchObject({ seed: 1, epochs: 1, batch: 16 });
  });

  it("gathers what is done, with the mean and the spread over seeds", async () => {
    const jobs = sweepJobs(sweep);
    const accuracies = new Map<string, number[]>();
    for (const { name, run } of jobs.slice(0, -1)) {
      const outcome = await train(options(join("sweep", name), { run }));
      if (outcome.status !== "done") throw new Error("not done");
      const key = name.replace(/-s\d$/, "");
      accuracies.set(key, [...(accuracies.get(key) ?? []), outcome.result.test.accuracy]);
    }
    const { rows, missing } = await gatherSweep(join(folder, "sweep"), sweep);
    expect(missing).toEqual([jobs[17].name]);
    expect(rows.map(({ seeds }) => seeds.length)).toEqual([3, 3, 3, 3, 3, 2]);
    for (const row of rows) {
      const key = `${row.attention}${row.alpha === undefined ? "" : `-a${row.alpha}`}-w${row.width}`;
      expect(row.accuracy).toEqual(spread(accuracies.get(key) ?? []));
    }
  });

  it("knows mean and sample deviation", () => {
    expect(spread([1, 2, 3, 6])).toEqual({ mean: 3, deviation: Math.sqrt(14 / 3) });
    expect(spread([4])).toEqual({ mean: 4, deviation: undefined });
  });

  it("refuses an empty axis and a value twice", () => {
    expect(() => sweepJobs({ ...sweep, grid: { ...sweep.grid, seed: [] } })).toThrow(
      /seed: expected one or more values, each once/,
    );
    expect(() => sweepJobs({ ...sweep, grid: { ...sweep.grid, width: [4, 4] } })).toThrow(/width/);
  });
});
