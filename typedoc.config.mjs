/** `npm run docs`: the API documentation of every entry, from its docstrings, into out/docs. A broken reference is an error. */

import { fileURLToPath } from "node:url";
import { Converter, ReflectionKind } from "typedoc";
import { libraryEntries } from "./scripts/entries.mjs";

const entries = libraryEntries();

/** Names modules as they are imported, `fractional-attention/wasm`, not after their files. */
function nameModules(app) {
  const names = new Map(entries.map(({ name, source }) => [fileURLToPath(new URL(source, import.meta.url)), name]));
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return;
    const name = names.get(context.getSymbolFromReflection(reflection)?.declarations[0].getSourceFile().fileName);
    reflection.name = name === "index" ? "fractional-attention" : `fractional-attention/${name}`;
  });
}

export default {
  name: "fractional-attention",
  entryPoints: entries.map((entry) => entry.source),
  tsconfig: "tsconfig.build.json",
  plugin: [nameModules],
  readme: "README.md",
  out: "out/docs",
  githubPages: false,
  excludePrivate: true,
  excludeInternal: true,
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
};
