import fc from "fast-check";
import { expect, test } from "vitest";
import type { AuditRecord } from "../../../src/egress/audit-event.ts";
import { reportPage } from "../../../src/report/page.ts";
import { ranResult, sampleFile, sampleRun } from "./sample-run.ts";

const attack = `</pre><script>alert(1)</script><img src=x onerror="alert(1)">&lt;\u202e\u001b]0;t\u0007\u001b[31mred`;

test("a page has the run's outcome, steps, console and artifacts, and nothing to load or run", () => {
  const page = reportPage(sampleRun(), null);
  expect(page).toContain("<title>dispatch-calm-otter-a1b2: passed</title>");
  expect(page).toContain("Exited with 0");
  expect(page).toMatch(/left:60%;width:40%/);
  expect(page).toContain("<pre>hello\n</pre>");
  expect(page).toContain("a".repeat(64));
  expect(page).toContain("2.0 KiB");
  expect(page).not.toMatch(/<script|<link|<img|<iframe|href=|src=|url\(|@import/);
  expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
});

test("nothing that a guest can write becomes markup", () => {
  const run = sampleRun({
    workspace: attack,
    result: { ...ranResult, stdout: attack, stderr: attack },
    artifacts: [{ ...sampleFile, path: attack, guest_path: attack }],
    artifacts_missing: [attack],
    artifacts_omitted: [{ name: attack, guest_path: attack, type: attack, reason: attack }],
    error: { code: "guest_refused", message: attack, hint: attack },
    timeline: [{ step: `boot/${attack}`, start_ms: 0, ms: 1, failed: true }],
  });
  const page = reportPage(run, { events: [decision(attack)], integrity: { problem: attack } });
  expect(page).not.toMatch(/<script|<img|onerror="/);
  expect(page).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  expect(page.match(/&lt;script&gt;alert\(1\)/g)?.length).toBeGreaterThan(10);
});

test("whatever text comes, the page's tags are the template's own", () => {
  const tags = (page: string) => page.match(/<[^>]*>/g)?.length;
  const plain = tags(reportPage(sampleRun({ artifacts_missing: ["x"] }), null));
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 60 }), (text) => {
      expect(tags(reportPage(sampleRun({ artifacts_missing: [text] }), null))).toBe(plain);
    }),
    { numRuns: 40 },
  );
});

test("a record of decisions that is not whole says so", () => {
  const events = [decision("api.example.org")];
  const page = reportPage(sampleRun(), { events, integrity: { problem: "3 lines were lost" } });
  expect(page).toContain("This record is not whole: 3 lines were lost");
  expect(page).toContain("egress_deny");
  expect(reportPage(sampleRun(), { events, integrity: "complete" })).not.toContain("not whole");
});

test("long lists are cut, and counted", () => {
  const artifacts = Array.from({ length: 700 }, () => sampleFile);
  expect(reportPage(sampleRun({ artifacts }), null)).toContain("And 200 more files.");
});

function decision(host: string): AuditRecord {
  return {
    event: "egress_deny",
    host,
    dst: "203.0.113.9:443",
    reason: "not listed",
    signal: "denied",
    ts: "2026-01-02T03:04:05.000Z",
    runtime_id: "r",
    session_id: "s",
    event_id: "0-1",
  };
}
