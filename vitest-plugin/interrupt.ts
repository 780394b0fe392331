import type { Vitest } from "vitest/node";
import { realClock } from "../src/index.ts";

const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/** What ending in order may take, where nobody says otherwise. */
const graceMsDefault = 30_000;

/** Runs that are taken care of: the plugin and the pool both ask, and the pool once for each file. */
const seen = new WeakSet<Vitest>();

/**
 * Ends an interrupted run in order: tests are cancelled, machines end, the report is printed. Vitest's own
 * listener leaves at once; it is in the way even from inside a signal, so it goes now. Machines never outlive
 * their worker in any case: the kernel sees to that. So what does not end, as cleaning up of a test's own may not, is left
 * when the grace is over, or on a second signal.
 */
export function interruptGracefully(vitest: Vitest, graceMs: number = graceMsDefault): void {
  if (vitest.config.watch || seen.has(vitest)) return;
  seen.add(vitest);
  let asked = false;
  for (const [signal, code] of Object.entries(codes) as ["SIGINT" | "SIGTERM", number][]) {
    process.removeAllListeners(signal);
    process.on(signal, () => {
      // Asked again, it ends as it is.
      if (asked) process.exit(code);
      asked = true;
      process.exitCode = code;
      realClock.after(graceMs, () => {
        vitest.logger.error(`microagent: tests did not end within ${graceMs} ms after ${signal}`);
        process.exit(code);
      });
      void vitest
        .cancelCurrentRun("keyboard-input")
        .then(() => vitest.close())
        .finally(() => process.exit(code));
    });
  }
}
