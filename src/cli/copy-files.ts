import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { MicroagentError } from "../base/errors.ts";
import { terminalLine } from "../base/foreign-text.ts";
import { limits } from "../base/limits.ts";
import type { Op, ReachableGuest } from "../index.ts";
import { firstLines } from "./render/first-lines.ts";
import { jsonText, type Terminal } from "./terminal.ts";

interface Skipped {
  readonly path: string;
  readonly reason: string;
}

/** Where a copy went, and what of it was left out. */
export interface Copied {
  readonly target: string;
  readonly skipped: readonly Skipped[];
  /** All that was left out, of which `skipped` has the first. */
  readonly skippedCount: number;
}

/** Copies a host file or directory into a guest. */
export async function copyIn(
  op: Op,
  guest: ReachableGuest,
  hostPath: string,
  guestPath: string,
): Promise<Copied> {
  const { copyIntoGuest } = await import("../index.ts");
  const there = await guest.agent.stat(op, guestPath).catch(() => null);
  const into = guestPath.endsWith("/") || (there?.type === "dir" && !(await isDirectory(hostPath)));
  const path = into ? join(guestPath, basename(hostPath)) : guestPath;
  const left = await copyIntoGuest(op, guest, hostPath, path);
  return { target: path, ...left };
}

/** Copies regular files and directories out of a guest. */
export async function copyOut(
  op: Op,
  guest: ReachableGuest,
  guestPath: string,
  hostPath: string,
): Promise<Copied> {
  const { copyOutOfGuest } = await import("../index.ts");
  const asked = guest.agent.stat(op, guestPath);
  const { type } = await guest.explaining("looking at a file", asked);
  const into = hostPath.endsWith("/") || (type !== "dir" && (await isDirectory(hostPath)));
  const path = into ? join(hostPath, basename(guestPath)) : hostPath;
  const { filesMax, bytesMax, nameBytesMax, recordsMax } = limits.outputs;
  const caps = {
    maxEntries: filesMax,
    maxBytes: bytesMax,
    maxNameBytes: nameBytesMax,
    maxRecords: recordsMax,
  };
  const { skipped, skippedCount } = await copyOutOfGuest(op, guest, guestPath, path, caps);
  return { target: path, skipped, skippedCount };
}

/**
 * Reports a copy: all of it as JSON, to people only what was left out. `copy_incomplete` when something was: the copy
 * was asked for by name.
 */
export async function reportCopy(
  terminal: Terminal,
  document: Readonly<Record<string, unknown>>,
  { skipped, skippedCount }: Copied,
): Promise<void> {
  if (terminal.json) {
    const left = skipped.map(({ path, reason }) => ({ path, reason }));
    const ok = skippedCount === 0;
    const whole = { ok, ...document, skipped: left, skipped_count: skippedCount };
    await terminal.writeOut(jsonText(whole));
  } else {
    const lines = skipped.map(({ path, reason }) => `warning: ${path} was left out: ${reason}`);
    const rest = (count: number) => `warning: ${count} more entries were left out`;
    for (const line of firstLines(lines, skippedCount, rest)) {
      await terminal.writeErr(`${terminalLine(line)}\n`);
    }
  }
  if (skippedCount === 0) return;
  const left = skippedCount === 1 ? "1 entry" : `${skippedCount} entries`;
  throw new MicroagentError("copy_incomplete", `The copy left out ${left}`, {
    hint: "Pack what cannot be copied into an archive and copy that",
    details: { skippedCount },
  });
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}
