import { createHash, type Hash } from "node:crypto";
import { constants, rmSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { randomHex } from "../base/ids.ts";
import type { Op } from "../base/op.ts";
import { onProcessExit } from "../host/exit-hook.ts";

/** Content is written in batches of about this size, one of them in flight. */
const batchBytes = 1024 * 1024;
const batchPartsMax = 512;
/** Zeros hashed in one go before others get their turn. */
const turnBytes = 16 * 1024 * 1024;
const zeros = Buffer.alloc(1024 * 1024);

const createFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** One file on its way in: written beside its name, hashed as it comes, renamed when whole. */
export class HostFile {
  readonly #path: string;
  readonly #partialPath: string;
  readonly #handle: FileHandle;
  /** Null once a hole was too large to be hashed. */
  #hash: Hash | null = createHash("sha256");
  #batch: Uint8Array[] = [];
  #batchedBytes = 0;
  /** Where the batch begins in the file. */
  #offset = 0;
  #endsInHole = false;
  #turnBytes = 0;
  #inFlight: Promise<void> = Promise.resolve();
  /** A process that ends at once removes what it had half written. */
  readonly #unhook: () => void;

  private constructor(path: string, partialPath: string, handle: FileHandle) {
    this.#path = path;
    this.#partialPath = partialPath;
    this.#handle = handle;
    this.#unhook = onProcessExit(() => rmSync(partialPath, { force: true }));
  }

  /** `mode` as in the guest: set-id bits and foreign write permission are dropped. */
  static async create(path: string, mode: number): Promise<HostFile> {
    const partialPath = join(dirname(path), `.${randomHex(8)}.partial`);
    const handle = await open(partialPath, createFlags, (mode & 0o755) | 0o600);
    return new HostFile(path, partialPath, handle);
  }

  async write(data: Uint8Array): Promise<void> {
    this.#batch.push(data);
    this.#batchedBytes += data.length;
    this.#endsInHole = false;
    if (this.#batchedBytes >= batchBytes || this.#batch.length >= batchPartsMax)
      await this.#flush();
  }

  get isHashed(): boolean {
    return this.#hash !== null;
  }

  /** Skips `bytes` zero bytes, which are not written. Without `isHashed` the file gets no digest. */
  async hole(op: Op, bytes: number, isHashed: boolean): Promise<void> {
    await this.#flush();
    this.#offset += bytes;
    this.#endsInHole = true;
    if (!isHashed) this.#hash = null;
    if (this.#hash === null) return;
    for (let left = bytes; left > 0; left -= zeros.length) {
      this.#hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
      // A hole costs the guest nothing: let others run, and let the op end it.
      this.#turnBytes += Math.min(left, zeros.length);
      if (this.#turnBytes < turnBytes) continue;
      this.#turnBytes = 0;
      await op.sleep(0);
    }
  }

  async publish(): Promise<{ readonly sizeBytes: number; readonly sha256: string | null }> {
    await this.#flush();
    await this.#inFlight;
    if (this.#endsInHole) await this.#handle.truncate(this.#offset);
    await this.#handle.close();
    await rename(this.#partialPath, this.#path);
    this.#unhook();
    return { sizeBytes: this.#offset, sha256: this.#hash?.digest("hex") ?? null };
  }

  /** Leaves nothing behind. Never throws. */
  async discard(): Promise<void> {
    await this.#inFlight.catch(() => {});
    await this.#handle.close().catch(() => {});
    await rm(this.#partialPath, { force: true }).catch(() => {});
    this.#unhook();
  }

  /** Starts writing the batch once the one before is done; hashes meanwhile. */
  async #flush(): Promise<void> {
    if (this.#batchedBytes === 0) return;
    await this.#inFlight;
    const batch = this.#batch;
    const offset = this.#offset;
    this.#offset += this.#batchedBytes;
    this.#batch = [];
    this.#batchedBytes = 0;
    this.#inFlight = writeAll(this.#handle, batch, offset);
    this.#inFlight.catch(() => {});
    for (const part of batch) this.#hash?.update(part);
  }
}

async function writeAll(
  handle: FileHandle,
  parts: readonly Uint8Array[],
  offset: number,
): Promise<void> {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const { bytesWritten } = await handle.writev([...parts], offset);
  if (bytesWritten === total) return;
  // A short write: the disk is filling up. Writing on one by one names the reason.
  const rest = Buffer.concat(parts).subarray(bytesWritten);
  for (let at = 0; at < rest.length; ) {
    at += (await handle.write(rest, at, rest.length - at, offset + bytesWritten + at)).bytesWritten;
  }
}
