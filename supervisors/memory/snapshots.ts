import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { MicroagentError } from "../../src/base/errors.ts";
import { fileError } from "../../src/host/file-error.ts";
import type { Machine, Snapshots } from "../../src/supervisor/port.ts";
import type { MemoryControl } from "./control.ts";
import type { MemoryGuest, SavedGuest } from "./guest.ts";

const stateFile = "state";
const guests = new WeakMap<Machine, MemoryGuest>();

export function rememberGuest(machine: Machine, guest: MemoryGuest): void {
  guests.set(machine, guest);
}

/** Saves the files of in-memory guests; what their programs do at the time is not kept. */
export function createMemorySnapshots(control: MemoryControl): Snapshots {
  return {
    fingerprint: (request, host) =>
      JSON.stringify(["memory", host.vmmVersion, request.kernel.version]),
    async save(op, machine, dir) {
      op.check();
      const guest = guests.get(machine);
      if (guest === undefined) {
        throw new MicroagentError("invalid_argument", `Machine "${machine.name}" is not in memory`);
      }
      const path = join(dir, stateFile);
      try {
        const text = JSON.stringify(guest.save());
        await writeFile(path, text.slice(0, text.length / 2), { mode: 0o600, flag: "wx" });
        if (control.nextSaveFails()) {
          throw new MicroagentError("no_space", "The saved state does not fit on the disk");
        }
        await writeFile(path, text);
      } catch (error) {
        throw fileError(error, `The machine's state cannot be saved to "${path}"`);
      }
      return { memory: null, state: stateFile, disks: {} };
    },
  };
}

const nodeSchema = z.object({
  path: z.string(),
  type: z.enum(["file", "dir", "symlink", "hardlink", "fifo", "char", "block", "socket"]),
  mode: z.number(),
  uid: z.number(),
  gid: z.number(),
  mtimeSeconds: z.number(),
  data: z.string(),
  link: z.string().nullable(),
});
const savedSchema: z.ZodType<SavedGuest> = z.object({
  configured: z.boolean(),
  files: z.array(nodeSchema),
});

/** The guest of a state file; null without one. `store_corrupt` when it is missing, `vmm_failed` when broken. */
export async function readSaved(path: string | null): Promise<SavedGuest | null> {
  if (path === null) return null;
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fileError(error, `Saved state "${path}" cannot be read`);
  });
  try {
    return savedSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new MicroagentError("vmm_failed", `Saved state "${path}" is not whole`, { cause: error });
  }
}
