import { type ErrorCode, isMicroagentError, MicroagentError } from "../base/errors.ts";
import type { Clock } from "../base/op.ts";
import type { Machine, MachineExit } from "../supervisor/port.ts";
import { settledWithin } from "./settled-within.ts";

/** How long a broken link may wait for the machine's own account of why it ended. */
const exitGraceMs = 1_500;

/**
 * The machine's account of a failure: when the channel broke because the machine ended, the error
 * says how it ended and shows the console's tail; anything else passes unchanged.
 */
export async function explainFailure(
  clock: Clock,
  machine: Machine,
  error: unknown,
  doing: string,
): Promise<unknown> {
  if (!isMicroagentError(error) || error.code !== "channel_closed") return error;
  const exit = await settledWithin(clock, machine.exit, exitGraceMs);
  return exit === null ? error : machineEnded(exit, doing, error);
}

/** The error for a machine that ended while it was needed. */
export function machineEnded(exit: MachineExit, doing: string, cause?: unknown): MicroagentError {
  const [code, sentence] = describe(exit);
  const memory = exit.kind === "killed" ? exit.outOfMemory : null;
  return new MicroagentError(code, `${sentence} while ${doing}`, {
    cause,
    step: doing,
    hint: memory?.hint ?? consoleHint(exit.consoleTail),
    details: {
      exit: exit.kind,
      consoleTail: lastLines(exit.consoleTail, 20),
      ...(memory === null ? {} : { outOfMemory: true, limitMib: memory.limitMib }),
    },
  });
}

function describe(exit: MachineExit): [ErrorCode, string] {
  switch (exit.kind) {
    case "requested":
      return ["closed", `The machine was stopped (${exit.reason})`];
    case "guest-shutdown":
      return ["guest_powered_off", "The guest powered itself off"];
    case "killed":
      return [
        "machine_killed",
        exit.outOfMemory?.sentence ?? `Somebody killed the VMM process with ${exit.signal}`,
      ];
    case "crashed":
      return exit.consoleTail.includes("Kernel panic")
        ? ["guest_crashed", `The guest kernel crashed (${exit.detail})`]
        : ["vmm_failed", `The machine failed (${exit.detail})`];
  }
}

function consoleHint(tail: string): string | undefined {
  const lines = tellingLines(tail);
  return lines.length === 0
    ? undefined
    : `The guest's console ended with:\n  ${lines.join("\n  ")}`;
}

const shownLines = 6;

/** The lines that say most: from the kernel's own last words where there are any, else the end. */
export function tellingLines(tail: string): string[] {
  const lines = lastLines(tail, Number.MAX_SAFE_INTEGER);
  const panic = lines.findIndex((line) => line.includes("Kernel panic"));
  return panic < 0 ? lines.slice(-shownLines) : lines.slice(panic, panic + shownLines);
}

/** The last non-empty lines of a console, control characters removed. */
export function lastLines(text: string, count: number): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/[^\t\x20-\x7e\u00a0-\uffff]/g, "").trimEnd())
    .filter((line) => line !== "")
    .slice(-count);
}
