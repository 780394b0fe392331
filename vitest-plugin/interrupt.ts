import type { Vitest } from "vitest/node";

const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/** Runs that are taken care of: the plugin and the pool both ask, and the pool once for each file. */
const seen = new WeakSet<Vitest>();

/**
 * Ends an interrupted run in order: tests are cancelled, machines end, the report is printed. Vitest's own
 * listener leaves at once; it is in the way even from inside a signal, so it goes now. Machines never outlive
 * their worker in any case: the kernel sees to that.
 */
export function interruptGracefully(vitest: Vitest): void {
  if (vitest.config.watch || seen.has(vitest)) return;
  seen.add(vitest);
  for (const [signal, code] of Object.entries(codes) as ["SIGINT" | "SIGTERM", number][]) {
    process.removeAllListeners(signal);
    let asked = false;
    process.on(signal, () => {
      // Asked again, it ends as it is.
      if (asked) process.exit(code);
      asked = true;
      process.exitCode = code;
      void vitest
        .cancelCurrentRun("keyboard-input")
        .then(() => vitest.close())
        .finally(() => process.exit(code));
    });
  }
}
