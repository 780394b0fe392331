import { admit } from "../../src/index.ts";
import type { Life } from "../machine/life.ts";
import type { Host } from "./host.ts";

/** Room for one machine within the budget of all workers and runs. */
export interface Room {
  readonly waitedMs: number;
  giveBack(): Promise<void>;
}

/** Waits for room as long as the test may. Whoever watches is told once per worker that tests wait, and for what. */
export async function roomFor(
  host: Host,
  life: Life,
  group: string,
  { memoryMib, cpus }: { readonly memoryMib: number; readonly cpus: number },
): Promise<Room> {
  const { budget, timeouts } = host.settings;
  const bound = { onNote: tellOnce };
  const admission = await life.during("admission", bound, timeouts.admission, (op) =>
    admit(op, host.engine.layout, budget, { memoryMib, cpus, group }),
  );
  return { waitedMs: admission.waitedMs, giveBack: () => admission.release() };
}

const key = Symbol.for("microagent.vitest.waiting");

function tellOnce(text: string): void {
  const holder = globalThis as { [key]?: boolean };
  if (holder[key] === true) return;
  holder[key] = true;
  // Vitest shows it at once, with the test's name.
  console.warn(`microagent: ${text}`);
}
