import { endGroup, startGroup } from "@actions/core";
import { durationText } from "../src/index.ts";
import type { GuestOutput } from "./guest-output.ts";
import { say } from "./say.ts";

/** Steps of a run by the group of the log that tells them. */
const phaseOf: Readonly<Record<string, string>> = {
  image: "Image",
  base: "Image",
  kernel: "Image",
  initramfs: "Image",
  outputs: "Collect",
  fetches: "Collect",
};

/**
 * The steps of a run in the job's log, folded by phase. Groups do not nest, and inside the guest's region one would be plain
 * text: a phase ends where another one begins or where the guest speaks.
 */
export class LogPhases {
  readonly #output: Pick<GuestOutput, "pause">;
  #open: string | null = null;

  constructor(output: Pick<GuestOutput, "pause">) {
    this.#output = output;
  }

  /** Tells how long a step took; its path is `dispatch/STEP` or `dispatch/boot/STEP`. */
  told(path: string, ms: number): void {
    const [, first = "", second] = path.split("/");
    const step = first === "boot" ? second : first;
    const isOwn = path.split("/").length <= 3 && step !== undefined;
    const phase = isOwn ? (phaseOf[step] ?? (first === "boot" ? "Boot" : undefined)) : undefined;
    if (phase === undefined) return;
    this.#enter(phase);
    say(`${step}: ${durationText(ms)}`);
  }

  end(): void {
    if (this.#open !== null) endGroup();
    this.#open = null;
  }

  #enter(phase: string): void {
    if (this.#open === phase) return;
    this.end();
    this.#output.pause();
    startGroup(phase);
    this.#open = phase;
  }
}
