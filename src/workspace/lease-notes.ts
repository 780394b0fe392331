import { join } from "node:path";
import { writeFileAtomic } from "../host/files.ts";
import { type Lease, stagingPrefix } from "../host/lease.ts";
import { identityOf } from "../host/process-identity.ts";
import type { WorkspaceDir } from "./workspace-dir.ts";

/** What a workspace's directory and its lease say about the machine in it; `staged` names what it stages elsewhere. */
export function leaseNotes(
  path: string,
  lease: Lease,
  staged: string,
  survivesPowerCut: boolean,
): Pick<WorkspaceDir, "recordMachine" | "writeRecord" | "stagingIn"> {
  let staging: string | null = null;
  return {
    async recordMachine(supervisor, machine) {
      const vmm = machine.pid === null ? null : identityOf(machine.pid);
      await lease.update({ supervisor, vmm });
    },
    writeRecord: (fileName, value) =>
      writeFileAtomic(join(path, fileName), `${JSON.stringify(value, null, 2)}\n`, {
        survivesPowerCut,
      }),
    async stagingIn(outputDir, name) {
      if (staging !== outputDir) await lease.update({ outputDir });
      staging = outputDir;
      return join(outputDir, `${stagingPrefix(staged)}${name}`);
    },
  };
}
