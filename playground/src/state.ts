/**
 * What the page shows, as one plain object, and as the part of its address behind the #: only what differs from the
 * defaults, so that an address is as short as it can be, and anything that is not in its domain is the default.
 */

/** Everything that can be set. */
export interface State {
  text: string;
  /** Most tokens looked at, N. */
  tokens: number;
  /** D */
  dim: number;
  /** Order of the multiscale attention. */
  alpha: number;
  /** Factor on the paper's length scale. */
  kappa: number;
  /** How ε is found; `epsilon` counts when it is fixed. */
  bandwidth: "fixed" | "median" | "mean";
  epsilon: number;
  manifold: "euclidean" | "sphere";
  causal: boolean;
  /** Half width of the window; 0 is none. */
  window: number;
  /** No token attends to itself. */
  excludeSelf: boolean;
  device: DeviceChoice;
}

/** What computes: a device of the package, the wasm one on one or more threads. */
export const deviceChoices = ["auto", "wasm", "threads", "webgpu", "reference"] as const;
export type DeviceChoice = (typeof deviceChoices)[number];

const house = `This is the house that Jack built.
This is the malt that lay in the house that Jack built.
This is the rat that ate the malt that lay in the house that Jack built.
This is the cat that killed the rat that ate the malt that lay in the house that Jack built.
This is the dog that worried the cat that killed the rat that ate the malt that lay in the house that Jack built.`;

export const defaults: Readonly<State> = {
  text: house,
  tokens: 128,
  dim: 8,
  alpha: 1.2,
  kappa: 1,
  bandwidth: "fixed",
  epsilon: 1,
  manifold: "euclidean",
  causal: false,
  window: 0,
  excludeSelf: true,
  device: "auto",
};

/** Domains of the numbers; the sliders have the same. */
export const ranges = {
  tokens: [16, 512],
  dim: [2, 64],
  alpha: [0.1, 2],
  kappa: [2 ** -6, 2 ** 4],
  epsilon: [2 ** -8, 2 ** 8],
  window: [0, 128],
} as const satisfies Partial<Record<keyof State, readonly [number, number]>>;

const whole: readonly (keyof State)[] = ["tokens", "dim", "window"];
const choices: Partial<Record<keyof State, readonly string[]>> = {
  bandwidth: ["fixed", "median", "mean"],
  manifold: ["euclidean", "sphere"],
  device: deviceChoices,
};
/** A text longer than this does not fit into an address that everybody takes. */
const longestText = 20_000;

/** The state of an address; `hash` with or without its #. */
export function readState(hash: string): State {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const state: Record<string, unknown> = { ...defaults };
  for (const [key, value] of given) {
    const parsed = parse(key as keyof State, value);
    if (parsed !== undefined) state[key] = parsed;
  }
  return state as unknown as State;
}

/** The part of the address behind the #, "" for the defaults. */
export function writeState(state: State): string {
  const given = new URLSearchParams();
  for (const key of Object.keys(defaults) as (keyof State)[]) {
    const value = state[key];
    if (value === defaults[key] || (key === "text" && state.text.length > longestText)) continue;
    given.set(key, typeof value === "boolean" ? String(Number(value)) : String(value));
  }
  return given.toString();
}

function parse(key: keyof State, word: string): State[keyof State] | undefined {
  if (!Object.hasOwn(defaults, key)) return undefined;
  const fallback = defaults[key];
  if (typeof fallback === "boolean") return word === "1" ? true : word === "0" ? false : undefined;
  if (Object.hasOwn(ranges, key)) {
    const [least, most] = ranges[key as keyof typeof ranges];
    const value = word.trim() === "" ? Number.NaN : Number(word);
    const inside = value >= least && value <= most && (!whole.includes(key) || Number.isInteger(value));
    return inside ? value : undefined;
  }
  if (key === "text") return word.length <= longestText ? word : undefined;
  return choices[key]?.includes(word) ? (word as DeviceChoice) : undefined;
}
