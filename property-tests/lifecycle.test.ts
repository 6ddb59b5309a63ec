/**
 * The life of devices as a model: any order of opening, calling, growing, stopping, wrong arguments and disposing, over
 * several instances, with calls under way in between. Whatever happens, a call gives the right numbers or the error that
 * was asked for, other calls are not touched by it, and no rejection is left unhandled.
 *
 * The numbers are judged by the bounds of `judge-float32.ts` against the float64 oracle.
 */

import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Attention } from "../src/attention.js";
import { FractionalAttentionError, InvalidArgumentError } from "../src/index.js";
import type { BackwardResult, ForwardResult } from "../src/types.js";
import { build, type Recipe } from "./arbitraries.js";
import { type Bug, backends, broken, type TestBackend } from "./backends.js";
import { type Call, expectClose, inputsFor, restOfTruth, truthOf, viewed } from "./evaluate.js";
import { report, runsOf, seed } from "./property.js";

const plain: Recipe = {
  batch: 1,
  keyHeads: 1,
  group: 1,
  queries: 3,
  keys: 4,
  headDim: 3,
  valueDim: 2,
  cloud: "normal",
  seed: 1,
  exponent: 0,
  manifold: "euclidean",
  alphas: [1.2],
  kappa: "paper",
  radius: undefined,
  intrinsicDim: undefined,
  bandwidth: 0,
  bandwidthExponent: "1/alpha",
  bandwidthPairs: "unmasked",
  degreeNormalization: 0,
  masks: [],
  offset: 0,
};

/** Calls of different sizes and ways through a device; the later ones need more memory. */
const calls = [
  plain,
  { ...plain, keys: 0 },
  { ...plain, queries: 17, keys: 33, masks: ["causal", "window"] as const, alphas: [2] },
  {
    ...plain,
    batch: 2,
    keyHeads: 2,
    group: 2,
    queries: 40,
    keys: 65,
    headDim: 9,
    manifold: "sphere" as const,
    offset: 3,
  },
  { ...plain, queries: 65, keys: 64, headDim: 16, bandwidth: "median" as const, degreeNormalization: 1, offset: 1 },
  { ...plain, keyHeads: 2, queries: 200, keys: 300, headDim: 17, valueDim: 0 },
].map((recipe) => {
  // `build` makes large heads single; the last call is meant to be large.
  const call = build(recipe);
  return { call, rest: new Map<number, ReturnType<typeof truths>>() };
});

function truths(call: Call, unit: number) {
  const truth = truthOf(call, unit);
  return { truth, rest: restOfTruth(call, truth) };
}

function expected(size: number, unit: number): ReturnType<typeof truths> {
  const { call, rest } = calls[size];
  let found = rest.get(unit);
  if (!found) {
    found = truths(call, unit);
    rest.set(unit, found);
  }
  return found;
}

function judgeForward(size: number, unit: number, found: ForwardResult): void {
  const { truth } = expected(size, unit);
  expectClose("output", found.output, truth.output, truth.bounds.output);
  expectClose("logSumExp", found.logSumExp, truth.logSumExp, truth.bounds.logSumExp);
}

function judgeBackward(size: number, unit: number, found: BackwardResult): void {
  const { truth, rest } = expected(size, unit);
  for (const name of ["dq", "dk", "dv", "dAlpha", "dKappa"] as const) {
    expectClose(name, found[name], rest[name], truth.bounds[name]);
  }
}

/** What is known of each slot: empty, open or disposed. */
interface Model {
  slots: ("empty" | "open" | "disposed")[];
}

/** What there is: devices, and calls that nobody has waited for yet. */
interface Real {
  readonly backend: TestBackend;
  readonly slots: (Attention | undefined)[];
  readonly underWay: { slot: number; judged: Promise<void> }[];
}

type Command = fc.AsyncCommand<Model, Real>;

/** A command on one slot: what it needs, what it does, and how it reads in a counterexample. */
function command(
  name: string,
  slot: number,
  allowed: readonly Model["slots"][number][],
  run: (real: Real, model: Model) => Promise<void>,
): Command {
  return {
    check: (model) => allowed.includes(model.slots[slot]),
    run: (model, real) => run(real, model),
    toString: () => `${name}(${slot})`,
  };
}

const isDisposal = (error: unknown) => error instanceof FractionalAttentionError && /disposed/.test(error.message);

const open = (slot: number) =>
  command("open", slot, ["empty", "disposed"], async (real, model) => {
    real.slots[slot] = await real.backend.open();
    model.slots[slot] = "open";
  });

const forwardNow = (slot: number, size: number) =>
  command(`forward ${size}`, slot, ["open"], async ({ backend, slots }) => {
    const { call } = calls[size];
    judgeForward(size, backend.unit, await slots[slot]!.forward(inputsFor(backend, call), call.options));
  });

const forwardSync = (slot: number, size: number) =>
  command(`forwardSync ${size}`, slot, ["open"], async ({ backend, slots }) => {
    const { call } = calls[size];
    const attention = slots[slot]!;
    const run = () => attention.forwardSync(inputsFor(backend, call), call.options);
    if (attention.device === "webgpu") expect(run).toThrow(/forwardSync/);
    else judgeForward(size, backend.unit, run());
  });

const backwardNow = (slot: number, size: number) =>
  command(`backward ${size}`, slot, ["open"], async ({ backend, slots }) => {
    const { call } = calls[size];
    const inputs = inputsFor(backend, call);
    const result = await slots[slot]!.forward(inputs, call.options);
    const saved = { ...result, dOutput: viewed(backend, call.dOutput) };
    judgeBackward(size, backend.unit, await slots[slot]!.backward(inputs, call.options, saved));
  });

/** A call that goes on while others come; its inputs are spoilt at once, because they have been read. */
const start = (slot: number, size: number) =>
  command(`start ${size}`, slot, ["open"], async ({ backend, slots, underWay }) => {
    const { call } = calls[size];
    const inputs = inputsFor(backend, call);
    const pending = slots[slot]!.forward(inputs, call.options);
    for (const x of [inputs.q, inputs.k, inputs.v]) x.fill(Number.NaN);
    const judged = pending.then(
      (found) => judgeForward(size, backend.unit, found),
      // Only its own device may have been disposed of in the meantime.
      (error) => {
        if (!isDisposal(error)) throw error;
      },
    );
    // Looked at when all is settled; until then nobody else may call it unhandled.
    judged.catch(() => {});
    underWay.push({ slot, judged });
  });

const settle = (slot: number) =>
  command("settle", slot, ["empty", "open", "disposed"], async ({ underWay }) => {
    for (const { judged } of underWay.splice(0)) await judged;
  });

const abort = (slot: number, size: number, when: "before" | "at once" | "later") =>
  command(`abort ${when} ${size}`, slot, ["open"], async ({ backend, slots }) => {
    const { call } = calls[size];
    const controller = new AbortController();
    const reason = new Error("enough");
    if (when === "before") controller.abort(reason);
    const out = { output: new backend.floats(call.dOutput.length).fill(7) };
    const options = { ...call.options, signal: controller.signal, out };
    const pending = slots[slot]!.forward(inputsFor(backend, call), options);
    if (when === "at once") controller.abort(reason);
    if (when === "later") setTimeout(() => controller.abort(reason), 0);
    const outcome = await pending.then(
      (found) => ({ found }),
      (error: unknown) => ({ error }),
    );
    if ("error" in outcome) {
      expect(outcome.error).toBe(reason);
      expect(out.output.every((x) => x === 7)).toBe(true);
    } else {
      // A call may have come to its end before it was stopped; not one that had no beginning.
      expect(when).not.toBe("before");
      judgeForward(size, backend.unit, outcome.found);
    }
  });

const wrong = (slot: number, kind: number) =>
  command(`wrong ${kind}`, slot, ["open"], async ({ backend, slots }) => {
    const { call } = calls[0];
    const inputs = inputsFor(backend, call);
    const mistakes: [object, object, RegExp][] = [
      [{ ...inputs, q: inputs.q.subarray(1) }, {}, /^q: /],
      [inputs, { alpha: 2.5 }, /^alpha: /],
      [inputs, { kappa: 0 }, /^kappa: /],
      [inputs, { mask: new Uint8Array(5) }, /^mask: /],
      [{ ...inputs, headDim: 0 }, {}, /^headDim: /],
      [inputs, { out: { output: new backend.floats(1) } }, /^out\.output: /],
    ];
    const [given, options, message] = mistakes[kind];
    const error = await slots[slot]!.forward(given as typeof inputs, options).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect((error as Error).message).toMatch(message);
  });

const dispose = (slot: number) =>
  command("dispose", slot, ["open", "disposed"], async ({ slots }, model) => {
    slots[slot]!.dispose();
    model.slots[slot] = "disposed";
    expect(slots[slot]!.memoryBytes).toBe(0);
  });

const useDisposed = (slot: number, size: number) =>
  command("use after dispose", slot, ["disposed"], async ({ backend, slots }) => {
    const { call } = calls[size];
    const inputs = inputsFor(backend, call);
    await expect(slots[slot]!.forward(inputs, call.options)).rejects.toThrow(/disposed/);
    expect(() => slots[slot]!.weightsSync(inputs, call.options)).toThrow(/disposed/);
  });

const slot = fc.nat(1);
const size = fc.nat(calls.length - 1);
const commands = [
  slot.map(open),
  fc.tuple(slot, size).map(([s, n]) => forwardNow(s, n)),
  fc.tuple(slot, size).map(([s, n]) => forwardSync(s, n)),
  fc.tuple(slot, size).map(([s, n]) => backwardNow(s, n)),
  fc.tuple(slot, size).map(([s, n]) => start(s, n)),
  slot.map(settle),
  fc.tuple(slot, size, fc.constantFrom("before", "at once", "later")).map(([s, n, when]) => abort(s, n, when)),
  fc.tuple(slot, fc.nat(5)).map(([s, kind]) => wrong(s, kind)),
  slot.map(dispose),
  fc.tuple(slot, size).map(([s, n]) => useDisposed(s, n)),
];

/** Runs a history on fresh slots, the first of which is open, and leaves nothing behind. */
async function live(backend: TestBackend, history: Iterable<Command>): Promise<void> {
  const unhandled: unknown[] = [];
  const remember = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", remember);
  const real: Real = { backend, slots: [await backend.open(), undefined], underWay: [] };
  try {
    await fc.asyncModelRun(() => ({ model: { slots: ["open", "empty"] } as Model, real }), history);
    for (const { judged } of real.underWay.splice(0)) await judged;
  } finally {
    for (const attention of real.slots) attention?.dispose();
    await Promise.allSettled(real.underWay.map(({ judged }) => judged));
    // Unhandled rejections are told after the microtasks of a turn.
    await setImmediate();
    process.off("unhandledRejection", remember);
  }
  expect(unhandled).toEqual([]);
}

const histories = fc.commands(commands, { maxCommands: 12, replayPath: process.env.PROPERTY_HISTORY });

describe("the life of devices in any order of events", () => {
  for (const backend of backends) {
    // Workers take a moment to start, and here they are started in every case.
    const quick = backend.name.includes("threads") ? 6 : 15;
    test(`holds on ${backend.name}`, async () => {
      await fc.assert(
        fc.asyncProperty(histories, (history) => live(backend, history)),
        {
          seed,
          path: process.env.PROPERTY_PATH,
          endOnFailure: process.env.PROPERTY_PATH !== undefined,
          numRuns: runsOf(quick, backend),
          asyncReporter: async (details) => report("the life of devices in any order of events", backend, details),
        },
      );
    });
  }

  const bugs: Bug[] = [
    { name: "numbers of the call before", forward: stale() },
    {
      name: "a key too few",
      plan: (p) => ({
        ...p,
        keyLengths: p.keyLengths.map((n) => Math.max(0, n - 1)),
      }),
    },
  ];
  for (const bug of process.env.PROPERTY_PATH === undefined ? bugs : []) {
    test(`notices a bug: ${bug.name}`, async () => {
      const details = await fc.check(
        fc.asyncProperty(histories, (history) => live(broken(bug), history)),
        { seed: 2026, numRuns: 100, endOnFailure: true },
      );
      expect(details.failed).toBe(true);
      expect(String(details.errorInstance)).toMatch(/off by/);
    });
  }

  test("notices a bug: a rejection that nobody handles", async () => {
    const careless = command("careless", 0, ["open"], async () => {
      Promise.reject(new Error("nobody"));
    });
    await expect(live(backends[0], [careless])).rejects.toThrow(/nobody/);
  });
});

/** A device that remembers: where sizes fit, the numbers of the call before. */
function stale() {
  let last: ForwardResult | undefined;
  return (result: ForwardResult): ForwardResult => {
    const found = last && last.output.length === result.output.length ? last : result;
    last = { output: result.output.map((x) => x + 1), logSumExp: result.logSumExp };
    return found;
  };
}
