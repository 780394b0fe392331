import { expect, test } from "vitest";
import { MicroagentError } from "../../../src/base/errors.ts";
import {
  exitCodeFor,
  type Termination,
  terminationOf,
} from "../../../src/workspace/termination.ts";

const cases: readonly [string, Termination, number][] = [
  ["the guest's own code", { kind: "exited", exitCode: 3 }, 3],
  ["a signal", { kind: "signaled", signal: "SIGSEGV", oomKilled: false }, 139],
  ["a forbidden system call", { kind: "signaled", signal: "SIGSYS", oomKilled: false }, 159],
  ["a timeout", { kind: "timed_out", timeoutMs: 5 }, 124],
  [
    "a command that does not exist",
    {
      kind: "not_started",
      error: new MicroagentError("exec_not_started", "X", { details: { errno: "ENOENT" } }),
    },
    127,
  ],
  [
    "a command that may not run",
    {
      kind: "not_started",
      error: new MicroagentError("exec_not_started", "X", { details: { errno: "EACCES" } }),
    },
    126,
  ],
  ["Ctrl-C", { kind: "interrupted", signal: "SIGINT" }, 130],
  ["a closed terminal", { kind: "interrupted", signal: "SIGHUP" }, 129],
  ["a real-time signal", { kind: "signaled", signal: "SIG37", oomKilled: false }, 165],
  ["SIGTERM", { kind: "interrupted", signal: "SIGTERM" }, 143],
  ["an abort without a signal", { kind: "interrupted", signal: null }, 130],
  ["a retryable failure", { kind: "failed", error: new MicroagentError("boot_timeout", "X") }, 75],
  ["a permanent failure", { kind: "failed", error: new MicroagentError("vmm_failed", "X") }, 1],
  ["a failed setup", { kind: "setup_failed", error: new MicroagentError("setup_failed", "X") }, 1],
];

for (const [name, end, code] of cases) {
  test(`${name} exits ${code}`, () => {
    expect(exitCodeFor(end)).toBe(code);
  });
}

test.each([true, false])(
  "a shell tells who was killed for memory by its code alone: %s",
  (oomKilled) => {
    const at = new Date(0);
    const result = { exitCode: 137, signal: null, startedAt: at, endedAt: at, drained: true };
    const end = terminationOf({ status: "exited", oomKilled, ...result }, 1000);
    expect(end).toEqual({ kind: "exited", exitCode: 137, ...(oomKilled ? { oomKilled } : {}) });
  },
);
