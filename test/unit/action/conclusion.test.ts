import { expect, test } from "vitest";
import { conclusionOf, failuresOf, sentenceOf } from "../../../action/conclusion.ts";
import type { FailCause } from "../../../action/settings.ts";
import { MicroagentError, type Termination } from "../../../src/index.ts";
import { nothingCollected } from "../../../src/workspace/outputs.ts";
import { exited, resultOf } from "./sample-result.ts";

const error = new MicroagentError("host_unsupported", "This host cannot run machines");
const on = (...causes: FailCause[]) => new Set(causes);

test.each<[Termination, string, string]>([
  [exited(0), "success", "The command exited with 0"],
  [exited(3), "failure", "The command exited with 3"],
  [
    { kind: "signaled", signal: "SIGKILL", oomKilled: true },
    "failure",
    "The command was ended by SIGKILL: the guest ran out of memory",
  ],
  [{ kind: "timed_out", timeoutMs: 90_000 }, "timeout", "The run took longer than 90 s"],
  [{ kind: "interrupted", signal: "SIGINT" }, "cancelled", "The run was interrupted by SIGINT"],
  [{ kind: "interrupted", signal: null }, "cancelled", "The run was interrupted by the runner"],
  [{ kind: "not_started", error }, "failure", error.message],
  [{ kind: "setup_failed", error }, "failure", error.message],
  [{ kind: "failed", error }, "infra-error", error.message],
])("%j counts as %s", (end, conclusion, sentence) => {
  expect(conclusionOf(end)).toBe(conclusion);
  expect(sentenceOf(end)).toBe(sentence);
});

test("a step fails for what it was told to fail for, and always for the host and a cancellation", () => {
  expect(failuresOf(resultOf(), 5, on("exit"))).toEqual([]);
  expect(failuresOf(resultOf({ termination: exited(3) }), 0, on())).toEqual([]);
  expect(failuresOf(resultOf({ termination: exited(3) }), 0, on("exit"))).toHaveLength(1);
  expect(failuresOf(resultOf({ termination: { kind: "failed", error } }), 0, on())).toEqual([
    error.message,
  ]);
  const cancelled = resultOf({ termination: { kind: "interrupted", signal: "SIGINT" } });
  expect(failuresOf(cancelled, 0, on())).toHaveLength(1);
  expect(failuresOf(resultOf(), 2, on("egress-denied"))[0]).toContain("2 things");
});

test("outputs that did not come out whole fail a step that wants them", () => {
  const outputs = { ...nothingCollected, missing: ["a"], incomplete: [{ output: "b", error }] };
  const result = resultOf({ outputs });
  expect(failuresOf(result, 0, on("exit"))).toEqual([]);
  expect(failuresOf(result, 0, on("missing-artifact"))).toEqual([
    "Declared outputs did not come out whole: a, b",
  ]);
});
