import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [
    microvm({
      templates: {
        counter: {
          image: "mmdebstrap:bookworm?include=python3",
          files: { "/srv/counter.py": "counter.py" },
        },
      },
    }),
  ],
});
