import { availableParallelism } from "node:os";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

/** Whoever polls waits for what comes anyway: only a busy host makes it late. */
const patient = { poll: { interval: 20, timeout: 60_000 } };

/**
 * One project per kind of test. The quick ones run side by side; `real` boots machines and runs two files at a time
 * afterwards: a machine has one processor, and whoever drives it waits for it most of the time.
 */
function quick(name: string, include: string, testTimeout: number): TestProjectInlineConfiguration {
  return {
    test: {
      name,
      include: [include],
      environment: "node",
      testTimeout,
      hookTimeout: 60_000,
      expect: patient,
      sequence: { groupOrder: 0 },
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      quick("unit", "test/unit/**/*.test.ts", 30_000),
      quick("contract", "test/contract/**/*.test.ts", 120_000),
      quick("sim", "test/sim/**/*.test.ts", 120_000),
      quick("tidy", "test/tidy/**/*.test.ts", 60_000),
      quick("package", "test/package/**/*.test.ts", 300_000),
      {
        test: {
          name: "real",
          include: ["test/real/**/*.test.ts"],
          environment: "node",
          maxWorkers: Math.min(2, availableParallelism()),
          testTimeout: 600_000,
          hookTimeout: 900_000,
          expect: patient,
          sequence: { groupOrder: 1 },
        },
      },
      // Not among the suites of `npm test`: `npm run clients` installs what it needs.
      quick("clients", "test/clients/**/*.test.ts", 600_000),
    ],
  },
});
