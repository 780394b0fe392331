import { expect, test } from "vitest";
import {
  mayReadCache,
  mayWriteCache,
  type RunEvent,
  secretsRefusal,
} from "../../../action/event-trust.ts";

const repo = (name: string | null) => (name === null ? null : { full_name: name });
const pull = (head: string | null, base = "a/b") => ({
  pull_request: { head: { repo: repo(head) }, base: { repo: repo(base) } },
});
const run = (head: string | null) => ({
  workflow_run: { head_repository: repo(head) },
  repository: repo("a/b"),
});
const event = (name: string, payload: unknown = {}, cacheMode = ""): RunEvent => ({
  name,
  payload,
  cacheMode,
});

test.each<[string, unknown, boolean]>([
  ["push", {}, true],
  ["schedule", {}, true],
  ["workflow_dispatch", {}, true],
  ["merge_group", {}, true],
  ["pull_request", pull("a/b"), true],
  ["pull_request", pull("stranger/b"), false],
  ["pull_request", pull(null), false],
  ["pull_request", null, false],
  ["pull_request", "x", false],
  ["pull_request_target", pull("a/b"), false],
  ["pull_request_target", pull("stranger/b"), false],
  ["issue_comment", {}, false],
  ["issues", {}, false],
  ["discussion_comment", {}, false],
  ["workflow_run", run("a/b"), false],
  ["an event of tomorrow", {}, false],
  ["", {}, false],
])("%s with %j may write caches: %s", (name, payload, may) => {
  expect(mayWriteCache(event(name, payload))).toBe(may);
});

test.each([
  ["", true, true],
  ["write", true, true],
  ["read", true, false],
  ["none", false, false],
  ["write-only", false, true],
])("cache mode %j: read %s, write %s", (mode, read, write) => {
  expect(mayReadCache(event("push", {}, mode))).toBe(read);
  expect(mayWriteCache(event("push", {}, mode))).toBe(write);
});

test.each<[string, unknown, boolean]>([
  ["pull_request_target", pull("stranger/b"), true],
  ["pull_request_target", pull(null), true],
  ["pull_request_target", null, true],
  ["pull_request_target", pull("a/b"), false],
  ["workflow_run", run("stranger/b"), true],
  ["workflow_run", run(null), true],
  ["workflow_run", run("a/b"), false],
  ["pull_request", pull("stranger/b"), false],
  ["push", {}, false],
])("%s with %j refuses secrets: %s", (name, payload, refused) => {
  expect(secretsRefusal(event(name, payload)) !== null).toBe(refused);
});
