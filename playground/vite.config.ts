/** The playground as a site of its own: relative addresses, so that any folder of any file server will do. */

import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** What a page needs to have shared memory, and with it threads. */
const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  server: { headers: isolation },
  preview: { headers: isolation },
  worker: { format: "es" },
  build: { outDir: "dist", emptyOutDir: true, target: "es2022" },
});
