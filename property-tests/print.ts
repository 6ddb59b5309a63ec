/** Counterexamples as code to paste into a file of `tests/`. */

import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe } from "../src/errors.js";
import { build, type Case } from "./arbitraries.js";
import type { TestBackend } from "./backends.js";
import { truthOf } from "./evaluate.js";

/** More numbers than this are easier to read as the recipe that they were made from. */
const readable = 240;

/** A record of numbers, names, lists and arrays of numbers as an expression of TypeScript. */
function literal(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}.of(${list(value as unknown as ArrayLike<number>)})`;
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{ ${fields.map(([name, field]) => `${name}: ${literal(field)}`).join(", ")} }`;
}

const list = (x: ArrayLike<number>) => Array.from(x, literal).join(", ");

/** Any value as an expression, or undefined and a comment where none makes it. */
function anything(value: unknown): string {
  try {
    const code = fc.stringify(value);
    // Parsed and not run.
    new Function(`return (${code});`);
    return `${code};`;
  } catch {
    return `undefined; // ${describe(value)}`;
  }
}

function isCase(value: unknown): value is Case {
  return typeof value === "object" && value !== null && "recipe" in value && "inputs" in value;
}

/** Queries, keys and values are read from where they stood in larger arrays. */
function callCode(backend: TestBackend, call: Case): string[] {
  const { inputs, options, dOutput, recipe } = call;
  const { q, k, v, ...shape } = inputs;
  const { offset } = recipe;
  const isLarge = q.length + k.length + v.length > readable;
  const made = isLarge ? build(recipe) : call;
  // A property may have changed the call since it was made.
  const isMade = isLarge && isDeepStrictEqual([made.inputs, made.options, made.dOutput], [inputs, options, dOutput]);
  const view = (name: string, x: ArrayLike<number>, at: number) =>
    `view(${at}, ${isMade ? `made.${name}` : `[${list(x)}]`})`;
  const sides = `q: ${view("inputs.q", q, offset)}, k: ${view("inputs.k", k, offset + 1)}, v: ${view("inputs.v", v, offset)}`;
  return [
    "const view = (offset: number, values: ArrayLike<number>) => {",
    `  const all = new ${backend.floats.name}(offset + values.length + 2).fill(NaN);`,
    "  all.set(values, offset);",
    "  return all.subarray(offset, offset + values.length);",
    "};",
    ...(isMade ? [`const made = build(${literal(recipe)});`] : []),
    `const inputs = { ${sides}, ${literal(shape).slice(2)};`,
    `const options = ${isMade ? "made.options" : literal(options)};`,
    `const dOutput = ${view("dOutput", dOutput, offset)};`,
    "const run = async (attention: Attention) => {",
    "  const { output, logSumExp } = await attention.forward(inputs, options);",
    `  const saved = { output: view(${offset}, output), logSumExp: view(${offset}, logSumExp), dOutput };`,
    "  const gradient = await attention.backward(inputs, options, saved);",
    "  return { output, logSumExp, ...gradient, weights: await attention.weights(inputs, options) };",
    "};",
    `const found = await run(${backend.code});`,
    'const expected = await run(await createAttention({ device: "reference" }));',
    "// Bounds of judge-float32.ts: relative for weights that float32 holds, absolute for the rest.",
    `const bounds = ${literal(truthOf(call, backend.unit).bounds)};`,
    "for (const name of Object.keys(bounds) as (keyof typeof bounds)[]) {",
    "  expected[name].forEach((y: number, e: number) => {",
    "    const x = found[name][e];",
    '    const bound = name === "weights" ? Math.max(bounds.weights * Math.abs(y), 2 ** -119) : bounds[name];',
    "    if (Object.is(x, y) || Math.abs(x - y) <= bound) return;",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code
    "    throw new Error(`off by ${Math.abs(x - y)}: ${name}[${e}] = ${x}, not ${y} within ${bound}`);",
    "  });",
    "}",
  ];
}

/**
 * The counterexample of a property as a test that stands alone in `tests/`. It compares the device with the reference; what
 * else the property does to the call is in the constants before it.
 */
export function counterexampleCode(backend: TestBackend, value: unknown): string {
  const isObject = typeof value === "object" && value !== null;
  // A history of commands reads as the list of their names.
  if (isObject && Symbol.iterator in value) return `// on two slots of ${backend.code}, both open:\n// ${value}`;
  const parts = isCase(value) ? { call: value } : isObject ? { ...value } : { value };
  const body = Object.entries(parts).flatMap(([name, part]) =>
    isCase(part) ? callCode(backend, part) : [`const ${name} = ${anything(part)}`],
  );
  const code = body.map((line) => `  ${line}`).join("\n");
  return [
    'import { test } from "vitest";',
    ...(code.includes("createAttention") ? ['import { type Attention, createAttention } from "../src/index.js";'] : []),
    ...(code.includes("build(") ? ['import { build } from "../property-tests/arbitraries.js";'] : []),
    ...(code.includes(backend.code) ? backend.setup : []),
    "",
    'test("the counterexample", async () => {',
    code,
    "});",
  ].join("\n");
}
