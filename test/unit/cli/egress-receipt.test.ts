import { expect, test } from "vitest";
import { egressReceipt } from "../../../src/cli/render/egress-receipt.ts";
import type { AuditReceipt, DispatchResult } from "../../../src/index.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { suggestAllow } from "../../../src/workspace/allow-suggestion.ts";
import { parsed } from "../spec/spec-texts.ts";

function audit(change: Partial<AuditReceipt> = {}): AuditReceipt {
  return {
    decision_count: 7,
    by_event: { egress_allow: 4, egress_deny: 3 },
    allow_by_host: { "pypi.example": 3, "api.example": 1 },
    deny_by_host: { "evil.example": 2, "10.0.0.1:5432": 1 },
    allowable: ["10.0.0.1:5432", "evil.example"],
    integrity: "complete",
    ...change,
  };
}

function lines(receipt: AuditReceipt, text: string | null = "agent: {allow: [a.example]}") {
  const file = text === null ? null : parsed(text);
  const plan = mergeSpec({ flags: {}, file, surface: "dispatch" });
  const network = { mode: "user", egress: "strict", forwards: [] };
  const result = { audit: receipt, network } as unknown as DispatchResult;
  return egressReceipt(result, suggestAllow(plan, receipt), plan.specFile);
}

test("hosts are listed in order, and what would allow the denied ones is what the file needs", () => {
  expect(lines(audit())).toEqual([
    "egress (strict): 4 allowed, 3 denied",
    "  10.0.0.1:5432: 1 denied",
    "  api.example: 1 allowed",
    "  evil.example: 2 denied",
    "  pypi.example: 3 allowed",
    "to allow what was denied, in microagent.yaml:",
    "  agent:",
    '    allow: [a.example, "10.0.0.1:5432", evil.example]',
  ]);
});

test("why a host was denied stands beside it", () => {
  const reasons = { "cache.test": "TLS names no server: list cache.test:6380" };
  const receipt = audit({
    deny_by_host: { "cache.test": 2 },
    deny_reasons: reasons,
    allowable: [],
  });
  expect(lines(receipt)).toContain(
    "  cache.test: 2 denied (TLS names no server: list cache.test:6380)",
  );
});

test("the suggestion, put into the file, is read back as these hosts", () => {
  const plan = mergeSpec({ flags: {}, file: null, surface: "run" });
  const allowable = ["1.2.3.4:80", "[fd00::1]:443", "b.example", "db.example:5432"];
  const suggestion = suggestAllow(plan, audit({ allowable }));
  expect(parsed(suggestion?.yaml ?? "").spec.agent?.allow).toEqual(suggestion?.hosts);
  expect(suggestion?.hosts).toEqual(allowable);
});

test("without a file the flags are named", () => {
  const allowable = ["b.example", "db.example:5432"];
  expect(lines(audit({ allowable }), null).slice(-1)).toEqual([
    "or: --egress-allow b.example --egress-allow db.example:5432",
  ]);
});

test.each([
  ["a listed host that was denied for another reason", ["a.example"]],
  ["what is no host", ["evil\u001b[2J", "(others)", "x]\nentry: y"]],
  ["more hosts than a list should have", Object.keys(manyHosts())],
  ["nothing that a list would allow", []],
])("nothing is suggested for %s", (_what, allowable) => {
  expect(lines(audit({ allowable })).join("\n")).not.toContain("to allow");
});

test("text of the guest reaches the terminal without control characters", () => {
  const shown = lines(audit({ deny_by_host: { "evil\u001b[2J": 1 } })).join("\n");
  expect(shown).toContain("evil\ufffd[2J: 1 denied");
});

test("an audit that is not complete never looks clean, also an empty one", () => {
  const receipt = audit({
    decision_count: 0,
    by_event: {},
    allow_by_host: {},
    deny_by_host: {},
    allowable: [],
    integrity: { problem: "3 lines were lost" },
  });
  expect(lines(receipt)).toEqual(["warning: the egress audit is not complete: 3 lines were lost"]);
});

test("many hosts are counted, a reached bound is told", () => {
  const receipt = audit({
    allow_by_host: manyHosts(),
    deny_by_host: {},
    allowable: [],
    by_event: { egress_cap_exceeded: 1 },
  });
  expect(lines(receipt).slice(-2)).toEqual([
    "  and 10 more hosts",
    "warning: a bound on traffic was reached (raise it with --egress-max-...)",
  ]);
});

test("what went wrong with credentials is told", () => {
  const receipt = audit({
    deny_by_host: {},
    allowable: [],
    by_event: { egress_swap_error: 1, egress_mitm_upstream_error: 2 },
  });
  expect(lines(receipt).slice(-2)).toEqual([
    "warning: 1 credential could not be had or came back in an answer (egress_swap_error in egress.jsonl)",
    "warning: 2 connections to servers of swapped credentials failed (egress_mitm_upstream_error in egress.jsonl)",
  ]);
});

test("what models took is told, their names made printable", () => {
  const counts = { answers: 2, input_tokens: 22, output_tokens: 14 };
  const receipt = audit({ deny_by_host: {}, usage_by_model: { "m\u001b": counts } });
  expect(lines(receipt)).toContain("tokens: 22 in, 14 out (m\ufffd)");
});

function manyHosts(): Record<string, number> {
  return Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`h${i}.example`, 1]));
}
