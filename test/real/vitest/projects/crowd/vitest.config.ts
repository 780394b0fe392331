import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

const {
  PLUGIN_TEST_IMAGE,
  PLUGIN_TEST_BUDGET = "512",
  PLUGIN_TEST_ADMISSION = "60000",
} = process.env;

export default defineConfig({
  test: { include: ["*.check.ts"] },
  plugins: [
    microvm({
      templates: { box: { image: PLUGIN_TEST_IMAGE, setup: ["sleep 1"] } },
      budget: { memory: Number(PLUGIN_TEST_BUDGET) },
      timeouts: { admission: Number(PLUGIN_TEST_ADMISSION) },
    }),
  ],
});
