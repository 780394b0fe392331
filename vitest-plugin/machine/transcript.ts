import { realClock } from "../../src/index.ts";
import type { ExecResult } from "./exec.ts";

/** One command or verb of a test, and what came of it. */
export interface TranscriptEntry {
  /** Milliseconds since the machine began. */
  readonly atMs: number;
  readonly what: string;
  /** Null while it runs. */
  readonly end: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const entriesMax = 500;
const outputMax = 4096;

/** What a test did with a machine: the last of it, for when the test fails. */
export class Transcript {
  readonly #entries: Writable<TranscriptEntry>[] = [];
  readonly #startedAt = realClock.monotonic();
  #dropped = 0;

  begin(what: string): { end(result: ExecResult): void; done(): void; fail(error: unknown): void } {
    const entry: Writable<TranscriptEntry> = {
      atMs: Math.round(realClock.monotonic() - this.#startedAt),
      what,
      end: null,
      stdout: "",
      stderr: "",
    };
    this.#entries.push(entry);
    if (this.#entries.length > entriesMax) {
      this.#entries.shift();
      this.#dropped++;
    }
    return {
      end(result) {
        const { exitCode, signal, timedOut, durationMs } = result;
        const how = timedOut ? "timed out" : (signal ?? `exit code ${exitCode}`);
        entry.end = `${how}, ${durationMs} ms`;
        entry.stdout = result.stdout.slice(-outputMax);
        entry.stderr = result.stderr.slice(-outputMax);
      },
      done() {
        entry.end = "done";
      },
      fail(error) {
        entry.end = error instanceof Error ? error.message : String(error);
      },
    };
  }

  last(count: number): readonly TranscriptEntry[] {
    return this.#entries.slice(-count);
  }

  /** All of it as text. */
  text(): string {
    const head = this.#dropped === 0 ? [] : [`(${this.#dropped} earlier ones are not kept)`];
    const blocks = this.#entries.map((entry) =>
      [
        `+${entry.atMs} ms $ ${entry.what}`,
        ...(entry.stdout === "" ? [] : [entry.stdout.trimEnd()]),
        ...(entry.stderr === "" ? [] : [entry.stderr.trimEnd()]),
        `-> ${entry.end ?? "still running"}`,
      ].join("\n"),
    );
    return `${[...head, ...blocks].join("\n\n")}\n`;
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
