import type { RecordedRun } from "../../../src/report/recorded-run.ts";

export const ranResult = {
  started_at: "2026-01-02T03:04:05.000Z",
  exited_at: "2026-01-02T03:04:06.000Z",
  exit_code: 0,
  stdout: "hello\n",
  stderr: "",
  stdout_truncated: false,
  stderr_truncated: false,
};

export const sampleFile = {
  name: "report",
  guest_path: "/out/report.txt",
  path: "report/report.txt",
  size: 2048,
  sha256: "a".repeat(64),
  mode: "0644",
};

/** The record of a run that passed; what is given replaces parts of it. */
export function sampleRun(more: Partial<RecordedRun> = {}): RecordedRun {
  return {
    workspace: "dispatch-calm-otter-a1b2",
    final_state: "stopped",
    exit_code: 0,
    termination: { kind: "exited", exit_code: 0 },
    result: ranResult,
    image: {
      reference: "oci:image:latest",
      resolved_ref: null,
      digest: `sha256:${"0".repeat(64)}`,
    },
    kernel: { name: "own", version: "6.1.1", flavor: "own" },
    backend: "qemu",
    acceleration: { accel: "tcg", reason: "No hypervisor works here" },
    boot: { attempts: 1, retry_reason: null },
    timings_ms: { boot: 600, run: 400 },
    timeline: [
      { step: "boot", start_ms: 0, ms: 600, failed: false },
      { step: "boot/start", start_ms: 10, ms: 500, failed: false },
      { step: "run", start_ms: 600, ms: 400, failed: false },
    ],
    artifacts: [sampleFile],
    artifacts_omitted: [],
    artifacts_missing: [],
    artifacts_incomplete: [],
    audit: null,
    error: null,
    ...more,
  };
}
