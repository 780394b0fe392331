import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Op } from "../../base/op.ts";
import type { Snapshots } from "../../supervisor/port.ts";
import type { BootRequest } from "../boot.ts";
import { machineRequest } from "../machine-request.ts";
import type { Prepared } from "../prepare.ts";
import { treeDigest } from "./digest.ts";
import { swapParts } from "./swap-parts.ts";
import type { TemplateRequest } from "./template.ts";

/** Changes with what a template's files mean to us. */
export const templateFormat = 2;

/** Everything that goes into a template, in a form that is the same for the same request. */
export async function templateKey(
  op: Op,
  request: TemplateRequest,
  prepared: Prepared,
  snapshots: Snapshots,
): Promise<string> {
  const { boot } = request;
  const { image, base, kernel, initramfs, choice } = prepared;
  const files: [string, string][] = [];
  for (const file of request.files) {
    files.push([file.guestPath, await treeDigest(file.tree())]);
  }
  const machine = machineRequest(boot, prepared, { writable: [], consolePath: "/" });
  const parts = {
    format: templateFormat,
    image: image.digest,
    base: [base.format, base.digest, base.sizeBytes],
    kernel: [kernel.image.sha256, kernel.image.flavor, kernel.image.arch],
    // Its name says what is in it: the agent and the kernel's modules.
    initramfs: basename(initramfs),
    backend: choice.supervisor.name,
    backendState: snapshots.fingerprint(machine, choice.host),
    memoryMib: boot.memoryMib,
    cpus: boot.cpus,
    sizeMib: boot.sizeMib,
    network: await networkParts(op, boot),
    setup: request.setup,
    shell: request.shell,
    env: Object.entries(request.env).sort(([a], [b]) => (a < b ? -1 : 1)),
    files,
    ready: request.ready,
    ...(request.prepare === undefined ? {} : { prepare: request.prepare.key }),
  };
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** Where a guest may go can change what its setup finds; published ports and caps cannot. */
async function networkParts(op: Op, boot: BootRequest): Promise<unknown> {
  const { network } = boot.attach;
  if (network === null) return null;
  const { mode, guest, policy, swap } = network;
  return {
    mode,
    guest,
    policy: [policy.mode, policy.allow, policy.passthrough, [...policy.hostMap], policy.resolvers],
    swap: (await swapParts(op, swap)).parts,
  };
}
