/**
 * The life of devices as a model: any order of opening, calling, growing, stopping, throwing, wrong arguments and disposing,
 * over two instances, with calls under way in between. Whatever happens, a call gives the right numbers or the error that was
 * asked for, other calls are not touched by it, and no rejection is left unhandled. At the end of a history devices hold
 * what they say, nothing of the calls, and after `dispose` nothing at all.
 *
 * The numbers are judged by the bounds of `judge-float32.ts` against the float64 oracle.
 */

import { getEventListeners } from "node:events";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { Attention } from "../src/attention.js";
import type { Backend } from "../src/backends/backend.js";
import { createReferenceBackend } from "../src/backends/reference.js";
import { createWasmBackend } from "../src/backends/wasm/index.js";
import { createAttention, FractionalAttentionError, InvalidArgumentError } from "../src/index.js";
import { makePlan } from "../src/plan.js";
import type { AttentionOptions, Floats, ForwardResult, Tensor } from "../src/types.js";
import type { Float32Bounds } from "../src/verify/judge-float32.js";
import { Held } from "../tests/held.js";
import { slowSteps } from "../tests/slow-steps.js";
import { build, type Recipe } from "./arbitraries.js";
import { backends, broken, type TestBackend } from "./backends.js";
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
  { ...plain, queries: 17, keys: 33, masks: ["causal", "window", "mask"] as const, alphas: [2] },
  {
    ...plain,
    batch: 2,
    keyHeads: 2,
    group: 2,
    queries: 19,
    keys: 37,
    manifold: "sphere" as const,
    alphas: [1.2, 2],
    offset: 3,
  },
  { ...plain, queries: 65, keys: 64, bandwidth: "median" as const, degreeNormalization: 1, offset: 1 },
  { ...plain, keyHeads: 2, queries: 70, keys: 30, masks: ["keyLengths"] as const },
  { ...plain, queries: 200, keys: 300, headDim: 17, valueDim: 0 },
].map((recipe) => {
  const call = build(recipe);
  const { batch, heads } = call.inputs;
  if (batch !== recipe.batch || heads !== recipe.keyHeads * recipe.group)
    throw new Error("build has made a call smaller");
  return { call, found: new Map<number, Numbers>() };
});

/** What a call asks for, and the names of what it gives. */
const results = {
  forward: ["output", "logSumExp"],
  backward: ["dq", "dk", "dv", "dAlpha", "dKappa"],
  weights: ["weights"],
} as const;
type Kind = keyof typeof results;
type Name = (typeof results)[Kind][number];
type Found = Partial<Record<Name, Floats>>;

/** The right numbers of a call, and how far a device may be from them. */
interface Numbers {
  readonly right: Record<Name, Floats>;
  readonly bounds: Float32Bounds;
}

function numbersOf(call: Call, unit: number): Numbers {
  const truth = truthOf(call, unit);
  const { output, logSumExp, rows } = truth;
  return { right: { output, logSumExp, ...restOfTruth(call, truth) }, bounds: rows };
}

function expected(size: number, unit: number): Numbers {
  const { call, found } = calls[size];
  let numbers = found.get(unit);
  if (!numbers) {
    numbers = numbersOf(call, unit);
    found.set(unit, numbers);
  }
  return numbers;
}

function judge(kind: Kind, size: number, unit: number, found: Found): void {
  const { right, bounds } = expected(size, unit);
  for (const name of results[kind]) expectClose(name, found[name] ?? [], right[name], bounds[name]);
}

/** What is known of each slot. */
interface Model {
  slots: ("open" | "disposed")[];
}

/** What there is: devices, and calls that nobody has waited for yet. */
interface Real {
  readonly backend: TestBackend;
  readonly held: Held;
  readonly slots: Attention[];
  /** Every device of the history, and those of them that have been disposed of. */
  readonly opened: Attention[];
  readonly disposed: Set<Attention>;
  readonly underWay: Promise<void>[];
}

/** Whose the GPU of a device is, where it has one. */
type Owner = "own" | "given";

/** Opens a device in a slot. A given GPU is the same in all histories, so that it need not compile all passes in each. */
async function openSlot({ backend, held, slots, opened }: Real, slot: number, owner: Owner): Promise<void> {
  const { gpu } = backend.attention;
  const attention =
    gpu && owner === "given"
      ? await createAttention({ device: "webgpu", gpu: { device: gpu.device } })
      : await backend.open();
  if (attention.gpu && owner === "own") held.watchGpu(attention.gpu.device, true);
  slots[slot] = attention;
  opened.push(attention);
}

/** The options of a call in arrays that belong to nobody else, and those arrays. */
function ownOptions(options: AttentionOptions): {
  options: AttentionOptions;
  arrays: (Floats | Int32Array | Uint8Array)[];
} {
  const own = structuredClone(options);
  const parts = [...Object.values(own), ...Object.values(own.mask ?? {})];
  return { options: own, arrays: parts.filter((part) => ArrayBuffer.isView(part)) as Floats[] };
}

/** Arguments of a call of a kind: what it reads, and places for what it gives. */
function argumentsOf({ backend, held }: Real, kind: Kind, size: number) {
  const { call } = calls[size];
  const inputs = inputsFor(backend, call);
  const { right } = expected(size, backend.unit);
  const saved = {
    output: viewed(backend, right.output),
    logSumExp: viewed(backend, right.logSumExp),
    dOutput: viewed(backend, call.dOutput),
  };
  const out: Found = {};
  for (const name of results[kind]) out[name] = new backend.floats(right[name].length).fill(7);
  const { q, k, v } = inputs;
  const read = { q, k, v, ...saved };
  held.watchArrays({ ...read, ...out });
  return { inputs, saved, out, read };
}

/** A call of a kind, its results by name. */
async function ask(
  { held }: Real,
  attention: Attention,
  kind: Kind,
  { inputs, saved }: Pick<ReturnType<typeof argumentsOf>, "inputs" | "saved">,
  options: AttentionOptions,
): Promise<Found> {
  const found =
    kind === "backward"
      ? await attention.backward(inputs, options, saved)
      : kind === "forward"
        ? await attention.forward(inputs, options)
        : { weights: await attention.weights(inputs, options) };
  held.watchArrays(found);
  return found;
}

type Command = fc.AsyncCommand<Model, Real>;

/** A command, on a slot in one of the states: what it does, and how it reads in a counterexample. */
function command(
  name: string,
  slot: number,
  allowed: readonly Model["slots"][number][],
  run: (real: Real, attention: Attention, model: Model) => Promise<void>,
): Command {
  return {
    check: (model) => allowed.includes(model.slots[slot]),
    run: (model, real) => run(real, real.slots[slot], model),
    toString: () => `${name} (${slot})`,
  };
}

const open = (slot: number, owner: Owner) =>
  command(`open ${owner}`, slot, ["disposed"], async (real, _, model) => {
    await openSlot(real, slot, owner);
    model.slots[slot] = "open";
  });

const now = (slot: number, kind: Kind, size: number) =>
  command(`${kind} ${size}`, slot, ["open"], async (real, attention) => {
    const { options } = calls[size].call;
    judge(kind, size, real.backend.unit, await ask(real, attention, kind, argumentsOf(real, kind, size), options));
  });

const sync = (slot: number, kind: Kind, size: number) =>
  command(`${kind}Sync ${size}`, slot, ["open"], async (real, attention) => {
    const { inputs, saved } = argumentsOf(real, kind, size);
    const { options } = calls[size].call;
    const run = (): Found =>
      kind === "backward"
        ? { ...attention.backwardSync(inputs, options, saved) }
        : kind === "forward"
          ? { ...attention.forwardSync(inputs, options) }
          : { weights: attention.weightsSync(inputs, options) };
    if (attention.device === "webgpu") return expect(run).toThrow(`${kind}Sync: `);
    const found = run();
    real.held.watchArrays(found);
    judge(kind, size, real.backend.unit, found);
  });

/** The same call twice: what it needs is there the second time. */
const again = (slot: number, kind: Kind, size: number) =>
  command(`twice ${kind} ${size}`, slot, ["open"], async (real, attention) => {
    const { options } = calls[size].call;
    const bytes: number[] = [];
    for (let time = 0; time < 2; time++) {
      judge(kind, size, real.backend.unit, await ask(real, attention, kind, argumentsOf(real, kind, size), options));
      bytes.push(attention.memoryBytes);
    }
    if (bytes[1] > bytes[0]) throw new Error(`memory grows from ${bytes[0]} to ${bytes[1]} bytes by the same call`);
  });

/** A call that goes on while others come. All that was handed over is spoilt at once, because it has been read. */
const start = (slot: number, kind: Kind, size: number, withSignal: boolean) =>
  command(`start ${kind} ${size}${withSignal ? " with a signal" : ""}`, slot, ["open"], async (real, attention) => {
    const { backend, disposed, underWay } = real;
    const given = argumentsOf(real, kind, size);
    const own = ownOptions(calls[size].call.options);
    const { signal } = new AbortController();
    const options = { ...own.options, out: { ...given.out }, ...(withSignal ? { signal } : {}) };
    const pending = ask(real, attention, kind, given, options);
    for (const array of [...Object.values(given.read), ...own.arrays]) array.fill(1);
    for (const name of results[kind]) options.out[name] = new backend.floats(1);
    Object.assign(options, { alpha: 3, out: {} });
    const { out } = given;
    const judged = pending.then(
      (found) => {
        for (const name of results[kind])
          expect(found[name] === out[name], `${name} is where it was asked for`).toBe(true);
        judge(kind, size, backend.unit, found);
      },
      (error) => {
        const isDisposal = error instanceof FractionalAttentionError && /disposed/.test(error.message);
        // Only its own device may have been disposed of in the meantime.
        if (!isDisposal || !disposed.has(attention)) throw error;
      },
    );
    // Looked at when all is settled; until then nobody else may call it unhandled.
    judged.catch(() => {});
    underWay.push(judged);
  });

const settle = () =>
  ({
    check: () => true,
    run: async (_, { underWay }) => {
      for (const judged of underWay.splice(0)) await judged;
    },
    toString: () => "settle",
  }) satisfies Command;

/** When a call is stopped: before it, after it has begun, a turn later, or where it asks its signal for the nth time. */
type When = "before" | "at once" | "later" | number;

const abort = (slot: number, kind: Kind, size: number, when: When) =>
  command(`abort ${when} ${kind} ${size}`, slot, ["open"], async (real, attention) => {
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error("enough");
    if (when === "before") controller.abort(reason);
    if (typeof when === "number") {
      let asked = 0;
      signal.throwIfAborted = () => {
        if (++asked === when) controller.abort(reason);
        if (signal.aborted) throw signal.reason;
      };
    }
    const given = argumentsOf(real, kind, size);
    const { out } = given;
    const pending = ask(real, attention, kind, given, { ...calls[size].call.options, signal, out });
    if (when === "at once") controller.abort(reason);
    if (when === "later") setTimeout(() => controller.abort(reason), 0);
    const outcome = await pending.then(
      (found) => ({ found }),
      (error: unknown) => ({ error }),
    );
    if ("error" in outcome) {
      expect(outcome.error).toBe(reason);
      for (const place of Object.values(out)) expect(place.every((x) => x === 7)).toBe(true);
    } else {
      // A call may have come to its end before it was stopped; not one that had no beginning.
      expect(when).not.toBe("before");
      judge(kind, size, real.backend.unit, outcome.found);
    }
    expect(getEventListeners(signal, "abort"), "listeners that a call leaves on its signal").toEqual([]);
  });

/** A caller's object that throws where it is read. */
const throwing = (slot: number, kind: Kind, at: "alpha" | "mask" | "signal" | "out" | "q") =>
  command(`${kind} where ${at} throws`, slot, ["open"], async (real, attention) => {
    const given = argumentsOf(real, kind, 0);
    const reason = new Error("no");
    const trap = (target: object) =>
      Object.defineProperty(target, at, {
        enumerable: true,
        get() {
          throw reason;
        },
      });
    const options = {};
    trap(at === "q" ? given.inputs : options);
    await expect(ask(real, attention, kind, given, options)).rejects.toBe(reason);
  });

const wrong = (slot: number, mistake: number) =>
  command(`wrong ${mistake}`, slot, ["open"], async (real, attention) => {
    const { inputs } = argumentsOf(real, "forward", 0);
    const mistakes: [object, object, RegExp][] = [
      [{ ...inputs, q: inputs.q.subarray(1) }, {}, /^q: /],
      [inputs, { alpha: 2.5 }, /^alpha: /],
      [inputs, { kappa: 0 }, /^kappa: /],
      [inputs, { mask: new Uint8Array(5) }, /^mask: /],
      [{ ...inputs, headDim: 0 }, {}, /^headDim: /],
      [inputs, { out: { output: new real.backend.floats(1) } }, /^out\.output: /],
    ];
    const [given, options, message] = mistakes[mistake];
    const error = await attention.forward(given as typeof inputs, options).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect((error as Error).message).toMatch(message);
  });

const dispose = (slot: number) =>
  command("dispose", slot, ["open", "disposed"], async ({ disposed }, attention, model) => {
    attention.dispose();
    disposed.add(attention);
    model.slots[slot] = "disposed";
    expect(attention.memoryBytes).toBe(0);
  });

const useDisposed = (slot: number, kind: Kind, size: number) =>
  command(`${kind} ${size} after dispose`, slot, ["disposed"], async (real, attention) => {
    const given = argumentsOf(real, kind, size);
    const { options } = calls[size].call;
    await expect(ask(real, attention, kind, given, options)).rejects.toThrow(/disposed/);
    expect(() => attention.weightsSync(given.inputs, options)).toThrow(/disposed/);
  });

const slot = fc.nat(1);
const kind = fc.constantFrom<Kind[]>("forward", "backward", "weights");
const size = fc.nat(calls.length - 1);
const owner = fc.oneof({ arbitrary: fc.constant<Owner>("given"), weight: 19 }, fc.constant<Owner>("own"));
const when = fc.constantFrom<When[]>("before", "at once", "later", 1, 2, 3, 4);
const commands = [
  // What fits a slot that is disposed of comes often, or most commands would find nothing to do.
  fc.tuple(slot, owner).map(([s, o]) => open(s, o)),
  fc.tuple(slot, owner).map(([s, o]) => open(s, o)),
  fc.tuple(slot, kind, size).map(([s, k, n]) => now(s, k, n)),
  fc.tuple(slot, kind, size).map(([s, k, n]) => sync(s, k, n)),
  fc.tuple(slot, kind, size).map(([s, k, n]) => again(s, k, n)),
  fc.tuple(slot, kind, size, fc.boolean()).map((of) => start(...of)),
  fc.tuple(slot, kind, size, fc.boolean()).map((of) => start(...of)),
  fc.constant(null).map(settle),
  fc.tuple(slot, kind, size, when).map((of) => abort(...of)),
  fc.tuple(slot, kind, fc.constantFrom("alpha", "mask", "signal", "out", "q")).map((of) => throwing(...of)),
  fc.tuple(slot, fc.nat(5)).map(([s, mistake]) => wrong(s, mistake)),
  slot.map(dispose),
  fc.tuple(slot, kind, size).map(([s, k, n]) => useDisposed(s, k, n)),
];

/** Runs a history on two fresh devices and leaves nothing behind. */
async function live(backend: TestBackend, history: Iterable<Command>): Promise<void> {
  const unhandled: unknown[] = [];
  const remember = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", remember);
  const held = new Held();
  const real: Real = { backend, held, slots: [], opened: [], disposed: new Set(), underWay: [] };
  const { opened, underWay } = real;
  // Signals are asked between any two steps.
  slowSteps();
  try {
    if (backend.attention.gpu) held.watchGpu(backend.attention.gpu.device, false);
    for (const slot of [0, 1]) await openSlot(real, slot, "given");
    const threads = held.workers / 2;
    await fc.asyncModelRun(() => ({ model: { slots: ["open", "open"] } as Model, real }), history);
    for (const judged of underWay.splice(0)) await judged;
    // Workers hold memory until they have ended.
    await held.expectWorkers(threads * opened.filter((attention) => !real.disposed.has(attention)).length);
    await held.expectBytes(opened.reduce((bytes, attention) => bytes + attention.memoryBytes, 0));
    for (const attention of opened) attention.dispose();
    held.expectNoGpu();
    await held.expectWorkers(0);
    await held.expectBytes(0);
  } finally {
    for (const attention of opened) attention.dispose();
    await Promise.allSettled(underWay);
    // Unhandled rejections are told after the microtasks of a turn.
    await setImmediate();
    process.off("unhandledRejection", remember);
    vi.restoreAllMocks();
    await held.stop();
  }
  expect(unhandled).toEqual([]);
}

const historiesUpTo = (maxCommands: number) =>
  fc.commands(commands, { maxCommands, size: "max", replayPath: process.env.PROPERTY_HISTORY });
const histories = historiesUpTo(30);
/** How many of them the quick profile has. */
const quick = 12;
/** A software adapter takes its time for every call. */
const shortHistories = historiesUpTo(10);

describe("the life of devices in any order of events", () => {
  for (const backend of backends) {
    test(`holds on ${backend.name}`, async () => {
      await fc.assert(
        fc.asyncProperty(backend.name === "webgpu" ? shortHistories : histories, (history) => live(backend, history)),
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

  const planted: { name: string; backend: () => TestBackend; notice: RegExp }[] = [
    {
      name: "numbers of the call before",
      backend: () => broken({ name: "stale", forward: stale() }),
      notice: /off by/,
    },
    {
      name: "a key too few",
      backend: () =>
        broken({
          name: "short",
          plan: (p) => ({ ...p, keyLengths: p.keyLengths.map((n) => Math.max(0, n - 1)) }),
        }),
      notice: /off by/,
    },
    {
      name: "results that are kept",
      backend: () => {
        const kept: Floats[] = [];
        const weights = (found: Floats) => {
          kept.push(found);
          return found;
        };
        return broken({ name: "keeper", weights });
      },
      notice: /leak: weights of a call/,
    },
    { name: "a dispose that stops calls of other devices", backend: jealous, notice: /disposed/ },
    {
      name: "a listener left on the signal",
      backend: () =>
        changed(createReferenceBackend, (sound) => ({
          forward: (plan, tensors, signal) => {
            signal?.addEventListener("abort", () => {});
            return sound.forward(plan, tensors, signal);
          },
        })),
      notice: /listeners/,
    },
    {
      name: "a dispose that keeps the memory",
      backend: () => changed(createWasmBackend, () => ({ dispose() {} })),
      notice: /leak: \d+ bytes/,
    },
    {
      name: "a dispose that leaves the workers",
      backend: () =>
        changed(
          () => createWasmBackend({ threads: 2 }),
          () => ({ dispose() {} }),
        ),
      notice: /leak: \d+ workers/,
    },
    { name: "memory that grows with every call", backend: growing, notice: /memory grows/ },
  ];
  for (const { name, backend, notice } of process.env.PROPERTY_PATH === undefined ? planted : []) {
    test(`notices a bug: ${name}`, async () => {
      const bad = backend();
      const details = await fc.check(
        // Within the cases that `npm test` has.
        fc.asyncProperty(histories, (history) => live(bad, history)),
        { seed: 2026, numRuns: quick, endOnFailure: true },
      );
      expect(details.failed).toBe(true);
      expect(String(details.errorInstance)).toMatch(notice);
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

/** Devices of a kind, in each of which something is replaced. */
function changed(open: () => Backend | Promise<Backend>, change: (sound: Backend) => Partial<Backend>): TestBackend {
  const same = backends.find(({ name }) => name === (open === createReferenceBackend ? "reference" : "wasm"))!;
  return {
    ...same,
    open: async () => {
      const sound = await open();
      const changes = change(sound);
      const backend = new Proxy(sound, {
        get: (_, name: keyof Backend) => {
          const value = name in changes ? changes[name] : sound[name];
          return typeof value === "function" ? value.bind(sound) : value;
        },
      });
      return new Attention(backend as Backend<Tensor>);
    },
  };
}

/** Devices of which one that is disposed of stops the calls of all. */
function jealous(): TestBackend {
  let disposals = 0;
  return changed(createReferenceBackend, (sound) => ({
    async forward(plan, tensors) {
      const before = disposals;
      await setImmediate();
      if (disposals > before) throw new FractionalAttentionError("attention: this object has been disposed");
      return sound.forward(plan, tensors);
    },
    dispose() {
      disposals++;
    },
  }));
}

/** A device that needs more memory for every call, whatever the call. */
function growing(): TestBackend {
  return changed(createWasmBackend, (sound) => {
    let rows = 0;
    return {
      weights(plan, tensors) {
        rows += 65_536;
        const one = new Float32Array(1);
        const large = {
          batch: 1,
          heads: 1,
          queries: rows,
          keys: 1,
          headDim: 1,
          q: new Float32Array(rows),
          k: one,
          v: one,
        };
        sound.forwardSync!(makePlan(large, {}), large);
        return sound.weights(plan, tensors);
      },
    };
  });
}
