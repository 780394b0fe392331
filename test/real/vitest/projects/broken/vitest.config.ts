import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["*.check.ts"] },
  plugins: [
    microvm({
      templates: {
        box: {
          image: process.env.PLUGIN_TEST_IMAGE,
          setup: ["dd if=/dev/urandom of=/big bs=1M count=8"],
          prepare: async (vm) => {
            await vm.writeFile("/prepared", "yes");
          },
        },
      },
    }),
  ],
});
