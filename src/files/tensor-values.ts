/**
 * Numbers of the tensors in a safetensors file: every type to float64 without loss, float64 to the types that are
 * written, rounded to the nearest with ties to even.
 *
 *   value = (−1)^sign · 2^(max(e, 1) − bias) · ([e > 0] + m / 2^mantissaBits)     e, m the fields of the bits
 *
 * F16, BF16 and F8_E5M2 keep the largest e for infinities and NaN as IEEE 754 does; F8_E4M3 has no infinities and NaN where
 * all bits are set; the FNUZ types have neither −0 nor infinities, their NaN is the sign bit alone; F8_E8M0 is 2^(e − 127).
 */

import { describe, InvalidArgumentError } from "../errors.js";
import { type Dtype, dtypeBytes, shapeText, type Tensor } from "./safetensors.js";

type Special = "ieee" | "one NaN" | "unsigned zero";

/** The fields of a small float. */
interface SmallFloat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  readonly special: Special;
}

function smallFloat(exponentBits: number, mantissaBits: number, special: Special): SmallFloat {
  const bias = 2 ** (exponentBits - 1) - (special === "unsigned zero" ? 0 : 1);
  return { exponentBits, mantissaBits, bias, special };
}

const smallFloats: Partial<Record<Dtype, SmallFloat>> = {
  F16: smallFloat(5, 10, "ieee"),
  BF16: smallFloat(8, 7, "ieee"),
  F8_E5M2: smallFloat(5, 2, "ieee"),
  F8_E4M3: smallFloat(4, 3, "one NaN"),
  F8_E5M2FNUZ: smallFloat(5, 2, "unsigned zero"),
  F8_E4M3FNUZ: smallFloat(4, 3, "unsigned zero"),
};

/** Types that `encodeTensor` writes. */
export const writtenDtypes = ["F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL"] as const;
export type WrittenDtype = (typeof writtenDtypes)[number];

/** Float types, widest first. */
export const floatDtypes: readonly Dtype[] = ["F64", "F32", ...(Object.keys(smallFloats) as Dtype[]), "F8_E8M0"];

/**
 * Numbers of a tensor as float64, all exact; true is 1.
 * @param name of the tensor, for the message
 * @throws InvalidArgumentError for an integer of 64 bits that float64 does not hold, and a BOOL that is neither 0 nor 1
 */
export function decodeFloat64(tensor: Tensor, name = "tensor"): Float64Array<ArrayBuffer> {
  const { dtype, data } = tensor;
  const out = new Float64Array(data.length / dtypeBytes[dtype]);
  const read = reader(dtype, new DataView(data.buffer, data.byteOffset, data.byteLength), name);
  for (let e = 0; e < out.length; e++) out[e] = read(e);
  return out;
}

/**
 * Numbers of a tensor as float32, all exact.
 * @param name of the tensor, for the message
 * @throws InvalidArgumentError for a number that float32 does not hold
 */
export function decodeFloat32(tensor: Tensor, name = "tensor"): Float32Array<ArrayBuffer> {
  const { dtype, data } = tensor;
  const out = new Float32Array(data.length / dtypeBytes[dtype]);
  const read = reader(dtype, new DataView(data.buffer, data.byteOffset, data.byteLength), name);
  for (let e = 0; e < out.length; e++) {
    const value = read(e);
    out[e] = value;
    if (out[e] !== value && !Number.isNaN(value)) {
      throw new InvalidArgumentError(`${name}[${e}]`, "a number that float32 holds", value);
    }
  }
  return out;
}

/**
 * A tensor of the given numbers. Floats are rounded to the nearest, beyond the largest to Infinity; integers are not.
 * @throws InvalidArgumentError for another count than the shape has, and a number that an integer type does not hold
 */
export function encodeTensor(dtype: WrittenDtype, shape: readonly number[], values: ArrayLike<number>): Tensor {
  const length = shape.reduce((product, extent) => product * extent, 1);
  if (values.length !== length) {
    throw new InvalidArgumentError("values", `${length} numbers for ${shapeText(shape)}`, values.length);
  }
  const data = new Uint8Array(length * dtypeBytes[dtype]);
  const write = writer(dtype, new DataView(data.buffer));
  for (let e = 0; e < length; e++) write(e, values[e]);
  return { dtype, shape, data };
}

function reader(dtype: Dtype, view: DataView, name: string): (e: number) => number {
  const small = smallFloats[dtype];
  if (small !== undefined) {
    const table = tableOf(small);
    const wide = dtypeBytes[dtype] === 2;
    return (e) => table[wide ? view.getUint16(2 * e, true) : view.getUint8(e)];
  }
  const wide = (e: number, value: bigint) => {
    const number = Number(value);
    if (BigInt(number) !== value) throw new InvalidArgumentError(`${name}[${e}]`, "an integer float64 holds", value);
    return number;
  };
  switch (dtype) {
    case "F64":
      return (e) => view.getFloat64(8 * e, true);
    case "F32":
      return (e) => view.getFloat32(4 * e, true);
    case "F8_E8M0":
      return (e) => (view.getUint8(e) === 255 ? Number.NaN : 2 ** (view.getUint8(e) - 127));
    case "I64":
      return (e) => wide(e, view.getBigInt64(8 * e, true));
    case "U64":
      return (e) => wide(e, view.getBigUint64(8 * e, true));
    case "I32":
      return (e) => view.getInt32(4 * e, true);
    case "U32":
      return (e) => view.getUint32(4 * e, true);
    case "I16":
      return (e) => view.getInt16(2 * e, true);
    case "U16":
      return (e) => view.getUint16(2 * e, true);
    case "I8":
      return (e) => view.getInt8(e);
    case "BOOL":
      return (e) => {
        const value = view.getUint8(e);
        if (value > 1) throw new InvalidArgumentError(`${name}[${e}]`, "0 or 1, the bytes of a BOOL", value);
        return value;
      };
    default:
      return (e) => view.getUint8(e);
  }
}

function writer(dtype: WrittenDtype, view: DataView): (e: number, value: number) => void {
  const integer =
    (low: number, high: number, set: (e: number, value: number) => void) => (e: number, value: number) => {
      if (!Number.isInteger(value) || value < low || value > high) {
        throw new InvalidArgumentError(`values[${e}]`, `an integer in [${low}, ${high}] for ${dtype}`, value);
      }
      set(e, value);
    };
  switch (dtype) {
    case "F64":
      return (e, value) => view.setFloat64(8 * e, value, true);
    case "F32":
      return (e, value) => view.setFloat32(4 * e, value, true);
    case "F16":
    case "BF16":
      return (e, value) => view.setUint16(2 * e, encodeSmall(value, smallFloats[dtype]!), true);
    case "I64":
      return integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, (e, value) =>
        view.setBigInt64(8 * e, BigInt(value), true),
      );
    case "I32":
      return integer(-(2 ** 31), 2 ** 31 - 1, (e, value) => view.setInt32(4 * e, value, true));
    case "U8":
      return integer(0, 255, (e, value) => view.setUint8(e, value));
    case "BOOL":
      return integer(0, 1, (e, value) => view.setUint8(e, value));
    default:
      throw new InvalidArgumentError("dtype", writtenDtypes.join(", "), describe(dtype));
  }
}

const tables = new Map<SmallFloat, Float64Array>();

/** The value of every bit pattern; at most 65,536. */
function tableOf(format: SmallFloat): Float64Array {
  const bits = 1 + format.exponentBits + format.mantissaBits;
  const table = tables.get(format) ?? Float64Array.from({ length: 2 ** bits }, (_, code) => decodeSmall(code, format));
  tables.set(format, table);
  return table;
}

function decodeSmall(code: number, { exponentBits, mantissaBits, bias, special }: SmallFloat): number {
  const highest = 2 ** exponentBits - 1;
  const fraction = code & (2 ** mantissaBits - 1);
  const exponent = (code >> mantissaBits) & highest;
  const sign = code >> (mantissaBits + exponentBits) ? -1 : 1;
  if (special === "unsigned zero" && sign < 0 && exponent === 0 && fraction === 0) return Number.NaN;
  if (exponent === highest) {
    if (special === "ieee") return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    if (special === "one NaN" && fraction === 2 ** mantissaBits - 1) return Number.NaN;
  }
  const significand = (exponent > 0 ? 1 : 0) + fraction / 2 ** mantissaBits;
  return sign * 2 ** (Math.max(exponent, 1) - bias) * significand;
}

/** The bits of the nearest number of an IEEE type, ties to the even one. */
function encodeSmall(value: number, { exponentBits, mantissaBits, bias }: SmallFloat): number {
  const sign = value < 0 || Object.is(value, -0) ? 2 ** (exponentBits + mantissaBits) : 0;
  const infinity = (2 ** exponentBits - 1) * 2 ** mantissaBits;
  if (Number.isNaN(value)) return infinity + 2 ** (mantissaBits - 1);
  const size = Math.abs(value);
  if (size === Number.POSITIVE_INFINITY) return sign + infinity;
  // Below the least normal number the spacing stays.
  const exponent = Math.max(exponentOf(size), 1 - bias);
  // A power of two scales without rounding, but for numbers so small that they round to 0 in any case.
  const scaled = size / 2 ** (exponent - mantissaBits);
  const down = Math.floor(scaled);
  const rest = scaled - down;
  const rounded = rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
  // A significand of 2^(mantissaBits + 1) carries into the exponent, and past the largest number into Infinity.
  return sign + Math.min((exponent + bias - 1) * 2 ** mantissaBits + rounded, infinity);
}

const word = new DataView(new ArrayBuffer(8));

/** floor(log2(size)) of a normal float64. */
function exponentOf(size: number): number {
  word.setFloat64(0, size);
  return (word.getUint16(0) >> 4) - 1023;
}
