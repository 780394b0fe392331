import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { GuestNetwork } from "../agent/guest-network.ts";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import { fileError } from "../host/file-error.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { findWorkspace } from "./find-workspace.ts";
import type { OpenNetwork } from "./network.ts";
import { type NetworkReport, networkReport } from "./network-report.ts";

/** A workspace's network as it was asked for and as the guest has it. */
export interface NetworkRecord extends NetworkReport {
  /** Null without a network. */
  readonly runtime: Pick<GuestNetwork, "interface" | "mtu" | "ipv4" | "ipv6" | "dns"> | null;
}

export const networkRecordFile = "network.json";

export function networkRecord(network: OpenNetwork | null): NetworkRecord {
  return { ...networkReport(network), runtime: network?.guest ?? null };
}

const address = z.object({ address: z.string(), gateway: z.string() }).nullable();
const recordSchema: z.ZodType<NetworkRecord> = z.object({
  mode: z.enum(["user", "nat", "isolated", "bridged"]),
  egress: z.enum(["guarded", "strict", "off"]).nullable(),
  forwards: z.array(
    z.object({
      protocol: z.literal("tcp"),
      host: z.string(),
      hostPort: z.number(),
      guestPort: z.number(),
    }),
  ),
  runtime: z
    .object({
      interface: z.string(),
      mtu: z.number(),
      ipv4: address,
      ipv6: address,
      dns: z.array(z.string()),
    })
    .nullable(),
});

/** The network of a running or kept workspace. `workspace_not_found`, `store_corrupt`. */
export async function networkOf(layout: StateLayout, name: string): Promise<NetworkRecord> {
  const { path } = await findWorkspace(layout, name);
  const file = join(path, networkRecordFile);
  try {
    return recordSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") {
      throw new MicroagentError("workspace_not_found", `Workspace "${name}" is only starting`, {
        hint: `Try again: microagent network ${name}`,
      });
    }
    if (errno !== undefined) throw fileError(error, `File "${file}" cannot be read`);
    throw new MicroagentError("store_corrupt", `File "${file}" is no record of a network`, {
      cause: error,
    });
  }
}
