import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { boot } from "./boot.ts";
import type { Engine } from "./engine.ts";
import type { Workspace } from "./workspace.ts";

/**
 * Boots a machine whose predecessor has ended, on the disk as that left it: what a power cut leaves behind. The
 * new workspace lives in the directory of the ended one, so close it first. Not after the predecessor was
 * saved: then its disk goes on elsewhere.
 */
export async function powerOnAgain(
  op: Op,
  engine: Engine,
  ended: Workspace,
  name: string,
): Promise<Workspace> {
  const [disk] = ended.disks;
  if (disk === undefined) {
    throw new MicroagentError(
      "host_unsupported",
      `Workspace "${ended.name}" has no disk to go on with`,
    );
  }
  const { directory } = ended;
  return await boot(op, engine, {
    ...ended.request,
    name,
    directory: async () => ({
      path: directory.path,
      consolePath: directory.consolePath,
      durability: directory.durability,
      scratch: async () => ({ ...disk, continues: true }),
      recordMachine: (supervisor, machine) => directory.recordMachine(supervisor, machine),
      writeRecord: (fileName, value) => directory.writeRecord(fileName, value),
      stagingIn: (outputDir, staged) => directory.stagingIn(outputDir, staged),
      keep: () => directory.keep(),
      keptAt: null,
      keepFailure: null,
      release: async () => {},
    }),
  });
}
