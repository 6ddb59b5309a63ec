import { createHash } from "node:crypto";
import { parseHTML } from "linkedom";
import { beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../reference/random.js";
import type { Attention } from "../src/attention.js";
import { createAttention } from "../src/index.js";
import { attentionMap, attentionMapFile, strongestLinks } from "../src/page/attention-map.js";
import { hopsText, marginText, milliseconds, percent, scientific, titleOf } from "../src/page/format.js";
import { heatLevel, levelCount, ramp } from "../src/page/heat.js";
import { escapeText, html } from "../src/page/html.js";
import { placeLabels } from "../src/page/labels.js";
import { encodeWeights } from "../src/page/probe.js";
import { type Report, renderReport } from "../src/page/report.js";
import { circleStudy, pathStudy } from "../src/page/studies.js";
import { timingStudy } from "../src/page/timing-study.js";
import { compareAttention } from "../src/text/compare.js";
import { embed } from "../src/text/embeddings.js";
import { tokenize } from "../src/text/tokens.js";

const hostile = `<script>alert("x")</script> & 'quoted' ]]> \u0000 <img src=x>`;

async function sample(text: string, source: string): Promise<Report> {
  const { tokens, truncated } = tokenize(text);
  const attention = await createAttention({ device: "reference" });
  return {
    source,
    text,
    tokens,
    truncated,
    dim: 4,
    verdict: undefined,
    device: "reference",
    scales: "",
    attentions: await compareAttention(attention, embed(tokens, 4), tokens.length, 4),
    circle: [
      {
        alpha: 1.2,
        fits: [
          [1e-4, 1],
          [1e-8, 1.19],
        ],
        coarse: 0.99,
      },
      {
        alpha: 2,
        fits: [
          [1e-4, 2],
          [1e-8, 2],
        ],
        coarse: 2,
      },
    ],
    paths: pathStudy(),
    verification: {
      rows: [
        {
          device: "reference",
          group: "kernel",
          cases: 2,
          checks: 3,
          error: 0,
          bound: 1e-13,
          margin: Number.POSITIVE_INFINITY,
          worst: "",
          passed: true,
        },
        {
          device: "reference",
          group: "levy",
          cases: 2,
          checks: 3,
          error: 1,
          bound: 1e-13,
          margin: 1e-13,
          worst: "<b>",
          passed: false,
          seed: 7,
          note: hostile,
        },
      ],
      omitted: [],
      rejected: [{ device: "webgpu", reason: hostile }],
      passed: false,
    },
    timings: {
      devices: [
        {
          name: "wasm",
          points: [
            { size: 64, milliseconds: 0.1234, quartiles: [0.1, 0.2], rounds: 5, error: 1e-7, bound: 1e-5 },
            { size: 128, milliseconds: 0.5, quartiles: [0.4, 0.6], rounds: 5, error: 5e-7, bound: 2e-5 },
          ],
          passed: true,
        },
        {
          name: "webgpu",
          points: [{ size: 64, milliseconds: 2, quartiles: [1, 3], rounds: 5, error: 1e-7, bound: 1e-5 }],
          passed: false,
          failure: { size: 128, error: 0.5, bound: 1e-5 },
        },
      ],
      rejected: [{ device: "wasm, 8 threads", reason: hostile }],
      adapter: hostile,
    },
    machine: { node: "0", v8: "0", cpu: hostile, cores: 2, memoryGiB: 4, system: "linux x64", date: new Date(0) },
    version: "0.0.0",
  };
}

describe("colour scale", () => {
  it("has the uniform weight in the middle, whatever the length, and leaves zeros out", () => {
    for (const size of [2, 79, 512]) expect(heatLevel(1 / size, size)).toBe((levelCount - 1) / 2);
    expect(heatLevel(0, 10)).toBe(-1);
    expect(heatLevel(1, 512)).toBe(levelCount - 1);
    expect(heatLevel(1e-300, 10)).toBe(0);
    expect(heatLevel(16 / 100, 100)).toBe(levelCount - 1);
    expect(heatLevel(8 / 100, 100)).toBeLessThan(levelCount - 1);
  });

  it.each(["light", "dark"] as const)("changes lightness in one direction only (%s)", (scheme) => {
    const lightness = ramp(scheme).map(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b);
    const sign = scheme === "light" ? -1 : 1;
    for (let i = 1; i < lightness.length; i++) expect(sign * (lightness[i] - lightness[i - 1])).toBeGreaterThan(0);
  });
});

describe("markup", () => {
  it("escapes what is inserted and keeps what is markup", () => {
    expect(html`<p title="${'a"b'}">${html`<b>${"<"}</b>`}${["&", undefined, false]}${0}</p>`.text).toBe(
      '<p title="a&#34;b"><b>&#60;</b>&#38;0</p>',
    );
    expect(escapeText("a\u0000b\ud800c👍")).toBe("a\ufffdb\ufffdc👍");
  });

  it("writes numbers for people", () => {
    expect([0, 1, 0.123, 0.0123, 1e-5].map(percent)).toEqual(["0.0 %", "100 %", "12 %", "1.2 %", "1e-3 %"]);
    expect([0, 1.26e-15].map(scientific)).toEqual(["0", "1.3e-15"]);
    expect([Number.POSITIVE_INFINITY, 12.34, 0.5, 123456].map(marginText)).toEqual(["∞", "12", "0.5", "1.2e+5"]);
    expect(hopsText({ mean: 1.25, unreachable: 0 })).toBe("1.250");
    expect(hopsText({ mean: Number.NaN, unreachable: 6 })).toBe("none (6 pairs apart)");
    expect(titleOf({ name: "local", alpha: 2 })).toBe("local, α = 2");
    expect([0.01234, 12.34, 1234.4].map(milliseconds)).toEqual(["0.0123", "12.3", "1234"]);
  });
});

describe("attention map", () => {
  const weights = Float64Array.of(0, 0.75, 0.25, 0.5, 0, 0.5, 1, 0, 0);
  const content = { id: "m", title: "a <b>", tokens: ["x", "<i>", "&"], weights };

  it("lists the strongest links, equal ones from left to right, without zeros", () => {
    expect(strongestLinks(weights, 3, 1, 5)).toEqual([
      { index: 0, weight: 0.5 },
      { index: 2, weight: 0.5 },
    ]);
    expect(strongestLinks(weights, 3, 0, 1)).toEqual([{ index: 1, weight: 0.75 }]);
  });

  it("covers exactly the cells that have weight, each with its level", () => {
    const { document } = parseHTML(`<body>${attentionMap(content)}</body>`);
    const covered = new Map<string, number>();
    for (const path of document.querySelectorAll(".cells path")) {
      const level = Number(path.getAttribute("class")?.slice(1));
      const [, start, moves] = path.getAttribute("d")!.match(/^(M0 \.5)((?:m-?\d+ \d+h\d+)+)$/)!;
      expect(start).toBe("M0 .5");
      let [x, y] = [0, 0];
      for (const [, dx, dy, run] of moves.matchAll(/m(-?\d+) (\d+)h(\d+)/g)) {
        x += Number(dx);
        y += Number(dy);
        for (let c = 0; c < Number(run); c++) covered.set(`${y},${x++}`, level);
      }
    }
    const expected = new Map<string, number>();
    weights.forEach((w, p) => {
      if (w > 0) expected.set(`${Math.floor(p / 3)},${p % 3}`, heatLevel(w, 3));
    });
    expect(new Map([...covered].sort())).toEqual(expected);
  });

  it("names every link it can be pointed at", () => {
    const { document } = parseHTML(`<body>${attentionMap(content)}</body>`);
    const titles = [...document.querySelectorAll("rect.hit")].map((rect) => rect.querySelector("title")?.textContent);
    expect(titles).toContain("x (1) → <i> (2): 75 %");
    expect(titles.length).toBe(3 + 5);
  });

  it("cuts long words, and writes numbers at the edge of a large one, ten at most", () => {
    const size = 300;
    const tokens = Array.from({ length: size }, (_, i) => (i === 0 ? "antidisestablishmentarianism" : `t${i}`));
    const content = { id: "m", title: "m", tokens, weights: new Float64Array(size * size).fill(1 / size) };
    expect(attentionMapFile(content)).toContain(">antidisestablis…</text>");
    const { document } = parseHTML(String(attentionMap(content)));
    const marks = [...document.querySelectorAll("g text")].map((mark) => Number(mark.textContent));
    expect(marks.length).toBeGreaterThan(4);
    expect(new Set(marks)).toEqual(new Set([1, 50, 100, 150, 200, 250, 300]));
  });

  it("is well-formed as a file of its own, with every token written on both sides", () => {
    const file = attentionMapFile(content);
    expect(file.startsWith('<?xml version="1.0" encoding="UTF-8"?>\n<svg')).toBe(true);
    expect(openTags(file)).toEqual([]);
    expect(file.match(/&#60;i&#62;<\/text>/g)?.length).toBe(2);
  });
});

/** Elements left open, by a strict reading: every element is closed by its own end tag or by "/>". */
function openTags(markup: string): string[] {
  const open: string[] = [];
  for (const [, close, name, self] of markup.matchAll(/<(\/?)([a-zA-Z][\w-]*)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (close) {
      if (open.pop() !== name) return [`unexpected </${name}>`];
    } else if (!self) open.push(name);
  }
  return open;
}

describe("report", () => {
  let page: string;
  let document: Document;
  beforeAll(async () => {
    page = renderReport(await sample(`${hostile} the cat saw the dog and the dog saw the cat`, hostile));
    document = parseHTML(page).document as unknown as Document;
  });

  it("loads nothing from anywhere", () => {
    expect([...document.querySelectorAll("link,img,image,iframe,object,embed,video,audio,use,base")]).toEqual([]);
    for (const element of document.querySelectorAll("*")) {
      for (const { name, value } of [...element.attributes]) {
        expect(["src", "srcset", "poster", "data", "action", "background"]).not.toContain(name);
        expect(name.startsWith("on")).toBe(false);
        expect(value).not.toMatch(/url\(/);
        if (name === "href") expect(element.tagName.toLowerCase()).toBe("a");
      }
    }
    for (const style of document.querySelectorAll("style"))
      expect(style.textContent).not.toMatch(/url\(|@import|@font-face/);
  });

  it("has one script of its own, and a policy that allows it and nothing else", () => {
    const [script, ...more] = document.querySelectorAll("script");
    expect(more).toEqual([]);
    expect([...script.attributes]).toEqual([]);
    const hash = createHash("sha256")
      .update(/<script>([\s\S]*)<\/script>/.exec(page)![1])
      .digest("base64");
    const policy = document.querySelector('meta[http-equiv="Content-Security-Policy"]')?.getAttribute("content");
    expect(policy).toBe(`default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`);
  });

  it("labels every picture, and every label refers to something", () => {
    const pictures = [...document.querySelectorAll("svg")];
    expect(pictures.length).toBeGreaterThan(8);
    for (const svg of pictures) {
      if (svg.getAttribute("aria-hidden") === "true") continue;
      const ids = svg.getAttribute("aria-labelledby")?.split(" ");
      const label = ids
        ? ids.map((id) => document.getElementById(id)?.textContent).join("")
        : svg.getAttribute("aria-label");
      expect(svg.getAttribute("role")).toBe("img");
      expect(label?.length).toBeGreaterThan(10);
    }
    for (const element of document.querySelectorAll("[aria-labelledby]")) {
      for (const id of element.getAttribute("aria-labelledby")!.split(" ")) {
        expect(document.querySelectorAll(`[id="${id}"]`).length).toBe(1);
      }
    }
  });

  it("has one heading of the first rank, no rank skipped, and its language and width declared", () => {
    const ranks = [...document.querySelectorAll("h1,h2,h3")].map((heading) => Number(heading.tagName[1]));
    expect(ranks[0]).toBe(1);
    expect(ranks.filter((rank) => rank === 1).length).toBe(1);
    for (let i = 1; i < ranks.length; i++) expect(ranks[i] - ranks[i - 1]).toBeLessThanOrEqual(1);
    expect(document.documentElement.getAttribute("lang")).toBe("en");
    expect(document.querySelector('meta[name="viewport"]')?.getAttribute("content")).toContain("width=device-width");
  });

  it("shows hostile text as text", () => {
    expect(document.querySelector("blockquote")?.textContent).toContain("<script>alert(");
    expect(page.match(/<script/g)?.length).toBe(1);
    expect(page.match(/<\/script/g)?.length).toBe(1);
    expect(page).not.toContain("<img");
    expect(page).not.toContain("\u0000");
  });

  it("has a row for every attention, token and check, and says which checks failed", () => {
    const text = (selector: string) => [...document.querySelectorAll(selector)].map((cell) => cell.textContent);
    expect(text('[aria-labelledby="numbers"] tbody th')).toEqual([
      "dot-product",
      "local, α = 2",
      "multiscale, α = 1.2",
    ]);
    expect(text("table.links tbody th").slice(-5)).toEqual(["the", "dog", "saw", "the", "cat"]);
    const rows = text('[aria-labelledby="verify"] tbody tr');
    expect(rows.map((row) => row?.includes("FAILED"))).toEqual([false, true]);
    expect(text('[aria-labelledby="verify"] p')[0]).toContain("Some checks failed.");
  });

  it("has a curve, a row of times and a row of errors for every device, and says which one is wrong", () => {
    const cells = (label: string) =>
      [...document.querySelectorAll(`[${label}] tbody tr`)].map((r) =>
        [...r.querySelectorAll("th,td")].map((cell) => cell.textContent),
      );
    expect(cells('aria-label="Milliseconds by device and number of tokens"')).toEqual([
      ["wasm", "0.123", "0.5"],
      ["webgpu", "2", "wrong"],
    ]);
    expect(cells('aria-labelledby="errors"')).toEqual([
      ["wasm", "128", "5.0e-7", "2.0e-5", "passed"],
      ["webgpu", "128", "5.0e-1", "1.0e-5", "FAILED"],
    ]);
    const label = 'svg[aria-label^="Milliseconds of one forward call"]';
    expect(document.querySelectorAll(`${label} [data-mark="line"] path`).length).toBe(2);
    expect(document.querySelectorAll(`${label} [data-mark="rule"] line`).length).toBe(3);
    const ticks = document.querySelectorAll(`${label} [data-mark="x-axis tick label"] text`);
    expect([...ticks].map((tick) => tick.textContent)).toEqual(["64", "128"]);
  });

  it("says by bars how many hops lie between tokens", () => {
    const svg = document.querySelector('svg[aria-label^="Share of the pairs"]')!;
    const titles = [...svg.querySelectorAll('[data-mark="rect"] title')].map((title) => title.textContent!);
    for (const name of ["dot-product", "local, α = 2", "multiscale, α = 1.2"]) {
      const shares = titles.filter((t) => t.startsWith(`${name}: `)).map((t) => Number(t.split(", ").at(-1)));
      expect(Math.abs(shares.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(shares.length * 1e-4);
    }
  });

  it("counts long ways together, and says which pairs no way joins", async () => {
    const report = await sample("one two three", "x");
    const [attention] = report.attentions;
    const hops = { mean: 5, max: 10, unreachable: 2, counts: [0, 2, 0, 0, 0, 0, 0, 0, 1, 0, 1] };
    const page = renderReport({ ...report, attentions: [{ ...attention, hops }] });
    const { document } = parseHTML(page);
    const bars = document.querySelectorAll('svg[aria-label^="Share of the pairs"] [data-mark="rect"] title');
    expect([...bars].at(-1)?.textContent).toBe("dot-product: 8, 0.3333");
    expect(page).toContain("pairs that no path joins are missing from the bars");
  });

  it("has errors of the attentions where some are known, and a tick where all times are near", async () => {
    const report = await sample("one two three", "x");
    const [known, unknown] = report.attentions;
    const [device] = report.timings!.devices;
    const points = [{ size: 64, milliseconds: 3, quartiles: [2, 4] as const, rounds: 5, error: 1e-7, bound: 1e-5 }];
    const timings = {
      ...report.timings!,
      devices: [
        { ...device, points },
        { ...device, name: "late", points: [] },
      ],
    };
    const page = renderReport({
      ...report,
      attentions: [{ ...known, error: 1.5e-7 } as typeof known, unknown],
      timings,
    });
    const { document } = parseHTML(page);
    const cells = (selector: string) =>
      [...document.querySelectorAll(`${selector} tbody tr`)].map(
        (row) => row.querySelector("td:last-child")?.textContent,
      );
    expect(document.querySelector('[aria-labelledby="numbers"] th:last-child')?.textContent).toBe("error");
    expect(cells('[aria-labelledby="numbers"]')).toEqual(["1.5e-7", ""]);
    const rows = [...document.querySelectorAll('[aria-labelledby="errors"] tbody tr')];
    expect(rows.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent))).toEqual([
      ["64", "1.0e-7", "1.0e-5", "passed"],
      ["", "", "", "passed"],
    ]);
    const chart = 'svg[aria-label^="Milliseconds of one forward call"]';
    const ticks = [...document.querySelectorAll(`${chart} [data-mark="y-axis tick label"] text`)];
    expect(ticks.map((tick) => tick.textContent)).toEqual(["10"]);
  });

  it("shows the beginning of a long text, and says that it is one", async () => {
    const long = Array.from({ length: 400 }, (_, i) => `w${i}`).join(" ");
    const report = await sample("one two three", "x");
    const page = renderReport({ ...report, text: long, truncated: true });
    const { document } = parseHTML(page);
    expect(document.querySelector("blockquote")?.textContent).toBe(`${long.slice(0, 700)} …`);
    expect(page).toContain("its first 3 tokens");
  });

  it("says what could not be verified for want of the golden vectors, and of one core that it is one", async () => {
    const report = await sample("one two three", "x");
    const verification = { ...report.verification!, omitted: ["kernel", "levy"] };
    const page = renderReport({ ...report, verification, machine: { ...report.machine, cores: 1 } });
    expect(page).toContain("for want of the golden vectors of the repository: kernel, levy.");
    expect(page).toMatch(/, 1 core</);
  });

  it("maps every token, labels some, and has no map where tokens are apart", async () => {
    const maps = [...document.querySelectorAll('svg[aria-label^="Diffusion map"]')];
    expect(maps.length).toBe(3);
    const { tokens } = tokenize(`${hostile} the cat saw the dog and the dog saw the cat`);
    for (const map of maps) {
      expect([...map.querySelectorAll("circle title")].map((t) => t.textContent)).toEqual(
        tokens.map((token, i) => `${token} (${i + 1})`),
      );
      expect(map.querySelectorAll('[data-mark="text"]').length).toBeGreaterThan(3);
    }
    const report = await sample("one two three", "x");
    const apart = Float64Array.of(0, 1, 0, 1, 0, 0, 0, 0, 0);
    const page = renderReport({ ...report, attentions: [{ ...report.attentions[0], weights: apart }] });
    expect(page).toContain("there is no one map");
  });

  it("reports the fits that are off as well as those that are near", () => {
    const caption = document.querySelector('[aria-labelledby="circle"] figcaption')?.textContent;
    expect(caption).toMatch(/10⁻⁸ it is\s+1\.19 for α = 1\.2\./);
    expect(caption).toMatch(/still off:\s+0\.99 on 500 points, 1\.00 on 2,000/);
  });
});

describe("labels", () => {
  it("never cover each other nor leave the area, and do not repeat a word beside itself", () => {
    const area = { left: 0, right: 200, top: 0, bottom: 200 };
    const { uniform } = createRandom(4);
    const points = Array.from({ length: 150 }, () => [200 * uniform(), 200 * uniform()] as const);
    const texts = points.map((_, i) => ["a", "word", "something"][i % 3]);
    const placed = placeLabels(texts, points, area);
    expect(placed.length).toBeGreaterThan(10);
    const boxes = placed.map(({ index, anchor, dx, dy }) => {
      const width = texts[index].length * 5.6;
      const left = points[index][0] + dx - { start: 0, middle: width / 2, end: width }[anchor];
      return { left, right: left + width, top: points[index][1] + dy - 6, bottom: points[index][1] + dy + 6 };
    });
    boxes.forEach((a, i) => {
      expect(Math.min(a.left, a.top, 200 - a.right, 200 - a.bottom)).toBeGreaterThanOrEqual(-1e-9);
      for (const b of boxes.slice(i + 1)) {
        expect(
          Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1e-9 &&
            Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1e-9,
        ).toBe(false);
      }
    });
    expect(
      placeLabels(
        ["a", "a"],
        [
          [50, 50],
          [50, 90],
        ],
        area,
      ).map(({ index }) => index),
    ).toEqual([0]);
    expect(
      placeLabels(
        ["a", "a"],
        [
          [50, 50],
          [50, 150],
        ],
        area,
      ).map(({ index }) => index),
    ).toEqual([0, 1]);
  });
});

describe("weights for the script", () => {
  it("keep their value to a third of a promille, zeros and ones exactly", () => {
    const weights = Float64Array.of(0, 1, 0.5, 0.1234567, 1e-5, 3e-9, 1e-30);
    const bytes = Buffer.from(encodeWeights(weights), "base64");
    const read = weights.map((_, p) =>
      bytes.readUInt16LE(2 * p) === 65535 ? 0 : 2 ** (-bytes.readUInt16LE(2 * p) / 2048),
    );
    expect([...read.slice(0, 3)]).toEqual([0, 1, 0.5]);
    // Half a step of 1/2048 in the exponent.
    for (const p of [3, 4, 5]) expect(Math.abs(read[p] / weights[p] - 1)).toBeLessThan(2 ** (1 / 4096) - 1 + 1e-12);
    expect(read[6]).toBe(2 ** (-65534 / 2048));
  });
});

describe("timings", () => {
  it("are medians of devices that are right, with the curve of a wrong one cut", async () => {
    const right = await createAttention({ device: "wasm" });
    const wrong = {
      device: "wasm",
      forward: async (inputs: Parameters<typeof right.forward>[0]) => {
        const result = await right.forward(inputs);
        if (inputs.queries > 16) result.output[0] += 1;
        return result;
      },
    } as unknown as Attention;
    const labels: string[] = [];
    const devices = [
      { name: "right", attention: right as Attention },
      { name: "wrong", attention: wrong },
    ];
    const onProgress = (done: number, total: number, label: string) => labels.push(`${done}/${total} ${label}`);
    const [first, second] = await timingStudy(devices, { sizes: [16, 40], dim: 4, share: 300, onProgress });
    right.dispose();
    expect(first.passed).toBe(true);
    expect(first.points.map((p) => p.size)).toEqual([16, 40]);
    for (const { milliseconds: middle, quartiles, rounds, error, bound } of first.points) {
      expect(middle).toBeGreaterThanOrEqual(quartiles[0]);
      expect(middle).toBeLessThanOrEqual(quartiles[1]);
      expect(rounds).toBeGreaterThan(0);
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThanOrEqual(bound);
    }
    expect(second).toMatchObject({ name: "wrong", passed: false, failure: { size: 40 } });
    expect(second.points.map((p) => p.size)).toEqual([16]);
    expect(second.failure!.error).toBeGreaterThan(0.9);
    expect(labels).toEqual(["0/2 timing N = 16", "1/2 timing N = 40", "2/2 done"]);
  });
});

describe("studies", () => {
  it("find the exponents of the circle that are known", () => {
    const studies = circleStudy();
    const at = (alpha: number, bandwidth: number) =>
      studies.find((s) => s.alpha === alpha)!.fits.find(([b]) => Math.abs(b / bandwidth - 1) < 1e-9)![1];
    // Measured independently on 200,000 points, to three decimals; 500 points at 1e-4 are known to two.
    for (const [alpha, exponent] of [
      [1, 1.007],
      [1.2, 1.194],
      [1.6, 1.551],
      [2, 2],
    ]) {
      expect(Math.abs(at(alpha, 1e-8) - exponent)).toBeLessThan(0.001);
    }
    for (const [alpha, exponent] of [
      [1, 0.87],
      [1.2, 0.99],
      [1.6, 1.22],
    ]) {
      expect(Math.abs(studies.find((s) => s.alpha === alpha)!.coarse - exponent)).toBeLessThan(0.006);
    }
  });

  it("draw the same paths every time, the flight with the longer jumps", () => {
    const [flight, brownian] = pathStudy();
    expect(pathStudy()).toEqual([flight, brownian]);
    expect([flight.alpha, brownian.alpha]).toEqual([1.2, 2]);
    expect(flight.points.length).toBe(brownian.points.length);
    expect(flight.points[0]).toEqual([0, 0]);
    // One number fixes the seed; a thousand additions of at most 1000 keep far more than six digits of it.
    expect(flight.points[1000][0]).toBeCloseTo(-838.481091, 5);
    // The largest of 1000 Rayleigh steps is near sqrt(log 1000 / log 2) = 3.2 medians; a power law of order 1.2 grows it to
    // some 1000^(1/1.2) = 316.
    expect(brownian.largestStep).toBeLessThan(5);
    expect(flight.largestStep).toBeGreaterThan(5 * brownian.largestStep);
  });
});
