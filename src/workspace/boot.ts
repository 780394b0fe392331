import { CleanupStack } from "../base/cleanup.ts";
import type { Op } from "../base/op.ts";
import type { AccelPreference, Arch } from "../supervisor/port.ts";
import type { AttachmentRequest } from "./attachments.ts";
import { bootReport } from "./boot-report.ts";
import type { Engine } from "./engine.ts";
import { openConnections, openDirectory } from "./host-side.ts";
import { identityFor } from "./identity.ts";
import { machineRequest } from "./machine-request.ts";
import { powerOn } from "./power-on.ts";
import { type Prepared, prepareHost, prepareImage } from "./prepare.ts";
import { Workspace } from "./workspace.ts";
import type { OpenDirectory } from "./workspace-dir.ts";

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
  const [{ directory, scratch, attachments }, image, host] = await op.together([
    (side) => prepareDirectory(side, engine, request, undo),
    async (side) => known ?? (await prepareImage(side, engine, request, undo)),
    async (side) => known ?? (await prepareHost(side, engine, request)),
  ]);
  const prepared: Prepared = { ...host, ...image };
  const { choice, base } = prepared;

  const powered = await powerOn(op, {
    choice,
    directory,
    bootMs: request.bounds.bootMs,
    request: machineRequest(request, prepared, {
      writable: [scratch],
      consolePath: directory.consolePath,
      saveable: request.saveable === true && choice.snapshots !== null,
    }),
    connect: async (step, machine) => {
      // Loaded while the guest boots: until then nobody needs to speak its language.
      const { connectAgent } = await import("./connect-agent.ts");
      return await connectAgent(step, machine, attachments.calls);
    },
  });
  undo.defer(() => powered.machine.kill("boot failed").then(() => {}));
  const { machine, agent, attempts, retryReason } = powered;

  await op.step("configure", (step) =>
    agent.configure(step, identityFor(step.clock, request, base, attachments)),
  );
  await op.step("attach", (step) => attachments.deliver(step, agent, prepared.image.config.user));

  return new Workspace({
    request,
    snapshots: request.saveable === true ? choice.snapshots : null,
    machine,
    agent,
    directory,
    attachments,
    disks: [scratch],
    report: bootReport(prepared, { attempts, retryReason, template: null }),
    clock: op.clock,
    release: undo.release(),
  });
}

async function prepareDirectory(op: Op, engine: Engine, request: BootRequest, undo: CleanupStack) {
  const directory = await openDirectory(op, engine, request, undo);
  const [scratch, attachments] = await op.together([
    (side) => side.step("scratch", (step) => directory.scratch(step, request.sizeMib)),
    (side) => openConnections(side, request, directory, undo),
  ]);
  return { directory, scratch, attachments };
}
