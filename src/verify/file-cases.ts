/**
 * The cases of a file that `fna verify FILE` judges: attention calls with the results that some program has found. The
 * format is described for those who write it in docs/verify-file.md.
 *
 *   tensors    q, k, v, output; logSumExp, weights; dOutput with any of dq, dk, dv, dAlpha, dKappa; mask
 *   metadata   options, JSON as `createAttention` takes them; compute, the precision of the operations
 *
 * A file of several cases puts a name and a slash before each of these, "far-1/q". Nothing is guessed: a tensor, an
 * option or a key of the metadata that is not known is an error, since a misspelt one would be judged as left out.
 */

import { oneOf, record } from "../../reference/check.js";
import { InvalidArgumentError } from "../errors.js";
import { type Dtype, type SafetensorsFile, shapeText, type Tensor } from "../files/safetensors.js";
import { decodeFloat64 } from "../files/tensor-values.js";
import type { AttentionInputs, AttentionOptions } from "../types.js";
import { checkOptions, optionNames } from "../validate.js";
import { type Precision, precisions, roundings } from "./precision.js";

/** Results that a case may hold. */
export const resultNames = ["output", "logSumExp", "weights", "dq", "dk", "dv", "dAlpha", "dKappa"] as const;
export type ResultName = (typeof resultNames)[number];

/** Names of results that are gradients, and need dOutput. */
export const gradientNames = resultNames.slice(3);

/** A result as the file has it. */
export interface FileResult {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/** One attention call and what was found for it. */
export interface FileCase {
  /** Its name in the file; empty for a file of one case. */
  readonly name: string;
  readonly inputs: AttentionInputs<Float64Array>;
  readonly options: AttentionOptions;
  /** Undefined where there are no gradients. */
  readonly dOutput: Float64Array | undefined;
  readonly results: ReadonlyMap<ResultName, FileResult>;
  /** Precision of the operations. */
  readonly compute: Precision;
  /** Type of q, k and v that rounds the most: what the factors of products may be rounded to. */
  readonly inputDtype: Dtype;
}

/** Options that are tensors in a file, follow from the shapes of its tensors, or mean nothing there. */
const otherOptionNames = ["mask", "keyHeads", "out", "output", "signal"] as const satisfies (keyof AttentionOptions)[];

/** Options of a case. */
export const fileOptionNames = optionNames.filter(
  (name): name is Exclude<typeof name, (typeof otherOptionNames)[number]> =>
    !otherOptionNames.some((other) => other === name),
);

/** Pairs of one head that are judged at most: the reference keeps whole matrices of them. */
export const mostPairs = 2 ** 24;

const inputNames = ["q", "k", "v", "dOutput", "mask"] as const;
const tensorNames: readonly string[] = [...inputNames, ...resultNames];
const metadataNames = ["options", "compute", "format", "comment"];

/**
 * Reads the cases of a file, in their order.
 * @param file its name, for the messages
 * @throws InvalidArgumentError naming the file, the tensor or key, and the fault
 */
export function readCases({ tensors, metadata }: SafetensorsFile, file: string): FileCase[] {
  const cases = new Map<string, Map<string, Tensor>>();
  for (const [name, tensor] of tensors) {
    const [prefix, rest] = splitName(name);
    if (!tensorNames.includes(rest)) {
      throw new InvalidArgumentError(`${file}: tensor`, `one of ${tensorNames.join(", ")}`, name);
    }
    if (!cases.has(prefix)) cases.set(prefix, new Map());
    cases.get(prefix)!.set(rest, tensor);
  }
  if (cases.size === 0)
    throw new InvalidArgumentError(file, "the tensors q, k, v and output", "a file without tensors");
  for (const key of Object.keys(metadata)) {
    const [prefix, rest] = splitName(key);
    if (!metadataNames.includes(rest)) {
      throw new InvalidArgumentError(`${file}: metadata`, `one of ${metadataNames.join(", ")}`, key);
    }
    if (prefix !== "" && !cases.has(prefix)) {
      throw new InvalidArgumentError(`${file}: metadata`, "the name of a case that has tensors", key);
    }
  }
  return [...cases].map(([name, parts]) => readCase(name, parts, metadata, file));
}

/** Case and name within it: up to the last slash, and the rest. */
function splitName(name: string): [prefix: string, rest: string] {
  const slash = name.lastIndexOf("/");
  return [name.slice(0, Math.max(0, slash)), name.slice(slash + 1)];
}

function readCase(
  name: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
  file: string,
): FileCase {
  const prefix = name === "" ? "" : `${name}/`;
  const at = (rest: string) => `${file}: ${prefix}${rest}`;
  /** A tensor of floats with the extents that its letters stand for; a letter seen for the first time is set. */
  const extents: Record<string, number> = {};
  const read = (tensorName: string, layout: string, finite: boolean): FileResult => {
    const tensor = tensors.get(tensorName);
    if (tensor === undefined)
      throw new InvalidArgumentError(at(tensorName), `a tensor ${layoutText(layout)}`, undefined);
    const { dtype, shape } = tensor;
    if (roundings[dtype] === undefined) {
      throw new InvalidArgumentError(`${at(tensorName)}: dtype`, Object.keys(roundings).join(", "), dtype);
    }
    const fits =
      shape.length === layout.length &&
      shape.every((extent, axis) => extent > 0 && (extents[layout[axis]] ?? extent) === extent);
    if (!fits) {
      const known = [...layout].map((letter) => `${letter}${letter in extents ? ` = ${extents[letter]}` : ""}`);
      throw new InvalidArgumentError(
        `${at(tensorName)}: shape`,
        `[${known.join(", ")}], all above 0`,
        shapeText(shape),
      );
    }
    shape.forEach((extent, axis) => {
      extents[layout[axis]] = extent;
    });
    const values = decodeFloat64(tensor, at(tensorName));
    const bad = finite ? values.findIndex((x) => !Number.isFinite(x)) : -1;
    if (bad >= 0) {
      const place = shapeText(positionOf(bad, shape));
      throw new InvalidArgumentError(`${at(tensorName)}${place}`, "a finite number", values[bad]);
    }
    return { dtype, shape, values };
  };
  const q = read("q", "BHND", true);
  const k = read("k", "BKMD", true);
  const v = read("v", "BKMV", true);
  const { B: batch, H: heads, K: keyHeads, N: queries, M: keys, D: headDim, V: valueDim } = extents;
  if (heads % keyHeads !== 0) {
    throw new InvalidArgumentError(
      `${at("k")}: shape`,
      `K, its heads, to divide the ${heads} of q`,
      shapeText(k.shape),
    );
  }
  if (queries * keys > mostPairs) {
    throw new InvalidArgumentError(`${at("q")}: shape`, `N M of at most ${mostPairs} pairs`, queries * keys);
  }
  const inputs = { q: q.values, k: k.values, v: v.values, batch, heads, queries, keys, headDim, valueDim };
  const layouts: Record<ResultName, string> = {
    output: "BHNV",
    logSumExp: "BHN",
    weights: "BHNM",
    dq: "BHND",
    dk: "BKMD",
    dv: "BKMV",
    dAlpha: "H",
    dKappa: "H",
  };
  const results = new Map<ResultName, FileResult>();
  for (const result of resultNames) {
    if (result === "output" || tensors.has(result)) results.set(result, read(result, layouts[result], false));
  }
  const gradient = gradientNames.find((result) => results.has(result));
  const dOutput = gradient || tensors.has("dOutput") ? read("dOutput", "BHNV", true).values : undefined;

  const options: AttentionOptions = readOptions(at("options"), metadata[`${prefix}options`] ?? metadata.options);
  if (keyHeads !== heads) options.keyHeads = keyHeads;
  const mask = tensors.get("mask");
  if (mask !== undefined) options.mask = readMask(at("mask"), mask);
  try {
    checkOptions(options, inputs);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    const place = error.argument.startsWith("mask") ? error.argument : `options.${error.argument}`;
    throw new InvalidArgumentError(at(place), error.domain, error.value);
  }

  const wide = [...results.values()].every(({ dtype }) => dtype === "F64");
  const stated = metadata[`${prefix}compute`] ?? metadata.compute ?? (wide ? "f64" : "f32");
  const compute = oneOf<Precision>(at("compute"), stated, Object.keys(precisions) as Precision[]);
  const inputDtype = [q, k, v]
    .map(({ dtype }) => dtype)
    .reduce((coarse, dtype) => (roundings[dtype]!.unit > roundings[coarse]!.unit ? dtype : coarse));
  return { name, inputs, options, dOutput, results, compute, inputDtype };
}

const layoutNames: Readonly<Record<string, string>> = {
  B: "batch",
  H: "heads",
  K: "key heads",
  N: "queries",
  M: "keys",
  D: "components",
  V: "components of a value",
};

function layoutText(layout: string): string {
  return `of shape [${[...layout].map((letter) => layoutNames[letter]).join(", ")}]`;
}

/** Indices of element `at`. */
export function positionOf(at: number, shape: readonly number[]): number[] {
  const position: number[] = [];
  let rest = at;
  for (const extent of [...shape].reverse()) {
    position.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return position;
}

/** Options from their JSON: lists become the typed arrays that the call takes. What they hold is checked with the rest. */
function readOptions(argument: string, text: string | undefined): AttentionOptions {
  if (text === undefined) return {};
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(argument, `JSON (${(error as Error).message})`, text);
  }
  record(argument, value, fileOptionNames);
  const entries = Object.entries(value).map(([name, given]) => {
    if (!Array.isArray(given)) return [name, given];
    const bad = given.findIndex((x) => typeof x !== "number");
    if (bad >= 0) throw new InvalidArgumentError(`${argument}.${name}[${bad}]`, "a number", given[bad]);
    if (name !== "keyLengths" && name !== "queryLengths") return [name, Float64Array.from(given)];
    // Int32Array.from would take 2.5 for 2.
    const fraction = given.findIndex((x) => (x | 0) !== x);
    if (fraction >= 0)
      throw new InvalidArgumentError(`${argument}.${name}[${fraction}]`, "an integer", given[fraction]);
    return [name, Int32Array.from(given)];
  });
  return Object.fromEntries(entries) as AttentionOptions;
}

function readMask(argument: string, { dtype, shape, data }: Tensor): NonNullable<AttentionOptions["mask"]> {
  if (dtype !== "BOOL" && dtype !== "U8") throw new InvalidArgumentError(`${argument}: dtype`, "BOOL or U8", dtype);
  const bad = data.findIndex((x) => x > 1);
  if (bad >= 0) {
    throw new InvalidArgumentError(
      `${argument}${shapeText(positionOf(bad, shape))}`,
      "1 (may not attend) or 0",
      data[bad],
    );
  }
  return { data: data.slice(), shape: shape as readonly number[] as [number, number, number, number] };
}
