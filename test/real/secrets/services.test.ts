import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshName } from "../../../src/base/ids.ts";
import { withOp } from "../../../src/base/op.ts";
import { stateLayout } from "../../../src/host/state-layout.ts";
import { createEngine } from "../../../src/registry.ts";
import type { Flags } from "../../../src/spec/flags.ts";
import { loadSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { resultJson } from "../../../src/workspace/result-json.ts";
import { runPlanOnce } from "../../../src/workspace/run-plan.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const example = join(root, "examples", "mediation-host");
// The image of the examples: built once for all who use it, so it is in the user's own state directory.
const image = "mmdebstrap:bookworm?include=python3";
const value = "swordfish-9b2d07";

let dir: string;
beforeAll(async () => {
  process.env.MICROAGENT_TEST_SECRET = value;
  dir = await mkdtemp(join(tmpdir(), "microagent-services-"));
});
afterAll(async () => {
  delete process.env.MICROAGENT_TEST_SECRET;
  await rm(dir, { recursive: true, force: true });
});

async function run(flags: Flags, specPath?: string) {
  const file =
    specPath === undefined ? null : await withOp("spec", {}, (op) => loadSpec(op, specPath));
  const plan = mergeSpec({
    flags: { name: freshName("services"), outputDir: join(dir, freshName("out")), ...flags },
    file,
    surface: "dispatch",
    cwd: dir,
  });
  return await runPlanOnce(createEngine(stateLayout()), plan, {});
}

/** Asks the socket for each name, as docs/secrets.md shows it, and prints what came. */
const asking = `
import base64, json, os, socket, sys
def ask(line):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.environ["MICROAGENT_SECRETS_SOCK"])
        s.sendall(line)
        return json.loads(s.makefile().readline())
for line in sys.argv[1:]:
    answer = ask((line + "\\n").encode())
    print(line, base64.b64decode(answer["value"]).decode() if answer["ok"] else answer["error"])
print(oct(os.stat(os.environ["MICROAGENT_SECRETS_SOCK"]).st_mode & 0o777), os.path.exists("/run/secrets/T"))
`;

test("a secret on demand comes through the guest's socket, and only one that was declared", async () => {
  await writeFile(join(dir, "ask.py"), asking);
  await writeFile(
    join(dir, "microagent.yaml"),
    "files:\n  - {src: ./ask.py, dst: /app/ask.py}\nnetwork: {mode: isolated}\n",
  );
  const result = await run(
    {
      image,
      secretOnDemand: ["T=env:MICROAGENT_TEST_SECRET"],
      secretsAudit: true,
      exec: "python3 /app/ask.py 'GET T' 'GET HOME' 'PUT T' 'GET T'",
    },
    join(dir, "microagent.yaml"),
  );
  expect(result.stderr.text()).toBe("");
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  const said = result.stdout.text().trimEnd().split("\n");
  expect(said[0]).toBe("GET T ***");
  expect(said[1]).toBe('GET HOME Secret "HOME" was not declared on demand');
  expect(said[2]).toMatch(/^PUT T Want one line/);
  expect(said[4]).toBe("0o600 False");
  expect(resultJson(result).secrets).toEqual({
    materialized: [],
    on_demand: ["T"],
    accesses: { ok: 2, denied: 1, error: 0, limited: 0 },
  });
});

test("a body without a network takes its work from the host of the example", async () => {
  const host = await startHost("the quick brown fox", "so much work");
  try {
    const result = await run(
      { mediation: `7000=127.0.0.1:${host.port}` },
      join(example, "microagent.yaml"),
    );
    expect(result.stderr.text()).toBe("");
    expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
    expect(result.stdout.text()).toBe("req-001: completed\nreq-002: completed\n");
    expect(resultJson(result).mediationReady).toMatchObject({ ready: true });
    expect(await host.ended).toBe(0);
    const results = host
      .said()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
    expect(results).toMatchObject([
      { request_id: "req-001", status: "completed", content: { words: 4, longest: "quick" } },
      { request_id: "req-002", status: "completed", content: { words: 3, longest: "much" } },
    ]);
  } finally {
    host.child.kill("SIGKILL");
  }
});

test("without the host a required channel starts nothing", async () => {
  const port = await freePort();
  const result = await run(
    { mediation: `7000=127.0.0.1:${port}` },
    join(example, "microagent.yaml"),
  );
  expect(result.termination).toMatchObject({
    kind: "failed",
    error: { code: "mediation_unavailable" },
  });
  expect(result.startedAt).toBeNull();
  expect(resultJson(result).mediationReady).toMatchObject({ ready: false, error: "ECONNREFUSED" });
});

/** The example's program, made runnable for a Node that runs no TypeScript. */
async function startHost(...texts: string[]) {
  const build = await rolldown({
    input: join(example, "host.ts"),
    platform: "node",
    resolve: { alias: { "microagent-ci": join(root, "src", "index.ts") } },
  });
  await build.write({ dir: join(dir, "host"), format: "esm", entryFileNames: "host.mjs" });
  await build.close();
  const port = await freePort();
  const args = [join(dir, "host", "host.mjs"), String(port), ...texts];
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  const listening = new Promise<void>((resolve) => {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("listening")) resolve();
    });
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  await Promise.race([listening, ended]);
  return { child, port, ended, said: () => said };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
