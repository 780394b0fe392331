import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["*.check.ts"] },
  plugins: [
    microvm({
      templates: {
        box: {
          image: process.env.PLUGIN_TEST_IMAGE,
          env: { WHO: "template" },
          network: { allow: ["example.test"] },
        },
      },
      onFailure: { snapshot: true },
    }),
  ],
});
