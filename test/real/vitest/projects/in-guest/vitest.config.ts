import { microvmPool } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  define: { DEFINED_BY_CONFIG: JSON.stringify("defined") },
  test: {
    include: ["**/*.check.ts"],
    maxWorkers: 2,
    testTimeout: 60_000,
    env: { FROM_CONFIG: "configured" },
    provide: { fromHost: "provided" } as never,
    coverage: { include: ["src/**"], reporter: ["json"] },
    pool: microvmPool({
      template: {
        image: process.env.PLUGIN_TEST_IMAGE ?? "",
        memory: 448,
        setup: ["echo by-setup > /from-setup"],
      },
      files: ["words.txt"],
      env: { FROM_POOL: "pooled" },
      fileTimeout: Number(process.env.PLUGIN_TEST_FILE_MS ?? 300_000),
      timeouts: { teardown: 10_000 },
      budget: { machines: Number(process.env.PLUGIN_TEST_MACHINES ?? 8) },
    }),
  },
});
