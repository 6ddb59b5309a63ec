/**
 * esbuild plugins for packages inside the bundles: parts that nothing here reaches are left out, and CommonJS gets at Node's
 * own modules.
 */

import { readFile } from "node:fs/promises";
import { builtinModules, createRequire } from "node:module";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * What the charts never reach, as they draw numbers in given colours and do not move: geography, dates, transitions, colour
 * schemes, legends and pointers. Whatever is called of these after all throws an error that says so, except for what Plot calls while
 * it is loaded.
 */
const unreached = /^(d3-geo|d3-time-format|d3-transition|d3-scale-chromatic)$/;
const unreachedFiles =
  /[\\/]@observablehq[\\/]plot[\\/]src[\\/](marks[\\/]tip|interactions[\\/]pointer|legends[\\/](ramp|swatches))\.js$/;
const calledAtLoad = ["geoTransform"];

export const leaveOutPlugin = {
  name: "leave-out",
  setup(build) {
    build.onResolve({ filter: unreached }, ({ path, resolveDir }) => ({
      path,
      namespace: "left-out",
      pluginData: resolveDir,
      sideEffects: false,
    }));
    build.onLoad({ filter: unreachedFiles }, async ({ path }) => stubs(path, path));
    build.onLoad({ filter: /.*/, namespace: "left-out" }, async ({ path, pluginData }) =>
      stubs(path, createRequire(join(pluginData, "importer.js")).resolve(path)),
    );
  },
};

/** A module with the names of the one in `file`. */
async function stubs(path, file) {
  const names = Object.keys(await import(pathToFileURL(file).href));
  const message = JSON.stringify(`${basename(path)} is left out of this bundle (scripts/lighten.mjs)`);
  const exported = names
    .filter((name) => /^[A-Za-z]/.test(name) && name !== "default" && name !== "module.exports")
    .map((name) => `${calledAtLoad.includes(name) ? "nothing" : "leftOut"} as ${name}`);
  const functions = `function nothing() {}\nfunction leftOut() { throw new Error(${message}); }`;
  return { contents: `${functions}\nexport { ${exported} };` };
}

/** Of package.json the bundles carry the version, which is all that they read. */
export const manifestPlugin = {
  name: "manifest",
  setup(build) {
    build.onLoad({ filter: /[\\/]package\.json$/ }, async ({ path }) => {
      if (/[\\/]node_modules[\\/]/.test(path)) return undefined;
      const { version } = JSON.parse(await readFile(path, "utf8"));
      return { contents: JSON.stringify({ version }), loader: "json" };
    });
  },
};

/** Node's own modules stay imports; CommonJS packages, which ask for them by a call that ES modules do not have, get them at run time. */
export const nodeBuiltinsPlugin = {
  name: "node-builtins",
  setup(build) {
    const names = builtinModules.filter((name) => !name.startsWith("_")).join("|");
    build.onResolve({ filter: new RegExp(`^(node:)?(${names})$`) }, ({ path, kind }) => {
      const name = path.replace(/^node:/, "");
      return kind === "require-call" ? { path: name, namespace: "builtin" } : { path: `node:${name}`, external: true };
    });
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule("${path}");`,
    }));
  },
};

/**
 * ml-matrix by its ES modules, of which a bundler keeps what is used; its exports lead to one file of CommonJS. The element-wise
 * operations, which it installs on every matrix and the decompositions do not use, are not.
 */
export const mlMatrixPlugin = {
  name: "ml-matrix",
  setup(build) {
    build.onLoad({ filter: /[\\/]ml-matrix[\\/]src[\\/]mathOperations\.js$/ }, () => ({
      contents: "export function installMathOperations() {}",
    }));
    build.onResolve({ filter: /^ml-matrix$/ }, ({ resolveDir }) => {
      const require = createRequire(join(resolveDir, "importer.js"));
      return { path: join(require.resolve("ml-matrix"), "../src/index.js"), sideEffects: false };
    });
  },
};

/**
 * Tables without what only some of them need: colours, as ours have none, and every emoji by its code points, for which regular
 * expressions have had names since.
 */
export const tablePlugin = {
  name: "table",
  setup(build) {
    build.onResolve({ filter: /^(@colors\/colors\/safe|emoji-regex)$/ }, ({ path }) => ({ path, namespace: "table" }));
    build.onLoad({ filter: /^@colors/, namespace: "table" }, () => ({ contents: "module.exports = {};" }));
    build.onLoad({ filter: /^emoji/, namespace: "table" }, () => ({
      contents: `const one = String.raw\`(?:\\p{Emoji_Presentation}|\\p{Emoji}\\uFE0F\\u20E3?)\\p{Emoji_Modifier}?\`;
        module.exports = () => new RegExp(\`\\\\p{RI}\\\\p{RI}|\${one}(?:\\\\u200D\${one})*\`, "gu");`,
    }));
  },
};
