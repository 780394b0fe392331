import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errnoOf } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import { writeFileAtomic } from "../../host/files.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { homeOf, requireRecord } from "./record.ts";
import {
  currentState,
  liveStates,
  type StateNote,
  type WorkspaceState,
  workspaceStates,
  writeState,
} from "./state.ts";

/** One step of a workspace's life. */
export interface LifecycleEvent {
  readonly state: WorkspaceState;
  /** One sentence, or what the user gave as reason. */
  readonly detail: string | null;
  /** ISO 8601. */
  readonly observedAt: string;
}

const eventsFile = "events.jsonl";
/** Older ones are forgotten. */
const eventsMax = 1024;
/** Beyond it the file is written anew with what is still remembered. */
const bytesMax = 512 * 1024;
const detailMax = 400;
const pollMs = 200;
const eventSchema: z.ZodType<LifecycleEvent> = z.object({
  state: z.enum(workspaceStates),
  detail: z.string().nullable(),
  observedAt: z.string(),
});

/** Notes what a workspace has become, for those who ask now and for those who ask later. */
export async function noteState(layout: StateLayout, name: string, note: StateNote): Promise<void> {
  await writeState(layout, name, note);
  await appendEvent(layout, name, note);
}

async function appendEvent(
  layout: StateLayout,
  name: string,
  { state, reason, changedAt }: StateNote,
): Promise<void> {
  const path = join(homeOf(layout, name), eventsFile);
  const detail = reason?.slice(0, detailMax) ?? null;
  const line = `${JSON.stringify({ state, detail, observedAt: changedAt })}\n`;
  try {
    const text = await textOf(path);
    if (text.length < bytesMax) await appendFile(path, line, { mode: 0o600 });
    else await writeFileAtomic(path, `${lastLines(text).join("\n")}\n${line}`);
  } catch (error) {
    throw fileError(error, `History "${path}" cannot be written`);
  }
}

/** A workspace's history, the oldest first, from its creation on. `workspace_not_found`. */
export async function eventsOf(
  layout: StateLayout,
  name: string,
): Promise<readonly LifecycleEvent[]> {
  const { createdAt } = await requireRecord(layout, name);
  const noted = lastLines(await textOf(join(homeOf(layout, name), eventsFile))).flatMap(parse);
  const events = [{ state: "prepared", detail: null, observedAt: createdAt } as const, ...noted];
  // Whoever was killed could not say so.
  const { state, reason, changedAt } = await currentState(layout, name);
  const isNoted = state === (events.at(-1) ?? { state: null }).state;
  if (isNoted || state === "prepared") return events;
  return [...events, { state, detail: reason, observedAt: changedAt }];
}

/** Its history, and then as it goes on, until the workspace has ended. */
export async function* followEvents(
  op: Op,
  layout: StateLayout,
  name: string,
): AsyncGenerator<LifecycleEvent> {
  let told = 0;
  for (;;) {
    // Looked at before reading: what is written up to its end is not missed.
    const { state } = await currentState(layout, name);
    const events = await eventsOf(layout, name);
    yield* events.slice(told);
    told = Math.max(told, events.length);
    if (!liveStates.includes(state)) return;
    await op.sleep(pollMs);
  }
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return "";
    throw fileError(error, `History "${path}" cannot be read`);
  });
}

function lastLines(text: string): readonly string[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .slice(-eventsMax);
}

/** A line that was cut off by a power cut is none. */
function parse(line: string): LifecycleEvent[] {
  try {
    const event = eventSchema.safeParse(JSON.parse(line));
    return event.success ? [event.data] : [];
  } catch {
    return [];
  }
}
