import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshName } from "../../../src/base/ids.ts";
import { realClock } from "../../../src/base/op.ts";
import { WorkspaceAuthority } from "../../../src/egress/tls/authority.ts";
import { stateLayout } from "../../../src/host/state-layout.ts";
import { type Provider, startProvider } from "../../fixtures/provider-stand-in.ts";
import { machinesOf } from "../../fixtures/workbench.ts";

const exec = promisify(execFile);
const root = join(import.meta.dirname, "..", "..", "..");
let dir: string;

beforeAll(async () => {
  await exec(process.execPath, ["scripts/build-dist.mjs"], { cwd: root });
  dir = await mkdtemp(join(tmpdir(), "microagent-agents-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const providers: readonly { readonly id: Provider; readonly host: string; readonly key: string }[] =
  [
    { id: "anthropic", host: "api.anthropic.com", key: "ANTHROPIC_API_KEY" },
    { id: "openai", host: "api.openai.com", key: "OPENAI_API_KEY" },
    { id: "gemini", host: "generativelanguage.googleapis.com", key: "GEMINI_API_KEY" },
  ];

test.each(providers)(
  "the $id example does its work with a key that its machine never has",
  async ({ id, host, key }) => {
    const secret = `sk-real-${freshName(id)}`;
    const authority = new WorkspaceAuthority([host], realClock);
    await using provider = await startProvider(id, secret, {
      SNICallback: (name, done) => done(null, authority.contextFor(name)),
    });
    const rootFile = join(dir, `${id}-root.pem`);
    await writeFile(rootFile, authority.certificatePem);
    const name = freshName(id);
    const out = join(dir, name);
    const { stdout, stderr } = await exec(
      process.execPath,
      [
        ...["dist/src/cli/main.js", "dispatch", "--file", `examples/agents/${id}/microagent.yaml`],
        ...["--name", name, "--output-dir", out, "--egress-ca", rootFile],
        ...["--egress-host", `${host}=127.0.0.1:${provider.port}`],
      ],
      { cwd: root, env: { ...process.env, [key]: secret } },
    );

    const squares = "[1, 4, 9, 16, 25, 36, 49, 64, 81, 100]";
    expect(stdout).toContain(squares);
    const answer = JSON.parse(await readFile(join(out, "workspace", "result.json"), "utf8"));
    expect(answer).toMatchObject({ request_id: "req-001", status: "completed", turns: 2 });
    expect(answer.content).toContain(squares);
    expect(await readFile(join(out, "workspace", "hello.py"), "utf8")).toContain("print(");

    // Streamed both times, with the tools' results in the second request.
    expect(provider.requests).toHaveLength(2);
    expect(provider.requests[1]?.body).toContain("1, 4, 9");
    expect(provider.requests.every((request) => request.host === host)).toBe(true);

    const record = JSON.parse(await readFile(join(out, "result.json"), "utf8"));
    expect(record.audit.by_event).toMatchObject({ egress_swap: 2 });
    expect(Object.keys(record.audit.deny_by_host)).toEqual([]);
    const counts = { answers: 2, input_tokens: 22, output_tokens: 14 };
    expect(record.audit.usage_by_model).toEqual({ [`${id}-stand-in`]: counts });
    for (const file of await filesBelow(out)) {
      expect(await readFile(file, "latin1"), file).not.toContain(secret);
    }
    expect(stdout + stderr).not.toContain(secret);
    expect(await machinesOf(stateLayout().root, name)).toEqual([]);
  },
);

async function filesBelow(path: string): Promise<string[]> {
  const found = await readdir(path, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
