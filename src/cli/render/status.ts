import { terminalLine } from "../../base/foreign-text.ts";
import type { inspectWorkspace, NetworkRecord } from "../../index.ts";

type WorkspaceStatus = Awaited<ReturnType<typeof inspectWorkspace>>;

/** What was found by asking the guest. */
export interface Readiness {
  readonly ready: boolean;
  readonly error: string | null;
}

/** The stable JSON form of a workspace. */
export function statusJson(
  { record, current, path, consolePath, snapshots, result }: WorkspaceStatus,
  network: NetworkRecord | null,
  exec: Readiness,
): Record<string, unknown> {
  const { plan, name } = record;
  const { state, reason, error, changedAt, startedAt, holder } = current;
  const asked = { ready: exec.ready, ...(exec.error === null ? {} : { error: exec.error }) };
  return {
    ok: state !== "failed",
    workspace: name,
    state,
    backend: holder?.backend ?? null,
    event: { state, detail: reason, observedAt: changedAt },
    error,
    image: { reference: plan.image, digest: record.imageDigest },
    resources: {
      memory_mib: plan.resources.memoryMib,
      cpu_count: plan.resources.cpus,
      size_mib: plan.resources.sizeMib,
    },
    restart: plan.restart,
    readiness: {
      guestReady: asked,
      execReady: asked,
      shellReady: asked,
      resultReady: { ready: result !== null },
    },
    result,
    network,
    snapshots,
    created_at: record.createdAt,
    started_at: startedAt,
    owner_pid: holder?.pid ?? null,
    vmm_pid: holder?.vmmPid ?? null,
    setup_done: record.isSetUp,
    path,
    console_path: consolePath,
  };
}

/** The same for people. */
export function statusText(status: Readonly<Record<string, unknown>>): string {
  const { workspace, state, event, image, resources, started_at, snapshots, path } = status as {
    workspace: string;
    state: string;
    event: { detail: string | null; observedAt: string };
    image: { reference: string };
    resources: { memory_mib: number; cpu_count: number };
    started_at: string | null;
    snapshots: readonly string[];
    path: string;
  };
  const lines = [
    `${workspace}: ${state}${event.detail === null ? "" : ` (${event.detail})`}`,
    `image: ${image.reference}`,
    `machine: ${resources.memory_mib} MiB, ${resources.cpu_count} CPUs`,
    ...(started_at === null ? [] : [`started: ${started_at}`]),
    ...(snapshots.length === 0 ? [] : [`snapshots: ${snapshots.join(", ")}`]),
    `directory: ${path}`,
  ];
  return lines.map((line) => `${terminalLine(line)}\n`).join("");
}
