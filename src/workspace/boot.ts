import { CleanupStack } from "../base/cleanup.ts";
import type { Op } from "../base/op.ts";
import type { BaseImage } from "../image/base-image.ts";
import type { StoredImage } from "../image/stored-image.ts";
import type { InstalledKernel } from "../kernel/installed-kernel.ts";
import type { AccelPreference, Arch, HostFacts } from "../supervisor/port.ts";
import { type AttachmentRequest, openAttachments } from "./attachments.ts";
import type { Engine } from "./engine.ts";
import { identityFor } from "./identity.ts";
import { networkRecord, networkRecordFile } from "./network-record.ts";
import { powerOn } from "./power-on.ts";
import { type Prepared, prepareHost, prepareImage } from "./prepare.ts";
import type { TemplateUse } from "./templates/template.ts";
import { Workspace } from "./workspace.ts";
import { type OpenDirectory, openWorkspaceDir, type WorkspaceDir } from "./workspace-dir.ts";

/** Everything a boot depends on; no value is left to be guessed. */
export interface BootRequest {
  readonly name: string;
  readonly image: string;
  readonly pull: "missing" | "always" | "never";
  readonly insecureRegistries: readonly string[];
  /** Catalogue name or path; undefined takes the default kernel. */
  readonly kernel: string | undefined;
  /** Undefined takes the host's. */
  readonly arch: Arch | undefined;
  readonly accel: AccelPreference;
  readonly memoryMib: number;
  readonly cpus: number;
  readonly sizeMib: number;
  readonly hostname: string;
  readonly attach: AttachmentRequest;
  readonly bounds: BootBounds;
  /** Keeps the machine in a form that can be saved. Default false. */
  readonly saveable?: boolean | undefined;
  /** Where the workspace lives; by default in a directory that goes with it. */
  readonly directory?: OpenDirectory | undefined;
}

/** Milliseconds each part may take. */
export interface BootBounds {
  readonly pullMs: number;
  readonly bootMs: number;
}

/** What a boot found and decided, for results and people. */
export interface BootReport {
  readonly image: StoredImage;
  readonly base: BaseImage;
  readonly kernel: InstalledKernel;
  readonly supervisor: string;
  readonly host: HostFacts;
  /** 1, or 2 when the boot watchdog had to start over. */
  readonly attempts: number;
  /** Why the first attempt was given up, when it was. */
  readonly retryReason: string | null;
  /** The saved machine it was started from; null when it was booted. */
  readonly template: TemplateUse | null;
}

/**
 * The boot pipeline: from an image reference to a machine that answers, one named and timed step
 * after the other. Whatever fails undoes what came before it. What is `known` already is not looked up
 * again; whoever looked it up keeps the image pinned.
 */
export async function boot(
  op: Op,
  engine: Engine,
  request: BootRequest,
  known: Prepared | null = null,
): Promise<Workspace> {
  await using undo = new CleanupStack();

  // Nothing of one is needed by another, so they share the time that the disk and other programs take.
  const [{ directory, scratch, attachments }, { image, base }, { kernel, initramfs, choice }] =
    await op.together([
      (side) => prepareDirectory(side, engine, request, undo),
      async (side) => known ?? (await prepareImage(side, engine, request, undo)),
      async (side) => known ?? (await prepareHost(side, engine, request)),
    ]);

  const powered = await powerOn(op, {
    choice,
    directory,
    bootMs: request.bounds.bootMs,
    request: {
      name: request.name,
      memoryMib: request.memoryMib,
      cpus: request.cpus,
      kernel: kernel.image,
      initramfsPath: initramfs,
      disks: [{ id: "base", path: base.path, readOnly: true, durability: "disposable" }, scratch],
      cmdline: [],
      consolePath: directory.consolePath,
      saveable: request.saveable === true && choice.snapshots !== null,
    },
    connect: async (step, machine) => {
      // Loaded while the guest boots: until then nobody needs to speak its language.
      const { connectAgent } = await import("./connect-agent.ts");
      return await connectAgent(step, machine, attachments.calls);
    },
  });
  undo.defer(() => powered.machine.kill("boot failed").then(() => {}));

  await op.step("configure", (step) =>
    powered.agent.configure(step, identityFor(step.clock, request, base, attachments)),
  );
  await op.step("attach", (step) => attachments.deliver(step, powered.agent, image.config.user));

  return new Workspace({
    request,
    snapshots: request.saveable === true ? choice.snapshots : null,
    machine: powered.machine,
    agent: powered.agent,
    directory,
    attachments,
    disks: [scratch],
    report: {
      image,
      base,
      kernel,
      supervisor: choice.supervisor.name,
      host: choice.host,
      attempts: powered.attempts,
      retryReason: powered.retryReason,
      template: null,
    },
    clock: op.clock,
    release: undo.release(),
  });
}

async function prepareDirectory(op: Op, engine: Engine, request: BootRequest, undo: CleanupStack) {
  const directory = await openDirectory(op, engine, request);
  undo.defer(() => directory.release());
  const [scratch, attachments] = await op.together([
    (side) => side.step("scratch", (step) => directory.scratch(step, request.sizeMib)),
    (side) => prepareAttachments(side, request, directory, undo),
  ]);
  return { directory, scratch, attachments };
}

/** The directory of a request. */
export async function openDirectory(
  op: Op,
  engine: Engine,
  request: BootRequest,
): Promise<WorkspaceDir> {
  if (request.directory !== undefined) return await request.directory(op);
  return await openWorkspaceDir(op, engine.layout, request.name);
}

async function prepareAttachments(
  op: Op,
  request: BootRequest,
  directory: WorkspaceDir,
  undo: CleanupStack,
) {
  const owner = { name: request.name, directory: directory.path };
  const attachments = await op.step("connections", (step) =>
    openAttachments(step, request.attach, owner),
  );
  undo.defer(async () => void (await attachments.close()));
  await directory.writeRecord(networkRecordFile, networkRecord(attachments.network));
  return attachments;
}
