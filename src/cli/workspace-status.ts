import { isMicroagentError } from "../base/errors.ts";
import type { Op, StateLayout } from "../index.ts";
import { type Readiness, statusJson } from "./render/status.ts";

/** How long a guest may take to show that it answers. */
const askMs = 2_000;

/** Everything that can be told of a workspace now, its guest asked whether it answers. */
export async function workspaceStatus(
  op: Op,
  layout: StateLayout,
  name: string,
): Promise<Record<string, unknown>> {
  const { inspectWorkspace, networkOf } = await import("../index.ts");
  const status = await inspectWorkspace(layout, name);
  const network = await networkOf(layout, name).catch(() => null);
  const isRunning = status.current.state === "running";
  const exec = isRunning ? await answers(op, layout, name) : { ready: false, error: null };
  return statusJson(status, network, exec);
}

async function answers(op: Op, layout: StateLayout, name: string): Promise<Readiness> {
  const { attachWorkspace } = await import("../index.ts");
  try {
    return await op.step(
      "ask",
      async (step) => {
        await using workspace = await attachWorkspace(step, layout, name);
        await workspace.agent.ping(step);
        return { ready: true, error: null };
      },
      { timeoutMs: askMs },
    );
  } catch (error) {
    return { ready: false, error: isMicroagentError(error) ? error.message : String(error) };
  }
}
