import type { Command } from "commander";
import { MicroagentError } from "../../base/errors.ts";
import { workspaceName } from "../named-workspace.ts";
import { statusText } from "../render/status.ts";
import { addRunFlags, readRunFlags } from "../run-flags.ts";
import { specOfDirectory } from "../spec-of-directory.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { ttlFlag, ttlOption } from "../ttl-option.ts";
import { withProgress } from "../with-progress.ts";
import { workspaceStatus } from "../workspace-status.ts";

export function define(command: Command, terminal: Terminal): void {
  command
    .argument("[name]", "Name of the new workspace")
    .option("--from-snapshot <workspace:tag>", "Start it from a saved machine of another workspace")
    .option("--start", "Start it at once")
    .option(...ttlOption);
  addRunFlags(command);
  command
    .addHelpText(
      "after",
      `
Makes a workspace that stays until it is deleted: its disk is kept from one start to the next. The image and the kernel
are fetched and host files are read now; setup runs at the first start. Without --file, microagent.yaml or microagent.yml of the
current directory is read when it is there, and flags win over it. With --exec, --entrypoint or --image-command
each start runs that command, and the workspace ends with it; without one it waits for "microagent exec".

Examples:
  microagent create dev --image docker.io/library/python:3.13-slim --setup "pip install pytest" --start
  microagent create dev --file microagent.yaml
  microagent create twin --from-snapshot dev:ready`,
    )
    .action(async (given: string | undefined, options: Record<string, unknown>) => {
      const { fromSnapshot, start, ttl, ...rest } = options;
      const ttlSeconds = ttlFlag(ttl);
      const { flags, file, stateDir, dryRun } = readRunFlags(rest, undefined, []);
      const engine = await import("../../index.ts");
      const opened = engine.createEngine(engine.stateLayout({ stateDir }));
      if (typeof fromSnapshot === "string") {
        const name = workspaceName("create", given ?? flags.name, {});
        refuseOthers(rest);
        const from = snapshotName(fromSnapshot);
        await withProgress(terminal, "create", async (op) => {
          const workspace = await engine.startFromSnapshot(op, opened, from, name, { ttlSeconds });
          workspace.close();
          await show(terminal, await workspaceStatus(op, opened.layout, name));
        });
        return;
      }
      const name = given ?? flags.name;
      const found = file === undefined ? await specOfDirectory(terminal.cwd) : undefined;
      const named = { ...flags, ...(name && { name }) };
      const plan = await engine.planRun("create", named, file ?? found);
      // A spec may name it; a name that nobody chose would be found by nobody.
      if (plan.provenance.name === "default") workspaceName("create", undefined, {});
      if (dryRun) {
        await terminal.writeOut(jsonText(engine.renderPlan(plan)));
        return;
      }
      await withProgress(terminal, "create", async (op) => {
        if (found !== undefined) {
          op.report({ kind: "note", text: `Spec file "${found}" of this directory is used` });
        }
        for (const text of plan.notes) op.report({ kind: "note", text });
        await engine.createWorkspace(op, opened, plan, { ttlSeconds });
        if (start === true) {
          const onOutput = (_stream: string, data: Uint8Array) => terminal.writeErr(data);
          (await engine.startWorkspace(op, opened, plan.name, { onOutput })).close();
        }
        await show(terminal, await workspaceStatus(op, opened.layout, plan.name));
      });
    });
}

async function show(terminal: Terminal, status: Record<string, unknown>): Promise<void> {
  await terminal.writeOut(terminal.json ? jsonText(status) : statusText(status));
}

/** A saved machine is what it is: nothing of it can be asked for anew. */
function refuseOthers(options: Readonly<Record<string, unknown>>): void {
  const others = Object.entries(options)
    // Of "--no-template" the parser makes a default.
    .filter(([key, value]) => (key === "template" ? value === false : value !== undefined))
    .map(([key]) => key)
    .filter((key) => key !== "name" && key !== "stateDir");
  const [first] = others;
  if (first === undefined) return;
  const flag = first.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new MicroagentError(
    "usage",
    `Flag --from-snapshot stands alone, found --${flag}: a saved machine is what it is`,
    { hint: "For example: microagent create twin --from-snapshot dev:ready" },
  );
}

function snapshotName(text: string): { workspace: string; tag: string } {
  const [, workspace, tag] = /^([^:]+):([^:]+)$/.exec(text) ?? [];
  if (workspace !== undefined && tag !== undefined) return { workspace, tag };
  throw new MicroagentError(
    "invalid_argument",
    `Value "${text}" of --from-snapshot is not acceptable: wanted WORKSPACE:TAG`,
    { hint: "See the tags with: microagent snapshot list WORKSPACE" },
  );
}
