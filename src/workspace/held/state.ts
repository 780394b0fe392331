import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ErrorJson } from "../../base/error-json.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { listLeases } from "../../host/lease.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { homeOf, readRecord } from "./record.ts";

/** Where a workspace is in its life. */
export const workspaceStates = [
  "prepared",
  "starting",
  "running",
  "paused",
  "stopping",
  "halted",
  "stopped",
  "failed",
] as const;

export type WorkspaceState = (typeof workspaceStates)[number];

/** A machine may be there: nobody else may start one. */
export const liveStates: readonly WorkspaceState[] = ["starting", "running", "paused", "stopping"];

/** What the process that holds a workspace last said of it. */
export interface StateNote {
  readonly state: WorkspaceState;
  /** One sentence, or what the user gave as reason. */
  readonly reason: string | null;
  readonly error: ErrorJson | null;
  readonly changedAt: string;
  readonly startedAt: string | null;
}

const stateFile = "state.json";
const errorSchema: z.ZodType<ErrorJson> = z.object({
  code: z.string(),
  kind: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
  retryable: z.boolean(),
  step: z.string().nullable(),
});
const noteSchema: z.ZodType<StateNote> = z.object({
  state: z.enum(workspaceStates),
  reason: z.string().nullable(),
  error: errorSchema.nullable(),
  changedAt: z.string(),
  startedAt: z.string().nullable(),
});

export async function writeState(
  layout: StateLayout,
  name: string,
  note: StateNote,
): Promise<void> {
  const path = join(homeOf(layout, name), stateFile);
  await writeFileAtomic(path, `${JSON.stringify(note, null, 2)}\n`);
}

/** Who holds a workspace, and its machine. */
export interface Holder {
  readonly pid: number;
  readonly vmmPid: number | null;
  readonly backend: string | null;
}

export interface CurrentState extends StateNote {
  /** Null when no process holds it. */
  readonly holder: Holder | null;
}

/**
 * The state of a workspace as it is now. What was noted counts as long as whoever noted it lives: a
 * workspace whose holder has gone without a word has failed.
 */
export async function currentState(layout: StateLayout, name: string): Promise<CurrentState> {
  // The lease first: it goes after the last word.
  const leases = await listLeases(layout);
  const lease = leases.find((each) => each.workspace === name && each.ownerAlive);
  const note = await readNote(layout, name);
  if (lease === undefined) {
    if (!liveStates.includes(note.state)) return { ...note, holder: null };
    // It may have ended in good order in between.
    const again = await readNote(layout, name);
    return { ...(liveStates.includes(again.state) ? abandoned(again) : again), holder: null };
  }
  const holder = {
    pid: lease.owner.pid,
    vmmPid: lease.vmmAlive ? (lease.vmm?.pid ?? null) : null,
    backend: lease.supervisor === "unknown" ? null : lease.supervisor,
  };
  return { ...note, holder };
}

function abandoned(note: StateNote): StateNote {
  return {
    ...note,
    state: "failed",
    reason: `The process that held the workspace was killed while it was ${note.state}`,
  };
}

async function readNote(layout: StateLayout, name: string): Promise<StateNote> {
  const path = join(homeOf(layout, name), stateFile);
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return await untold(layout, name);
  try {
    return noteSchema.parse(JSON.parse(text));
  } catch {
    const reason = `File "${path}" is damaged`;
    return { ...(await untold(layout, name)), state: "failed", reason };
  }
}

/** Of a workspace that no process has held yet: it is as it was made. */
async function untold(layout: StateLayout, name: string): Promise<StateNote> {
  const record = await readRecord(layout, name).catch(() => null);
  const changedAt = record?.createdAt ?? new Date(0).toISOString();
  return { state: "prepared", reason: null, error: null, changedAt, startedAt: null };
}
