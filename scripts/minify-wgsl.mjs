/**
 * For esbuild: shaders as short as they can be told. They are templates in `*.wgsl.ts`, pieced together at run time, so that what
 * is done here must hold whatever is put between the pieces:
 *
 *   - comments, of which each has a line of its own, indentation and line breaks go; a space stays where two words or two
 *     operators would otherwise join, and beside an interpolation unless punctuation stands there
 *   - decimal fractions are written with as many digits as their float32 needs
 *   - what a file declares and only text of templates names (functions, variables, parameters, fields of structures) gets a
 *     short name, the same in every file; names that any code or string in between mentions stay
 *
 * `tests/size.test.ts` holds the result to its budget, `tests/webgpu-built.test.ts` to the bits of the sources.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** Start, end and raw text of each piece of a template, and whether an interpolation is before and behind it; strings. */
function pieces(source) {
  const file = ts.createSourceFile("shader.ts", source, ts.ScriptTarget.Latest, true);
  const found = [];
  const mentioned = new Set();
  const visit = (node) => {
    const isPiece =
      ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
    if (isPiece) {
      const isOpen = ts.isTemplateHead(node) || ts.isTemplateMiddle(node);
      const [start, end] = [node.getStart(file) + 1, node.getEnd() - (isOpen ? 2 : 1)];
      const isAfter = ts.isTemplateMiddleOrTemplateTail(node);
      found.push({ start, end, text: source.slice(start, end), isAfter, isBefore: isOpen });
    } else if (ts.isStringLiteral(node)) for (const [word] of node.text.matchAll(/[A-Za-z_]\w*/g)) mentioned.add(word);
    else if (ts.isIdentifier(node)) mentioned.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { found, mentioned };
}

const isWord = (c) => /\w/.test(c);
const isOperator = (c) => /[-+*/%<>=!&|^]/.test(c);

/** The text without what only readers need. */
function squeeze(text, isAfter, isBefore) {
  const lines = text.split("\n").filter((line) => !line.trim().startsWith("//"));
  const shorter = lines.join("\n").replace(/\b\d+\.\d*(?:e-?\d+)?\b/g, shortest);
  return shorter.replace(/\s+/g, (_, at, all) => {
    const before = all.slice(0, at).at(-1);
    const after = all.slice(at).trimStart().at(0);
    // What an interpolation puts there is unknown: only what never joins may stand beside it.
    if (before === undefined)
      return isAfter && after !== undefined && !/[(){},;[\]]/.test(after)
        ? " "
        : isAfter && after === undefined
          ? " "
          : "";
    if (after === undefined) return isBefore && !/[(){},;[\]=]/.test(before) ? " " : "";
    return (isWord(before) && isWord(after)) || (isOperator(before) && isOperator(after)) ? " " : "";
  });
}

/** The fewest digits that are the same float32. */
function shortest(literal) {
  const value = Math.fround(Number(literal));
  for (let digits = 1; digits < 10; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) !== value) continue;
    const plain = String(Number(text));
    const short = plain.replace(/^0\./, ".");
    return /[.e]/.test(short) ? short : `${short}.`;
  }
  return literal;
}

const declaration =
  /\b(?:fn|let|var|const|struct)\s+([A-Za-z_]\w*)|(?:var<workgroup>)\s+([A-Za-z_]\w*)|([A-Za-z_]\w*)\s*:/g;

/** Words of the language that a variable or a field may share its name with, and the entry point. */
const reserved =
  "main default case all any select abs acos asin atan ceil clamp cos cross degrees distance dot exp exp2 floor fma fract ldexp length log log2 max min mix normalize pow radians reflect round sign sin sqrt step tan trunc".split(
    " ",
  );

/** Short names for what the files declare. */
function shortNames(sources) {
  const declared = new Map();
  const kept = new Set(reserved);
  for (const source of sources) {
    const { found, mentioned } = pieces(source);
    for (const word of mentioned) kept.add(word);
    for (const { text, isAfter, isBefore } of found) {
      const code = text.replace(/\/\/.*$/gm, "");
      for (const match of code.matchAll(declaration)) declared.set(match[1] ?? match[2] ?? match[3], 0);
      // Bindings are found by their names.
      for (const match of code.matchAll(/var<(?:uniform|storage)[^>]*>\s*(\w+)/g)) kept.add(match[1]);
      // A word beside an interpolation is a part of one.
      if (isAfter) for (const [word] of code.matchAll(/^\w+/g)) kept.add(word);
      if (isBefore) for (const [word] of code.matchAll(/\w+$/g)) kept.add(word);
    }
  }
  for (const source of sources) {
    for (const { text } of pieces(source).found) {
      for (const [word] of text.matchAll(/[A-Za-z_]\w*/g))
        if (declared.has(word)) declared.set(word, declared.get(word) + 1);
    }
  }
  const all = new Set(sources.flatMap((source) => source.match(/\w+/g)));
  const free = candidates().filter((name) => !all.has(name));
  const ranked = [...declared].filter(([word]) => word.length > 2 && !kept.has(word)).sort((a, b) => b[1] - a[1]);
  return new Map(ranked.map(([word], rank) => [word, free[rank]]));
}

/** Two letters, of which WGSL has no word like it. */
function candidates() {
  const letters = (from) => Array.from({ length: 26 }, (_, n) => String.fromCharCode(from + n));
  const [small, large] = [letters(97), letters(65)];
  return large.flatMap((first) => [...small, ...large].map((second) => first + second));
}

/** What a shader source is bundled as. */
export function minifyWgsl(source, names = new Map()) {
  let result = "";
  let from = 0;
  for (const { start, end, text, isAfter, isBefore } of pieces(source).found) {
    const renamed = squeeze(text, isAfter, isBefore).replace(/(?<!\w)[A-Za-z_]\w*/g, (word, at, all) => {
      const touches = (isAfter && at === 0) || (isBefore && at + word.length === all.length);
      return touches ? word : (names.get(word) ?? word);
    });
    result += source.slice(from, start) + renamed;
    from = end;
  }
  return result + source.slice(from);
}

export const minifyWgslPlugin = {
  name: "minify-wgsl",
  setup(build) {
    const folder = join(build.initialOptions.absWorkingDir ?? process.cwd(), "src/backends/webgpu/wgsl");
    const read = (name) => readFileSync(join(folder, name), "utf8");
    const names = shortNames(readdirSync(folder).map(read));
    build.onLoad({ filter: /\.wgsl\.ts$/ }, ({ path }) => ({
      contents: minifyWgsl(readFileSync(path, "utf8"), names),
      loader: "ts",
    }));
  },
};
