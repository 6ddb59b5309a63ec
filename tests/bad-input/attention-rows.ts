/** One row for each function of the package itself and for each call of an attention object; see `walk.ts`. */

import { createReferenceBackend } from "../../src/backends/reference.js";
import { checkGpuOptions } from "../../src/backends/webgpu/options.js";
import { Attention, type AttentionInputs, createAttention, mergePartials, preset } from "../../src/index.js";
import {
  boolean,
  bytes,
  type Domain,
  divisor,
  either,
  floats,
  int32s,
  integer,
  notNaN,
  number,
  oneOf,
  optional,
  order,
  perHead,
  positive,
  record,
  size,
  upTo,
} from "./domains.js";
import { type Argument, at, type Row } from "./walk.js";

/** B = 2, H = 2, N = 3, M = 2, D = 2, V = 1: no two shapes of a mask have the same number of elements but one pair. */
const sizes = { batch: 2, heads: 2, queries: 3, keys: 2, headDim: 2, valueDim: 1 };
const ramp = (length: number) => Float64Array.from({ length }, (_, n) => Math.sin(n + 1));
const inputs = (): AttentionInputs => ({ ...sizes, q: ramp(24), k: ramp(16), v: ramp(8) });
const sevens = (length: number) => new Float64Array(length).fill(7);

/** Every option at once; what has no default is given, so that each can be replaced. */
const options = (out: Record<string, Float64Array>) => ({
  alpha: Float64Array.of(1.2, 2),
  manifold: "sphere",
  intrinsicDim: 1,
  radius: Float32Array.of(1, 2),
  kappa: Float64Array.of(1, 2),
  bandwidth: "mean",
  bandwidthExponent: "1/2",
  bandwidthPairs: "all",
  degreeNormalization: 0.5,
  causal: false,
  window: 2,
  globalTokens: 1,
  excludeSelf: false,
  keyLengths: Int32Array.of(2, 1),
  queryLengths: Int32Array.of(3, 2),
  mask: { data: new Uint8Array(12), shape: [2, 1, 3, 2] },
  distanceThreshold: 9,
  keyHeads: 2,
  out,
  output: "arrays",
  signal: new AbortController().signal,
});

const inputArguments = (withValues: boolean): Argument[] => [
  at("0", record(), "inputs"),
  at("0.q", { ...floats(24), contradicts: [ramp(23)] }),
  at("0.k", floats(16)),
  at("0.v", withValues ? floats(8) : optional(floats(8))),
  at("0.batch", size(0, 2)),
  at("0.heads", size(1, 2)),
  at("0.queries", size(0, 3)),
  at("0.keys", size(0, 2)),
  at("0.headDim", size(1, 2)),
  at("0.valueDim", withValues ? { ...optional(size(1, 1)), contradicts: [undefined, 2] } : optional(size(1, 1))),
];

const isPositive = (x: number) => x > 0 && x < Number.POSITIVE_INFINITY;
const lengths = (most: number) => optional(int32s(2, (n) => n >= 0 && n <= most));

/** What a mask may be: unambiguous by its length, or with a shape that broadcasts. */
const bareMask: Domain = {
  // 12 elements may be [2, 1, 3, 2] or [1, 2, 3, 2], and 4 [2, 1, 1, 2] or [1, 2, 1, 2]; 8 is [2, 2, 1, 2].
  holds: (mask) => mask instanceof Uint8Array && [2, 6, 8, 24].includes(mask.length),
  near: [new Uint8Array(12), new Uint8Array(4), new Uint8Array(0), new Uint8Array(3), new Float64Array(24)],
};
const shapedMask: Domain = {
  ...record(),
  near: [
    { data: new Uint8Array(12) },
    { shape: [2, 1, 3, 2] },
    { data: new Uint8Array(12), shape: [2, 1, 3] },
    { data: new Uint8Array(12), shape: Array(4) },
  ],
  holds: (mask) => record().holds(mask) && Array.isArray((mask as { shape: unknown }).shape),
};
const shape: Domain = {
  holds: (given) =>
    Array.isArray(given) && given.every(Number.isInteger) && ["2,1,3,2", "2,2,3,2"].includes(String(given)),
  near: [[2, 1, 3, 1], [3, 1, 2, 2], [2, 1, 3], [2, 1, 3, 2, 1], Int32Array.of(2, 1, 3, 2), [2, 1, 3, "2"]],
  contradicts: [[2, 2, 3, 2]],
};

/** Queries in the middle of a larger buffer, so that results may overlap them by one element at either end. */
const around = ramp(24 + 2 * 24);
const shared = around.subarray(24, 48);

const optionArguments = (out: Readonly<Record<string, number>>): Argument[] => [
  at(
    "1.alpha",
    perHead(2, order, (x) => x > 0 && x <= 2),
  ),
  at("1.manifold", optional(oneOf("euclidean", "sphere"))),
  at("1.intrinsicDim", optional(upTo(1e30))),
  at("1.radius", perHead(2, positive, isPositive, "rescaled")),
  at("1.kappa", perHead(2, positive, isPositive, "paper", "dim", "none")),
  at("1.bandwidth", optional(either(positive, oneOf("median", "mean")))),
  at("1.bandwidthExponent", optional(oneOf("1/alpha", "1/2"))),
  at("1.bandwidthPairs", optional(oneOf("unmasked", "all"))),
  at("1.degreeNormalization", optional(number((x) => x >= 0 && x <= 1e30))),
  at("1.causal", optional(boolean)),
  at("1.window", optional(integer(0))),
  at("1.globalTokens", optional(integer(0))),
  at("1.excludeSelf", optional(boolean)),
  at("1.keyLengths", lengths(2)),
  at("1.queryLengths", lengths(3)),
  at("1.mask", optional(either(bareMask, shapedMask))),
  at("1.mask.data", bytes(12), "mask.data"),
  at("1.mask.shape", shape, "mask.shape"),
  at("1.distanceThreshold", optional(notNaN)),
  at("1.keyHeads", optional({ ...divisor(2), contradicts: [1] })),
  at("1.signal", { holds: (s) => s === undefined || s instanceof AbortSignal, near: [new AbortController()] }),
  at("1.output", optional({ ...oneOf("arrays"), near: ["gpu"] })),
  at("1.out", optional(record(Object.keys(out)))),
  ...Object.entries(out).map(([name, length]) =>
    at(
      `1.out.${name}`,
      optional({ ...floats(length), holds: (a) => a instanceof Float64Array && a.length === length }),
      `out.${name}`,
    ),
  ),
];

const forwardOut = { output: 12, logSumExp: 12 };
const backwardOut = { dq: 24, dk: 16, dv: 8, dAlpha: 2, dKappa: 2 };
const weightsOut = { weights: 24 };
/** One `out` may serve every call. */
const allOut = { ...forwardOut, ...backwardOut, ...weightsOut };
const fresh = (out: Readonly<Record<string, number>>) =>
  options(Object.fromEntries(Object.entries(out).map(([name, length]) => [name, sevens(length)])));
const saved = () => ({ output: ramp(12), logSumExp: ramp(12), dOutput: ramp(12) });

const optional1 = at("1", optional(record(Object.keys(fresh({})))), "options");
const required1 = at("1", record(Object.keys(fresh({}))), "options");
const savedArguments: Argument[] = [
  at("2", record(), "saved"),
  at("2.output", floats(12)),
  at("2.logSumExp", floats(12)),
  at("2.dOutput", floats(12)),
];

/** Calls that would write over what they read, or write two results to one place. */
const overlaps = (
  name: string,
  place: string,
  call: Row["call"],
  others: () => unknown[],
  out: Readonly<Record<string, number>>,
): Row => ({
  name,
  call,
  args: () => {
    const rest = others();
    return [{ ...inputs(), q: shared }, fresh(out), ...rest];
  },
  arguments: [
    {
      path: `1.out.${place}`,
      name: `out.${place}`,
      domain: {
        holds: (a) =>
          a === undefined || (a instanceof Float64Array && a.length === out[place] && a.buffer !== shared.buffer),
        near: [
          shared.subarray(0, out[place]),
          shared.subarray(24 - out[place]),
          around.subarray(25 - out[place], 25),
          around.subarray(47, 47 + out[place]),
        ],
      },
    },
  ],
});

const aliased = (
  name: string,
  call: Row["call"],
  others: () => unknown[],
  [first, second]: readonly [string, string],
  out: Readonly<Record<string, number>>,
): Row => {
  const one = sevens(out[first] + out[second] - 1);
  return {
    name,
    call,
    args: () => [inputs(), { ...fresh(out), out: { [first]: one.subarray(0, out[first]) } }, ...others()],
    arguments: [
      at(
        `1.out.${second}`,
        {
          holds: (a) =>
            a === undefined || (a instanceof Float64Array && a.length === out[second] && a.buffer !== one.buffer),
          near: [one.subarray(out[first] - 1)],
        },
        `out.${second}`,
      ),
    ],
  };
};

function methodRows(attention: Attention, suffix: "" | "Sync"): Row[] {
  const forward = attention[`forward${suffix}`].bind(attention);
  const backward = attention[`backward${suffix}`].bind(attention);
  const weights = attention[`weights${suffix}`].bind(attention);
  const names = { forward: `forward${suffix}`, backward: `backward${suffix}`, weights: `weights${suffix}` };
  return [
    {
      name: names.forward,
      call: forward,
      args: () => [inputs(), fresh(allOut)],
      arguments: [...inputArguments(true), optional1, ...optionArguments(allOut)],
    },
    {
      name: names.backward,
      call: backward,
      args: () => [inputs(), fresh(allOut), saved()],
      arguments: [...inputArguments(true), required1, ...optionArguments(allOut), ...savedArguments],
    },
    {
      name: names.weights,
      call: weights,
      args: () => [inputs(), fresh(allOut)],
      arguments: [...inputArguments(false), optional1, ...optionArguments(allOut)],
    },
    overlaps(names.forward, "output", forward, () => [], forwardOut),
    overlaps(names.backward, "dk", backward, () => [saved()], backwardOut),
    overlaps(names.backward, "dq", backward, () => [{ ...saved(), dOutput: shared.subarray(12) }], backwardOut),
    overlaps(names.weights, "weights", weights, () => [], weightsOut),
    aliased(names.forward, forward, () => [], ["output", "logSumExp"], forwardOut),
    aliased(names.backward, backward, () => [saved()], ["dk", "dv"], backwardOut),
  ];
}

const part = () => ({ output: ramp(6), logSumExp: ramp(3) });
const contextArguments: Argument[] = [
  at("1", optional(record(["manifold", "sharedQueryKey", "heads", "headDim"])), "context"),
  at("1.manifold", optional(oneOf("euclidean", "sphere")), "context.manifold"),
  at("1.sharedQueryKey", optional(boolean), "context.sharedQueryKey"),
  at("1.heads", optional(integer(1)), "context.heads"),
];
const context = (manifold: string) => ({ manifold, sharedQueryKey: true, heads: 2, headDim: 4 });

/** What a device is known by: its class is not the same in every realm. */
const gpuDevice = { createBuffer: () => undefined, queue: { submit: () => undefined } };
const gpuDeviceDomain: Domain = {
  holds: (device) => device === gpuDevice,
  near: [{ createBuffer: gpuDevice.createBuffer }, { queue: gpuDevice.queue }, {}],
};

/** An object whose device can be lost, without a GPU: it checks what the webgpu device checks. */
const losable = new Attention({
  ...createReferenceBackend(),
  recreate: async (gpu: { device: GPUDevice } | undefined) => checkGpuOptions({ gpu }),
} as ReturnType<typeof createReferenceBackend>);

const functionRows: Row[] = [
  {
    name: "recreate",
    call: losable.recreate.bind(losable),
    args: () => [{ device: gpuDevice }],
    arguments: [at("0", optional(record(["device"])), "gpu"), at("0.device", gpuDeviceDomain, "gpu.device")],
  },
  {
    name: "createAttention",
    call: createAttention,
    args: () => [
      { device: "reference", threads: 1, wasm: new Uint8Array(8), relaxed: false, gpu: { device: gpuDevice } },
    ],
    arguments: [
      at("0", optional(record(["device", "threads", "wasm", "relaxed", "gpu"])), "options"),
      at("0.gpu", optional(record(["device"])), "gpu"),
      at("0.gpu.device", gpuDeviceDomain, "gpu.device"),
      at("0.device", optional(oneOf("reference", "auto", "wasm", "webgpu"))),
      at("0.threads", optional(integer(1, 256))),
      at("0.wasm", {
        holds: (w) =>
          w === undefined ||
          typeof w === "string" ||
          ArrayBuffer.isView(w) ||
          [ArrayBuffer, URL, Response, WebAssembly.Module].some((type) => w instanceof type),
        near: [8, [0, 97, 115, 109], { bytes: [] }],
      }),
      at("0.relaxed", optional(boolean)),
    ],
  },
  {
    name: "mergePartials",
    call: mergePartials,
    args: () => [[part(), part()]],
    arguments: [
      at("0", { holds: (parts) => Array.isArray(parts) && parts.length > 0, contradicts: [Array(2), [1]] }, "parts"),
      at("0.0", record(), "parts[0]"),
      at("0.1", record(), "parts[1]"),
      at("0.0.output", { ...floats(), contradicts: [ramp(7), new Float32Array(6)] }, "parts[0].output"),
      at("0.0.logSumExp", { ...floats(), contradicts: [ramp(2)] }, "parts[0].logSumExp"),
      at("0.1.output", { ...floats(6), holds: (a) => a instanceof Float64Array && a.length === 6 }, "parts[1].output"),
      at(
        "0.1.logSumExp",
        { ...floats(3), holds: (a) => a instanceof Float64Array && a.length === 3 },
        "parts[1].logSumExp",
      ),
    ],
  },
  {
    name: "preset",
    call: preset,
    args: () => ["authors-vision", context("sphere")],
    arguments: [
      at("0", oneOf("paper", "authors-text", "authors-vision", "authors-translation"), "name"),
      ...contextArguments,
      at("1.headDim", { ...optional(integer(1)), holds: integer(1).holds }, "context.headDim"),
    ],
  },
  {
    name: "preset",
    call: preset,
    args: () => ["authors-translation", context("euclidean")],
    arguments: [
      at("0", oneOf("paper", "authors-text", "authors-vision", "authors-translation"), "name"),
      contextArguments[0],
      at("1.manifold", optional(oneOf("euclidean")), "context.manifold"),
      ...contextArguments.slice(2),
      at("1.headDim", optional(integer(1)), "context.headDim"),
    ],
  },
];

/** Every function of the package, and every call of `attention`. */
export function attentionRows(attention: Attention): readonly Row[] {
  return [...functionRows, ...methodRows(attention, ""), ...methodRows(attention, "Sync")];
}
