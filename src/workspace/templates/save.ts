import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { MicroagentError } from "../../base/errors.ts";
import { randomHex } from "../../base/ids.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import type { SavedMachine, Snapshots } from "../../supervisor/port.ts";
import type { Workspace } from "../workspace.ts";
import { templateFormat } from "./key.ts";
import type { Manifest } from "./manifest.ts";
import { renewalFor } from "./renewal.ts";
import { describeFiles, publishSaved } from "./store.ts";

/** A saved machine that nobody can find yet, in the directory of the workspace it came from. */
export interface Unpublished {
  readonly dir: string;
  readonly saved: SavedMachine;
}

/**
 * Saves a live workspace, which goes on afterwards as a machine of its own: its clones and it share no
 * random numbers. Whoever saves must have no command running whose output has to reach the clones.
 * What is under way in the guest when it is saved goes on in every clone: it gets `restMs` to end.
 */
export async function saveWorkspace(
  op: Op,
  workspace: Workspace,
  snapshots: Snapshots,
  restMs = 0,
): Promise<Unpublished> {
  const { machine, agent, hostname } = workspace;
  const dir = join(workspace.directory.path, `saved-${randomHex(4)}`);
  await mkdir(dir, { mode: 0o700 }).catch((error: unknown) => {
    throw fileError(error, `Directory "${dir}" cannot be made`);
  });
  await agent.quiesce(op);
  try {
    if (restMs > 0) await op.sleep(restMs);
    const saved = await op.step("write", (step) => snapshots.save(step, machine, dir));
    return { dir, saved };
  } finally {
    await agent.resume(op, renewalFor(op.clock, hostname, workspace.attachments));
  }
}

/** Where a saved machine goes and what is told about it. */
export interface Publication {
  readonly parent: string;
  readonly name: string;
  readonly key: string;
  readonly setup: readonly string[];
}

/** Gives a saved machine its place; false when another one had it already. */
export async function publish(
  op: Op,
  workspace: Workspace,
  unpublished: Unpublished,
  publication: Publication,
): Promise<boolean> {
  const { parent, name, key, setup } = publication;
  const { report, request } = workspace;
  const manifest: Manifest = {
    format: templateFormat,
    id: randomHex(8),
    key,
    createdAt: new Date(op.clock.now()).toISOString(),
    image: report.image.reference,
    setup,
    memoryMib: request.memoryMib,
    cpus: request.cpus,
    sizeMib: request.sizeMib,
    backend: report.supervisor,
    recipe: {
      insecureRegistries: request.insecureRegistries,
      kernel: request.kernel ?? null,
      arch: request.arch ?? null,
      accel: request.accel,
    },
    saved: unpublished.saved,
    files: await op.step("digest", (step) =>
      describeFiles(step, unpublished.dir, unpublished.saved),
    ),
  };
  return await publishSaved(unpublished.dir, parent, name, manifest);
}

/** What can save machines here. `host_unsupported` when nothing can. */
export function snapshotsOf(workspace: Workspace): Snapshots {
  const { snapshots } = workspace;
  if (snapshots !== null) return snapshots;
  throw new MicroagentError(
    "host_unsupported",
    `Machines of backend "${workspace.report.supervisor}" cannot be saved on this host`,
  );
}
