import type { Command } from "commander";
import { MicroagentError } from "../../base/errors.ts";
import { copyIn, copyOut, reportCopy } from "../copy-files.ts";
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
Copies a file or a directory between this host and a workspace. Into the guest, it belongs to root there; out of it come
regular files and directories only. A target that is a directory, or ends with "/", takes the source under its own name. A workspace
that does not run is booted for the time of the copy, without network, secrets, setup and command; its state stays what it was.

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
      const opened = engine.createEngine(engine.stateLayout(options));
      const name = (source ?? target)?.workspace ?? "";
      const copied = await withProgress(terminal, "cp", (op) =>
        engine.withGuestOf(op, opened, name, (guest) =>
          source === null
            ? copyIn(op, guest, from, target?.path ?? "")
            : copyOut(op, guest, source.path, to),
        ),
      );
      const at = source === null ? `${name}:${copied.target}` : copied.target;
      await reportCopy(terminal, { workspace: name, source: from, target: at }, copied);
    });
}

function guestPlace(text: string): GuestPlace | null {
  const [, workspace, path] = /^([A-Za-z0-9][A-Za-z0-9._-]*):(\/.*)$/s.exec(text) ?? [];
  return workspace === undefined || path === undefined ? null : { workspace, path };
}
