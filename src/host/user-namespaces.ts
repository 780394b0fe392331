import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import type { Op } from "../base/op.ts";
import { hostEnvironment } from "./environment.ts";
import { findTool, runTool } from "./run-tool.ts";

/** Why this ordinary user cannot map a range of users into a namespace of its own; null when it can. */
export async function userRangeFault(op: Op): Promise<string | null> {
  if ((await findTool("newuidmap")) === null || (await findTool("newgidmap")) === null) {
    return 'program "newuidmap" is not installed';
  }
  if (/^NoNewPrivs:\s*1$/m.test(read("/proc/self/status"))) {
    return "this process may not gain privileges (no-new-privileges)";
  }
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    if (!hasRange(read(file))) return `"${file}" has no range for this user`;
  }
  try {
    await runTool(op, "unshare", ["--user", "true"]);
    return null;
  } catch {
    op.check();
    return "user namespaces are not allowed here";
  }
}

/** Whether root may really do what root does: a container can take single capabilities away. */
export function hasCapabilities(...bits: readonly number[]): boolean {
  const mask = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(read("/proc/self/status"))?.[1];
  // Where there is no such list there are no such limits.
  if (mask === undefined) return true;
  const held = BigInt(`0x${mask}`);
  return bits.every((bit) => ((held >> BigInt(bit)) & 1n) === 1n);
}

function hasRange(text: string): boolean {
  const names = new Set([String(hostEnvironment.uid), userName()]);
  return text.split("\n").some((line) => {
    const [who = "", , count = ""] = line.split(":");
    return names.has(who) && Number(count) > 0;
  });
}

/** A container's user often has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "";
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
