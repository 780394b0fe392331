import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [
    microvm({
      templates: {
        python: { image: "mmdebstrap:bookworm?include=python3", network: { allow: [] } },
      },
    }),
  ],
});
