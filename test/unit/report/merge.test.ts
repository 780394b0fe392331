import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import type { RecordedRun } from "../../../src/report/recorded-run.ts";
import { mergeReports } from "../../../src/report/report.ts";
import { ranResult, sampleRun } from "./sample-run.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-report-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const merge = (...paths: string[]) => withOp("test", {}, (op) => mergeReports(op, paths));

async function record(name: string, run: unknown): Promise<string> {
  const path = join(dir, name);
  await mkdir(path);
  await writeFile(join(path, "result.json"), typeof run === "string" ? run : JSON.stringify(run));
  return path;
}

const failed: Partial<RecordedRun> = {
  workspace: "failed",
  exit_code: 3,
  termination: { kind: "exited", exit_code: 3 },
  audit: {
    decision_count: 2,
    by_event: {},
    allow_by_host: {},
    deny_by_host: { "evil.example|<b>": 2 },
  },
};
const broken: Partial<RecordedRun> = {
  workspace: "broken",
  exit_code: 1,
  termination: { kind: "failed", code: "image_not_found" },
  result: null,
  error: { code: "image_not_found", message: 'Image "x" does not exist' },
};

test("runs are told apart as passed, failed and broken, in both documents", async () => {
  const merged = await merge(
    await record("a", sampleRun()),
    await record("b", sampleRun(failed)),
    await record("c", sampleRun(broken)),
  );
  expect(merged).toMatchObject({ passed: 1, failed: 1, broken: 1 });
  expect(merged.runs[1]).toEqual({ name: "failed", outcome: "failed", exit_code: 3 });
  expect(merged.markdown).toContain("**3 runs: 1 passed, 1 failed, 1 broken**");
  expect(merged.markdown).toContain("evil.example&#124;&#60;b&#62;: 2");
  expect(merged.junit).toContain('<testsuites tests="3" failures="1" errors="1" time="3.000">');
  expect(merged.junit).toContain('<failure message="Exited with 3" type="exited"/>');
  expect(merged.junit).toContain('type="image_not_found"/>');
  const one = await merge(await record("d", sampleRun()));
  expect(one.markdown).toContain("**1 run: 1 passed, 0 failed, 0 broken**");
});

test("runs that share a name are told apart by their directories", async () => {
  const merged = await merge(await record("a", sampleRun()), await record("b", sampleRun()));
  expect(merged.runs.map(({ name }) => name)).toEqual([
    "dispatch-calm-otter-a1b2 (a)",
    "dispatch-calm-otter-a1b2 (b)",
  ]);
});

test("what a guest printed stays text in XML and in Markdown", async () => {
  const stdout = "]]></system-out><x/>\u0000\u001b[1m&";
  const run = sampleRun({
    result: { ...ranResult, stdout },
    error: { code: "guest_refused", message: "![a](http://x) | @team\n# big" },
    exit_code: 1,
  });
  const merged = await merge(await record("a", run));
  expect(merged.junit).toContain("]]&gt;&lt;/system-out&gt;&lt;x/&gt;\ufffd\ufffd[1m&amp;");
  const line = merged.markdown.split("\n").find((text) => text.includes("team"));
  expect(line?.split("|")).toHaveLength(8);
  expect(line).not.toMatch(/!\[|@team|# big/);
});

test.each([
  ["no JSON", "{", /is no JSON document/],
  ["not a run", "{}", /is no result of a run at "workspace"/],
  ["a bad value", sampleRun({ exit_code: 900 }), /at "exit_code"/],
])("a record that is %s fails with its file and place", async (_, run, message) => {
  const path = await record("a", run);
  await expect(merge(path)).rejects.toMatchObject({
    code: "result_invalid",
    message: expect.stringMatching(message),
  });
  await expect(merge(path)).rejects.toThrow(join(path, "result.json"));
});

test("a directory without a record is not found", async () => {
  await expect(merge(dir)).rejects.toMatchObject({ code: "result_not_found" });
});
