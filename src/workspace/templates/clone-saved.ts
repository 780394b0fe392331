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
  const begun = await begin(op, engine, prepared, source, request, undo);
  const { machine, agent } = await within(op, begun, async (step) => {
    const started = await start(step, begun, undo);
    return { machine: started, agent: await becomeAnother(step, begun, started) };
  });
  return await finish(op, begun, machine, agent, undo);
}

/** A clone that stands as the machine was saved: nothing in it has run, and it has no name yet. */
export interface StandingClone {
  readonly pid: number | null;
  /** Lets it run as another machine; when that fails, it is gone. */
  wake(op: Op): Promise<Workspace>;
  /** Ends it, unless it was woken. */
  close(): Promise<void>;
}

/** As `cloneSaved`, up to the moment before the machine runs. */
export async function standSaved(
  op: Op,
  engine: Engine,
  prepared: Prepared,
  source: SavedSource,
  request: BootRequest,
): Promise<StandingClone> {
  await using undo = new CleanupStack();
  const begun = await begin(op, engine, prepared, source, request, undo);
  const machine = await within(op, begun, (step) => start(step, begun, undo));
  await record(begun, machine);
  const held = undo.release();
  return {
    pid: machine.pid,
    close: () => held.run(),
    async wake(waking) {
      await using own = held.release();
      const agent = await within(waking, begun, (step) => becomeAnother(step, begun, machine));
      return await finish(waking, begun, machine, agent, own);
    },
  };
}

/** What a clone is made of and what it has on the host. */
interface Begun {
  readonly prepared: Prepared;
  readonly source: SavedSource;
  readonly request: BootRequest;
  readonly directory: WorkspaceDir;
  readonly own: OwnFiles;
  readonly attachments: Attachments;
  readonly disks: readonly DiskAttachment[];
}

async function begin(
  op: Op,
  engine: Engine,
  prepared: Prepared,
  source: SavedSource,
  request: BootRequest,
  undo: CleanupStack,
): Promise<Begun> {
  const openFiles = async () => {
    const directory = await openDirectory(op, engine, request, undo);
    const [own, attachments] = await together(
      linkSaved(source.path, source.manifest, directory.path),
      openConnections(op, request, directory, undo),
    );
    return { directory, own, attachments, disks: disksOf(own, directory) };
  };
  // What does not need each other goes on at once: a clone is started in the time of a few small files.
  const [files] = await together(
    openFiles(),
    engine.images.pin(op, prepared.image).then((pin) => {
      undo.defer(async () => await pin[Symbol.asyncDispose]());
    }),
  );
  return { prepared, source, request, ...files };
}

/** A part of the start, for which there is as much time as for all of it. */
async function within<T>(op: Op, { request }: Begun, work: (step: Op) => Promise<T>): Promise<T> {
  return await blamingSaved(op.step("clone", work, { timeoutMs: request.bounds.bootMs }));
}

async function start(op: Op, begun: Begun, undo: CleanupStack): Promise<Machine> {
  const { prepared, request, directory, own, disks } = begun;
  const { supervisor, host } = prepared.choice;
  const wanted = machineRequest(request, prepared, {
    writable: disks,
    consolePath: directory.consolePath,
    from: { memory: own.memory, state: own.state },
  });
  const plan = supervisor.plan(wanted, host);
  const machine = await op.step("start", (step) => supervisor.start(step, plan));
  undo.defer(() => machine.kill("the clone failed").then(() => {}));
  return machine;
}

async function becomeAnother(op: Op, begun: Begun, machine: Machine): Promise<Agent> {
  const { attachments, request } = begun;
  const connected = op.step("handshake", async (step) => {
    // The guest finds our first words as soon as it runs.
    const renewal = renewalFor(step.clock, request.hostname, attachments);
    const connecting = connectAgent(step, machine, attachments.calls, renewal);
    const [agent] = await Promise.all([connecting, machine.freezer?.resume(step)]);
    return agent;
  });
  const [agent] = await together(connected, record(begun, machine));
  return agent;
}

/** Notes whose process the machine is. */
async function record({ prepared, directory }: Begun, machine: Machine): Promise<void> {
  await directory.recordMachine(prepared.choice.supervisor.name, machine);
}

async function finish(
  op: Op,
  begun: Begun,
  machine: Machine,
  agent: Agent,
  undo: CleanupStack,
): Promise<Workspace> {
  const { prepared, source, request, directory, own, attachments, disks } = begun;
  // The machine holds its files; other names would only keep them on the disk after the template has gone.
  await together(
    attachments.deliver(op, agent, prepared.image.config.user),
    rm(own.state, { force: true }),
    own.memory === null ? Promise.resolve() : rm(own.memory, { force: true }),
  );
  return new Workspace({
    request,
    snapshots: prepared.choice.snapshots,
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
