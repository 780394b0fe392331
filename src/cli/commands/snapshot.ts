import type { Command } from "commander";
import { bytesText } from "../../base/quantity.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import { tableText } from "../render/table.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

type TagOptions = WorkspaceOptions & { readonly tag?: string };

export function define(command: Command, terminal: Terminal): void {
  const print = (value: unknown) => terminal.writeOut(jsonText(value));
  command.addHelpText(
    "after",
    `
A snapshot is a whole machine: memory, devices and disk. It belongs to its workspace and goes with it.

Example:
  microagent snapshot create dev --tag ready && microagent create twin --from-snapshot dev:ready`,
  );

  takesWorkspace(command.command("create").description("Save a running or paused workspace"))
    .option("--tag <tag>", "Name of the snapshot (default: the time)")
    .action(async (given: string | undefined, options: TagOptions) => {
      const name = workspaceName("snapshot create", given, options);
      const engine = await import("../../index.ts");
      const saved = await withProgress(terminal, "snapshot", async (op) => {
        const tag = options.tag ?? new Date(op.clock.now()).toISOString().replace(/[:.]/g, "-");
        await using workspace = await engine.attachWorkspace(op, engine.stateLayout(options), name);
        return await workspace.snapshot(op, tag);
      });
      const { tag, created_at: createdAt, secrets_purged: secretsPurged } = saved;
      if (terminal.json) await print({ ok: true, workspace: name, tag, createdAt, secretsPurged });
      else await terminal.writeOut(`${name}:${tag}\n`);
    });

  takesWorkspace(
    command.command("list").alias("ls").description("List a workspace's snapshots"),
  ).action(async (given: string | undefined, options: WorkspaceOptions) => {
    const name = workspaceName("snapshot list", given, options);
    const engine = await import("../../index.ts");
    const stored = await engine.listWorkspaceSnapshots(engine.stateLayout(options), name);
    const snapshots = stored.map(({ name: tag, manifest, sizeBytes, path }) => ({
      tag,
      createdAt: manifest?.createdAt ?? null,
      memory_mib: manifest?.memoryMib ?? null,
      size_bytes: sizeBytes,
      path,
    }));
    if (terminal.json) return await print({ workspace: name, snapshots });
    const rows = snapshots.map((each) => [
      each.tag,
      each.createdAt ?? "(damaged)",
      bytesText(each.size_bytes),
    ]);
    await terminal.writeOut(tableText(["TAG", "CREATED", "SIZE"], rows));
  });

  takesWorkspace(command.command("delete").alias("rm").description("Remove a snapshot"))
    .requiredOption("--tag <tag>", "Name of the snapshot")
    .action(async (given: string | undefined, options: WorkspaceOptions & { tag: string }) => {
      const name = workspaceName("snapshot delete", given, options);
      const { tag } = options;
      const engine = await import("../../index.ts");
      await engine.deleteWorkspaceSnapshot(engine.stateLayout(options), name, tag);
      if (terminal.json) await print({ ok: true, workspace: name, tag, deleted: true });
      else await terminal.writeOut(`${name}:${tag} deleted\n`);
    });
}
