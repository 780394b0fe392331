/** What the guest is to look for; it answers as soon as it is so. */
export type GuestWatch =
  /** A listener on a TCP port, on whatever address. */
  | { readonly for: "port"; readonly port: number; readonly present: boolean }
  /** A path; with `beyond` a file of another size than that many bytes. */
  | {
      readonly for: "file";
      readonly path: string;
      readonly present: boolean;
      readonly beyond?: number | undefined;
    }
  /** A process by its own name or by that of its program's file. */
  | { readonly for: "process"; readonly name: string; readonly present: boolean }
  /** The end of what the kernel still sends for programs that have ended. */
  | { readonly for: "sent" };

export interface WatchAnswer {
  /** False: the time passed first. */
  readonly met: boolean;
  /** What the guest saw last, in words. */
  readonly seen: string;
}

/** Something that goes wrong in the guest, or right again. */
export type Disturbance =
  /** The network's cable: down loses packets in both directions, silently. */
  | { readonly what: "link"; readonly up: boolean }
  /** Leaves `freeBytes` on the file system of a directory; null gives everything back. */
  | { readonly what: "disk"; readonly path: string; readonly freeBytes: number | null }
  /** Takes that much memory away from the workload; 0 gives it back. */
  | { readonly what: "memory"; readonly bytes: number }
  | { readonly what: "clock"; readonly timeUnixMs: number };

/** The request as the guest reads it. */
export function encodeDisturbance(disturbance: Disturbance): Record<string, unknown> {
  switch (disturbance.what) {
    case "link":
      return { op: "disturb", what: "link", up: disturbance.up };
    case "disk": {
      const { path, freeBytes } = disturbance;
      return { op: "disturb", what: "disk", path, bytes: freeBytes ?? 0, up: freeBytes === null };
    }
    case "memory":
      return { op: "disturb", what: "memory", bytes: disturbance.bytes };
    case "clock": {
      const time = BigInt(Math.round(disturbance.timeUnixMs)) * 1_000_000n;
      return { op: "disturb", what: "clock", time_unix_ns: time.toString() };
    }
  }
}
