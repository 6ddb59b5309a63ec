/** The page's side of `analysis-worker.ts`: newest first, one at a time, and nothing twice. */

import type { Analysis, AnalysisRequest } from "./analysis-worker.js";
import type { Matrices } from "./attention.js";

const worker = new Worker(new URL("./analysis-worker.ts", import.meta.url), { type: "module" });
const found = new Map<string, Analysis>();
/** As many as a few steps back and forth need. */
const kept = 24;

let wanted: AnalysisRequest[] = [];
let isBusy = false;
let onFound: () => void = () => {};

/** Calls back whenever something has been found. */
export function onAnalysis(callback: () => void): void {
  onFound = callback;
}

/** Asks for what is not known about these matrices, and forgets what was asked for before and has not begun. */
export function analyze({ matrices, tokens, reversible }: Matrices): void {
  wanted = matrices
    .filter(({ key }) => !found.has(key))
    .map((matrix) => ({ matrix, size: tokens.length, reversible }))
    // The matrix that the sliders move comes first.
    .reverse();
  next();
}

/** What is known about a matrix; what is asked for is kept longest. */
export function analysisOf(key: string): Analysis | undefined {
  const analysis = found.get(key);
  if (analysis !== undefined) {
    found.delete(key);
    found.set(key, analysis);
  }
  return analysis;
}

function next(): void {
  const request = isBusy ? undefined : wanted.shift();
  if (request === undefined) return;
  isBusy = true;
  worker.postMessage(request);
}

worker.onmessage = ({ data }: MessageEvent<Analysis>) => {
  isBusy = false;
  found.set(data.key, data);
  for (const key of found.keys()) if (found.size > kept) found.delete(key);
  wanted = wanted.filter(({ matrix }) => matrix.key !== data.key);
  next();
  onFound();
};
worker.onerror = ({ message }) => {
  isBusy = false;
  console.error(`analysis: ${message}`);
  next();
};
