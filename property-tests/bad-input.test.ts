/**
 * Wrong arguments on every device: some value that is not in the documented domain of an argument, in the place of that
 * argument in an otherwise valid call. The call is refused with an error that names the argument, its domain and the value,
 * nothing has been written, and the device goes on to give the right numbers. The domains are those of `tests/bad-input/`.
 */

import fc from "fast-check";
import { describe as picture } from "../src/errors.js";
import type { AttentionInputs, AttentionOptions } from "../src/types.js";
import {
  arrays,
  boolean,
  bytes,
  divisor,
  either,
  int32s,
  integer,
  nonNegative,
  notNaN,
  oneOf,
  optional,
  order,
  perHead,
  positive,
  record,
} from "../tests/bad-input/domains.js";
import { type Argument, at, attempt, complaint, junk, withValue } from "../tests/bad-input/walk.js";
import { among, type Case, cases } from "./arbitraries.js";
import type { Bug, TestBackend } from "./backends.js";
import { expectClose, forward, inputsFor, truthOf } from "./evaluate.js";
import { property } from "./property.js";

const methods = ["forward", "backward", "weights", "forwardSync", "backwardSync", "weightsSync"] as const;
type Method = (typeof methods)[number];

/** Lengths of everything that a call takes or gives. */
function lengthsOf({ inputs, options }: Case) {
  const { batch, heads, queries, keys, headDim, valueDim = headDim } = inputs;
  const rows = batch * heads * queries;
  const columns = batch * (options.keyHeads ?? heads) * keys;
  const [q, k, v] = [rows * headDim, columns * headDim, columns * valueDim];
  const out = { output: rows * valueDim, logSumExp: rows, weights: rows * keys, dq: q, dk: k, dv: v };
  return { q, k, v, out: { ...out, dAlpha: heads, dKappa: heads } };
}

/** Fresh valid arguments of a method, results included. */
function validArguments(backend: TestBackend, call: Case, method: Method): unknown[] {
  const { out } = lengthsOf(call);
  const fresh = (length: number) => new backend.floats(length).fill(7);
  const results = Object.fromEntries(Object.entries(out).map(([name, length]) => [name, fresh(length)]));
  const inputs: AttentionInputs = inputsFor(backend, call);
  const { mask } = call.options;
  const options = { ...call.options, ...(mask && { mask: { ...mask } }), out: results } as AttentionOptions;
  const saved = { output: fresh(out.output), logSumExp: fresh(out.logSumExp), dOutput: fresh(out.output) };
  return method.startsWith("backward") ? [inputs, options, saved] : [inputs, options];
}

const isPositive = (x: number) => x > 0 && Number.isFinite(x);

/** Every argument of a method with its domain, as the README and the types state it. */
function argumentsOf(backend: TestBackend, call: Case, method: Method): Argument[] {
  const { inputs, options } = call;
  const { batch, heads, queries, keys } = inputs;
  const { q, k, v, out } = lengthsOf(call);
  const wide = backend.floats === Float64Array;
  const tensor = (length: number) => arrays(wide ? [Float64Array, Float32Array] : [Float32Array], length);
  const result = (length: number) => optional(arrays([wide ? Float64Array : Float32Array], length));
  const lengths = (most: number) => optional(int32s(batch, (n) => n >= 0 && n <= most));
  const all = [
    at("0", record(), "inputs"),
    at("0.q", tensor(q)),
    at("0.k", tensor(k)),
    at("0.v", method.startsWith("weights") ? optional(tensor(v)) : tensor(v)),
    at("0.batch", integer(0)),
    at("0.heads", integer(1)),
    at("0.queries", integer(0)),
    at("0.keys", integer(0)),
    at("0.headDim", integer(1)),
    at("0.valueDim", optional(integer(1))),
    at(
      "1.alpha",
      perHead(heads, order, (x) => x > 0 && x <= 2),
    ),
    at("1.manifold", optional(oneOf("euclidean", "sphere"))),
    at("1.intrinsicDim", optional(positive)),
    at("1.radius", perHead(heads, positive, isPositive, "rescaled")),
    at("1.kappa", perHead(heads, positive, isPositive, "paper", "dim", "none")),
    at("1.bandwidth", optional(either(positive, oneOf("median", "mean")))),
    at("1.bandwidthExponent", optional(oneOf("1/alpha", "1/2"))),
    at("1.bandwidthPairs", optional(oneOf("unmasked", "all"))),
    at("1.degreeNormalization", optional(nonNegative)),
    at("1.causal", optional(boolean)),
    at("1.window", optional(integer(0))),
    at("1.globalTokens", optional(integer(0))),
    at("1.excludeSelf", optional(boolean)),
    at("1.keyLengths", lengths(keys)),
    at("1.queryLengths", lengths(queries)),
    at("1.distanceThreshold", optional(notNaN)),
    at("1.keyHeads", optional(divisor(heads))),
    at("1.signal", { holds: (s) => s === undefined || s instanceof AbortSignal }),
    at("1.mask", { holds: (m) => m === undefined || m instanceof Uint8Array || record().holds(m) }),
    at("1.out", optional(record(Object.keys(out)))),
    ...Object.entries(out).map(([name, length]) => at(`1.out.${name}`, result(length), `out.${name}`)),
  ];
  const names = all.filter(({ path }) => /^1\.[a-zA-Z]+$/.test(path)).map(({ name }) => name);
  all.push(at("1", method.startsWith("backward") ? record(names) : optional(record(names)), "options"));
  const mask = options.mask as { data: Uint8Array } | undefined;
  if (mask) all.push(at("1.mask.data", bytes(mask.data.length), "mask.data"));
  if (method.startsWith("backward")) {
    all.push(
      at("2", record(), "saved"),
      at("2.output", tensor(out.output)),
      at("2.logSumExp", tensor(out.logSumExp)),
      at("2.dOutput", tensor(out.output)),
    );
  }
  return all;
}

/** A device whose calls take some wrong options for right ones. */
const lenient = (name: string, mend: (options: AttentionOptions) => AttentionOptions): Bug => ({
  name,
  attention: (sound) =>
    new Proxy(sound, {
      get(target, key) {
        const value = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        return (inputs: never, options: AttentionOptions, ...rest: never[]) => {
          const isRecord = typeof options === "object" && options !== null;
          return value.call(target, inputs, isRecord ? mend(options) : options, ...rest);
        };
      },
    }),
});

property("a wrong argument is refused by name and leaves no trace", {
  // Each of some forty arguments is wrong in a few of them.
  quick: 250,
  arbitrary: fc.record({
    call: cases({ maximum: 9, ordinary: true }),
    method: among(methods),
    which: fc.nat(999),
    value: junk,
    near: fc.option(fc.nat(99)),
  }),
  async check(backend, { call, method, which, value, near }) {
    const name = backend.attention.device === "webgpu" ? (method.replace("Sync", "") as Method) : method;
    const all = argumentsOf(backend, call, name);
    const argument = all[which % all.length];
    // Five of six values are near misses, where the domain knows some.
    const misses = near === null ? [] : (argument.domain.near ?? []);
    const given = misses.length > 0 ? misses[(near as number) % misses.length] : value;
    if (argument.domain.holds(given)) return;
    const args = withValue(validArguments(backend, call, name), argument.path, given);
    const run = backend.attention[name] as (...args: unknown[]) => unknown;
    const { error, untouched } = await attempt({ call: (...given) => run.apply(backend.attention, given) }, args);
    const said = complaint(argument, given, error, untouched);
    if (said) throw new Error(`off by a refusal: ${name}, ${argument.path} = ${picture(given)}: ${said}`);
    const { output, bounds } = truthOf(call, backend.unit);
    expectClose("output afterwards", (await forward(backend, call)).output, output, bounds.output);
  },
  bugs: [
    lenient("a wrong order is taken for the default", ({ alpha, ...rest }) =>
      (typeof alpha === "number" && alpha > 0 && alpha <= 2) || alpha instanceof Float64Array
        ? { alpha, ...rest }
        : rest,
    ),
    lenient(
      "a name that is not known is ignored",
      (o) => Object.fromEntries(Object.entries(o).filter(([name]) => name.trim() === name)) as AttentionOptions,
    ),
  ],
});
