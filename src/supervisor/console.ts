import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { limits } from "../base/limits.ts";
import { fileError } from "../host/file-error.ts";

const fullNote = "\n[microagent: the console log is full, the rest is not kept]\n";

/** Receives a guest's console: the tail stays in memory, the log goes to a file of bounded size. */
export interface ConsoleCapture {
  /** Takes everything `stream` gives; the stream is read as fast as the disk takes it, never faster. */
  attach(stream: Readable): void;
  /** The last bytes, control characters included. */
  tail(): string;
  /** Resolves when the attached stream has ended and the log is on the disk. */
  readonly finished: Promise<void>;
  /** Closes the log; for the case that there will be nothing to attach. */
  close(): Promise<void>;
}

/**
 * Opens the log at `path` for appending (made with mode 0600). What is in the file already counts
 * against its cap, so restarts cannot make it grow for ever. A full disk ends the log, not the machine.
 */
export async function captureConsole(path: string): Promise<ConsoleCapture> {
  const file = await open(path, "a", 0o600).catch((error: unknown) => {
    throw fileError(error, `Console log "${path}" cannot be opened`);
  });
  let roomBytes = limits.console.logBytesMax - (await file.stat()).size;
  const tail = new Tail(limits.console.tailBytes);
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });

  async function log(chunk: Buffer): Promise<void> {
    if (roomBytes <= 0) return;
    const part = chunk.subarray(0, roomBytes);
    roomBytes -= chunk.length;
    try {
      await file.write(part);
      if (roomBytes <= 0) await file.write(fullNote);
    } catch {
      roomBytes = 0;
    }
  }

  const close = () => file.close().catch(() => {});

  return {
    close,
    attach(stream) {
      const consume = async () => {
        try {
          for await (const chunk of stream) {
            tail.push(chunk as Buffer);
            await log(chunk as Buffer);
          }
        } catch {
          // A broken console is the machine's end, which is told elsewhere.
        } finally {
          await close();
          finish();
        }
      };
      void consume();
    },
    tail: () => tail.text(),
    finished,
  };
}

/** The last `bytesMax` bytes of a stream, at most twice that in memory. */
class Tail {
  #chunks: Buffer[] = [];
  #bytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > 2 * this.#bytesMax) this.#compact();
  }

  text(): string {
    this.#compact();
    return this.#chunks[0]?.toString("utf8") ?? "";
  }

  #compact(): void {
    const kept = Buffer.concat(this.#chunks).subarray(-this.#bytesMax);
    // A copy, so that a short tail does not keep a large chunk alive.
    this.#chunks = [Buffer.from(kept)];
    this.#bytes = kept.length;
  }
}
