import { rm } from "node:fs/promises";
import { join } from "node:path";
import { CleanupStack } from "../../base/cleanup.ts";
import type { Op } from "../../base/op.ts";
import type { DiskAttachment, MachineRequest } from "../../supervisor/port.ts";
import { openAttachments } from "../attachments.ts";
import { type BootRequest, openDirectory } from "../boot.ts";
import { connectAgent } from "../connect-agent.ts";
import type { Engine } from "../engine.ts";
import { networkRecord, networkRecordFile } from "../network-record.ts";
import type { Prepared } from "../prepare.ts";
import { Workspace } from "../workspace.ts";
import type { WorkspaceDir } from "../workspace-dir.ts";
import { blamingSaved } from "./broken.ts";
import { linkSaved, type OwnFiles } from "./link-saved.ts";
import type { Manifest } from "./manifest.ts";
import { renewalFor } from "./renewal.ts";
import type { TemplateUse } from "./template.ts";

/** A saved machine that was found whole. */
export interface SavedSource {
  readonly path: string;
  readonly manifest: Manifest;
  readonly use: TemplateUse;
}

/**
 * Starts one clone: files of its own, a machine with the saved memory, a new session, and then what makes it
 * another machine, before anything in it runs. `template_broken` when what was saved is to blame.
 */
export async function cloneSaved(
  op: Op,
  engine: Engine,
  prepared: Prepared,
  source: SavedSource,
  request: BootRequest,
): Promise<Workspace> {
  await using undo = new CleanupStack();
  const pin = await engine.images.pin(op, prepared.image);
  undo.defer(async () => await pin[Symbol.asyncDispose]());
  const directory = await openDirectory(op, engine, request);
  undo.defer(() => directory.release());
  const owner = { name: request.name, directory: directory.path };
  const attachments = await openAttachments(op, request.attach, owner);
  undo.defer(async () => void (await attachments.close()));
  await directory.writeRecord(networkRecordFile, networkRecord(attachments.network));
  const own = await linkSaved(source.path, source.manifest, directory.path);

  const { choice, image, base, kernel } = prepared;
  const machineWanted = machineRequest(prepared, own, directory, request);
  const plan = choice.supervisor.plan(machineWanted, choice.host);
  const started = async (step: Op) => {
    const machine = await step.step("start", (part) => choice.supervisor.start(part, plan));
    undo.defer(() => machine.kill("the clone failed").then(() => {}));
    const agent = await step.step("handshake", async (part) => {
      await machine.freezer?.resume(part);
      return await connectAgent(part, machine, attachments.calls);
    });
    await step.step("renew", (part) =>
      agent.resume(part, renewalFor(part.clock, request.hostname, attachments)),
    );
    return { machine, agent };
  };
  const { machine, agent } = await blamingSaved(
    op.step("clone", started, { timeoutMs: request.bounds.bootMs }),
  );
  await directory.recordMachine(choice.supervisor.name, machine);
  // The machine holds them; other names would only keep them on the disk after the template has gone.
  await rm(own.state, { force: true });
  if (own.memory !== null) await rm(own.memory, { force: true });
  await attachments.deliver(op, agent, image.config.user);

  return new Workspace({
    request,
    snapshots: choice.snapshots,
    machine,
    agent,
    directory,
    attachments,
    disks: machineWanted.disks.filter((disk) => !disk.readOnly),
    report: {
      image,
      base,
      kernel,
      supervisor: choice.supervisor.name,
      host: choice.host,
      attempts: 1,
      retryReason: null,
      template: source.use,
    },
    clock: op.clock,
    release: undo.release(),
  });
}

function machineRequest(
  prepared: Prepared,
  own: OwnFiles,
  directory: Pick<WorkspaceDir, "path" | "consolePath" | "durability">,
  request: BootRequest,
): MachineRequest {
  const { base, kernel, initramfs } = prepared;
  const writable = Object.entries(own.disks).map(
    ([id, layers]): DiskAttachment => ({
      id,
      path: join(directory.path, `${id}.qcow2`),
      readOnly: false,
      durability: directory.durability,
      layers,
    }),
  );
  return {
    name: request.name,
    memoryMib: request.memoryMib,
    cpus: request.cpus,
    kernel: kernel.image,
    initramfsPath: initramfs,
    disks: [{ id: "base", path: base.path, readOnly: true, durability: "disposable" }, ...writable],
    cmdline: [],
    consolePath: directory.consolePath,
    from: { memory: own.memory, state: own.state },
  };
}
