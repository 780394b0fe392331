import type { AttachedWorkspace } from "../index.ts";
import { jsonText, type Terminal } from "./terminal.ts";

type CurrentState = Awaited<ReturnType<AttachedWorkspace["state"]>>;

/** What a verb has made of a workspace. */
export async function writeState(
  terminal: Terminal,
  name: string,
  { state, reason, changedAt }: CurrentState,
): Promise<void> {
  const event = { state, detail: reason, observedAt: changedAt };
  await terminal.writeOut(
    terminal.json ? jsonText({ ok: true, workspace: name, state, event }) : `${name}: ${state}\n`,
  );
}
