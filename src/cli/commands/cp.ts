import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Command } from "commander";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { AttachedWorkspace, Op } from "../../index.ts";
import { jsonText } from "../render/json-text.ts";
import { printable } from "../render/printable.ts";
import { stateDirOption } from "../state-dir-option.ts";
import type { Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

interface GuestPlace {
  readonly workspace: string;
  readonly path: string;
}

export function define(command: Command, terminal: Terminal): void {
  command
    .argument("<source>", "Host path, or WORKSPACE:/path")
    .argument("<target>", "Host path, or WORKSPACE:/path; one of the two is in a workspace")
    .option(...stateDirOption)
    .addHelpText(
      "after",
      `
Copies a file or a directory between this host and a running workspace. Into the guest, it belongs to root there; out of it come
regular files and directories only. A target that is a directory, or ends with "/", takes the source under its own name.

Examples:
  microagent cp ./report.py dev:/app/report.py
  microagent cp dev:/var/log/ ./logs`,
    )
    .action(async (from: string, to: string, options: { stateDir?: string }) => {
      const source = guestPlace(from);
      const target = guestPlace(to);
      if ((source === null) === (target === null)) {
        throw new MicroagentError(
          "usage",
          `Exactly one end is in a workspace: wanted WORKSPACE:/path once, found it ${source === null ? "nowhere" : "twice"}`,
          { hint: "For example: microagent cp ./file dev:/app/file" },
        );
      }
      const engine = await import("../../index.ts");
      const layout = engine.stateLayout(options);
      const name = (source ?? target)?.workspace ?? "";
      const copied = await withProgress(terminal, "cp", async (op) => {
        await using workspace = await engine.attachWorkspace(op, layout, name);
        return source === null
          ? await copyIn(op, workspace, from, target?.path ?? "")
          : await copyOut(op, workspace, source.path, to);
      });
      const document = { ok: true, workspace: name, source: from, target: copied.target };
      const skipped = copied.skipped.map(({ path, reason }) => ({ path, reason }));
      if (terminal.json) {
        await terminal.writeOut(jsonText({ ...document, skipped }));
        return;
      }
      for (const { path, reason } of skipped) {
        await terminal.writeErr(printable(`warning: ${path} was left out: ${reason}\n`));
      }
    });
}

interface Copied {
  readonly target: string;
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

async function copyIn(
  op: Op,
  workspace: AttachedWorkspace,
  hostPath: string,
  guestPath: string,
): Promise<Copied> {
  const { copyIntoGuest } = await import("../../index.ts");
  const there = await workspace.stat(op, guestPath).catch(() => null);
  const into = guestPath.endsWith("/") || (there?.type === "dir" && !(await isDirectory(hostPath)));
  const path = into ? join(guestPath, basename(hostPath)) : guestPath;
  await copyIntoGuest(op, workspace, hostPath, path);
  return { target: `${workspace.name}:${path}`, skipped: [] };
}

async function copyOut(
  op: Op,
  workspace: AttachedWorkspace,
  guestPath: string,
  hostPath: string,
): Promise<Copied> {
  const { copyOutOfGuest } = await import("../../index.ts");
  const { type } = await workspace.stat(op, guestPath);
  const into = hostPath.endsWith("/") || (type !== "dir" && (await isDirectory(hostPath)));
  const path = into ? join(hostPath, basename(guestPath)) : hostPath;
  const { filesMax, bytesMax } = limits.outputs;
  const caps = { maxEntries: filesMax, maxBytes: bytesMax };
  const { skipped } = await copyOutOfGuest(op, workspace, guestPath, path, caps);
  return { target: path, skipped };
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}

function guestPlace(text: string): GuestPlace | null {
  const [, workspace, path] = /^([A-Za-z0-9][A-Za-z0-9._-]*):(\/.*)$/s.exec(text) ?? [];
  return workspace === undefined || path === undefined ? null : { workspace, path };
}
