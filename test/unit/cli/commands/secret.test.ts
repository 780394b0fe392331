import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../../../src/cli/program.ts";
import type { Terminal } from "../../../../src/cli/terminal.ts";

const value = "swordfish-55";
let stateDir: string;
beforeEach(async () => {
  process.env.MICROAGENT_TEST_SECRET = value;
  stateDir = await mkdtemp(join(tmpdir(), "microagent-secret-"));
});
afterEach(async () => {
  delete process.env.MICROAGENT_TEST_SECRET;
  await rm(stateDir, { recursive: true, force: true });
});

async function cli(...argv: string[]) {
  const said = { out: "", err: "" };
  const keep = (where: "out" | "err") => async (data: string | Uint8Array) => {
    said[where] += Buffer.from(data).toString();
  };
  const terminal: Terminal = {
    version: "0.0.0",
    json: false,
    color: false,
    debug: false,
    exitCode: 0,
    stdoutIsTty: false,
    stderrIsTty: false,
    columns: 80,
    cwd: "/",
    environment: {},
    readerGone: false,
    writeOut: keep("out"),
    writeErr: keep("err"),
    onSignal: () => () => {},
    exitNow: () => {
      throw new Error("exitNow");
    },
    finish: async () => {},
  };
  const code = await runCli(argv, terminal);
  return { code, ...said };
}

test("check tells of each reference, and ends with 1 when one gives nothing", async () => {
  const good = await cli("secret", "check", "A=env:MICROAGENT_TEST_SECRET");
  expect(good.code).toBe(0);
  expect(good.out).toMatch(/^A +ok +env +12 +warning: .*plaintext/m);
  const both = ["A=env:MICROAGENT_TEST_SECRET", "B=env:MICROAGENT_TEST_ABSENT"];
  const mixed = await cli("--json", "secret", "check", ...both);
  expect(mixed.code).toBe(1);
  expect(JSON.parse(mixed.out)).toMatchObject([
    { name: "A", ok: true, source: "env", bytes: 12 },
    { name: "B", ok: false, source: "env", bytes: null, error: { code: "secret_not_found" } },
  ]);
  expect(good.out + mixed.out + good.err + mixed.err).not.toContain(value);
});

test("audit shows a kept workspace's record, and a hole in it ends with 1", async () => {
  const dir = join(stateDir, "workspaces", "app");
  await mkdir(dir, { recursive: true });
  const line = '{"at":"2026-01-01T00:00:00.000Z","name":"DB","access":"on-demand","result":"ok"}\n';
  const audit = (...more: string[]) =>
    cli(...more, "secret", "audit", "app", "--state-dir", stateDir);

  // A workspace without a record is not one that read nothing.
  expect(await audit()).toMatchObject({ code: 1, out: "" });
  await writeFile(join(dir, "secrets-access.jsonl"), line);
  expect(await audit()).toMatchObject({ code: 0, out: expect.stringMatching(/DB +on-demand +ok/) });
  await writeFile(join(dir, "secrets-access.jsonl"), `${line}{`);
  const cut = await audit("--json");
  expect(cut.code).toBe(1);
  expect(JSON.parse(cut.out)).toEqual({
    workspace: "app",
    accesses: [JSON.parse(line)],
    problem: "The last line is cut off",
  });
});
