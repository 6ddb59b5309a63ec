import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts", "property-tests/**/*.test.ts"],
    // Enough also for a machine that is busy with something else.
    testTimeout: 180_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts", "reference/**/*.ts"],
      exclude: ["src/generated/**", "bench/**", "examples/**", "playground/**", "**/*.d.ts"],
      reporter: ["text", "json-summary"],
      // A figure is worth having also where a test has failed.
      reportOnFailure: true,
      thresholds: { branches: 95 },
    },
  },
});
