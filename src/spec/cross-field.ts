import { posix } from "node:path";
import { pathText } from "./field-path.ts";
import { type Finding, type Place, type Placed, placedItems, within } from "./placed.ts";
import { oneLine } from "./printable.ts";
import type { ForwardEntry, NetworkMode } from "./schema/network-schema.ts";
import { fullSwap } from "./schema/secret-reference.ts";
import type { SpecFile } from "./schema/spec-schema.ts";
import type { DiskEntry, FileEntry, OutputEntry } from "./schema/storage-schema.ts";

/** A published port with its defaults filled in. */
export type Forward = Required<{ [K in keyof ForwardEntry]: NonNullable<ForwardEntry[K]> }>;

/** Outputs: unique names, and none that the output directory uses itself. */
export function checkOutputs(items: readonly Placed<OutputEntry>[]): Finding[] {
  const findings = duplicates(
    items,
    (item) => item.name,
    "name",
    (name) => `Output "${name}" is declared twice: wanted unique names`,
  );
  for (const { value, place } of items) {
    if (!["manifest.json", "result.json"].includes(value.name)) continue;
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
    items,
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

/** Everything that concerns several fields of one spec file. */
export function checkSpecFile(spec: SpecFile): Finding[] {
  return [
    ...checkSetup(spec),
    ...checkCommands(spec),
    ...checkFiles(placedItems(spec.files, ["files"])),
    ...checkOutputs(placedItems(spec.outputs, ["outputs"])),
    ...checkDisks(placedItems(spec.disks, ["disks"]), placedItems(spec.bundles, ["bundles"])),
    ...checkForwards(placedForwards(spec), spec.network?.mode),
    ...checkMediation(spec),
    ...checkHealth(spec),
    ...checkModel(spec),
    ...checkAgent(spec),
  ];
}

/** The spec's published ports with their defaults. */
export function placedForwards(spec: SpecFile): Placed<Forward>[] {
  return placedItems(spec.network?.forwards, ["network", "forwards"]).map(({ value, place }) => ({
    value: { ...value, protocol: value.protocol ?? "tcp", host: value.host ?? "127.0.0.1" },
    place,
  }));
}

function checkSetup(spec: SpecFile): Finding[] {
  return (spec.setup ?? []).flatMap((item, index): Finding[] => {
    if (typeof item === "string") return [];
    const given = Object.keys(item).length;
    if (given === 1) return [];
    return [
      at(
        ["setup", index],
        `Setup entry has ${given === 0 ? "neither" : "both"} "run" ${given === 0 ? "nor" : "and"} "file": wanted one of them`,
      ),
    ];
  });
}

function checkCommands(spec: SpecFile): Finding[] {
  if (spec.entrypoint === undefined || spec.service === undefined) return [];
  return [
    at(
      ["service"],
      'Both "entrypoint" and "service" say what runs on start: wanted one of them',
      "key",
    ),
  ];
}

function checkMediation(spec: SpecFile): Finding[] {
  const mediation = spec.mediation;
  if (mediation === undefined || Object.keys(mediation).length === 0) return [];
  const others = Object.keys(mediation).filter((key) => key !== "enabled");
  if (mediation.enabled === false) {
    if (others.length === 0) return [];
    return [
      at(
        ["mediation", "enabled"],
        `Mediation is not enabled, yet "${others[0]}" is set: wanted "enabled: true", or no other field`,
      ),
    ];
  }
  const findings: Finding[] = [];
  if (mediation.port === undefined)
    findings.push(
      at(["mediation"], 'Mediation has no "port": wanted the port the guest connects to', "key"),
    );
  if (mediation.target === undefined)
    findings.push(
      at(
        ["mediation"],
        'Mediation has no "target": wanted host:port of the program on the host',
        "key",
      ),
    );
  if (mediation.required === true && mediation.failClosed === false) {
    findings.push(
      at(
        ["mediation", "failClosed"],
        'Mediation is required but not "failClosed": wanted "failClosed: true", or "required: false"',
      ),
    );
  }
  return findings;
}

function checkHealth(spec: SpecFile): Finding[] {
  const health = spec.health;
  if (health === undefined) return [];
  if (health.exec !== undefined && health.httpGet !== undefined) {
    return [
      at(
        ["health", "httpGet"],
        'Health has two probes, "exec" and "httpGet": wanted one of them',
        "key",
      ),
    ];
  }
  if (health.exec === undefined && health.httpGet === undefined) {
    return [at(["health"], 'Health has no probe: wanted "exec", or "httpGet" with "port"', "key")];
  }
  if (health.exec?.length === 0)
    return [at(["health", "exec"], 'Health probe "exec" is an empty list: wanted a command')];
  if (health.httpGet !== undefined && health.port === undefined) {
    return [
      at(
        ["health", "httpGet"],
        'Health probe "httpGet" has no "port": wanted a published guest port',
        "key",
      ),
    ];
  }
  if (health.exec !== undefined && health.port !== undefined) {
    return [
      at(
        ["health", "port"],
        'Health probe "exec" has a "port", which only "httpGet" uses: wanted it removed',
        "key",
      ),
    ];
  }
  return [];
}

function checkModel(spec: SpecFile): Finding[] {
  const findings: Finding[] = [];
  const runner = spec.modelRunner;
  if (runner?.command !== undefined) {
    const words = typeof runner.command === "string" ? runner.command : runner.command.join(" ");
    const hasPlace = words.includes("{addr}") || words.includes("{port}");
    if (!words.includes("{model}") || !hasPlace) {
      findings.push(
        at(
          ["modelRunner", "command"],
          'Runner command lacks its placeholders: wanted "{model}" and one of "{port}" and "{addr}"',
        ),
      );
    }
  } else if (runner?.backend === "custom") {
    findings.push(
      at(["modelRunner", "backend"], 'Model runner "custom" has no "command": wanted one'),
    );
  }
  const mediation = spec.modelMediation;
  const { policyFile, policyURL } = mediation ?? {};
  if (policyFile !== undefined && policyURL !== undefined) {
    findings.push(
      at(
        ["modelMediation", "policyURL"],
        'Model mediation has both "policyFile" and "policyURL": wanted one of them',
        "key",
      ),
    );
  } else if (mediation?.mode === "policy" && policyFile === undefined && policyURL === undefined) {
    findings.push(
      at(
        ["modelMediation", "mode"],
        'Model mediation "policy" has no policy: wanted "policyFile" or "policyURL"',
      ),
    );
  }
  return findings;
}

function checkAgent(spec: SpecFile): Finding[] {
  const findings: Finding[] = [];
  const agent = spec.agent;
  if (agent?.broker !== undefined && agent.brokers !== undefined) {
    findings.push(
      at(["agent", "brokers"], 'Both "broker" and "brokers" are set: wanted one of them', "key"),
    );
  }
  const endpoints = [
    ...(agent?.broker === undefined ? [] : [{ value: agent.broker, path: ["agent", "broker"] }]),
    ...(agent?.brokers ?? []).map((value, index) => ({ value, path: ["agent", "brokers", index] })),
  ];
  const [, secondProxy] = endpoints.filter(({ value }) => value.proxy === true);
  if (secondProxy !== undefined) {
    findings.push(
      at(
        [...secondProxy.path, "proxy"],
        "More than one broker endpoint is a proxy: wanted at most one",
      ),
    );
  }
  for (const { value, path } of endpoints) {
    if (value.assurance === "semantic" && value.grant === undefined) {
      findings.push(
        at(
          [...path, "assurance"],
          'Broker assurance "semantic" has no "grant": wanted a grant file',
        ),
      );
    }
  }
  findings.push(...checkSwaps(placedItems(agent?.["cred-swap"], ["agent", "cred-swap"])));
  return findings;
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

/** A guest path without `.`, `..`, doubled and trailing slashes. */
export function cleanGuestPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
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

/** `outputs[0]` or `--output`. */
export function placeText(place: Place): string {
  return place.kind === "flag" ? place.flag : pathText(place.path);
}

function at(path: (string | number)[], sentence: string, side: "key" | "value" = "value"): Finding {
  return { place: { kind: "spec", path }, at: side, sentence };
}
