import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["*.check.ts"] },
  plugins: [
    microvm({
      templates: {
        box: { image: process.env.PLUGIN_TEST_IMAGE, setup: ["echo ready > /ready"] },
        online: { image: process.env.PLUGIN_TEST_IMAGE, network: { allow: ["example.test"] } },
        never: { image: "oci:/nowhere" },
      },
    }),
  ],
});
