import { readFileSync, statSync } from "node:fs";
import { availableParallelism, totalmem, userInfo } from "node:os";
import { MicroagentError } from "../base/errors.ts";
import { boundMemoryMib, boundProcessors, groupName, memoryLimit } from "./group-limits.ts";

/** What the rest of the product may know about the process it runs in. */
export interface HostEnvironment {
  /** An environment variable; the empty string counts as unset. */
  env(name: string): string | undefined;
  readonly homeDir: string;
  readonly platform: NodeJS.Platform;
  /** Machine architecture in kernel spelling; throws `host_unsupported` on any other. */
  readonly arch: "x86_64" | "aarch64";
  /** Effective user id, -1 where the platform has none. */
  readonly uid: number;
  /** Identity of this boot of the host, null where the platform does not tell. */
  readonly bootId: string | null;
  /** Identity of the pid name space, null where there is none: a pid means nothing outside it. */
  readonly pidNamespace: string | null;
  readonly pid: number;
  /** Processors that processes of ours may use, within the limits of their control groups. */
  readonly cpuCount: number;
  /** Memory that processes of ours may use altogether, within the same limits; swap not counted. */
  readonly memoryMib: number;
  /** Which control group leaves less of it than the hardware has, such as "this container"; else null. */
  readonly memoryLimitedBy: string | null;
  /** Absolute path of the Node program that runs us. */
  readonly nodePath: string;
}

/** The only reader of the process environment and platform below the command line. */
export const hostEnvironment: HostEnvironment = {
  env(name) {
    const value = process.env[name];
    return value === "" ? undefined : value;
  },
  get homeDir() {
    // "homedir" believes an empty HOME.
    return hostEnvironment.env("HOME") ?? userInfo().homedir;
  },
  platform: process.platform,
  get arch() {
    if (process.arch === "x64") return "x86_64";
    if (process.arch === "arm64") return "aarch64";
    throw new MicroagentError(
      "host_unsupported",
      `Processor architecture "${process.arch}" is not supported, wanted "x64" or "arm64"`,
    );
  },
  uid: process.geteuid?.() ?? -1,
  bootId: readText("/proc/sys/kernel/random/boot_id"),
  pidNamespace: readPidNamespace(),
  pid: process.pid,
  get cpuCount() {
    return boundProcessors(availableParallelism());
  },
  get memoryMib() {
    return boundMemoryMib(totalmem());
  },
  get memoryLimitedBy() {
    const limit = memoryLimit();
    return limit === null || limit.value >= totalmem() ? null : groupName(limit.group);
  },
  nodePath: process.execPath,
};

/**
 * Environment for child processes: only what programs need to find each other and to speak a known
 * language. Everything else stays here, because a secret in our environment is not a child's business.
 */
export function minimalChildEnvironment(): Record<string, string> {
  const env: Record<string, string> = { LC_ALL: "C", HOME: hostEnvironment.homeDir };
  // A CI runner ends what carries its mark, should everything else fail to.
  for (const name of ["PATH", "TMPDIR", "RUNNER_TRACKING_ID"]) {
    const value = hostEnvironment.env(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** The whole environment of this process, for tools that the user configured through it. */
export function fullChildEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}

function readPidNamespace(): string | null {
  try {
    // The inode number is the name space's identity.
    return String(statSync("/proc/self/ns/pid").ino);
  } catch {
    return null;
  }
}
