import type { Life } from "../machine/life.ts";
import type { Machine } from "../machine/machine.ts";

interface SharedState {
  readonly machines: Map<Machine, { used: boolean; begun: boolean }>;
}

const key = Symbol.for("microagent.vitest.shared");

/** The machines that the tests of a file share. */
class SharedMachines {
  readonly #state: SharedState;

  constructor(state: SharedState) {
    this.#state = state;
  }

  add(machine: Machine): void {
    this.#state.machines.set(machine, { used: false, begun: false });
  }

  delete(machine: Machine): void {
    this.#state.machines.delete(machine);
  }

  get all(): readonly Machine[] {
    return [...this.#state.machines.keys()];
  }

  /**
   * Before a test: those that an earlier one used become again what they were. What hooks of the file did to them
   * before its first test is kept by a snapshot.
   */
  async reset(life: Life): Promise<void> {
    for (const [machine, facts] of this.#state.machines) {
      machine.live(life);
      if (!facts.begun && machine.takeTouched()) await machine.snapshot();
      else if (facts.used) await machine.restore();
      facts.begun = true;
      facts.used = false;
      machine.takeTouched();
    }
  }

  /** After a test: those that it used. */
  noteUse(): readonly Machine[] {
    const used: Machine[] = [];
    for (const [machine, facts] of this.#state.machines) {
      facts.begun = true;
      if (!machine.takeTouched()) continue;
      facts.used = true;
      used.push(machine);
    }
    return used;
  }
}

export function sharedMachines(): SharedMachines {
  const holder = globalThis as { [key]?: SharedState };
  holder[key] ??= { machines: new Map() };
  return new SharedMachines(holder[key]);
}
