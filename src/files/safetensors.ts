/**
 * The safetensors format, read and written: named tensors and a little text in one file that cannot run code.
 *
 *   8 bytes   length n of the header, little-endian
 *   n bytes   UTF-8 JSON {"__metadata__": {text: text}, name: {"dtype", "shape", "data_offsets": [begin, end]}, ...},
 *             padded with spaces so that the data begins at a multiple of 8
 *   the rest  the tensors, row-major, little-endian, without gap or overlap, offsets counted from where they begin
 *
 * A file is not trusted: every length and offset is checked before it is used, a name may occur once, and no byte may
 * belong to no tensor. What passes can be written again byte for byte if its header was compact JSON in the order of the
 * data, as all common writers make it. Numbers of every type are in `tensor-values.ts`.
 */

import { InvalidArgumentError } from "../errors.js";

/** Bytes of one element of each type that is known here. */
export const dtypeBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E5M2FNUZ: 1,
  F8_E4M3FNUZ: 1,
  F8_E8M0: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

/** Name of an element type, as in the file. */
export type Dtype = keyof typeof dtypeBytes;

/** One tensor: its elements as they stand in the file. `tensor-values.ts` turns them to numbers and back. */
export interface Tensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Row-major, little-endian. Of a parsed file a view of its bytes. */
  readonly data: Uint8Array;
}

/** What a file holds. */
export interface SafetensorsFile {
  /** In the order of the header. */
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Record<string, string>;
}

/** The longest header that is read: that of the format's own implementation. */
const longestHeader = 100_000_000;

const metadataKey = "__metadata__";

/**
 * Reads a file.
 * @param bytes the whole of it; the tensors are views of it
 * @param file its name, for the messages
 * @throws InvalidArgumentError naming the file, the tensor and the fault
 */
export function parseSafetensors(bytes: Uint8Array, file = "safetensors"): SafetensorsFile {
  const header = readHeader(bytes, file);
  const data = bytes.subarray(8 + header.length);
  const { keys, value } = parseHeader(header, file);
  let metadata: Record<string, string> = {};
  const found: { name: string; tensor: Tensor; begin: number; end: number }[] = [];
  for (const name of keys) {
    const entry = value[name];
    if (name === metadataKey) metadata = checkMetadata(`${file}: ${metadataKey}`, entry);
    else found.push({ name, ...readTensor(`${file}: tensor ${JSON.stringify(name)}`, entry, data) });
  }
  let at = 0;
  for (const { name, begin, end } of [...found].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) {
      const domain = `data_offsets that begin at ${at}, where the tensor before ends`;
      throw new InvalidArgumentError(`${file}: tensor ${JSON.stringify(name)}`, domain, begin);
    }
    at = end;
  }
  if (at !== data.length) {
    throw new InvalidArgumentError(`${file}`, `${at} bytes of data, as its tensors have`, data.length);
  }
  return { tensors: new Map(found.map(({ name, tensor }) => [name, tensor])), metadata };
}

/**
 * Writes a file, its tensors and its metadata in their order.
 * @throws InvalidArgumentError for a tensor whose bytes are not those of its type and shape
 */
export function formatSafetensors(
  tensors: Iterable<readonly [string, Tensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const entries = [...tensors];
  const parts: string[] = [];
  checkMetadata("metadata", metadata);
  if (Object.keys(metadata).length > 0) parts.push(`"${metadataKey}":${JSON.stringify(metadata)}`);
  const names = new Set<string>([metadataKey]);
  let end = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    const argument = `tensor ${JSON.stringify(name)}`;
    if (names.has(name)) throw new InvalidArgumentError(argument, "a name that is not taken", name);
    names.add(name);
    const size = checkLayout(argument, dtype, shape);
    if (data.length !== size) {
      throw new InvalidArgumentError(argument, `${size} bytes for ${dtype} ${shapeText(shape)}`, data.length);
    }
    const begin = end;
    end += size;
    parts.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  const text = new TextEncoder().encode(`{${parts.join(",")}}`);
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded + end).fill(0x20, 8, 8 + padded);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  let at = 8 + padded;
  for (const [, { data }] of entries) {
    bytes.set(data, at);
    at += data.length;
  }
  return bytes;
}

/** `[2, 3]` */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

function readHeader(bytes: Uint8Array, file: string): Uint8Array {
  if (bytes.length < 8) {
    throw new InvalidArgumentError(file, "a safetensors file, of at least 8 bytes", bytes.length);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  const most = Math.min(longestHeader, bytes.length - 8);
  if (length < 2n || length > BigInt(most)) {
    const cause = most === longestHeader ? "the longest that is read" : `a file of ${bytes.length} bytes`;
    const domain = `a safetensors file, which begins with the length of its header, an integer in [2, ${most}] (${cause})`;
    throw new InvalidArgumentError(file, domain, Number(length));
  }
  return bytes.subarray(8, 8 + Number(length));
}

/** The header as an object, and its keys in their order: an object of JavaScript puts "10" before "a". */
function parseHeader(header: Uint8Array, file: string): { keys: string[]; value: Record<string, unknown> } {
  const argument = `${file}: header`;
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    throw new InvalidArgumentError(argument, "UTF-8", "other bytes");
  }
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(argument, `JSON (${(error as Error).message})`, text);
  }
  if (!text.startsWith("{")) throw new InvalidArgumentError(argument, 'a "{" in the first place', text);
  return { keys: uniqueKeys(text, argument), value: value as Record<string, unknown> };
}

/**
 * Keys of the outermost object of a valid JSON text. `JSON.parse` keeps the last of several equal keys and says
 * nothing, other readers keep the first: such a file means different things to different programs.
 */
function uniqueKeys(text: string, argument: string): string[] {
  const open: Set<string>[] = [];
  // A string is a key if a colon follows it. Brackets inside strings are consumed with the string.
  for (const [token, key] of text.matchAll(/("[^"\\]*(?:\\.[^"\\]*)*")\s*:|"[^"\\]*(?:\\.[^"\\]*)*"|[{}]/g)) {
    if (key !== undefined) {
      const name = JSON.parse(key) as string;
      const names = open.at(-1)!;
      if (names.has(name)) throw new InvalidArgumentError(argument, "every key once", name);
      names.add(name);
    } else if (token === "{") {
      open.push(new Set());
    } else if (token === "}" && open.length > 1) {
      open.pop();
    }
  }
  return [...open[0]];
}

function checkMetadata(argument: string, value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError(argument, "an object of texts", value);
  }
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") throw new InvalidArgumentError(`${argument}.${name}`, "a text", text);
  }
  return value as Record<string, string>;
}

function readTensor(argument: string, entry: unknown, data: Uint8Array) {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    throw new InvalidArgumentError(argument, "an object with dtype, shape and data_offsets", entry);
  }
  const fields = ["dtype", "shape", "data_offsets"];
  const unknown = Object.keys(entry).find((field) => !fields.includes(field));
  if (unknown !== undefined) throw new InvalidArgumentError(argument, "dtype, shape and data_offsets only", unknown);
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  const size = checkLayout(argument, dtype, shape);
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw new InvalidArgumentError(`${argument}: data_offsets`, "two integers of at least 0", listText(offsets));
  }
  const [begin, end] = offsets;
  if (end > data.length || begin > end) {
    const domain = `an interval within the ${data.length} bytes of data`;
    throw new InvalidArgumentError(`${argument}: data_offsets`, domain, listText(offsets));
  }
  const layout = { dtype: dtype as Dtype, shape: shape as readonly number[] };
  if (end - begin !== size) {
    const domain = `${size} bytes for ${layout.dtype} ${shapeText(layout.shape)}`;
    throw new InvalidArgumentError(`${argument}: data_offsets`, domain, end - begin);
  }
  return { tensor: { ...layout, data: data.subarray(begin, end) }, begin, end };
}

/** Bytes of a tensor. */
function checkLayout(argument: string, dtype: unknown, shape: unknown): number {
  if (typeof dtype !== "string" || !Object.hasOwn(dtypeBytes, dtype)) {
    throw new InvalidArgumentError(`${argument}: dtype`, Object.keys(dtypeBytes).join(", "), dtype);
  }
  if (!isSizes(shape)) {
    throw new InvalidArgumentError(`${argument}: shape`, "a list of integers of at least 0", listText(shape));
  }
  // Past 2^53 a product would be rounded, and could be rounded to what the offsets say.
  const size = shape.reduce((product, extent) => product * extent, dtypeBytes[dtype as Dtype]);
  if (!Number.isSafeInteger(size)) {
    throw new InvalidArgumentError(`${argument}: shape`, "fewer than 2^53 bytes", shapeText(shape));
  }
  return size;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
}

function listText(value: unknown): unknown {
  return Array.isArray(value) ? JSON.stringify(value) : value;
}
