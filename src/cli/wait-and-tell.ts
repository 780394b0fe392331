import { isTimeout, MicroagentError } from "../base/errors.ts";
import { durationText } from "../base/quantity.ts";
import type { Op, StateLayout } from "../index.ts";
import { jsonText, type Terminal } from "./terminal.ts";

/** Waits until a workspace has ended and says how it did; a failed one is a failure of the command. */
export async function waitAndTell(
  op: Op,
  terminal: Terminal,
  layout: StateLayout,
  name: string,
  timeoutMs: number | null,
): Promise<void> {
  const { waitWorkspace } = await import("../index.ts");
  const bound = timeoutMs === null ? {} : { timeoutMs };
  const { state, reason } = await op
    .step("wait", (step) => waitWorkspace(step, layout, name), bound)
    .catch((error: unknown) => {
      if (!isTimeout(error)) throw error;
      throw new MicroagentError(
        "timeout",
        `Workspace "${name}" did not end within ${durationText(timeoutMs ?? 0)}`,
        {
          step: "wait",
          hint: `See how it is with: microagent status ${name}`,
        },
      );
    });
  const ok = state !== "failed";
  if (!ok) terminal.exitCode = 1;
  const why = reason === null ? "" : ` (${reason})`;
  await terminal.writeOut(
    terminal.json ? jsonText({ workspace: name, state, ok }) : `${name}: ${state}${why}\n`,
  );
}
