import type { DispatchResult, Termination } from "../../../src/index.ts";
import { Capture } from "../../../src/workspace/capture.ts";
import { nothingCollected } from "../../../src/workspace/outputs.ts";

/** What a run came to that never booted; what is given replaces parts of it. */
export function resultOf(more: Partial<DispatchResult> = {}): DispatchResult {
  return {
    workspace: "action-calm-otter-a1b2",
    termination: { kind: "exited", exitCode: 0 },
    boot: null,
    template: null,
    startedAt: null,
    exitedAt: null,
    stdout: new Capture(1024 * 1024),
    stderr: new Capture(1024 * 1024),
    outputs: nothingCollected,
    audit: null,
    network: null,
    secrets: null,
    mediation: null,
    outputDir: null,
    keptAt: null,
    timingsMs: {},
    timeline: [],
    ...more,
  };
}

export function exited(exitCode: number): Termination {
  return { kind: "exited", exitCode };
}

export function captured(text: string): Capture {
  const capture = new Capture(1024 * 1024);
  capture.add(Buffer.from(text));
  return capture;
}

/** Decisions about hosts, refused and allowed. */
export function auditOf(
  denied: Readonly<Record<string, number>>,
  allowed: Readonly<Record<string, number>> = {},
  allowable: readonly string[] = Object.keys(denied),
): NonNullable<DispatchResult["audit"]> {
  return {
    decision_count: 1,
    by_event: {},
    allow_by_host: allowed,
    deny_by_host: denied,
    allowable,
    integrity: "complete",
  };
}
