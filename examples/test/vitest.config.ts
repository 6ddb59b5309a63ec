import { defineConfig } from "vitest/config";

/** `npm run test:examples`. The files run one after the other, as they share one installed tarball and two cores suffice. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.test.ts"],
    globalSetup: "install.ts",
    fileParallelism: false,
    testTimeout: 120_000,
  },
});
