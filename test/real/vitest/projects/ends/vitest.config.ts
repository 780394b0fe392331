import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["*.check.ts"],
    pool: process.env.PLUGIN_TEST_POOL ?? "forks",
    isolate: process.env.PLUGIN_TEST_SHARED_WORKER === undefined,
  },
  plugins: [
    microvm({
      templates: { box: process.env.PLUGIN_TEST_IMAGE },
      timeouts: { teardown: Number(process.env.PLUGIN_TEST_TEARDOWN ?? 20_000) },
    }),
  ],
});
