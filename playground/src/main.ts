/**
 * The playground: a state, a form that changes it, and figures that follow. A step goes: state → address → the matrices
 * that have changed → maps, at once; what takes longer (spectra, hops, diffusion maps) follows from a worker and is pale
 * until it comes.
 */

import { pageCss } from "../../src/page/style.js";
import { analyze, onAnalysis } from "./analyses.js";
import { computeMatrices, type Matrices } from "./attention.js";
import { Controls, element } from "./controls.js";
import { Figures } from "./figures.js";
import { MapsView } from "./maps.js";
import { readState, type State, writeState } from "./state.js";
import playgroundCss from "./style.css?inline";
import { TimesView } from "./times.js";

/** What a step took, for who measures it: from the event to the end of drawing, in milliseconds of `performance.now()`. */
export interface StepEvent {
  readonly began: number;
  readonly drawn: number;
}

document.head.append(element("style", { textContent: pageCss + playgroundCss }));

let state = readState(location.hash);
let shown: Matrices | undefined;
let began = performance.now();
let addressTimer = 0;

const results = document.getElementById("results") as HTMLElement;
const status = element("p", { className: "status", role: "status" });
const maps = new MapsView();
const figures = new Figures();
const times = new TimesView();
results.replaceChildren(status, maps.element, figures.element, times.element);

const form = document.getElementById("controls") as HTMLFormElement;
const controls = new Controls(form, state, change);
const share = element("button", { type: "button", textContent: "Copy a link to this" });
share.addEventListener("click", async () => {
  writeAddress();
  await navigator.clipboard.writeText(location.href).catch(() => undefined);
  share.textContent = "The address of this page is the link";
  setTimeout(() => {
    share.textContent = "Copy a link to this";
  }, 2000);
});
form.append(share);

function change(part: Partial<State>): void {
  state = { ...state, ...part };
  began = performance.now();
  controls.write(state);
  clearTimeout(addressTimer);
  // Browsers refuse many changes of the address in a row.
  addressTimer = window.setTimeout(writeAddress, 250);
  schedule();
}

function writeAddress(): void {
  const hash = writeState(state);
  history.replaceState(null, "", hash === "" ? location.pathname + location.search : `#${hash}`);
}

window.addEventListener("hashchange", () => {
  if (location.hash.replace(/^#/, "") === writeState(state)) return;
  state = readState(location.hash);
  began = performance.now();
  controls.write(state);
  schedule();
});

let isRunning = false;
let isStale = false;

/** Runs `step` now, or once more after the one that runs. */
async function schedule(): Promise<void> {
  isStale = true;
  if (isRunning) return;
  isRunning = true;
  while (isStale) {
    isStale = false;
    await step();
  }
  isRunning = false;
}

async function step(): Promise<void> {
  const start = began;
  let next: Matrices | undefined;
  try {
    next = await computeMatrices(state);
  } catch (error) {
    say(`This device cannot compute here. ${error instanceof Error ? error.message : String(error)}`, true);
    return;
  }
  if (next === undefined) {
    say("Write at least two words.", true);
    return;
  }
  shown = next;
  maps.draw(next);
  const { tokens, truncated, device, milliseconds } = next;
  const time = milliseconds === undefined ? "" : `, weights in ${milliseconds.toFixed(milliseconds < 10 ? 2 : 0)} ms`;
  say(`${truncated ? `the first ${tokens.length}` : tokens.length} tokens on ${device}${time}`);
  dispatchEvent(new CustomEvent<StepEvent>("step", { detail: { began: start, drawn: performance.now() } }));
  // The worker would take the processor from the frame.
  await nextFrame();
  if (isStale) return;
  analyze(next);
  figures.draw(next, state.alpha);
}

/** Resolves when the frame that shows what has been drawn so far is on the screen. */
function nextFrame(): Promise<void> {
  return new Promise((resolve) => {
    // A task that is queued while a frame begins runs after it has been painted.
    requestAnimationFrame(() => setTimeout(resolve, 0));
  });
}

function say(words: string, isWrong = false): void {
  status.textContent = words;
  status.classList.toggle("bad", isWrong);
  results.toggleAttribute("data-wrong", isWrong);
}

onAnalysis(() => {
  if (shown) figures.draw(shown, state.alpha);
});
schedule();
