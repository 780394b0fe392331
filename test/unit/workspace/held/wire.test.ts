import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorTable, MicroagentError } from "../../../../src/base/errors.ts";
import { Capture } from "../../../../src/workspace/capture.ts";
import type { DispatchResult } from "../../../../src/workspace/dispatch.ts";
import { decodeError, encodeError } from "../../../../src/workspace/held/wire-error.ts";
import { decodeResult, encodeResult } from "../../../../src/workspace/held/wire-result.ts";

function overTheWire(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe("what another process of ours is told", () => {
  test.each(Object.keys(errorTable))("an error with the code %s", (code) => {
    const sent = new MicroagentError(code as keyof typeof errorTable, "Something is wrong", {
      hint: "Mend it",
      step: "start",
      details: { exitCode: 3 },
    });
    const { message, hint, step, details, retryable } = decodeError(overTheWire(encodeError(sent)));
    const { code: same } = decodeError(overTheWire(encodeError(sent)));
    expect([same, message, hint, step, details, retryable]).toEqual([
      ...[code, "Something is wrong", "Mend it", "start", { exitCode: 3 }],
      sent.retryable,
    ]);
  });

  test("anything that is no error is one of ours", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(decodeError(value)).toBeInstanceOf(MicroagentError);
      }),
    );
    expect(decodeError({ code: "constructor", message: "x" }).code).toBe("internal");
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const odd = new MicroagentError("timeout", "Late", { details: circle });
    expect(decodeError(overTheWire(encodeError(odd))).details).toEqual({});
  });

  test("a run's result, with its dates, errors and captured output", () => {
    const stdout = new Capture(4);
    stdout.add(Buffer.from("too long"));
    const error = new MicroagentError("guest_crashed", "The guest is gone");
    const startedAt = new Date(1_700_000_000_000);
    const sent = {
      workspace: "one",
      termination: { kind: "failed", error },
      startedAt,
      stdout,
      stderr: new Capture(10),
      outputs: { incomplete: [{ output: "a", error }] },
      audit: null,
    };
    const result = decodeResult(overTheWire(encodeResult(sent as unknown as DispatchResult)));
    expect(result.startedAt).toEqual(startedAt);
    expect([result.stdout.text(), result.stdout.truncated]).toEqual(["too ", true]);
    expect([result.stderr.text(), result.stderr.truncated]).toEqual(["", false]);
    expect(result.termination).toMatchObject({ kind: "failed", error: { code: "guest_crashed" } });
    expect(result.outputs.incomplete[0]?.error).toBeInstanceOf(MicroagentError);
    expect(result.audit).toBeNull();
  });
});
