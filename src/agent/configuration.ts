import { z } from "zod";
import { encodeGuestNetwork, type GuestNetwork, type GuestServices } from "./guest-network.ts";

/** What the guest is told once per boot. */
export interface Configuration {
  /** Wall clock, milliseconds since the epoch. */
  readonly timeUnixMs: number;
  /** 32 to 512 random bytes for the guest's generator. */
  readonly entropy: Uint8Array;
  readonly hostname: string;
  readonly hosts: readonly { readonly ip: string; readonly names: readonly string[] }[];
  readonly root: {
    readonly base: BlockMount;
    readonly upper: BlockMount | { readonly tmpfsBytes: number };
  };
  readonly mounts: readonly (BlockMount & {
    readonly mountpoint: string;
    readonly readOnly: boolean;
  })[];
  readonly pidsMax: number;
  readonly memoryReserveBytes: number;
  /** Name as in the tz database; without it the image's own holds. */
  readonly timezone?: string | undefined;
  /** Null or absent: no interface but loopback. */
  readonly network?: GuestNetwork | null | undefined;
  readonly services?: GuestServices | null | undefined;
}

export interface BlockMount {
  /** For example `/dev/vda`. */
  readonly device: string;
  readonly fstype: string;
}

/** How long the parts of the guest's preparation took, in milliseconds by name. */
export interface ConfigureReport {
  readonly timingsMs: Readonly<Record<string, number>>;
}

export function encodeConfiguration(c: Configuration): Record<string, unknown> {
  const { base, upper } = c.root;
  return {
    op: "configure",
    time_unix_ns: (BigInt(Math.round(c.timeUnixMs * 1000)) * 1000n).toString(),
    entropy: Buffer.from(c.entropy).toString("base64"),
    hostname: c.hostname,
    hosts: c.hosts,
    root: {
      base: { device: base.device, fstype: base.fstype },
      upper:
        "tmpfsBytes" in upper
          ? { tmpfs_bytes: upper.tmpfsBytes }
          : { device: upper.device, fstype: upper.fstype },
    },
    mounts: c.mounts.map(({ device, mountpoint, fstype, readOnly }) => ({
      device,
      mountpoint,
      fstype,
      read_only: readOnly,
    })),
    pids_max: c.pidsMax,
    memory_reserve_bytes: c.memoryReserveBytes,
    ...(c.timezone === undefined ? {} : { timezone: c.timezone }),
    ...encodeGuestNetwork(c.network, c.services),
  };
}

const timingsMax = 64;

export const configureReply: z.ZodType<ConfigureReport, unknown> = z
  .object({
    timings_ms: z
      .record(z.string().max(64), z.number().nonnegative())
      .refine((timings) => Object.keys(timings).length <= timingsMax)
      .default({}),
  })
  .transform(({ timings_ms: timingsMs }) => ({ timingsMs }));
