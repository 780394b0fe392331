import { cleanGuestPath } from "./guest-path.ts";
import { type Finding, type Place, type Placed, placedItems, placeText, within } from "./placed.ts";
import { oneLine } from "./printable.ts";
import type { ForwardEntry, NetworkMode } from "./schema/network-schema.ts";
import { fullSwap } from "./schema/secret-reference.ts";
import type { SpecFile } from "./schema/spec-schema.ts";
import type { DiskEntry, FileEntry, OutputEntry } from "./schema/storage-schema.ts";

/** A published port with its defaults filled in. */
export type Forward = Required<{ [K in keyof ForwardEntry]: NonNullable<ForwardEntry[K]> }>;

/** The spec's published ports with their defaults. */
export function placedForwards(spec: SpecFile): Placed<Forward>[] {
  return placedItems(spec.network?.forwards, ["network", "forwards"]).map(({ value, place }) => ({
    value: { ...value, protocol: value.protocol ?? "tcp", host: value.host ?? "127.0.0.1" },
    place,
  }));
}

/** Outputs: unique names, and none that the output directory uses itself. */
export function checkOutputs(items: readonly Placed<OutputEntry>[]): Finding[] {
  const findings = duplicates(
    items,
    (item) => item.name,
    "name",
    (name) => `Output "${name}" is declared twice: wanted unique names`,
  );
  for (const { value, place } of items) {
    if (
      !["manifest.json", "result.json", "egress.jsonl", "secrets-access.jsonl"].includes(value.name)
    )
      continue;
    findings.push({
      place: within(place, "name"),
      at: "value",
      sentence: `Output name "${value.name}" belongs to the report of the run: wanted another name`,
    });
  }
  return findings;
}

/** Copied files: no two to the same place, as paths are understood by the guest. */
export function checkFiles(items: readonly Placed<FileEntry>[]): Finding[] {
  return duplicates(
    items,
    (item) => cleanGuestPath(item.dst),
    "dst",
    (path) => `Two files go to "${path}" in the guest: wanted one`,
  );
}

/**
 * Disks and bundles together: unique names and mountpoints. "rootfs" is nobody's name, "config" no
 * disk's; a bundle may have it.
 */
export function checkDisks(
  disks: readonly Placed<DiskEntry>[],
  bundles: readonly Placed<DiskEntry>[],
): Finding[] {
  const items = [...disks, ...bundles];
  const findings = [
    ...duplicates(
      items,
      (item) => item.name,
      "name",
      (name) => `Disk name "${name}" is used twice: wanted unique names`,
    ),
    ...duplicates(
      items,
      (item) => cleanGuestPath(item.mountpoint),
      "mountpoint",
      (path) => `Two disks are mounted on "${path}": wanted one`,
    ),
  ];
  for (const item of items) {
    const { name } = item.value;
    if (name !== "rootfs" && !(name === "config" && disks.includes(item))) continue;
    findings.push({
      place: within(item.place, "name"),
      at: "value",
      sentence: `Disk name "${name}" is reserved: wanted another name`,
    });
  }
  return findings;
}

/** Published ports: unique on the host, and none on a machine without a network. */
export function checkForwards(
  items: readonly Placed<Forward>[],
  mode: NetworkMode | undefined,
): Finding[] {
  const findings = duplicates(
    // Port 0 is whichever port is free, another one each time.
    items.filter(({ value }) => value.hostPort !== 0),
    (item) => `${item.host}:${item.hostPort}/${item.protocol}`,
    "hostPort",
    (port) => `Host port "${port}" is published twice: wanted unique ports`,
  );
  const [first] = items;
  if (mode === "isolated" && first !== undefined) {
    findings.push({
      place: first.place,
      at: "value",
      sentence:
        'Ports are published on a network of mode "isolated": wanted mode "user", or no published ports',
    });
  }
  return findings;
}

/** A health probe over HTTP needs its port published. */
export function checkHealthPort(
  port: Placed<number> | null,
  forwards: readonly Placed<Forward>[],
): Finding[] {
  if (port === null || forwards.some(({ value }) => value.guestPort === port.value)) return [];
  return [
    {
      place: port.place,
      at: "value",
      sentence: `Health port ${port.value} is not a published guest port: wanted one of network.forwards`,
      hint: `Publish it with a forward whose guestPort is ${port.value}`,
    },
  ];
}

/** Credential swaps: one reference per provider; the same twice does no harm. */
export function checkSwaps(items: readonly Placed<string>[]): Finding[] {
  const seen = new Map<string, string>();
  const findings: Finding[] = [];
  for (const { value: written, place } of items) {
    const value = fullSwap(written);
    const provider = value.split("=", 1)[0] ?? "";
    const before = seen.get(provider);
    if (before !== undefined && before !== value) {
      findings.push({
        place,
        at: "value",
        sentence: `Provider "${provider}" has two different references: wanted one`,
      });
    }
    seen.set(provider, value);
  }
  return findings;
}

function duplicates<T>(
  items: readonly Placed<T>[],
  keyOf: (item: T) => string,
  field: string,
  sentence: (key: string) => string,
): Finding[] {
  const seen = new Map<string, Place>();
  const findings: Finding[] = [];
  for (const { value, place } of items) {
    const key = keyOf(value);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, place);
    else {
      findings.push({
        place: within(place, field),
        at: "value",
        sentence: sentence(oneLine(key)),
        hint: `The first is ${placeText(first)}`,
      });
    }
  }
  return findings;
}
