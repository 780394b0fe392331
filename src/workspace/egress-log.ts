import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import type { AuditRecord } from "../egress/audit-event.ts";
import { AuditReader, type AuditReading, readAuditLog } from "../egress/read-audit.ts";
import { fileError } from "../host/file-error.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { auditFileName } from "./audit-receipt.ts";
import { findWorkspace } from "./find-workspace.ts";

/** What a running or kept workspace did on the network so far. `workspace_not_found` without one. */
export async function egressOf(layout: StateLayout, name: string): Promise<AuditReading> {
  const { path } = await findWorkspace(layout, name);
  return await readAuditLog(join(path, auditFileName));
}

const pollMs = 200;

/**
 * The decisions of a workspace, those of its current file and then each as it is written, until the
 * workspace has ended. `store_corrupt` where the log is damaged: a follower must not go on as if
 * nothing was missing.
 */
export async function* followEgress(
  op: Op,
  layout: StateLayout,
  name: string,
): AsyncGenerator<AuditRecord> {
  const { path } = await findWorkspace(layout, name);
  const log = join(path, auditFileName);
  const tail = new AuditTail(log);
  try {
    for (;;) {
      // Looked at before reading: what is written up to its end is not missed.
      const ended = await hasEnded(layout, name, path);
      yield* await tail.more();
      tail.checkIntegrity();
      if (ended) return;
      await op.sleep(pollMs);
    }
  } finally {
    await tail.close();
  }
}

async function hasEnded(layout: StateLayout, name: string, path: string): Promise<boolean> {
  try {
    const now = await findWorkspace(layout, name);
    const ends: readonly string[] = ["stopped", "halted", "failed", "orphaned"];
    return now.path !== path || ends.includes(now.state);
  } catch (error) {
    if (isMicroagentError(error) && error.code === "workspace_not_found") return true;
    throw error;
  }
}

/** The end of a log that is being written, across the files that are put aside. */
class AuditTail {
  readonly #path: string;
  #fresh: AuditRecord[] = [];
  readonly #reader = new AuditReader((record) => this.#fresh.push(record));
  #file: FileHandle | null = null;
  #rest = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
  }

  /** The records written since the last call. */
  async more(): Promise<readonly AuditRecord[]> {
    this.#file ??= await this.#open();
    if (this.#file === null) return [];
    await this.#drain(this.#file);
    // The log goes on in another file once this one was put aside; what it got last is read first.
    const next = await this.#open();
    if (next !== null && (await next.stat()).ino !== (await this.#file.stat()).ino) {
      await this.#drain(this.#file);
      await this.#file.close();
      this.#file = next;
      await this.#drain(next);
    } else await next?.close();
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  /** `store_corrupt` once something is known to be wrong. */
  checkIntegrity(): void {
    const { integrity } = this.#reader;
    if (integrity === "complete") return;
    throw new MicroagentError("store_corrupt", `The audit is not complete: ${integrity.problem}`);
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }

  async #drain(file: FileHandle): Promise<void> {
    const buffer = Buffer.alloc(64 * 1024);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      const bytes = Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)]);
      // A line may still be on its way to the disk.
      const end = bytes.lastIndexOf(0x0a) + 1;
      this.#rest = bytes.subarray(end);
      if (end > 0) this.#reader.take(bytes.toString("utf8", 0, end), auditFileName);
    }
  }

  async #open(): Promise<FileHandle | null> {
    try {
      return await open(this.#path, "r");
    } catch (error) {
      // It comes with its first line, and goes with its workspace.
      if (errnoOf(error) === "ENOENT") return null;
      throw fileError(error, `The audit "${this.#path}" cannot be read`);
    }
  }
}
