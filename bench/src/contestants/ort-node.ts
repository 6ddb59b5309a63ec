/** onnxruntime-node: native code with the widest vectors that the processor has, one thread. The yardstick. */

import { loadCommonJs } from "../load.js";
import type { Contestant } from "./contestant.js";
import { type Ort, ortContestants } from "./ort.js";

export async function loadOrtNode(): Promise<Contestant[]> {
  return ortContestants(loadCommonJs<Ort>("onnxruntime-node"), "onnxruntime-node", "cpu");
}
