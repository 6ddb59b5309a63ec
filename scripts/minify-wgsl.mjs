/**
 * For esbuild: shaders without their indentation, comments and empty lines. They are templates in `*.wgsl.ts`, in which every
 * comment has a line of its own; a line break always stays, so that nothing is joined.
 */

import { readFile } from "node:fs/promises";

/** What a shader source is bundled as. */
export function minifyWgsl(source) {
  const withoutBlocks = source.replace(/\/\*(?! wgsl)[\s\S]*?\*\//g, "");
  const lines = withoutBlocks.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("//")).join("\n");
}

export const minifyWgslPlugin = {
  name: "minify-wgsl",
  setup(build) {
    build.onLoad({ filter: /\.wgsl\.ts$/ }, async ({ path }) => ({
      contents: minifyWgsl(await readFile(path, "utf8")),
      loader: "ts",
    }));
  },
};
