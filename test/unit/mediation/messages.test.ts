import { expect, test } from "vitest";
import { mediationProtocol } from "../../../src/mediation/protocol.ts";

const { WorkRequest, WorkResult, LifecycleSignal, Constraints, ConstraintAck, IdentityRevision } =
  mediationProtocol;

const at = "2026-08-22T10:00:00Z";
const request = {
  request_id: "req-001",
  principal: { name: "ci", kind: "service", verified: true, verified_by: "oidc" },
  content: "Write hello.py",
  constraints_version: 0,
  submitted_at: at,
  audit_ref: "run-1",
};

test("a request gets its defaults and cannot be changed", () => {
  const parsed = WorkRequest.parse({ ...request, bounds: { max_tokens: 100 } });
  expect(parsed).toMatchObject({
    content_kind: "text",
    principal: { authorization_scope: [] },
    bounds: { max_tokens: 100 },
  });
  for (const part of [
    parsed,
    parsed.principal,
    parsed.principal.authorization_scope,
    parsed.bounds,
  ])
    expect(Object.isFrozen(part)).toBe(true);
});

test("content is a text, or any JSON where its kind says so", () => {
  const structured = { ...request, content: { task: ["a", 1, null] }, content_kind: "structured" };
  expect(WorkRequest.parse(structured).content).toEqual({ task: ["a", 1, null] });
  expect(WorkRequest.safeParse({ ...request, content: { a: 1 } }).success).toBe(false);
});

test.each([
  ["an unknown field", { ...request, priority: 1 }],
  ["an unknown field inside", { ...request, principal: { ...request.principal, admin: true } }],
  ["no principal", { ...request, principal: undefined }],
  [
    "a kind of principal nobody knows",
    { ...request, principal: { ...request.principal, kind: "root" } },
  ],
  ["a negative version", { ...request, constraints_version: -1 }],
  ["no time at all", { ...request, bounds: { max_duration_seconds: 0 } }],
  ["a time that is none", { ...request, submitted_at: "today" }],
  ["an id without end", { ...request, request_id: "x".repeat(257) }],
])("a request with %s is refused", (_, value) => {
  expect(WorkRequest.safeParse(value).success).toBe(false);
});

test("the other messages", () => {
  const good = [
    [
      WorkResult,
      { request_id: "r", status: "completed", content: "ok", completed_at: at, audit_ref: "a" },
    ],
    [LifecycleSignal, { signal: "ready", agent_id: "a", observed_at: at }],
    [Constraints, { version: 1, hash: "sha256:1", effective_at: at, payload_ref: "p" }],
    [ConstraintAck, { version: 1, hash: "sha256:1", agent_id: "a", observed_at: at }],
    [IdentityRevision, { agent_id: "a", version: 2, hash: "h", mutated_at: at, mutation_ref: "m" }],
  ] as const;
  for (const [schema, value] of good) {
    expect(schema.parse(value)).toEqual(value);
    expect(schema.safeParse({ ...value, extra: 1 }).success).toBe(false);
    expect(Object.isFrozen(schema.parse(value))).toBe(true);
  }
});
