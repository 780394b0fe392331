import type { MachineExit, OutOfMemory } from "../../src/supervisor/port.ts";

/** Everything known about a QEMU that has ended. */
export interface ExitFacts {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The reason we gave when we ended it, null when we did not. */
  readonly requested: string | null;
  readonly shutdownReason: string | null;
  readonly consoleTail: string;
  readonly stderr: string;
  /** What the kernel's counters say about memory since the machine started. */
  readonly outOfMemory: OutOfMemory | null;
}

/** Why a machine ended. A crash that came before our own kill stays a crash. */
export function classifyExit(facts: ExitFacts): MachineExit {
  const { code, signal, requested, shutdownReason, consoleTail } = facts;
  const guestEndedIt = shutdownReason?.startsWith("guest-") === true;
  if (requested !== null && !guestEndedIt && (signal !== null || code === 0)) {
    return { kind: "requested", reason: requested, consoleTail };
  }
  const panic = panicLine(consoleTail);
  if (panic !== null || shutdownReason === "guest-panic") {
    const detail = panic ?? "The guest reported a panic";
    return { kind: "crashed", detail, exitCode: code, consoleTail };
  }
  // An emulator's failed assertion is a crash of its own, not somebody's kill.
  if (signal === "SIGABRT" || signal === "SIGSEGV" || signal === "SIGBUS" || signal === "SIGSYS") {
    return { kind: "crashed", detail: ownWords(facts), exitCode: null, consoleTail };
  }
  if (signal !== null) {
    // The kernel kills for memory with this signal only.
    const outOfMemory = signal === "SIGKILL" ? facts.outOfMemory : null;
    return { kind: "killed", signal, outOfMemory, consoleTail };
  }
  // QEMU turns a termination signal into an orderly end of its own.
  if (shutdownReason === "host-signal") {
    return { kind: "killed", signal: "SIGTERM", outOfMemory: null, consoleTail };
  }
  if (code !== 0) return { kind: "crashed", detail: ownWords(facts), exitCode: code, consoleTail };
  return { kind: "guest-shutdown", consoleTail };
}

/** The kernel's panic message in a console, null when there is none. */
export function panicLine(console: string): string | null {
  return /Kernel panic - not syncing[^\r\n]*/.exec(console)?.[0].trim() ?? null;
}

/** QEMU's first complaint that is not a mere warning, without its program's name; null when silent. */
export function complaint(stderr: string): string | null {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const line = lines.find((each) => !/: warning: /.test(each)) ?? lines[0];
  return line?.trim().replace(/^qemu-system-\w+: /, "") ?? null;
}

function ownWords(facts: ExitFacts): string {
  const how = facts.signal === null ? `status ${facts.code}` : facts.signal;
  const words = complaint(facts.stderr);
  return words === null ? `QEMU ended with ${how}` : `QEMU ended with ${how}: ${words}`;
}
