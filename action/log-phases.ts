import { endGroup, startGroup } from "@actions/core";
import { durationText } from "../src/index.ts";
import { say } from "./say.ts";

/** Steps of a boot from the first at which there is a machine; what is before them makes its image ready. */
const machineSteps = new Set(["start", "handshake", "configure", "attach", "clone"]);

/**
 * The steps of a boot in the job's log, folded by phase. Groups do not nest, and inside the guest's region one would be
 * plain text: a phase ends where another one begins, and before the guest speaks.
 */
export class LogPhases {
  #open: string | null = null;

  /** Tells how long a step took, where its path is `dispatch/boot/STEP`. */
  told(path: string, ms: number): void {
    const [, parent, step, deeper] = path.split("/");
    if (parent !== "boot" || step === undefined || deeper !== undefined) return;
    this.#enter(machineSteps.has(step) ? "Boot" : "Image");
    say(`${step}: ${durationText(ms)}`);
  }

  end(): void {
    if (this.#open !== null) endGroup();
    this.#open = null;
  }

  #enter(phase: string): void {
    if (this.#open === phase) return;
    this.end();
    startGroup(phase);
    this.#open = phase;
  }
}
