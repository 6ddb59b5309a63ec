import { describe, expect, it } from "vitest";
import { attentionForward } from "../reference/attention.js";
import { selfMask } from "../reference/masks.js";
import { attentionEigenvalues } from "../reference/spectrum.js";
import { createAttention } from "../src/index.js";
import { compareAttention, measure } from "../src/text/compare.js";
import { decodeText, NotTextError } from "../src/text/decode.js";
import { characterNgrams, embed, positionVector, wordVector } from "../src/text/embeddings.js";
import { tokenPlaces } from "../src/text/places.js";
import { tokenize } from "../src/text/tokens.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const cosine = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);

describe("decodeText", () => {
  it("reads UTF-8 with and without a byte order mark, and UTF-16 with one", () => {
    expect(decodeText(bytes("naïve 河"))).toBe("naïve 河");
    expect(decodeText(bytes("\ufeffone"))).toBe("one");
    expect(decodeText(new Uint8Array([0xff, 0xfe, 0x61, 0x00, 0x2d, 0x4e]))).toBe("a中");
    expect(decodeText(new Uint8Array([0xfe, 0xff, 0x00, 0x61, 0x4e, 0x2d]))).toBe("a中");
  });

  it("refuses binary data and other encodings, and says which", () => {
    expect(() => decodeText(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 1]))).toThrow(/binary/);
    expect(() => decodeText(new Uint8Array([0x63, 0x61, 0x66, 0xe9]))).toThrow(/not UTF-8.*iconv/);
    expect(() => decodeText(new Uint8Array([0xe9]))).toThrow(NotTextError);
  });

  it("drops a character that is cut at the end only when more bytes follow", () => {
    const cut = bytes("ab河").subarray(0, 4);
    expect(decodeText(cut, true)).toBe("ab");
    expect(() => decodeText(cut)).toThrow(NotTextError);
  });
});

describe("tokenize", () => {
  const table: [name: string, text: string, tokens: string[]][] = [
    [
      "lower-cases words and leaves punctuation out",
      "The cat -- sat, (or not?)...",
      ["the", "cat", "sat", "or", "not"],
    ],
    ["keeps numbers whole", "3.14 and 1,000 at 10:30", ["3.14", "and", "1,000", "at", "10", "30"]],
    ["keeps contractions whole and straightens apostrophes", "don't don\u2019t", ["don't", "don't"]],
    [
      "keeps emoji with their modifiers, and symbols",
      "go 👩‍🚀 👍🏽 €5 + 2",
      ["go", "👩‍🚀", "👍🏽", "€", "5", "+", "2"],
    ],
    [
      "drops invisible characters, but not those inside emoji",
      "far\u00adther ab\u202ecd 👩‍🚀 x\u200by",
      ["farther", "abcd", "👩‍🚀", "x", "y"],
    ],
    ["splits hyphenated words", "far-reaching", ["far", "reaching"]],
    ["is one token for both ways to write an accent", "caf\u00e9 cafe\u0301", ["café", "café"]],
    ["has no tokens for space, controls and lone marks", " \n\t\u0000\u0007 \u0301 ... ", []],
    ["has none for the empty text", "", []],
  ];
  it.each(table)("%s", (_name, text, tokens) => {
    expect(tokenize(text)).toEqual({ tokens, truncated: false });
  });

  it("finds words in text without spaces", () => {
    const { tokens } = tokenize("我喜欢河流。");
    expect(tokens.join("")).toBe("我喜欢河流");
    expect(tokens.length).toBeGreaterThan(1);
  });

  it("stops at the limit and says whether anything was left", () => {
    expect(tokenize("a b c", 2)).toEqual({ tokens: ["a", "b"], truncated: true });
    expect(tokenize("a b !", 2)).toEqual({ tokens: ["a", "b"], truncated: false });
    expect(() => tokenize("a", 0)).toThrow(/limit: expected an integer of at least 1, got 0/);
  });
});

describe("embeddings", () => {
  it("are fixed numbers", () => {
    // 1e-12: engines may differ in the last bit of log, sin and cos; a sum of a dozen normals keeps that at some 1e-15.
    const river = [0.40417380997261104, 0.3231039699870623, -0.4828381613800375, 0.7064804780218406];
    for (let c = 0; c < 4; c++) expect(Math.abs(wordVector("river", 4)[c] - river[c])).toBeLessThan(1e-12);
  });

  it("have the n-grams that the text says", () => {
    expect(characterNgrams("the").sort()).toEqual(["‹the›", "‹th", "the", "he›", "‹the", "the›"].sort());
    expect(characterNgrams("a")).toEqual(["‹a›"]);
    expect(characterNgrams("👍")).toEqual(["‹👍›"]);
  });

  it("put similar spelling nearer than different spelling", () => {
    const [river, rivers, stream] = ["river", "rivers", "stream"].map((word) => wordVector(word, 256));
    expect(Math.hypot(...river)).toBeCloseTo(1, 12);
    // 9 of the 13 n-grams of "river" are among the 16 of "rivers": the cosine is near 9/sqrt(13 * 16) = 0.62. Vectors that
    // have nothing in common are orthogonal to within a few times 1/sqrt(256).
    expect(cosine(river, rivers)).toBeGreaterThan(0.4);
    expect(Math.abs(cosine(river, stream))).toBeLessThan(0.25);
  });

  it("add sinusoidal positions that begin at 1 (eq. section 11)", () => {
    const position = positionVector(3, 5);
    const angles = [3, 3, 3 * 10000 ** -0.4, 3 * 10000 ** -0.4, 3 * 10000 ** -0.8];
    angles.forEach((angle, c) => {
      expect(position[c]).toBe(c % 2 === 0 ? Math.sin(angle) : Math.cos(angle));
    });
    const x = embed(["the", "cat", "the"], 6);
    const word = wordVector("the", 6);
    for (const i of [0, 2]) {
      const p = positionVector(i + 1, 6);
      for (let c = 0; c < 6; c++) expect(x[i * 6 + c]).toBe(Math.fround(Math.sqrt(6) * word[c] + p[c]));
    }
  });

  it("refuse sizes that cannot be", () => {
    expect(() => embed(["a"], 1)).toThrow(/dim: expected an integer of at least 2, got 1/);
    expect(embed([], 4).length).toBe(0);
  });
});

describe("compareAttention", () => {
  const { tokens } = tokenize("a rose is a rose is a rose, said the rose to the river, and the river ran on");
  const size = tokens.length;
  const dim = 6;

  it("gives reversible chains without self-attention, whose spectrum is that of the general solver", async () => {
    const attention = await createAttention({ device: "reference" });
    const x = embed(tokens, dim);
    for (const a of await compareAttention(attention, x, size, dim, { alpha: 1.3 })) {
      for (let i = 0; i < size; i++) {
        const row = a.weights.subarray(i * size, (i + 1) * size);
        expect(row[i]).toBe(0);
        // A sum of 18 rounded numbers below 1.
        expect(Math.abs(row.reduce((sum, w) => sum + w, 0) - 1)).toBeLessThan(18 * 2 ** -52);
      }
      const general = attentionEigenvalues(a.weights, size);
      for (let e = 0; e < size; e++) {
        // Both solvers are good to some N ulp times the condition of the eigenvalue, at most the square root of the
        // ratio of the largest to the smallest degree, here below 100: 18 * 100 * 2e-16.
        expect(Math.abs(a.eigenvalues[e] - general.re[size - 1 - e])).toBeLessThan(4e-13);
      }
      expect(Math.abs(a.eigenvalues[0] - 1)).toBeLessThan(1e-13);
      expect(a.gap.byRealPart).toBeCloseTo(1 - a.eigenvalues[1], 13);
      expect(a.effectiveLinks).toBeGreaterThan(1);
      expect(a.effectiveLinks).toBeLessThan(size - 1);
    }
  });

  it("uses the same embeddings for all three, and the options for two of them", async () => {
    const attention = await createAttention({ device: "reference" });
    const x = embed(tokens, dim);
    const labels: string[] = [];
    const options = { alpha: 1.3, manifold: "sphere", bandwidth: 0.7 } as const;
    const [dot, local, multiscale] = await compareAttention(attention, x, size, dim, options, (_d, _t, label) =>
      labels.push(label),
    );
    expect([dot, local, multiscale].map(({ name, alpha }) => [name, alpha])).toEqual([
      ["dot-product", undefined],
      ["local", 2],
      ["multiscale", 1.3],
    ]);
    expect(labels.length).toBe(4);
    for (const { alpha, weights } of [local, multiscale]) {
      const head = { q: x, k: x, v: x, queries: size, keys: size, headDim: dim };
      const mask = selfMask(size, size);
      const expected = attentionForward(head, { alpha: alpha!, manifold: "sphere", bandwidth: 0.7, mask });
      expect(weights).toEqual(expected.weights);
    }
    for (let i = 0; i < size; i++) {
      const score = (j: number) =>
        Math.exp(x.subarray(i * dim, (i + 1) * dim).reduce((s, v, c) => s + v * x[j * dim + c], 0) / Math.sqrt(dim));
      const others = tokens.map((_, j) => (j === i ? 0 : score(j)));
      const total = others.reduce((a, b) => a + b);
      for (let j = 0; j < size; j++) expect(dot.weights[i * size + j]).toBeCloseTo(others[j] / total, 5);
    }
  });

  it("says when tokens are out of reach, and counts no links where there are none", () => {
    // 0 and 1 see each other only, 2 sees nobody.
    const a = measure("local", 2, Float64Array.of(0, 1, 0, 1, 0, 0, 0, 0, 0), 3);
    expect(a.hops).toEqual({ mean: 1, max: 1, unreachable: 4, counts: [0, 2] });
    expect(a.effectiveLinks).toBeCloseTo(2 / 3, 12);
    expect([...a.eigenvalues].map((x) => Math.round(x * 1e12) / 1e12 + 0)).toEqual([1, 0, -1]);
  });

  it("has places for the tokens of a reversible matrix, none where tokens are apart, and takes no other numbers", () => {
    const two = tokenPlaces(Float64Array.of(0.75, 0.25, 0.25, 0.75), 2)!;
    expect(two.eigenvalues[0]).toBeCloseTo(0.5, 12);
    expect(two.eigenvalues[1]).toBe(0);
    expect(two.points.map(([, y]) => y)).toEqual([0, 0]);
    expect(two.points[0][0]).toBeCloseTo(-two.points[1][0], 12);
    expect(tokenPlaces(Float64Array.of(1, 0, 0, 1), 2)).toBeUndefined();
    expect(() => tokenPlaces(Float64Array.of(1.5, -0.5, 0.5, 0.5), 2)).toThrow(
      "weights: expected numbers of at least 0, got -0.5",
    );
  });

  it("measures what its names say", async () => {
    const attention = await createAttention({ device: "reference" });
    // Three points alike: everyone attends to both others by 1/2, so eigenvalues 1, -1/2, -1/2.
    const same = await compareAttention(attention, new Float32Array(6).fill(1), 3, 2);
    for (const a of same) {
      expect(a.effectiveLinks).toBeCloseTo(2, 12);
      expect(a.reach).toBeCloseTo((1.5 + 1 + 1.5) / 3, 12);
      expect(a.hops).toEqual({ mean: 1, max: 1, unreachable: 0, counts: [0, 6] });
      expect(a.gap.byRealPart).toBeCloseTo(1.5, 12);
      expect(a.gap.byModulus).toBeCloseTo(0.5, 12);
    }
    await expect(compareAttention(attention, new Float32Array(2), 1, 2)).rejects.toThrow(/size: expected/);
  });
});
