/** A counterexample as code: what can be pasted into a test, or kept in a file to be run again. */

import type { Case } from "./arbitraries.js";
import type { TestBackend } from "./backends.js";

/** More numbers than this are easier to read as the recipe that they were made from. */
const readable = 240;

/** A value as an expression of TypeScript. */
export function literal(value: unknown): string {
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name}.of(${Array.from(value as unknown as ArrayLike<number>, literal).join(", ")})`;
  }
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return `{ ${fields.map(([name, field]) => `${name}: ${literal(field)}`).join(", ")} }`;
  }
  return value === undefined ? "undefined" : JSON.stringify(value);
}

function isCase(value: unknown): value is Case {
  return typeof value === "object" && value !== null && "recipe" in value && "inputs" in value;
}

/** The counterexample of a property as code that stands alone next to the suites. */
export function counterexampleCode(backend: TestBackend, value: unknown): string {
  // A history of commands reads as the list of their names.
  if (typeof value === "object" && value !== null && Symbol.iterator in value) {
    return `// on slots of ${backend.code}, the first of them open:\n// ${value}`;
  }
  const named = isCase(value) ? { call: value } : (value as Record<string, unknown>);
  const parts = typeof named === "object" && named !== null ? Object.entries(named) : [["value", named] as const];
  const lines: string[] = [];
  for (const [name, part] of parts) {
    if (!isCase(part)) {
      lines.push(`const ${name} = ${literal(part)};`);
      continue;
    }
    const { inputs, options, dOutput, recipe } = part;
    if (inputs.q.length + inputs.k.length + inputs.v.length > readable) {
      lines.push(
        'import { build } from "../property-tests/arbitraries.js";',
        `const { inputs, options, dOutput } = build(${literal(recipe)});`,
      );
    } else {
      lines.push(
        `const inputs = ${literal(inputs)};`,
        `const options = ${literal(options)};`,
        `const dOutput = ${literal(dOutput)};`,
      );
    }
    lines.push(
      `const attention = ${backend.code};`,
      `const narrow = { ...inputs, q: ${backend.floats.name}.from(inputs.q), k: ${backend.floats.name}.from(inputs.k), v: ${backend.floats.name}.from(inputs.v) };`,
      "const result = await attention.forward(narrow, options);",
      `const gradient = await attention.backward(narrow, options, { ...result, dOutput: ${backend.floats.name}.from(dOutput) });`,
      "const weights = await attention.weights(narrow, options);",
    );
  }
  // Imports come first.
  return lines.sort((a, b) => Number(b.startsWith("import")) - Number(a.startsWith("import"))).join("\n");
}
