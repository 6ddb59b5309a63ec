/** Which versions of the other libraries are installed. */

import { versionOf } from "./load.js";

const packages = [
  "onnxruntime-web",
  "onnxruntime-node",
  "@jax-js/jax",
  "@tensorflow/tfjs-core",
  "@tensorflow/tfjs-backend-wasm",
  "ml-matrix",
];

/** Versions by package; absent where it is not installed. */
export function peerVersions(): Record<string, string> {
  const peers: Record<string, string> = {};
  for (const name of packages) {
    const version = versionOf(name);
    if (version !== undefined) peers[name] = version;
  }
  return peers;
}
