import { type FileHandle, open, rename } from "node:fs/promises";
import { errnoOf } from "../base/errors.ts";
import { randomHex } from "../base/ids.ts";
import { type Clock, realClock } from "../base/op.ts";
import type { AuditEvent, AuditIdentity } from "./audit-event.ts";
import { auditLine, lossLine } from "./audit-line.ts";
import type { AuditPosition } from "./read-audit.ts";

export { summarizeAudit } from "./audit-summary.ts";
export { type AuditReading, readAuditLog } from "./read-audit.ts";

const MiB = 1024 * 1024;

export interface AuditLogOptions {
  readonly identity: AuditIdentity;
  /** Size at which a file is put aside, as `<path>.1` and so on. */
  readonly maxBytes?: number | undefined;
  /** Files put aside that are kept. */
  readonly backups?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** An append-only file of decisions. Writing never waits and never throws: what is lost is counted and marked. */
export interface AuditLog {
  write(event: AuditEvent): void;
  /** Resolves when everything written so far is in the file, or lost. */
  flush(): Promise<void>;
  /** Flushes; later writes are lost. May be called again. */
  close(): Promise<void>;
  /** Lines lost so far. */
  readonly lost: number;
  /** What a reader should find. */
  readonly position: AuditPosition;
  readonly path: string;
}

/** Lines waiting for the disk; a guest can make them faster than a disk takes them. */
const queueBytesMax = 4 * MiB;
const defaultMaxBytes = 64 * MiB;
const defaultBackups = 3;

/** Opens a log for writing, after what a log of that path already holds. The file comes with its first line, mode 0600. */
export function openAuditLog(path: string, options: AuditLogOptions): AuditLog {
  return new FileAuditLog(path, options);
}

class FileAuditLog implements AuditLog {
  readonly path: string;
  readonly #identity: AuditIdentity;
  readonly #maxBytes: number;
  readonly #backups: number;
  readonly #clock: Clock;
  /** Begins the number of every line: a gap in the numbers is a loss, also one that could not be marked. */
  readonly #opening = randomHex(4);
  #number = 0;
  #queue: string[] = [];
  #queueBytes = 0;
  #lost = 0;
  /** Lost and not yet said in the file. */
  #unmarked = 0;
  #closed = false;
  #file: FileHandle | null = null;
  #size = 0;
  #writing: Promise<void> | null = null;

  constructor(path: string, options: AuditLogOptions) {
    this.path = path;
    this.#identity = options.identity;
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
    this.#backups = options.backups ?? defaultBackups;
    this.#clock = options.clock ?? realClock;
  }

  get lost(): number {
    return this.#lost;
  }

  get position(): AuditPosition {
    return { opening: this.#opening, lines: this.#number };
  }

  write(event: AuditEvent): void {
    this.#number += 1;
    if (this.#closed || this.#queueBytes >= queueBytesMax) {
      this.#lose(1);
      return;
    }
    const line = auditLine(event, this.#identity, this.#clock.now(), this.#id(this.#number));
    this.#queue.push(line);
    this.#queueBytes += line.length;
    this.#writing ??= this.#drain();
  }

  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    // A loss at the very end must not look like a quiet end.
    if (this.#unmarked > 0) {
      this.#writing = this.#drain();
      await this.flush();
    }
    await this.#release();
  }

  async #drain(): Promise<void> {
    // Lines that come in one turn of the event loop leave in one write.
    await Promise.resolve();
    let failures = 0;
    while (this.#queue.length > 0 || (this.#unmarked > 0 && failures === 0)) {
      const lines = this.#queue;
      this.#queue = [];
      this.#queueBytes = 0;
      const marked = this.#unmarked;
      const mark = marked > 0 ? lossLine(marked, this.#clock.now()) : "";
      try {
        await this.#append(`${lines.join("")}${mark}`);
        this.#unmarked -= marked;
      } catch {
        failures += 1;
        this.#lose(lines.length);
      }
    }
    this.#writing = null;
  }

  async #append(text: string): Promise<void> {
    try {
      if (this.#size > 0 && this.#size + text.length > this.#maxBytes) await this.#rotate();
      this.#file ??= await this.#open();
      await this.#file.appendFile(text);
      this.#size += Buffer.byteLength(text);
    } catch (error) {
      // The next line tries anew, and finds out how much of this one got there.
      await this.#release();
      throw error;
    }
  }

  async #open(): Promise<FileHandle> {
    const file = await open(this.path, "a+", 0o600);
    try {
      this.#size = (await file.stat()).size;
      if (this.#size === 0) return file;
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, this.#size - 1);
      // A line that a full disk cut off must not swallow the next one.
      if (buffer[0] !== 0x0a) await file.appendFile("\n");
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #release(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    this.#size = 0;
    await file?.close().catch(() => {});
  }

  async #rotate(): Promise<void> {
    await this.#release();
    for (let number = this.#backups; number >= 1; number--) {
      const from = number === 1 ? this.path : `${this.path}.${number - 1}`;
      await rename(from, `${this.path}.${number}`).catch((error: unknown) => {
        if (errnoOf(error) !== "ENOENT") throw error;
      });
    }
  }

  #lose(count: number): void {
    this.#lost += count;
    this.#unmarked += count;
  }

  #id(number: number): string {
    return `${this.#opening}-${number}`;
  }
}
