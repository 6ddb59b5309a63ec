/** The form: one control for each part of the state, labelled, with its value beside it. */

import { threadCount } from "./attention.js";
import { type DeviceChoice, defaults, ranges, type State } from "./state.js";

type NumberKey = keyof typeof ranges;

const number = (value: number) => String(Number(value.toPrecision(3)));

/** A slider: logarithmic ones step through powers of two. */
interface Slider {
  readonly key: NumberKey;
  readonly label: string;
  readonly step: number;
  readonly isLog?: boolean;
  readonly hint: string;
  readonly show: (value: number) => string;
}

const sliders: readonly Slider[] = [
  {
    key: "alpha",
    label: "order α of the multiscale attention",
    step: 0.05,
    show: number,
    hint: "2 is the local, Gaussian one",
  },
  {
    key: "kappa",
    label: "length scale κ, times the paper’s",
    step: 0.25,
    isLog: true,
    show: number,
    hint: "smaller: only near tokens count",
  },
  { key: "epsilon", label: "bandwidth ε", step: 0.25, isLog: true, show: number, hint: "counts where it is fixed" },
  {
    key: "window",
    label: "window, tokens to each side",
    step: 1,
    show: (w) => (w === 0 ? "none" : String(w)),
    hint: "0 is no window",
  },
  { key: "dim", label: "components D of a vector", step: 1, show: String, hint: "more: spelling counts for more" },
  { key: "tokens", label: "tokens N at most", step: 1, show: String, hint: "more take longer" },
];

/** Sliders that a telephone shows at once; the others are folded away there. */
const leading = 3;

const deviceNames: Record<DeviceChoice, string> = {
  auto: "fastest that runs here",
  wasm: "wasm, 1 thread",
  threads: `wasm, ${threadCount} threads`,
  webgpu: "webgpu",
  reference: "reference, float64",
};

/** Fills the form and calls back with what has changed. */
export class Controls {
  readonly #fields = new Map<keyof State, { write: (state: State) => void }>();
  readonly #change: (part: Partial<State>) => void;

  constructor(form: HTMLFormElement, state: State, change: (part: Partial<State>) => void) {
    this.#change = change;
    form.addEventListener("submit", (event) => event.preventDefault());
    const text = element("textarea", { id: "text", rows: 6, spellcheck: false });
    text.addEventListener("input", () => change({ text: text.value }));
    this.#fields.set("text", {
      write: (s) => {
        if (text.value !== s.text) text.value = s.text;
      },
    });
    form.append(field("text", "your text", text));
    for (const slider of sliders.slice(0, leading)) form.append(this.#slider(slider));
    const more = element("details", { open: matchMedia("(min-width: 54.01rem)").matches });
    more.append(element("summary", { textContent: "More options" }));
    for (const slider of sliders.slice(leading)) more.append(this.#slider(slider));
    more.append(
      this.#select("bandwidth", "bandwidth is", {
        fixed: "fixed, as set",
        median: "median of the distances",
        mean: "mean of the distances",
      }),
      this.#select("manifold", "distances", { euclidean: "Euclidean", sphere: "angles on the sphere" }),
      this.#check("causal", "causal: no token attends to later ones"),
      this.#check("excludeSelf", "no token attends to itself (unless causal)"),
    );
    form.append(more, this.#select("device", "device", deviceNames));
    if (!crossOriginIsolated) {
      const option = form.querySelector<HTMLOptionElement>('option[value="threads"]');
      if (option) {
        option.disabled = true;
        option.textContent = "wasm, threads (needs a cross-origin isolated page)";
      }
    }
    const reset = element("button", { type: "button", textContent: "Back to the defaults" });
    reset.addEventListener("click", () => change({ ...defaults }));
    form.append(reset);
    this.write(state);
  }

  /** Shows a state. */
  write(state: State): void {
    for (const { write } of this.#fields.values()) write(state);
  }

  #slider({ key, label, step, isLog, show, hint }: Slider): HTMLElement {
    const [min, max] = isLog ? ranges[key].map(Math.log2) : ranges[key];
    const input = element("input", { id: key, type: "range", min: String(min), max: String(max), step: String(step) });
    const output = element("output", { htmlFor: key });
    input.addEventListener("input", () => {
      const value = isLog ? 2 ** input.valueAsNumber : input.valueAsNumber;
      this.#change({ [key]: Number(value.toPrecision(6)) });
    });
    this.#fields.set(key, {
      write: (state) => {
        input.value = String(isLog ? Math.log2(state[key]) : state[key]);
        output.textContent = show(state[key]);
        input.setAttribute("aria-valuetext", show(state[key]));
      },
    });
    const row = field(key, label, input, output);
    row.title = hint;
    return row;
  }

  #select<K extends "bandwidth" | "manifold" | "device">(
    key: K,
    label: string,
    names: Record<State[K], string>,
  ): HTMLElement {
    const select = element("select", { id: key });
    for (const [value, name] of Object.entries(names)) select.append(new Option(name as string, value));
    select.addEventListener("change", () => this.#change({ [key]: select.value }));
    this.#fields.set(key, {
      write: (state) => {
        select.value = state[key];
      },
    });
    return field(key, label, select);
  }

  #check(key: "causal" | "excludeSelf", label: string): HTMLElement {
    const input = element("input", { id: key, type: "checkbox" });
    input.addEventListener("change", () => this.#change({ [key]: input.checked }));
    this.#fields.set(key, {
      write: (state) => {
        input.checked = state[key];
      },
    });
    const row = element("div", { className: "check" });
    row.append(input, element("label", { htmlFor: key, textContent: label }));
    return row;
  }
}

/** A labelled control; what follows the label stands on its line. */
function field(id: string, label: string, control: HTMLElement, beside?: HTMLElement): HTMLElement {
  const row = element("div", { className: "field" });
  const head = element("div", { className: "head" });
  head.append(element("label", { htmlFor: id, textContent: label }), ...(beside ? [beside] : []));
  row.append(head, control);
  return row;
}

/** An element with properties. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties?: Omit<Partial<HTMLElementTagNameMap[K]>, "htmlFor"> & { htmlFor?: string },
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  const { htmlFor, ...rest } = properties ?? { htmlFor: undefined };
  Object.assign(made, rest);
  if (htmlFor !== undefined) made.setAttribute("for", htmlFor);
  return made;
}
