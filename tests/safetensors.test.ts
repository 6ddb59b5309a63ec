import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidArgumentError } from "../src/errors.js";
import { type Dtype, dtypeBytes, formatSafetensors, parseSafetensors, type Tensor } from "../src/files/safetensors.js";
import {
  decodeFloat32,
  decodeFloat64,
  encodeTensor,
  type WrittenDtype,
  writtenDtypes,
} from "../src/files/tensor-values.js";

const checkpoint = new Uint8Array(
  gunzipSync(readFileSync(new URL("../fixtures/golden/checkpoint_public.safetensors.gz", import.meta.url))),
);

/** A file of any header text and so many bytes of data. */
function fileOf(header: string | Uint8Array, data = 0, length?: bigint): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const dtype = fc.constantFrom(...(Object.keys(dtypeBytes) as Dtype[]));
const tensor: fc.Arbitrary<Tensor> = fc
  .tuple(dtype, fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }))
  .chain(([type, shape]) => {
    const size = shape.reduce((product, extent) => product * extent, dtypeBytes[type]);
    return fc
      .uint8Array({ minLength: size, maxLength: size })
      .map((data) => ({ dtype: type, shape, data }) satisfies Tensor);
  });
// Names that JavaScript or JSON treat in a way of their own among them.
const name = fc
  .oneof(fc.string({ unit: "binary" }), fc.constantFrom("__proto__", "10", "2", "", "a b", '"', "\\", "é\u0000", "{}"))
  .filter((text) => text !== "__metadata__");
const file = fc.record({
  tensors: fc.uniqueArray(fc.tuple(name, tensor), { selector: ([key]) => key, maxLength: 6 }),
  metadata: fc.dictionary(fc.string(), fc.string({ unit: "binary" }), { maxKeys: 4 }),
});

describe("files", () => {
  it("reads the golden checkpoint and writes it again byte for byte", () => {
    const { tensors, metadata } = parseSafetensors(checkpoint);
    expect(tensors.size).toBeGreaterThan(15);
    expect([...tensors.keys()][0]).toBe("embedding.weight");
    expect(tensors.get("embedding.weight")).toMatchObject({ dtype: "F32", shape: [50, 16] });
    expect(JSON.parse(metadata.config)).toMatchObject({ hidden: 16, alpha: 1.2, model_name: "rdfnsformer" });
    const length = Number(new DataView(checkpoint.buffer, checkpoint.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(checkpoint.subarray(8, 8 + length)));
    expect([...tensors.keys()]).toEqual(Object.keys(header).filter((key) => key !== "__metadata__"));
    expect(formatSafetensors(tensors, metadata)).toEqual(checkpoint);
  });

  it("brings back whatever was written, in the same order and as the same bytes", () => {
    fc.assert(
      fc.property(file, ({ tensors, metadata }) => {
        const bytes = formatSafetensors(tensors, metadata);
        const read = parseSafetensors(bytes);
        expect([...read.tensors]).toEqual(tensors);
        expect(read.metadata).toEqual(metadata);
        expect((8 + Number(new DataView(bytes.buffer).getBigUint64(0, true))) % 8).toBe(0);
        expect(formatSafetensors(read.tensors, read.metadata)).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  it("reads tensors that stand in another order than the header, with spaces in the header, at any alignment", () => {
    const header = `{ "b" : {"shape":[1],"dtype":"F32","data_offsets":[1, 5]}, "a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}  `;
    const bytes = fileOf(header, 5);
    bytes.set([7], bytes.length - 5);
    new DataView(bytes.buffer).setFloat32(bytes.length - 4, 1.5, true);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    const { tensors } = parseSafetensors(shifted.subarray(3));
    expect([...tensors.keys()]).toEqual(["b", "a"]);
    expect([...decodeFloat64(tensors.get("b")!)]).toEqual([1.5]);
    expect([...decodeFloat64(tensors.get("a")!)]).toEqual([7]);
  });

  it("never takes a file that lost, gained or changed bytes for another, and fails in words alone", () => {
    fc.assert(
      fc.property(file, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ tensors, metadata }, at, flip) => {
        const bytes = formatSafetensors(tensors, metadata);
        const end = bytes.length;
        expect(() => parseSafetensors(bytes.subarray(0, at % end), "x")).toThrow(InvalidArgumentError);
        const longer = new Uint8Array(end + 1 + (at % 9));
        longer.set(bytes);
        expect(() => parseSafetensors(longer, "x")).toThrow(/^x: expected \d+ bytes of data/);
        const changed = bytes.slice();
        changed[at % end] ^= flip;
        try {
          const read = parseSafetensors(changed, "x");
          // What is accepted is a file in its own right.
          expect([...parseSafetensors(formatSafetensors(read.tensors, read.metadata)).tensors]).toEqual([
            ...read.tensors,
          ]);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidArgumentError);
          expect((error as Error).message).toMatch(/^x: /);
        }
      }),
      { numRuns: 500 },
    );
  });

  const one = (fields: string) => `{"w":{${fields}}}`;
  const good = '"dtype":"F32","shape":[2],"data_offsets":[0,8]';
  const table: [fault: string, bytes: Uint8Array, message: RegExp][] = [
    ["no bytes", new Uint8Array(0), /^m: expected a safetensors file, of at least 8 bytes, got 0$/],
    ["no header", fileOf("", 0), /^m: expected a safetensors file, .* header, an integer in \[2, 0\] .* got 0$/],
    [
      "a header past the end",
      fileOf("{}", 0, 3n),
      /^m: expected a safetensors file, .*\[2, 2\] \(a file of 10 bytes\), got 3$/,
    ],
    [
      "a header of 2^64 - 1 bytes",
      fileOf("{}", 0, 2n ** 64n - 1n),
      /^m: expected a safetensors file, .* got 18446744073709552000$/,
    ],
    ["a header that is not UTF-8", fileOf(new Uint8Array([0x7b, 0xff, 0x7d])), /^m: header: expected UTF-8/],
    ["a header that is not JSON", fileOf("{,}"), /^m: header: expected JSON \(/],
    ["a list for a header", fileOf("[]"), /^m: header: expected a "{"/],
    ["a space before the header", fileOf(" {}"), /^m: header: expected a "{"/],
    ["a mark of byte order", fileOf("\ufeff{}"), /^m: header: expected JSON/],
    ["a name twice", fileOf(`{"w":{${good}},"w":{${good}}}`, 8), /^m: header: expected every key once, got "w"/],
    ["a name twice, once escaped", fileOf(`{"w":{${good}},"\\u0077":{${good}}}`, 8), /every key once, got "w"/],
    ["a field twice", fileOf(one(`${good},"dtype":"I32"`), 8), /every key once, got "dtype"/],
    ["metadata twice", fileOf('{"__metadata__":{"a":"1","a":"2"}}'), /every key once, got "a"/],
    ["metadata that is a number", fileOf('{"__metadata__":{"a":1}}'), /^m: __metadata__\.a: expected a text, got 1/],
    ["metadata that is a list", fileOf('{"__metadata__":[]}'), /^m: __metadata__: expected an object of texts/],
    ["a tensor that is null", fileOf('{"w":null}'), /^m: tensor "w": expected an object with dtype.*got null/],
    ["an unknown field", fileOf(one(`${good},"scale":2`), 8), /^m: tensor "w": expected dtype, .* only, got "scale"/],
    ["no type", fileOf(one('"shape":[2],"data_offsets":[0,8]'), 8), /^m: tensor "w": dtype: expected F64, .*undefined/],
    ["an unknown type", fileOf(one(good.replace("F32", "F31")), 8), /^m: tensor "w": dtype: expected F64, .*"F31"/],
    ["a type by inheritance", fileOf(one(good.replace("F32", "toString")), 8), /dtype: expected F64, .*"toString"/],
    ["a fraction in a shape", fileOf(one(good.replace("[2]", "[1.5]")), 8), /"w": shape: expected .*got "\[1\.5\]"/],
    ["a negative shape", fileOf(one(good.replace("[2]", "[-2]")), 8), /"w": shape: expected .*got "\[-2\]"/],
    ["a text for a shape", fileOf(one(good.replace("[2]", '"2"')), 8), /"w": shape: expected .*got "2"/],
    [
      "a shape that overflows",
      fileOf(one(good.replace("[2]", "[4294967296,4294967296]")), 8),
      /"w": shape: expected fewer than 2\^53 bytes/,
    ],
    [
      "offsets of another size",
      fileOf(one(good.replace("[0,8]", "[0,4]")), 4),
      /"w": data_offsets: expected 8 bytes for F32 \[2\], got 4/,
    ],
    ["offsets the wrong way round", fileOf(one(good.replace("[0,8]", "[8,0]")), 8), /an interval within the 8 bytes/],
    ["three offsets", fileOf(one(good.replace("[0,8]", "[0,4,8]")), 8), /two integers of at least 0, got "\[0,4,8\]"/],
    ["offsets past the end", fileOf(one(good), 7), /an interval within the 7 bytes of data, got "\[0,8\]"/],
    [
      "a gap at the beginning",
      fileOf(one(good.replace("[0,8]", "[4,12]")), 12),
      /"w": expected data_offsets that begin at 0, .*got 4/,
    ],
    [
      "an overlap",
      fileOf(`{"w":{${good}},"v":{${good}}}`, 8),
      /^m: tensor "v": expected data_offsets that begin at 8, .*got 0/,
    ],
    ["bytes at the end", fileOf(one(good), 9), /^m: expected 8 bytes of data, .*got 9/],
  ];
  it.each(table)("refuses %s", (_fault, bytes, message) => {
    expect(() => parseSafetensors(bytes, "m")).toThrow(InvalidArgumentError);
    expect(() => parseSafetensors(bytes, "m")).toThrow(message);
  });

  it("refuses to write what it would not read", () => {
    const w = encodeTensor("F32", [2], [1, 2]);
    expect(() => formatSafetensors([["__metadata__", w]])).toThrow(/a name that is not taken/);
    expect(() =>
      formatSafetensors([
        ["w", w],
        ["w", w],
      ]),
    ).toThrow(/a name that is not taken, got "w"/);
    expect(() => formatSafetensors([["w", { ...w, shape: [3] }]])).toThrow(
      /"w": expected 12 bytes for F32 \[3\], got 8/,
    );
    expect(() => formatSafetensors([], { a: 1 as unknown as string })).toThrow(/metadata\.a: expected a text, got 1/);
    expect(() => encodeTensor("F32", [3], [1, 2])).toThrow(/values: expected 3 numbers for \[3\], got 2/);
  });
});

/** Every number of a type, by its bits. */
function valuesOf(type: Dtype): Float64Array {
  const codes = { length: 2 ** (8 * dtypeBytes[type]) };
  const data = dtypeBytes[type] === 1 ? Uint8Array.from(codes, (_, i) => i) : Uint16Array.from(codes, (_, i) => i);
  return decodeFloat64({ dtype: type, shape: [], data: new Uint8Array(data.buffer) });
}

describe("numbers", () => {
  it("reads bfloat16 as the upper half of a float32", () => {
    const upper = Uint32Array.from({ length: 65536 }, (_, i) => i * 65536);
    expect(valuesOf("BF16")).toEqual(Float64Array.from(new Float32Array(upper.buffer)));
  });

  const extremes: [type: Dtype, code: number, value: number][] = [
    ["F16", 0x3c00, 1],
    ["F16", 0x7bff, 65504],
    ["F16", 0x0001, 2 ** -24],
    ["F16", 0x03ff, 1023 * 2 ** -24],
    ["F16", 0x8400, -(2 ** -14)],
    ["F16", 0xfc00, Number.NEGATIVE_INFINITY],
    ["F16", 0x8000, -0],
    ["F16", 0x7e00, Number.NaN],
    ["F8_E4M3", 0x7e, 448],
    ["F8_E4M3", 0x7f, Number.NaN],
    ["F8_E4M3", 0x01, 2 ** -9],
    ["F8_E5M2", 0x7b, 57344],
    ["F8_E5M2", 0x7c, Number.POSITIVE_INFINITY],
    ["F8_E5M2", 0x7d, Number.NaN],
    ["F8_E5M2", 0x01, 2 ** -16],
    ["F8_E4M3FNUZ", 0x7f, 240],
    ["F8_E4M3FNUZ", 0x80, Number.NaN],
    ["F8_E4M3FNUZ", 0x01, 2 ** -10],
    ["F8_E5M2FNUZ", 0x7f, 57344],
    ["F8_E5M2FNUZ", 0x01, 2 ** -17],
    ["F8_E8M0", 0, 2 ** -127],
    ["F8_E8M0", 127, 1],
    ["F8_E8M0", 255, Number.NaN],
  ];
  it.each(extremes)("reads %s %i as %d", (type, code, value) => expect(valuesOf(type)[code]).toBe(value));

  it.each(["F16", "BF16"] as const)(
    "rounds to the nearest %s, ties to even, and beyond the largest to Infinity",
    (type) => {
      const values = valuesOf(type);
      const rounded = (x: number[]) => decodeFloat64(encodeTensor(type, [x.length], x));
      expect(rounded([...values])).toEqual(values);
      const last = values.indexOf(Number.POSITIVE_INFINITY);
      for (let code = 0; code + 1 < last; code++) {
        const [low, high] = [values[code], values[code + 1]];
        const middle = (low + high) / 2;
        const even = code % 2 === 0 ? low : high;
        const quarter = (high - low) / 4;
        expect([...rounded([middle, -middle, middle - quarter, middle + quarter])]).toEqual([even, -even, low, high]);
      }
      const largest = values[last - 1];
      const half = (largest - values[last - 2]) / 2;
      expect([...rounded([largest + half * 0.999, largest + half, -1e300, 1e-300, 5e-324])]).toEqual([
        largest,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        0,
        0,
      ]);
    },
  );

  const largest: [type: Dtype, bytes: number[], value: number][] = [
    ["U64", [0, 0, 0, 0, 0, 0, 0, 0x80], 2 ** 63],
    ["I64", [0, 0, 0, 0, 0, 0, 0, 0x80], -(2 ** 63)],
    ["U32", [0xfe, 0xff, 0xff, 0xff], 2 ** 32 - 2],
    ["I32", [0xfe, 0xff, 0xff, 0xff], -2],
    ["U16", [0xfe, 0xff], 65534],
    ["I16", [0xfe, 0xff], -2],
    ["U8", [0xfe], 254],
    ["I8", [0xfe], -2],
  ];
  it.each(largest)(
    "reads the bytes of %s with the lowest first, and their sign if they have one",
    (dtype, bytes, value) => {
      expect([...decodeFloat64({ dtype, shape: [1], data: Uint8Array.from(bytes) })]).toEqual([value]);
    },
  );

  it("brings back the numbers of every type that is written", () => {
    const integers: Partial<Record<WrittenDtype, fc.Arbitrary<number>>> = {
      I64: fc.maxSafeInteger(),
      I32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      U8: fc.integer({ min: 0, max: 255 }),
      BOOL: fc.integer({ min: 0, max: 1 }),
      F64: fc.double(),
      F32: fc.float(),
    };
    for (const type of writtenDtypes) {
      const values = fc.array(integers[type] ?? fc.constantFrom(...valuesOf(type).filter((x) => !Number.isNaN(x))));
      fc.assert(
        fc.property(values, (numbers) => {
          const back = decodeFloat64(encodeTensor(type, [numbers.length], numbers));
          expect([...back]).toEqual(numbers);
        }),
      );
    }
  });

  it("refuses numbers that a type does not hold", () => {
    expect(() => encodeTensor("I32", [1], [2 ** 31])).toThrow(
      /values\[0\]: expected an integer in .* for I32, got 2147483648/,
    );
    expect(() => encodeTensor("U8", [2], [0, 1.5])).toThrow(/values\[1\]: .*got 1\.5/);
    expect(() => encodeTensor("BOOL", [1], [2])).toThrow(/values\[0\]: .*\[0, 1\].*got 2/);
    expect(() => encodeTensor("F8_E4M3" as "F16", [1], [2])).toThrow(/dtype: expected F64, F32/);
    const odd = { dtype: "BOOL", shape: [1], data: new Uint8Array([2]) } satisfies Tensor;
    expect(() => decodeFloat64(odd, "mask")).toThrow(/mask\[0\]: expected 0 or 1.*got 2/);
    const large = new Uint8Array(BigInt64Array.of(2n ** 53n + 1n).buffer);
    expect(() => decodeFloat64({ dtype: "I64", shape: [1], data: large }, "ids")).toThrow(
      /ids\[0\]: .*9007199254740993/,
    );
    const third = encodeTensor("F64", [1], [1 / 3]);
    expect(() => decodeFloat32(third, "w")).toThrow(/w\[0\]: expected a number that float32 holds, got 0\.333/);
    expect(() => decodeFloat32(encodeTensor("F64", [1], [1e300]), "w")).toThrow(/w\[0\]/);
    expect([...decodeFloat32(encodeTensor("F64", [3], [0.5, Number.NaN, -0]))]).toEqual([0.5, Number.NaN, -0]);
  });
});
