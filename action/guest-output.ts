import { GuestLog, type LogWriter } from "./guest-log.ts";
import type { StepSettings } from "./settings.ts";

/** Bytes kept back until it is known whether they are to be shown. */
const heldMax = 4 * 1024 * 1024;

/** The guest's output in the log, live or afterwards, always in a region without commands. */
export class GuestOutput {
  readonly #log: GuestLog;
  /** Set before the first output. */
  mode: StepSettings["log"];
  readonly #held: { readonly stream: "stdout" | "stderr"; readonly data: Uint8Array }[] = [];
  #heldBytes = 0;

  constructor(mode: StepSettings["log"], write: LogWriter) {
    this.mode = mode;
    this.#log = new GuestLog(write);
  }

  get #group(): string | null {
    return this.mode === "group" ? "Guest output" : null;
  }

  show(stream: "stdout" | "stderr", data: Uint8Array): void {
    if (this.mode !== "on-failure") {
      this.#log.open(this.#group);
      this.#log.show(stream, data);
      return;
    }
    this.#held.push({ stream, data: data.slice() });
    this.#heldBytes += data.length;
    while (this.#heldBytes > heldMax) this.#heldBytes -= this.#held.shift()?.data.length ?? 0;
  }

  /** Ends the region; `failed` says whether what was held back is shown. May be called again. */
  close(failed: boolean): void {
    if (failed && this.#held.length > 0) {
      this.#log.open("Guest output");
      for (const { stream, data } of this.#held.splice(0)) this.#log.show(stream, data);
      this.#log.close("Guest output");
      return;
    }
    this.#log.close(this.#group);
  }
}
