import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { isMicroagentError, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "../host/file-error.ts";
import { ensurePrivateDir } from "../host/state-layout.ts";
import { digestHex, shortDigest } from "./digest.ts";
import type { Descriptor } from "./manifest.ts";
import { meter } from "./meter.ts";
import type { ImageStore } from "./store.ts";

/** A run of bytes; it may begin earlier than asked for when the sender cannot seek. */
export interface ByteRun {
  readonly offset: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Where a blob comes from and when a broken transfer is worth another try. */
export interface BlobFeed {
  open(op: Op, blob: Descriptor, offset: number): Promise<ByteRun>;
  /** Called after a failed try: waits and returns to go on, or throws what to report. */
  recover(op: Op, blob: Descriptor, error: unknown, progressed: boolean): Promise<void>;
}

/**
 * Brings one blob into the store: verified in size and digest, resumed from what an earlier try or a
 * killed process left, done once if several processes want it. `image_digest_mismatch` when the
 * bytes are not what was promised.
 */
export async function receiveBlob(
  op: Op,
  store: ImageStore,
  blob: Descriptor,
  feed: BlobFeed,
): Promise<void> {
  if (await store.blobs.has(blob.digest, blob.size)) return;
  await store.lock(op, `blob-${digestHex(blob.digest)}`, async () => {
    if (await store.blobs.has(blob.digest, blob.size)) return;
    const path = store.partialPath(blob.digest);
    await ensurePrivateDir(dirname(path));
    await using partial = await Partial.open(op, path, blob);
    for (;;) {
      const before = partial.length;
      try {
        // A process may have been killed between the last byte and the name.
        if (partial.length < blob.size) {
          await partial.take(op, await feed.open(op, blob, partial.length));
        }
        await partial.verify();
        break;
      } catch (error) {
        op.check();
        if (isOwnDiskFailure(error)) throw error;
        await feed.recover(op, blob, error, partial.length > before);
      }
    }
    await store.blobs.adopt(path, blob.digest);
  });
}

class Partial implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #blob: Descriptor;
  #hash: Hash;
  length: number;

  private constructor(
    path: string,
    file: FileHandle,
    blob: Descriptor,
    hash: Hash,
    length: number,
  ) {
    this.#path = path;
    this.#file = file;
    this.#blob = blob;
    this.#hash = hash;
    this.length = length;
  }

  static async open(op: Op, path: string, blob: Descriptor): Promise<Partial> {
    const file = await open(path, "a+", 0o600).catch((error: unknown) => {
      throw fileError(error, `File "${path}" cannot be opened`);
    });
    try {
      const hash = createHash("sha256");
      let length = (await file.stat()).size;
      if (length > blob.size) {
        await file.truncate(0);
        length = 0;
      }
      if (length > 0) {
        op.report({
          kind: "note",
          text: `Resuming ${shortDigest(blob.digest)} at ${length} of ${blob.size} bytes`,
        });
        for await (const chunk of createReadStream(path, { end: length - 1 })) {
          op.check();
          hash.update(chunk as Uint8Array);
        }
      }
      return new Partial(path, file, blob, hash, length);
    } catch (error) {
      await file.close();
      throw fileError(error, `File "${path}" cannot be read`);
    }
  }

  async take(op: Op, run: ByteRun): Promise<void> {
    if (run.offset !== this.length) await this.#restart(run.offset);
    const tick = meter(op, `layer ${shortDigest(this.#blob.digest)}`, this.#blob.size);
    for await (const chunk of run.bytes) {
      op.check();
      if (this.length + chunk.length > this.#blob.size) {
        const got = this.length + chunk.length;
        await this.#restart(0);
        throw mismatch(this.#blob, `at least ${got} bytes came, wanted ${this.#blob.size}`);
      }
      this.#hash.update(chunk);
      await this.#write(chunk);
      this.length += chunk.length;
      tick(this.length);
    }
    if (this.length < this.#blob.size) {
      throw new MicroagentError(
        "image_corrupt",
        `Blob "${this.#blob.digest}" ended after ${this.length} of ${this.#blob.size} bytes`,
      );
    }
  }

  /** Leaves the file synced to disk; on a wrong digest empty, so that nobody builds on it. */
  async verify(): Promise<void> {
    const digest = `sha256:${this.#hash.copy().digest("hex")}`;
    if (digest !== this.#blob.digest) {
      await this.#restart(0);
      throw mismatch(this.#blob, `the bytes that came have digest "${digest}"`);
    }
    await this.#file.datasync().catch((error: unknown) => {
      throw fileError(error, `File "${this.#path}" cannot be written`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close().catch(() => {});
    if (this.length === 0) await rm(this.#path, { force: true }).catch(() => {});
  }

  async #write(chunk: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < chunk.length; ) {
        at += (await this.#file.write(chunk, at)).bytesWritten;
      }
    } catch (error) {
      throw fileError(error, `File "${this.#path}" cannot be written`);
    }
  }

  async #restart(offset: number): Promise<void> {
    if (offset !== 0) {
      throw new MicroagentError(
        "internal",
        `A transfer answered from byte ${offset} when byte ${this.length} was asked for`,
      );
    }
    await this.#file.truncate(0);
    this.#hash = createHash("sha256");
    this.length = 0;
  }
}

/** No sender can mend what our own disk refuses. */
function isOwnDiskFailure(error: unknown): boolean {
  return isMicroagentError(error) && (error.code === "no_space" || error.code === "store_corrupt");
}

function mismatch(blob: Descriptor, found: string): MicroagentError {
  return new MicroagentError(
    "image_digest_mismatch",
    `Blob "${blob.digest}" is not what was promised: ${found}`,
    { details: { digest: blob.digest, size: blob.size } },
  );
}
