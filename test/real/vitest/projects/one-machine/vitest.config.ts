import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["*.check.ts"] },
  plugins: [microvm({ templates: { box: process.env.PLUGIN_TEST_IMAGE } })],
});
