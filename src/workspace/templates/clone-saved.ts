import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Agent } from "../../agent/agent.ts";
import { CleanupStack } from "../../base/cleanup.ts";
import type { Op } from "../../base/op.ts";
import { together } from "../../base/together.ts";
import type { DiskAttachment, Machine } from "../../supervisor/port.ts";
import type { Attachments } from "../attachments.ts";
import type { BootRequest } from "../boot.ts";
import { bootReport } from "../boot-report.ts";
import { connectAgent } from "../connect-agent.ts";
import type { Engine } from "../engine.ts";
import { openConnections, openDirectory } from "../host-side.ts";
import { machineRequest } from "../machine-request.ts";
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
  // What does not need each other goes on at once: a clone is started in the time of a few small files.
  const [directory] = await together(
    openDirectory(op, engine, request, undo),
    engine.images.pin(op, prepared.image).then((pin) => {
      undo.defer(async () => await pin[Symbol.asyncDispose]());
    }),
  );
  const [own, attachments] = await together(
    linkSaved(source.path, source.manifest, directory.path),
    openConnections(op, request, directory, undo),
  );

  const { choice, image } = prepared;
  const disks = disksOf(own, directory);
  const wanted = machineRequest(request, prepared, {
    writable: disks,
    consolePath: directory.consolePath,
    from: { memory: own.memory, state: own.state },
  });
  const plan = choice.supervisor.plan(wanted, choice.host);
  const started = async (step: Op) => {
    const machine = await step.step("start", (part) => choice.supervisor.start(part, plan));
    undo.defer(() => machine.kill("the clone failed").then(() => {}));
    const [agent] = await together(
      becomeAnother(step, machine, request.hostname, attachments),
      directory.recordMachine(choice.supervisor.name, machine),
    );
    return { machine, agent };
  };
  const { machine, agent } = await blamingSaved(
    op.step("clone", started, { timeoutMs: request.bounds.bootMs }),
  );
  // The machine holds them; other names would only keep them on the disk after the template has gone.
  await together(
    rm(own.state, { force: true }),
    own.memory === null ? Promise.resolve() : rm(own.memory, { force: true }),
  );
  await attachments.deliver(op, agent, image.config.user);

  return new Workspace({
    request,
    snapshots: choice.snapshots,
    machine,
    agent,
    directory,
    attachments,
    disks,
    report: bootReport(prepared, { attempts: 1, retryReason: null, template: source.use }),
    clock: op.clock,
    release: undo.release(),
  });
}

async function becomeAnother(
  op: Op,
  machine: Machine,
  hostname: string,
  attachments: Attachments,
): Promise<Agent> {
  return await op.step("handshake", async (part) => {
    // The guest finds our first words as soon as it runs.
    const renewal = renewalFor(part.clock, hostname, attachments);
    const connecting = connectAgent(part, machine, attachments.calls, renewal);
    const [connected] = await Promise.all([connecting, machine.freezer?.resume(part)]);
    return connected;
  });
}

/** A layer of the clone's own on each saved disk. */
function disksOf(
  own: OwnFiles,
  directory: Pick<WorkspaceDir, "path" | "durability">,
): readonly DiskAttachment[] {
  return Object.entries(own.disks).map(([id, layers]) => ({
    id,
    path: join(directory.path, `${id}.qcow2`),
    readOnly: false,
    durability: directory.durability,
    layers,
  }));
}
