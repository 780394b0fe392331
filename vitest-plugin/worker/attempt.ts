import { realClock } from "../../src/index.ts";
import type { Machine } from "../machine/machine.ts";

/** The machines of one attempt of one test. */
export class Attempt {
  readonly machines: Machine[] = [];
  readonly startedAtMs: number = realClock.monotonic();
  #over: string | null = null;

  /** Why nothing more may be started; null while the test runs. */
  get over(): string | null {
    return this.#over;
  }

  /** Takes a machine over; one that comes too late ends at once. */
  async take(machine: Machine, giveBack: () => Promise<void>): Promise<void> {
    await machine.whenGone(giveBack);
    this.machines.push(machine);
    if (this.#over !== null) await this.end(this.#over);
  }

  /** No further machine: those that are there can still be looked at. */
  close(reason: string): void {
    this.#over ??= reason;
  }

  /** Ends all machines and gives their room back. Never throws. */
  async end(reason: string): Promise<void> {
    this.#over ??= reason;
    await Promise.all(this.machines.map((machine) => machine.destroy(reason)));
  }
}

const key = Symbol.for("microagent.vitest.attempts");

/** The running attempts of this worker, by task. */
export function attempts(): Map<string, Attempt> {
  const holder = globalThis as { [key]?: Map<string, Attempt> };
  holder[key] ??= new Map();
  return holder[key];
}

export function attemptOf(taskId: string): Attempt {
  const all = attempts();
  let attempt = all.get(taskId);
  if (attempt === undefined) {
    attempt = new Attempt();
    all.set(taskId, attempt);
  }
  return attempt;
}
