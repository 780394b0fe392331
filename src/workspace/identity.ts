import { randomBytes } from "node:crypto";
import type { Configuration } from "../agent/configuration.ts";
import type { Clock } from "../base/op.ts";
import type { BaseImage } from "../image/base-image.ts";
import type { Attachments } from "./attachments.ts";

/** Processes and threads a guest's workload may have. */
const pidsMax = 16_384;
/**
 * Memory the workload cannot have, so that the agent always answers. Measured with 512 MiB, 256 connections that nobody reads and a
 * workload at its limit: the agent and its network process grow by 17 MiB, and 12 MiB of a reserve of 32 stay free.
 */
const memoryReserveBytes = 26 * 1024 * 1024;

/** What makes a booted machine this one: its clock, entropy, name and root. */
export function identityFor(
  clock: Clock,
  request: { readonly hostname: string },
  base: BaseImage,
  attachments: Pick<Attachments, "network" | "services">,
): Configuration {
  return {
    timeUnixMs: clock.now(),
    entropy: randomBytes(64),
    hostname: request.hostname,
    hosts: [{ ip: "127.0.1.1", names: [request.hostname] }],
    root: {
      base: { device: diskNode("base"), fstype: base.format },
      upper: { device: diskNode("scratch"), fstype: "ext4" },
    },
    mounts: [],
    pidsMax,
    memoryReserveBytes,
    network: attachments.network?.guest ?? null,
    services: attachments.services,
  };
}

/** A disk by its id: the order in which a kernel finds its disks differs between machines. */
function diskNode(id: string): string {
  return `/dev/disk/by-id/virtio-${id}`;
}
