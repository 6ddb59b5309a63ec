/**
 * Before a bench: says what is not installed, and compiles the kernels that are timed unless they are up to date.
 */

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

function need(name, command) {
  try {
    require.resolve(name);
  } catch {
    console.error(`bench: ${name} is not installed; run \`${command}\` in the root of the repository`);
    process.exit(2);
  }
}

need("assemblyscript/package.json", "npm ci");
need("tsx", "npm ci --prefix bench --ignore-scripts");
const { buildWasm } = await import("../scripts/build-wasm.mjs");
await buildWasm();
