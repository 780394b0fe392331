import { describe, expect, test } from "vitest";
import { classifyExit, complaint, type ExitFacts } from "../../../../supervisors/qemu/exit.ts";

const outOfMemory = {
  sentence: "The kernel killed the VMM process: the host had no memory left",
  hint: "Run fewer machines",
  limitMib: null,
  certain: true,
};

const panicTail = "ok\r\n[ 1.0] Kernel panic - not syncing: VFS: no root\r\n[ 1.1] CPU: 0\r\n";

function classify(facts: Partial<ExitFacts>) {
  return classifyExit({
    code: 0,
    signal: null,
    requested: null,
    shutdownReason: null,
    consoleTail: "",
    stderr: "",
    outOfMemory: null,
    ...facts,
  });
}

describe("classifyExit", () => {
  test.each<[string, Partial<ExitFacts>, object]>([
    [
      "our quit",
      { requested: "done", shutdownReason: "host-qmp-quit" },
      { kind: "requested", reason: "done" },
    ],
    [
      "our kill",
      { requested: "done", code: null, signal: "SIGKILL" },
      { kind: "requested", reason: "done" },
    ],
    ["a reset by the guest", { shutdownReason: "guest-reset" }, { kind: "guest-shutdown" }],
    [
      "a shutdown just before our kill",
      { requested: "late", shutdownReason: "guest-shutdown" },
      { kind: "guest-shutdown" },
    ],
    [
      "a panic",
      { shutdownReason: "guest-reset", consoleTail: panicTail },
      { kind: "crashed", detail: "Kernel panic - not syncing: VFS: no root", exitCode: 0 },
    ],
    [
      "a panic just before our kill",
      { requested: "late", shutdownReason: "guest-reset", consoleTail: panicTail },
      { kind: "crashed" },
    ],
    [
      "the kernel's kill for memory",
      { code: null, signal: "SIGKILL", outOfMemory },
      { kind: "killed", signal: "SIGKILL", outOfMemory },
    ],
    [
      "somebody's other signal while the kernel killed something else",
      { code: null, signal: "SIGTERM", outOfMemory },
      { kind: "killed", signal: "SIGTERM", outOfMemory: null },
    ],
    [
      "our own kill while the kernel killed something else",
      { requested: "done", code: null, signal: "SIGKILL", outOfMemory },
      { kind: "requested", reason: "done" },
    ],
    ["somebody's kill", { code: null, signal: "SIGKILL" }, { kind: "killed", signal: "SIGKILL" }],
    [
      "somebody's SIGTERM",
      { shutdownReason: "host-signal" },
      { kind: "killed", signal: "SIGTERM" },
    ],
    [
      "an assertion",
      {
        code: null,
        signal: "SIGABRT",
        stderr: "qemu-system-x86_64: error: failed to set MSR\nx\n",
      },
      { kind: "crashed", detail: "QEMU ended with SIGABRT: error: failed to set MSR" },
    ],
    [
      "a bad argument",
      { code: 1, stderr: "qemu-system-x86_64: warning: old\nqemu-system-x86_64: no such disk\n" },
      { kind: "crashed", detail: "QEMU ended with status 1: no such disk", exitCode: 1 },
    ],
    ["a failure after our kill", { requested: "done", code: 3 }, { kind: "crashed", exitCode: 3 }],
  ])("%s", (_what, facts, expected) => {
    expect(classify(facts)).toMatchObject(expected);
  });

  test("a silent stderr has no complaint, warnings alone are better than nothing", () => {
    expect(complaint("\n")).toBeNull();
    expect(complaint("qemu-system-x86_64: warning: odd\n")).toBe("warning: odd");
  });
});
