import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { deviceError, explain, UsageError } from "../src/cli/errors.js";
import { readWhole, writeWhole } from "../src/cli/files.js";
import { densities, renderLegend, renderMaps } from "../src/cli/heat-map.js";
import { colorDepth, type Sink } from "../src/cli/io.js";
import { scalesText, type TextFlags } from "../src/cli/text-options.js";
import { readNumbers } from "../src/cli/values.js";
import { BackendUnavailableError } from "../src/errors.js";
import { levelCount } from "../src/page/heat.js";
import { runFna } from "./cli/run.js";

const text = "the cat saw the dog and the dog saw the cat";
let folder: string;

beforeAll(async () => {
  // A machine without a GPU, whatever this one has.
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => null } });
  folder = await mkdtemp(join(tmpdir(), "fna-cli-"));
  await writeFile(join(folder, "text.txt"), `${text}\n`);
  await writeFile(join(folder, "empty.txt"), "");
  await writeFile(join(folder, "binary.bin"), new Uint8Array([1, 0, 2]));
  await writeFile(join(folder, "latin.txt"), new Uint8Array([0x63, 0x61, 0x66, 0xe9]));
  await writeFile(join(folder, "not-a-result.json"), '{"rows": [{}]}');
  await mkdir(join(folder, "folder.html"));
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await rm(folder, { recursive: true, force: true });
});

/** In the folder of this file's texts. */
const fna = (argv: string[], changes: Parameters<typeof runFna>[2] = {}) => runFna(argv, folder, changes);

describe("wrong usage", () => {
  const table: [name: string, argv: string[], message: RegExp][] = [
    ["no command", [], /Usage: fna/],
    ["unknown command", ["attent"], /unknown command 'attent'/],
    ["unknown option", ["attend", "--alpa", "1"], /unknown option '--alpa'[\s\S]*--alpha/],
    ["alpha of 0", ["attend", text, "--alpha", "0"], /--alpha.* '0' is invalid\. Expected a number in \(0, 2\]/],
    ["alpha above 2", ["attend", text, "--alpha", "2.5"], /--alpha.*'2\.5'.*\(0, 2\]/],
    ["alpha that is no number", ["attend", text, "--alpha", "NaN"], /--alpha.*'NaN'.*\(0, 2\]/],
    ["alpha in hexadecimal", ["attend", text, "--alpha", "0x1"], /--alpha.*'0x1'.*\(0, 2\]/],
    ["alpha of nothing", ["attend", text, "--alpha="], /--alpha.*''.*\(0, 2\]/],
    ["alpha left out", ["attend", text, "--alpha"], /--alpha <order>' argument missing/],
    ["kappa below 0", ["attend", text, "--kappa=-1"], /--kappa.*'-1'.*"paper", "dim", "none" or a number above 0/],
    ["bandwidth by a wrong name", ["attend", text, "--bandwidth", "mode"], /--bandwidth.*'mode'.*"median", "mean" or/],
    ["unknown manifold", ["attend", text, "--manifold", "torus"], /--manifold.*'torus'.*"euclidean", "sphere"/],
    ["unknown device", ["attend", text, "--device", "tpu"], /--device.*'tpu'.*"webgpu"/],
    ["a fraction of a dimension", ["attend", text, "--dim", "2.5"], /--dim.*'2\.5'.*an integer in \[2, 1024\]/],
    ["one token at most", ["attend", text, "--max-tokens", "1"], /--max-tokens.*'1'.*\[2, 512\]/],
    ["no text", ["attend"], /text: expected some words or --text FILE, got nothing/],
    ["text twice", ["attend", "one two", "--text", "text.txt"], /--text: expected either.*"text\.txt" and "one two"/],
    ["one word", ["attend", "one"], /text: expected at least two words.*only "one"/],
    ["punctuation only", ["attend", "... --- !"], /text: expected at least two words.*none/],
    ["an empty file", ["attend", "--text", "empty.txt"], /empty\.txt: expected at least two words.*none/],
    ["a missing file", ["attend", "--text", "nowhere.txt"], /--text: .*"nowhere\.txt" \(no such file\)/],
    ["a directory for a text", ["attend", "--text", "."], /--text: .*"\." \(it is a directory\)/],
    ["a binary file", ["attend", "--text", "binary.bin"], /--text: expected a text file, got "binary\.bin".*binary/],
    ["a file that is not UTF-8", ["attend", "--text", "latin.txt"], /--text: .*"latin\.txt".*not UTF-8/],
    ["SVG without a place", ["attend", text, "--svg"], /--svg: expected --out as well/],
    [
      "a result that is none",
      ["report", text, "--out", "x", "--verification", "not-a-result.json"],
      /--verification: expected what "fna verify --json" prints, got "not-a-result\.json"/,
    ],
    [
      "a page in place of a folder",
      ["attend", text, "--out", "folder.html"],
      /--out: .*"folder\.html" \(it is a directory\)/,
    ],
    ["a page below a file", ["attend", text, "--out", "text.txt/page.html"], /--out: .*a part of the path is a file/],
    ["unknown group", ["verify", "--group", "kernle"], /--group.*'kernle'.*"kernel"/],
    [
      "a group that the backend has no part in",
      ["verify", "--device", "wasm,webgpu", "--group", "kernel"],
      /groups: expected a group that wasm and webgpu can be checked by \(attention_euclidean, .*\), got "kernel"/,
    ],
    ["a backend that cannot be verified", ["verify", "--device", "tpu"], /--device.*'tpu'.*"reference"/],
    ["no cases", ["verify", "--cases", "0"], /--cases.*'0'.*\[1, 100000\]/],
    ["a negative seed", ["verify", "--seed=-1"], /--seed.*'-1'.*\[0, 4294967295\]/],
    ["a word too many", ["verify", "one", "two"], /too many arguments/],
    [
      "golden vectors that are not there",
      ["verify", "--group", "kernel", "--golden", "nowhere"],
      /--golden: .*nowhere/,
    ],
  ];
  it.each(table)("%s", async (_name, argv, message) => {
    const { code, out, err } = await fna(argv);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect(out).toBe("");
    expect(code).toBe(2);
  });

  it("leaves no file behind", async () => {
    const before = await readdir(folder);
    await fna(["attend", text, "--out", "folder.html"]);
    await fna(["attend", text, "--out", "new/page.html", "--device", "webgpu"]);
    expect(await readdir(folder)).toEqual(before);
  });

  it("shows where something unforeseen went wrong only to those who ask", async () => {
    const readStdin = async () => {
      throw new Error("the tape is torn");
    };
    const plain = await fna(["attend", "--text", "-"], { readStdin });
    expect(plain).toEqual({ code: 1, out: "", err: "error: unexpected: the tape is torn (FNA_DEBUG=1 shows where)\n" });
    const debug = await fna(["attend", "--text", "-"], { readStdin, env: { FNA_DEBUG: "1" } });
    expect(debug.err).toMatch(/the tape is torn[\s\S]*\n\s+at .*readStdin/);
  });
});

describe("help", () => {
  it.each([["attend"], ["report"], ["verify"]])("of %s has examples and goes to stdout", async (command) => {
    const { code, out, err } = await fna([command, "--help"]);
    expect(code).toBe(0);
    expect(err).toBe("");
    expect(out).toMatch(new RegExp(`Examples:\\n  fna ${command}`));
  });

  it("lists the commands, and the version is the package's", async () => {
    const { code, out } = await fna(["--help"]);
    expect(code).toBe(0);
    expect(out).toMatch(/attend .*[\s\S]*report .*[\s\S]*verify /);
    expect(await fna(["--version"])).toEqual({ code: 0, out: `${manifest.version}\n`, err: "" });
  });
});

describe("fna attend", () => {
  it("shows links, maps and numbers, the same from words, a file and standard input", async () => {
    const words = await fna(["attend", ...text.split(" ")]);
    expect(words.code).toBe(0);
    expect(words.err).toBe("");
    expect(words.out).toMatch(/^no\. +token +dot-product +local, α = 2 +multiscale, α = 1\.2\n/);
    expect(words.out).toMatch(/\n +1 +the +the\(\d+\) /);
    expect(words.out).toMatch(/attention +gap \(real\) +gap \(modulus\) +mean hops/);
    expect(words.out).toContain("command line: 11 tokens");
    const file = await fna(["attend", "-t", "text.txt"]);
    const stdin = await fna(["attend", "--text", "-"], { readStdin: async () => new TextEncoder().encode(text) });
    expect(file.out).toBe(words.out.replace("command line:", "text.txt:"));
    expect(stdin.out).toBe(words.out.replace("command line:", "standard input:"));
  });

  it("prints JSON and nothing else with --json", async () => {
    const { code, out, err } = await fna(["attend", text, "--json", "--alpha", "1.5", "--links", "2"]);
    expect([code, err]).toEqual([0, ""]);
    const result = JSON.parse(out);
    expect(result.tokens).toEqual(text.split(" "));
    expect(result.attentions.map((a: { name: string; alpha: number | null }) => [a.name, a.alpha])).toEqual([
      ["dot-product", null],
      ["local", 2],
      ["multiscale", 1.5],
    ]);
    for (const a of result.attentions) {
      expect(a.weights.length).toBe(11);
      expect(a.links[0].length).toBe(2);
      expect(a.links[0][0].weight).toBe(Math.max(...a.weights[0]));
      expect(a.spectralGap.byRealPart).toBe(a.eigenvalues[0] - a.eigenvalues[1]);
      // Rows of float32 weights sum to 1 up to 11 roundings of numbers below 1.
      expect(Math.abs(a.eigenvalues[0] - 1)).toBeLessThan(11 * 2 ** -24);
    }
  });

  it("says how many tokens it looked at", async () => {
    const { out } = await fna(["attend", text, "--max-tokens", "4", "--links", "0"]);
    expect(out).toContain("the first 4 tokens (--max-tokens)");
    expect(out).not.toContain("no.");
  });

  it("takes the geometry that is asked for", async () => {
    const run = async (...options: string[]) => JSON.parse((await fna(["attend", text, "--json", ...options])).out);
    const plain = await run();
    for (const options of [
      ["--manifold", "sphere"],
      ["--kappa", "none"],
      ["--bandwidth", "median"],
      ["--dim", "12"],
    ]) {
      const other = await run(...options);
      expect(other.attentions[2].weights).not.toEqual(plain.attentions[2].weights);
      const embeddingsChanged = options[0] === "--dim";
      expect(JSON.stringify(other.attentions[0]) === JSON.stringify(plain.attentions[0])).toBe(!embeddingsChanged);
    }
  });

  it("writes the page and the pictures whole, and names them", async () => {
    const { code, out } = await fna(["attend", text, "--out", "deep/down", "--svg", "--links", "0"]);
    expect(code).toBe(0);
    expect((await readdir(join(folder, "deep/down"))).sort()).toEqual([
      "dot-product.svg",
      "local.svg",
      "multiscale.svg",
      "report.html",
    ]);
    expect(out.trimEnd().split("\n").at(-1)).toBe(`wrote ${join(folder, "deep/down/report.html")}`);
    const page = await readFile(join(folder, "deep/down/report.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
    expect(page).toContain("1970-01-01 00:00 UTC");
    expect(page).toContain("Not part of this run");
  });

  it("refuses a device that cannot run here, with its reason", async () => {
    const { code, err } = await fna(["attend", text, "--device", "webgpu"]);
    expect(code).toBe(2);
    expect(err).toMatch(/--device: expected one that runs here, got one that does not \(webgpu: .+\)/);
    expect(await fna(["verify", "--device", "webgpu"])).toEqual({ code, out: "", err });
  });
});

describe("fna report", () => {
  it("times the devices, attends, and ends with the path of a page of it all", async () => {
    const { code, out, err } = await fna(["report", text, "--out", "whole", "--no-verify"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^forward, ms +N=64 .*accuracy\nreference \(float64\) .* passed\nwasm, 1 thread .* passed\n/);
    expect(out).toMatch(/webgpu was not timed: /);
    expect(out).toMatch(/attention +gap \(real\) /);
    const path = join(folder, "whole/report.html");
    expect(out.trimEnd().split("\n").at(-1)).toBe(`wrote ${path}`);
    const page = await readFile(path, "utf8");
    expect(page).toContain("Checked before it is timed");
    expect(page).toContain("Not part of this run;\n<code>fna verify");
  });

  it("puts a result of verify on the page, and fails with it", async () => {
    const argv = ["verify", "--group", "random normal", "--cases", "1", "--out", "result.json"];
    expect((await fna(argv)).code).toBe(0);
    const { code, out } = await fna([
      "report",
      text,
      "--no-times",
      "--out",
      "page.html",
      "--verification",
      "result.json",
    ]);
    expect(code).toBe(0);
    expect(out).toMatch(/all \d+ checks passed/);
    expect(await readFile(join(folder, "page.html"), "utf8")).toContain("<td>random normal</td>");
    const result = await readFile(join(folder, "result.json"), "utf8");
    await writeFile(join(folder, "failed.json"), result.replaceAll('"passed": true', '"passed": false'));
    const failed = await fna(["report", text, "--no-times", "--out", "failed.html", "--verification", "failed.json"]);
    expect(failed.code).toBe(1);
    expect(await readFile(join(folder, "failed.html"), "utf8")).toContain("Some checks failed");
  });

  it("prints JSON and nothing else with --json", async () => {
    const { out, err } = await fna(["report", text, "--json", "--no-verify", "--no-times", "--out", "j.html"]);
    expect(err).toBe("");
    expect(JSON.parse(out)).toMatchObject({ files: [join(folder, "j.html")], device: "wasm" });
  });
});

describe("fna verify", () => {
  it("prints one row per backend and group", async () => {
    const { code, out, err } = await fna([
      "verify",
      "--group",
      "random normal,random far",
      "--seed",
      "9",
      "--cases",
      "2",
    ]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^backend +group +cases +checks +error +bound +margin +seed +result\n/);
    expect(out).toMatch(/\nreference +random normal +2 +\d+ .* 9 +passed\n/);
    expect(out).toMatch(/\nreference +random far +2 +\d+ .* 9 +passed\n/);
    expect(out).toMatch(/all \d+ checks passed\n$/);
  });

  it("exits with 1 and names the case when a check fails", async () => {
    const golden = join(folder, "golden");
    await mkdir(golden);
    const original = gunzipSync(await readFile("fixtures/golden/sinkhorn.json.gz")).toString();
    const wrong = original.replace("[-1.6987,", "[1.6987,");
    expect(wrong).not.toBe(original);
    await writeFile(join(golden, "sinkhorn.json.gz"), gzipSync(wrong));
    const { code, out } = await fna(["verify", "--group", "sinkhorn", "--golden", "golden"]);
    expect(code).toBe(1);
    expect(out).toMatch(/\nreference +sinkhorn .* FAILED\n/);
    expect(out).toMatch(/reference sinkhorn failed at k000/);
    const whole = await fna(["verify", "--group", "sinkhorn", "--golden", resolve("fixtures/golden")]);
    expect(whole.code).toBe(0);
  });

  it("prints JSON and nothing else with --json, the same for the same seed", async () => {
    const argv = ["verify", "--group", "random large", "--cases", "2", "--seed", "3", "--json"];
    const [first, second] = [await fna(argv), await fna(argv)];
    expect(first).toEqual(second);
    const { rows, passed } = JSON.parse(first.out);
    expect(passed).toBe(true);
    expect(rows[0]).toMatchObject({ device: "reference", group: "random large", cases: 2, seed: 3, passed: true });
  });
});

describe("words on a terminal", () => {
  it("say how attention was measured", () => {
    const flags = { manifold: "euclidean", kappa: "paper", bandwidth: 1 } as TextFlags;
    expect(scalesText(flags)).toBe(
      "Local and multiscale attention measure Euclidean distances, with the length scale “paper” and ε\u00a0=\u00a01.",
    );
    expect(scalesText({ ...flags, manifold: "sphere", kappa: 2, bandwidth: "median" })).toBe(
      "Local and multiscale attention measure angles on the sphere, with κ\u00a0=\u00a02 and ε measured as the median of the distances.",
    );
  });

  it("are cut where a token is long", async () => {
    const { out } = await fna(["attend", "antidisestablishmentarianism is long"]);
    expect(out).toMatch(/\n +1 +antidisestablishmen… +is\(2\)/);
  });

  it("have a legend of the colours, from the lowest to the highest", () => {
    const legend = renderLegend("truecolor");
    expect(legend.match(/48;2;/g)).toHaveLength(levelCount);
    expect(legend.startsWith("weight: 1/16 ")).toBe(true);
    expect(renderLegend("none")).toContain(`[${densities}]`);
  });

  it("name the causes of failure that a person can mend, and no others", () => {
    const gone = new BackendUnavailableError([{ device: "webgpu", reason: "no adapter" }]);
    expect(deviceError(gone)).toEqual(
      new UsageError("--device: expected one that runs here, got one that does not (webgpu: no adapter)"),
    );
    const other = new Error("other");
    expect(deviceError(other)).toBe(other);
    expect(explain("thrown", true)).toEqual({ message: "unexpected: thrown (FNA_DEBUG=1 shows where)", code: 1 });
  });

  it("bring numbers back that JSON has none for", () => {
    const text = '{"a":"NaN","b":["Infinity","-Infinity"],"c":"nan"}';
    expect(JSON.parse(text, readNumbers)).toEqual({
      a: Number.NaN,
      b: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      c: "nan",
    });
  });
});

describe("files", () => {
  it("that are longer than they may be are refused before they are read", async () => {
    await expect(readWhole("--config", folder, "text.txt", 10)).rejects.toThrow(
      `--config: expected a file of at most 10 bytes, got "text.txt" (${text.length + 1} bytes)`,
    );
  });

  it("that cannot be written are refused by the option that named them", async () => {
    await expect(writeWhole("--out", folder, "text.txt/deep.html", "")).rejects.toThrow(
      '--out: expected a place that can be written, got "text.txt/deep.html" (',
    );
  });
});

describe("terminal maps", () => {
  // 0 on the diagonal, uniform elsewhere.
  const uniform = (size: number) =>
    Float64Array.from({ length: size * size }, (_, p) => (p % (size + 1) === 0 ? 0 : 1 / size));

  it("uses density characters without colours, one line for two rows", () => {
    const lines = renderMaps([{ title: "a", weights: uniform(4) }], 4, 80, "none");
    // A block of two rows is half as dense where one of the two is the diagonal.
    const uniformCharacter = densities[Math.floor((10 * densities.length) / 21)];
    const half = densities[Math.floor((8 * densities.length) / 21)];
    expect(lines).toEqual([
      "a",
      half.repeat(2) + uniformCharacter.repeat(2),
      uniformCharacter.repeat(2) + half.repeat(2),
    ]);
    expect(renderMaps([{ title: "a", weights: uniform(1) }], 1, 80, "none")).toEqual(["a", ""]);
  });

  it("never is wider than the terminal, whatever the sizes", () => {
    for (const size of [1, 2, 7, 40, 200]) {
      for (const columns of [1, 10, 47, 48, 52, 80, 300]) {
        const maps = ["dot-product", "local", "multiscale"].map((title) => ({ title, weights: uniform(size) }));
        for (const depth of ["none", "256", "truecolor"] as const) {
          for (const line of renderMaps(maps, size, columns, depth)) {
            // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character opens a colour code.
            const visible = line.replace(/\u001b\[[\d;]*m/g, "");
            expect(visible.length).toBeLessThanOrEqual(columns);
          }
        }
      }
    }
  });

  it("paints two cells a character in the colours of the terminal", () => {
    // A weight of 1 among 2 is twice the uniform one: level 13 of 20, a quarter of the way from [62, 155, 150] to
    // [166, 207, 140].
    const [, line] = renderMaps([{ title: "a", weights: Float64Array.of(0, 1, 1, 0) }], 2, 80, "truecolor");
    expect(line).toBe(
      "\u001b[38;2;21;23;28m\u001b[48;2;88;168;148m▀\u001b[38;2;88;168;148m\u001b[48;2;21;23;28m▀\u001b[0m",
    );
    expect(renderMaps([{ title: "a", weights: Float64Array.of(0, 1, 1, 0) }], 2, 80, "256")[1]).toMatch(/38;5;\d+m/);
  });

  it("uses colours only where they are wanted", () => {
    const terminal: Sink = { write() {}, interactive: true, columns: 80 };
    const pipe: Sink = { ...terminal, interactive: false };
    expect(colorDepth(terminal, {})).toBe("256");
    expect(colorDepth(terminal, { COLORTERM: "truecolor" })).toBe("truecolor");
    expect(colorDepth(terminal, { COLORTERM: "truecolor", NO_COLOR: "1" })).toBe("none");
    expect(colorDepth(terminal, { NO_COLOR: "" })).toBe("256");
    expect(colorDepth(terminal, { TERM: "dumb" })).toBe("none");
    expect(colorDepth(terminal, { FORCE_COLOR: "0" })).toBe("none");
    expect(colorDepth(pipe, { COLORTERM: "truecolor" })).toBe("none");
    expect(colorDepth(pipe, { FORCE_COLOR: "3" })).toBe("truecolor");
  });
});
