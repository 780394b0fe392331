import type { CleanupStack } from "../base/cleanup.ts";
import type { Op } from "../base/op.ts";
import { type Attachments, openAttachments } from "./attachments.ts";
import type { BootRequest } from "./boot.ts";
import type { Engine } from "./engine.ts";
import { networkRecord, networkRecordFile } from "./network-record.ts";
import { openWorkspaceDir, type WorkspaceDir } from "./workspace-dir.ts";

/** The directory of a request, given back by `undo`. */
export async function openDirectory(
  op: Op,
  engine: Engine,
  request: BootRequest,
  undo: CleanupStack,
): Promise<WorkspaceDir> {
  const open = request.directory ?? ((step) => openWorkspaceDir(step, engine.layout, request.name));
  const directory = await open(op);
  undo.defer(() => directory.release());
  return directory;
}

/** What the guest will be connected to, closed by `undo`; the directory says which network it has. */
export async function openConnections(
  op: Op,
  request: BootRequest,
  directory: WorkspaceDir,
  undo: CleanupStack,
): Promise<Attachments> {
  const { name, hostname } = request;
  const owner = { name, hostname, directory: directory.path };
  const attachments = await op.step("connections", (step) =>
    openAttachments(step, request.attach, owner),
  );
  undo.defer(async () => void (await attachments.close()));
  await directory.writeRecord(networkRecordFile, networkRecord(attachments.network));
  return attachments;
}
