import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { MicroagentError } from "../base/errors.ts";
import { randomHex } from "../base/ids.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "../host/file-error.ts";
import { isThere } from "../host/is-there.ts";
import { type Lease, listLeases, takeLease } from "../host/lease.ts";
import { withLock } from "../host/lock.ts";
import { ensurePrivateDir, type StateLayout } from "../host/state-layout.ts";
import { makeEmptyExt4 } from "../image/ext4/empty.ts";
import type { DiskAttachment, Machine } from "../supervisor/port.ts";
import { leaseNotes } from "./lease-notes.ts";

/**
 * The directory of one running workspace and the lease that names its owner. It lives below the
 * layout's `runtime` and goes away with the run, or moves to `workspaces` when it is kept.
 */
export interface WorkspaceDir {
  readonly path: string;
  readonly consolePath: string;
  /** Whether what the guest writes has to survive the host. */
  readonly durability: DiskAttachment["durability"];
  /** The writable disk, made when there is none yet. */
  scratch(op: Op, sizeMib: number): Promise<DiskAttachment>;
  /** Notes whose process the machine is, so that a later run can collect it. */
  recordMachine(supervisor: string, machine: Machine): Promise<void>;
  writeRecord(fileName: string, value: unknown): Promise<void>;
  /** A name in `outputDir` that only this run gives; from now on a killed run's are collected. */
  stagingIn(outputDir: string, name: string): Promise<string>;
  /** Marks the directory to outlive the run. */
  keep(): void;
  /** Where the directory has been kept; null when it was not to be, or could not be. */
  readonly keptAt: string | null;
  /** Why it could not be kept. */
  readonly keepFailure: MicroagentError | null;
  /** Gives the lease back and removes or moves the directory. May be called again. */
  release(): Promise<void>;
}

/** Opens the directory of a workspace. */
export type OpenDirectory = (op: Op) => Promise<WorkspaceDir>;

/** The writable disk's id and, as long as it lies on nothing, its file. */
export const scratchDisk = "scratch";
export const scratchFile = "scratch.ext4";

/** An empty file system for what a guest writes. */
export async function makeScratch(op: Op, path: string, sizeMib: number): Promise<void> {
  await makeEmptyExt4(op, path, sizeMib * 1024 * 1024, { label: "scratch" });
}

/** Claims a workspace name. `name_taken` when it is in use, `no_space` when the disk is full. */
export async function openWorkspaceDir(
  op: Op,
  layout: StateLayout,
  name: string,
): Promise<WorkspaceDir> {
  await ensurePrivateDir(layout.runtime);
  await ensurePrivateDir(layout.workspaces);
  const keptPath = keptPathOf(layout, name);
  const path = join(layout.runtime, `${name}.${randomHex(4)}`);
  // The lease comes first: a crash between the two leaves nothing that nobody owns.
  const lease: Lease = await withLock(op, join(layout.locks, `workspace-${name}`), async () => {
    if ((await isThere(keptPath)) || (await isLeased(layout, name))) throw nameTaken(name);
    return await takeLease(layout, { workspace: name, runtimeDir: path });
  });
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    await lease.release();
    throw fileError(error, `Workspace directory "${path}" cannot be made`);
  }

  let kept = false;
  let keptAt: string | null = null;
  let keepFailure: MicroagentError | null = null;
  let released = false;
  return {
    path,
    consolePath: join(path, "serial.log"),
    durability: "disposable",
    async scratch(op, sizeMib) {
      const scratch = join(path, scratchFile);
      await makeScratch(op, scratch, sizeMib);
      return { id: scratchDisk, path: scratch, readOnly: false, durability: "disposable" };
    },
    ...leaseNotes(path, lease, path, false),
    keep() {
      kept = true;
    },
    get keptAt() {
      return keptAt;
    },
    get keepFailure() {
      return keepFailure;
    },
    async release() {
      if (released) return;
      released = true;
      try {
        if (kept) {
          await rename(path, keptPath);
          keptAt = keptPath;
        }
      } catch (error) {
        keepFailure = fileError(error, `Workspace "${name}" cannot be kept at "${keptPath}"`);
      } finally {
        if (keptAt === null) await rm(path, { recursive: true, force: true, maxRetries: 3 });
        await lease.release();
      }
    },
  };
}

/** Where a workspace that was kept can be found. */
export function keptPathOf(layout: StateLayout, name: string): string {
  return join(layout.workspaces, name);
}

async function isLeased(layout: StateLayout, name: string): Promise<boolean> {
  const leases = await listLeases(layout);
  return leases.some((lease) => lease.workspace === name && lease.ownerAlive);
}

function nameTaken(name: string): MicroagentError {
  return new MicroagentError("name_taken", `Workspace name "${name}" is in use`, {
    hint: "Choose another with --name, or see what there is with: microagent ps (microagent gc --kept removes kept ones)",
    details: { name },
  });
}
