/** All contestants that this installation has. */

import type { Contestant } from "./contestant.js";
import { loadJax } from "./jax.js";
import { loadMlMatrix } from "./ml-matrix.js";
import { loadNaive, loadReference } from "./naive.js";
import { loadOrtNode } from "./ort-node.js";
import { loadOrtWeb } from "./ort-web.js";
import { loadOurs } from "./ours.js";
import { loadTfjs } from "./tfjs.js";

/** Contestants, and why others cannot take part, by name. */
export interface Field {
  readonly contestants: readonly Contestant[];
  readonly refused: ReadonlyMap<string, string>;
}

/** Loads everyone; a library that is missing or does not start is refused, not fatal. */
export async function loadContestants(): Promise<Field> {
  const refused = new Map<string, string>();
  const contestants: Contestant[] = [];
  const loaders: readonly (readonly [string, () => Promise<Contestant[]>])[] = [
    ["ours", () => loadOurs(refused)],
    ["naive float64 loop", loadNaive],
    ["reference", loadReference],
    ["ml-matrix", loadMlMatrix],
    ["onnxruntime-web", loadOrtWeb],
    ["onnxruntime-node", loadOrtNode],
    ["jax-js", loadJax],
    ["tfjs", loadTfjs],
  ];
  for (const [name, loadFamily] of loaders) {
    try {
      contestants.push(...(await loadFamily()));
    } catch (error) {
      refused.set(name, `${error instanceof Error ? error.message : error}`.split("\n")[0]);
    }
  }
  return { contestants, refused };
}
