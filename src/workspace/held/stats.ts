import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { processUsage } from "../../host/process-usage.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { requireRecord } from "./record.ts";
import { currentState } from "./state.ts";
import { wrongState } from "./wrong-state.ts";

/** What a workspace's machine takes of this host. */
export interface WorkspaceStats {
  readonly pid: number;
  /** Of one processor, over the time that was looked at; more than 100 with several. */
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly ioReadBytes: number | null;
  readonly ioWriteBytes: number | null;
  readonly sampledAt: string;
}

/** Processor time is told in hundredths of a second: less would say little. */
const lookMs = 500;

/** One look at a running workspace's machine. `wrong_state` when it has none, or is paused. */
export async function workspaceStats(
  op: Op,
  layout: StateLayout,
  name: string,
): Promise<WorkspaceStats> {
  await requireRecord(layout, name);
  const { state, holder } = await currentState(layout, name);
  const pid = holder?.vmmPid ?? null;
  if (state !== "running" || pid === null) throw wrongState(name, state, "be measured");
  const before = await processUsage(pid);
  const startedMs = op.clock.monotonic();
  await op.sleep(lookMs);
  const after = await processUsage(pid);
  const tookMs = op.clock.monotonic() - startedMs;
  if (before === null || after === null) {
    throw new MicroagentError("host_unsupported", `Process ${pid} cannot be looked at`);
  }
  const percent = ((after.cpuMs - before.cpuMs) / tookMs) * 100;
  const { memoryBytes, ioReadBytes, ioWriteBytes } = after;
  const sampledAt = new Date(op.clock.now()).toISOString();
  const cpuPercent = Math.round(percent * 10) / 10;
  return { pid, cpuPercent, memoryBytes, ioReadBytes, ioWriteBytes, sampledAt };
}
