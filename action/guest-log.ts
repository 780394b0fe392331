import { randomUUID } from "node:crypto";
import { LineCutter, neutralLine } from "./neutral-text.ts";

/** Where lines of the log go: standard output alone, for two pipes have no order between them. */
export type LogWriter = (text: string) => void;

/**
 * Shows a guest's output in the job's log while the runner takes no commands from it. The region opens
 * with a token that nobody can guess; `close` must be called on every way out, or the runner stays deaf.
 */
export class GuestLog {
  readonly #write: LogWriter;
  readonly #token = `microagent-${randomUUID()}`;
  readonly #streams = { stdout: new LineCutter(), stderr: new LineCutter() };
  #open = false;

  constructor(write: LogWriter) {
    this.#write = write;
  }

  /** A group's own line must come before the region: inside it would be plain text. */
  open(group: string | null): void {
    if (this.#open) return;
    if (group !== null) this.#write(`::group::${group}\n`);
    this.#write(`::stop-commands::${this.#token}\n`);
    this.#open = true;
  }

  show(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    this.#lines(this.#streams[stream].push(bytes));
  }

  /** Shows what is left of both streams, and lets the runner listen again. May be called again. */
  close(group: string | null): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      this.#lines([...this.#streams.stdout.end(), ...this.#streams.stderr.end()]);
    } finally {
      this.#write(`::${this.#token}::\n`);
      if (group !== null) this.#write("::endgroup::\n");
    }
  }

  #lines(lines: readonly string[]): void {
    if (lines.length > 0) this.#write(lines.map((line) => `${neutralLine(line)}\n`).join(""));
  }
}
