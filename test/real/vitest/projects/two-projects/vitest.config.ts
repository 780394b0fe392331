import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

const project = (name, memory) => ({
  extends: false,
  test: { name, include: [`${name}.check.ts`, "both.check.ts"] },
  plugins: [microvm({ templates: { box: { image: process.env.PLUGIN_TEST_IMAGE, memory } } })],
});

export default defineConfig({
  test: { projects: [project("small", 192), project("large", 320)] },
});
