import { microvmPool } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    pool: microvmPool({ template: "mmdebstrap:bookworm?include=python3-minimal" }),
    testTimeout: 60_000,
  },
});
