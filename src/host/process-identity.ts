import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { hostEnvironment } from "./environment.ts";

/**
 * Names one process for ever: a pid alone is reused, a pid with its start time within one boot and
 * one pid name space is not.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in the platform's own spelling; only compared, never computed with. */
  readonly startTime: string;
  readonly bootId: string | null;
  readonly pidNamespace: string | null;
}

/** `foreign`: from another boot, host or container, so its pid says nothing here. */
export type Liveness = "alive" | "dead" | "foreign";

let own: ProcessIdentity | null = null;

/** Identity of this process. */
export function ownIdentity(): ProcessIdentity {
  own ??= {
    pid: hostEnvironment.pid,
    startTime: startTimeOf(hostEnvironment.pid) ?? "unknown",
    bootId: hostEnvironment.bootId,
    pidNamespace: hostEnvironment.pidNamespace,
  };
  return own;
}

/** Identity of a running process, null when there is none with this pid. */
export function identityOf(pid: number): ProcessIdentity | null {
  const startTime = startTimeOf(pid);
  if (startTime === null) return null;
  const { bootId, pidNamespace } = hostEnvironment;
  return { pid, startTime, bootId, pidNamespace };
}

/** Whether exactly this process still runs; a zombie counts as dead. */
export function livenessOf(identity: ProcessIdentity): Liveness {
  const { bootId, pidNamespace } = hostEnvironment;
  if (identity.bootId !== bootId || identity.pidNamespace !== pidNamespace) return "foreign";
  return startTimeOf(identity.pid) === identity.startTime ? "alive" : "dead";
}

/**
 * An identity in the letters of a file name, `<pid>-<8 hex>-<8 hex>`. For what is named before it can be written:
 * a process that was killed between the two still left word of whose it was.
 */
export function identityTag(identity: ProcessIdentity): string {
  const { pid, startTime, bootId, pidNamespace } = identity;
  return `${pid}-${shortHash([bootId, pidNamespace])}-${shortHash([startTime])}`;
}

/** Whether the process that a name is tagged with was one of ours here and is dead; false for a name without a tag. */
export function isTaggedByDead(name: string): boolean {
  const [, pid, place, start] =
    /(?<!\d)(\d+)-([0-9a-f]{8})-([0-9a-f]{8})(?![0-9a-f])/.exec(name) ?? [];
  const { bootId, pidNamespace } = hostEnvironment;
  if (pid === undefined || place !== shortHash([bootId, pidNamespace])) return false;
  const startTime = startTimeOf(Number(pid));
  return startTime === null || start !== shortHash([startTime]);
}

function shortHash(parts: readonly (string | null)[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 8);
}

/** True when exactly this process runs here and now. */
export function isAlive(identity: ProcessIdentity): boolean {
  return livenessOf(identity) === "alive";
}

/** True when it is this very process that an identity names. */
export function isOwn(identity: ProcessIdentity): boolean {
  return isDeepStrictEqual(identity, ownIdentity());
}

/** Reads an identity from parsed JSON, null when it is not one. */
export function parseIdentity(value: unknown): ProcessIdentity | null {
  if (typeof value !== "object" || value === null) return null;
  const { pid, startTime, bootId, pidNamespace } = value as Record<string, unknown>;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0) return null;
  if (typeof startTime !== "string" || !isTextOrNull(bootId) || !isTextOrNull(pidNamespace)) {
    return null;
  }
  return { pid, startTime, bootId, pidNamespace };
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

function startTimeOf(pid: number): string | null {
  return hostEnvironment.platform === "linux" ? linuxStartTime(pid) : psStartTime(pid);
}

function linuxStartTime(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  // The second field is the program's name and may hold spaces and brackets: count from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  if (state === "Z" || state === "X") return null;
  return fields[19] ?? null;
}

function psStartTime(pid: number): string | null {
  try {
    const out = execFileSync("ps", ["-o", "state=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      env: { LC_ALL: "C", TZ: "UTC", PATH: hostEnvironment.env("PATH") ?? "/bin:/usr/bin" },
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    const [state, ...start] = out.split(/\s+/);
    return state === undefined || state.startsWith("Z") || start.length === 0
      ? null
      : start.join(" ");
  } catch {
    return null;
  }
}
