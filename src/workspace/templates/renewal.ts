import { randomBytes } from "node:crypto";
import type { Renewal } from "../../agent/renewal.ts";
import type { Clock } from "../../base/op.ts";
import type { Attachments } from "../attachments.ts";

/** What makes a machine of its own of one that was saved. */
export function renewalFor(
  clock: Clock,
  hostname: string,
  attachments: Pick<Attachments, "network" | "services">,
): Renewal {
  return {
    timeUnixMs: clock.now(),
    entropy: randomBytes(64),
    hostname,
    hosts: [{ ip: "127.0.1.1", names: [hostname] }],
    network: attachments.network?.guest ?? null,
    services: attachments.services,
  };
}
