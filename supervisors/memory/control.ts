import { MicroagentError } from "../../src/base/errors.ts";

/** How a machine (not the guest in it, see `GuestFault`) goes wrong. */
export type MachineFault =
  /** `start` fails with `vmm_failed`. */
  | { readonly kind: "start-fails"; readonly detail: string }
  /** The guest's kernel panics this long after the start. */
  | { readonly kind: "panics"; readonly afterMs: number; readonly detail: string }
  /** Somebody kills the VMM this long after the start. */
  | { readonly kind: "killed"; readonly afterMs: number; readonly signal: string };

/** A running machine as the control sees it. */
export interface Victim {
  readonly name: string;
  panic(detail: string): void;
  killedBy(signal: string): void;
}

/** What makes in-memory machines fail: at the next start, or right now by name. */
export class MemoryControl {
  readonly #coming: (MachineFault | null)[] = [];
  readonly #running = new Set<Victim>();
  #started = 0;
  #savesToFail = 0;

  /** Machines started so far, failed starts included. */
  get startedCount(): number {
    return this.#started;
  }

  /** Names of the machines that run now. */
  get running(): readonly string[] {
    return [...this.#running].map((victim) => victim.name);
  }

  /** Queues a fault: each start takes the oldest one; null is a start without a fault. */
  inject(...faults: readonly (MachineFault | null)[]): void {
    this.#coming.push(...faults);
  }

  /** Makes the next save fail halfway, as a full disk does. */
  failNextSave(): void {
    this.#savesToFail++;
  }

  /** For the supervisor: whether this save is to fail. */
  nextSaveFails(): boolean {
    if (this.#savesToFail === 0) return false;
    this.#savesToFail--;
    return true;
  }

  /** Panics the kernel of a running machine now. `workspace_not_found` when there is none. */
  panic(name: string, detail: string): void {
    this.#find(name).panic(detail);
  }

  /** Kills the VMM of a running machine now. `workspace_not_found` when there is none. */
  kill(name: string, signal: string): void {
    this.#find(name).killedBy(signal);
  }

  /** For the supervisor: counts a start and takes its fault. */
  nextFault(): MachineFault | null {
    this.#started++;
    return this.#coming.shift() ?? null;
  }

  /** For the supervisor: knows the machine until the returned function is called. */
  track(victim: Victim): () => void {
    this.#running.add(victim);
    return () => this.#running.delete(victim);
  }

  #find(name: string): Victim {
    for (const victim of this.#running) if (victim.name === name) return victim;
    throw new MicroagentError("workspace_not_found", `No machine "${name}" is running`);
  }
}
