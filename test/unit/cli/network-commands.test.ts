import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../../src/cli/program.ts";
import type { Terminal } from "../../../src/cli/terminal.ts";
import { openAuditLog } from "../../../src/egress/audit-log.ts";

let stateDir = "";
let log = "";
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "network-commands-"));
  const kept = join(stateDir, "workspaces", "kept");
  await mkdir(kept, { recursive: true });
  log = join(kept, "egress.jsonl");
  const identity = { runtimeId: "kept", sessionId: "s" };
  const audit = openAuditLog(log, { identity });
  const base = { host: "a.example", reason: "the host is public" };
  audit.write({ ...base, event: "egress_allow", dst: "192.0.2.1:443" });
  audit.write({ event: "egress_deny", host: "evil\u001b[2J", dst: "", reason: "not listed" });
  await audit.close();
  const forwards = [{ protocol: "tcp", host: "::1", hostPort: 8080, guestPort: 80 }];
  const record = { mode: "user", egress: "strict", forwards, runtime: null };
  await writeFile(join(kept, "network.json"), JSON.stringify(record));
});
afterEach(() => rm(stateDir, { recursive: true }));

async function microagent(...argv: string[]) {
  const heard = { out: "", err: "" };
  const hear = (key: "out" | "err") => async (data: string | Uint8Array) => {
    heard[key] += Buffer.from(data).toString();
  };
  const terminal = {
    version: "0.0.0",
    json: false,
    color: false,
    debug: false,
    exitCode: 0,
    environment: {},
    writeOut: hear("out"),
    writeErr: hear("err"),
    onSignal: () => () => {},
  } as unknown as Terminal;
  const code = await runCli([...argv, "--state-dir", stateDir], terminal);
  return { code, ...heard };
}

test("egress shows a kept workspace's decisions, foreign text without control characters", async () => {
  const { code, out } = await microagent("egress", "kept");
  expect(code).toBe(0);
  expect(out).toMatch(/egress_allow +a\.example +192\.0\.2\.1:443 +the host is public/);
  expect(out).not.toContain("\u001b");
});

test("egress in JSON is one document, followed one line for each decision", async () => {
  const { out } = await microagent("--json", "egress", "kept");
  const document = JSON.parse(out);
  expect(document).toMatchObject({ workspace: "kept", integrity: "complete" });
  expect(document.egress).toHaveLength(2);
  const followed = await microagent("--json", "egress", "kept", "--follow");
  const lines = followed.out.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(document.egress);
});

test("a damaged audit shows what stood before it, says so, and ends with 1", async () => {
  await appendFile(log, "not a line\n");
  const text = await microagent("egress", "kept");
  expect(text.code).toBe(1);
  expect(text.out).toContain("a.example");
  expect(text.err).toContain("warning: the audit is not complete");
  const json = await microagent("--json", "egress", "kept");
  expect(json.code).toBe(1);
  expect(JSON.parse(json.out).integrity).toEqual({ problem: expect.any(String) });
  const followed = await microagent("egress", "kept", "--follow");
  expect(followed.code).toBe(1);
});

test("network shows mode, egress and ports", async () => {
  const { code, out } = await microagent("network", "kept");
  expect(code).toBe(0);
  expect(out).toMatch(/mode +user\n/);
  expect(out).toMatch(/published +\[::1\]:8080 -> 80\n/);
  const json = await microagent("--json", "network", "kept");
  expect(JSON.parse(json.out)).toMatchObject({ workspace: "kept", mode: "user", egress: "strict" });
});

test.each(["egress", "network"])(
  "%s of a workspace that is not there is one error",
  async (name) => {
    const { code, err } = await microagent(name, "absent");
    expect(code).toBe(1);
    expect(err).toContain('Workspace "absent" does not exist');
  },
);
