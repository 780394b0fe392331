import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["*.check.ts"], pool: process.env.PLUGIN_TEST_POOL ?? "forks" },
  plugins: [
    microvm({
      templates: { box: process.env.PLUGIN_TEST_IMAGE },
      warm: 2,
      budget: { machines: 3 },
    }),
  ],
});
