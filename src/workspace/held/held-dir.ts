import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import { listLeases, takeLease } from "../../host/lease.ts";
import { withLock } from "../../host/lock.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { leaseNotes } from "../lease-notes.ts";
import { makeScratch, scratchFile, type WorkspaceDir } from "../workspace-dir.ts";
import { diskIn } from "./disk.ts";
import { machinePath, type WorkspaceRecord } from "./record.ts";
import { currentState } from "./state.ts";
import { wrongState } from "./wrong-state.ts";

/** A workspace that this process holds: nobody else starts it until it is given back. */
export interface Hold {
  /** The directory for a machine, which finds the disk of the one before. */
  directory(record: WorkspaceRecord): WorkspaceDir;
  release(): Promise<void>;
}

/** Takes a workspace that nobody holds. `wrong_state` when somebody does. */
export async function takeHold(op: Op, layout: StateLayout, name: string): Promise<Hold> {
  const lease = await withLock(op, lockOf(layout, name), async () => {
    const leases = await listLeases(layout);
    if (leases.some((each) => each.workspace === name && each.ownerAlive)) {
      throw wrongState(name, (await currentState(layout, name)).state, "be started");
    }
    return await takeLease(layout, { workspace: name });
  });
  const directory = (path: string, durability: WorkspaceDir["durability"]): WorkspaceDir => ({
    path,
    consolePath: join(path, "serial.log"),
    durability,
    async scratch(step, sizeMib) {
      const found = await diskIn(path, durability);
      if (found !== null) return found;
      const scratch = join(path, scratchFile);
      // Half a file system would pass for a whole one at the next start.
      await makeScratch(step, `${scratch}.tmp`, sizeMib);
      await rename(`${scratch}.tmp`, scratch);
      return { id: "scratch", path: scratch, readOnly: false, durability };
    },
    ...leaseNotes(path, lease, name, true),
    keep() {},
    keptAt: path,
    keepFailure: null,
    // It stays, and so does the hold on it.
    release: async () => {},
  });
  return {
    directory: (record) => directory(machinePath(layout, record), record.durability),
    release: () => lease.release(),
  };
}

/** The lock under which a workspace's name is taken, given and looked at. */
export function lockOf(layout: StateLayout, name: string): string {
  return join(layout.locks, `workspace-${name}`);
}

/** Makes a machine's directory, or tidies up what a killed holder left half-done in it. */
export async function readyMachineDir(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    for (const name of await readdir(path)) {
      const isHalf = name.startsWith("saved-") || name.endsWith(".tmp");
      if (isHalf) await rm(join(path, name), { recursive: true, force: true });
    }
  } catch (error) {
    throw fileError(error, `Directory "${path}" cannot be made`);
  }
}

/** `name_taken` for a workspace that is to be new and is not. */
export function nameTaken(name: string): MicroagentError {
  return new MicroagentError("name_taken", `Workspace name "${name}" is in use`, {
    hint: "Choose another, or see what there is with: microagent ps",
    details: { name },
  });
}
