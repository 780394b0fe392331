import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { realClock } from "../../../src/base/op.ts";
import { WorkspaceAuthority } from "../../../src/egress/tls/authority.ts";
import { stateLayout } from "../../../src/host/state-layout.ts";
import { type ActionBench, openActionBench } from "../../fixtures/actions/action-bench.ts";
import { startTokenService } from "../../fixtures/actions/token-service.ts";
import { checkoutExamples, type RanStep, runWorkflow } from "../../fixtures/actions/workflow.ts";
import { startProvider } from "../../fixtures/provider-stand-in.ts";
import { vitestHost } from "../../fixtures/vitest-host.ts";

const root = join(import.meta.dirname, "..", "..", "..");
let bench: ActionBench;
beforeAll(async () => {
  bench = await openActionBench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

/** Images and kernels of this host, which no job is to carry off: what is tested is the runner's side, not the network. */
const shared = { MICROAGENT_CACHE_DIR: stateLayout().root };
const uncached = { cache: "off" };

function passed(steps: readonly RanStep[]): void {
  for (const { failed, title, text } of steps) expect(failed, `${title}\n${text}`).toBe(false);
}

/** A stand-in for Anthropic's servers that takes this key, and the inputs that lead to it. */
async function standIn(secret: string) {
  const host = "api.anthropic.com";
  const authority = new WorkspaceAuthority([host], realClock);
  const provider = await startProvider("anthropic", secret, {
    SNICallback: (name, done) => done(null, authority.contextFor(name)),
  });
  const certificate = join(bench.dir, `root-${provider.port}.pem`);
  await writeFile(certificate, authority.certificatePem);
  const inputs = {
    "egress-host": `${host}=127.0.0.1:${provider.port}`,
    "egress-ca": certificate,
  };
  return {
    provider,
    inputs,
    [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose](),
  };
}

test("the agent example runs as printed: its key is used, and shown nowhere", async () => {
  await using job = await bench.openJob();
  const secret = "sk-CANARY-0123456789";
  await using server = await standIn(secret);
  const expression = ["$", "{{ secrets.X }}"].join("");
  const task = `print squares"; touch owned; $(touch owned) '\n::set-output name=a::b\u00e9 ${expression}`;
  const steps = await runWorkflow(job, {
    file: "examples/workflows/agent.yml",
    job: "work",
    action: bench.action,
    checkout: checkoutExamples,
    contexts: {
      inputs: { task },
      github: { run_id: "42" },
      secrets: { ANTHROPIC_API_KEY: secret },
    },
    inputs: { ...uncached, ...server.inputs, "structured-output": "/workspace/result.json" },
    env: shared,
  });
  passed(steps);
  const agent = steps.find(({ title }) => title === "Let the agent work");
  expect(agent?.outputs).toMatchObject({ conclusion: "success", "egress-denied": "0" });
  expect(JSON.parse(agent?.outputs["structured-output"] ?? "")).toMatchObject({
    request_id: "42",
    status: "completed",
    turns: 2,
  });
  expect(JSON.parse(agent?.outputs.usage ?? "")).toEqual([
    { model: "anthropic-stand-in", answers: 2, input_tokens: 22, output_tokens: 14 },
  ]);
  expect(agent?.summary).toContain("anthropic-stand-in");
  const written = join(job.dirs.workspace, "examples/agents/body/input.json");
  expect(JSON.parse(await readFile(written, "utf8"))).toEqual({ request_id: "42", content: task });
  expect(server.provider.requests[0]?.body).toContain("print squares");
  expect(server.provider.requests).toHaveLength(2);

  expect(await job.holding(secret)).toEqual([]);
  // The one place is the command that has it masked.
  const shown = steps.map(({ text, outputs, summary }) => text + JSON.stringify(outputs) + summary);
  expect(shown.join("\n").replaceAll(/^::add-mask::.*$/gm, "")).not.toContain("CANARY");
  expect(await readFile(join(job.dirs.workspace, "owned")).catch(() => null)).toBe(null);
});

test("an ID token is exchanged for a key on the host: neither comes into the guest", async () => {
  await using job = await bench.openJob();
  const key = "sk-exchanged-CANARY-0123456789";
  await using server = await standIn(key);
  await using tokens = await startTokenService(key);
  const helper = join(job.dirs.temp, "exchange");
  await writeFile(
    helper,
    `#!/bin/sh\nexec curl -sf -H "Authorization: Bearer $MICROAGENT_ID_TOKEN" ${tokens.origin}/exchange\n`,
    { mode: 0o755 },
  );
  await checkoutExamples(job.dirs.workspace);
  const inputs = {
    file: "examples/agents/anthropic/microagent.yaml",
    "oidc-audience": "https://broker.example",
    ...server.inputs,
  };
  const agentfile = join(job.dirs.workspace, inputs.file);
  const text = await readFile(agentfile, "utf8");
  await writeFile(agentfile, text.replace("[anthropic]", '["anthropic=helper:federation"]'));
  const env = { ...shared, ...tokens.env, MICROAGENT_SECRET_HELPER: helper };
  const run = await job.step(inputs, { env });
  expect(run.exitCode, run.raw).toBe(0);
  expect(tokens.audiences).toEqual(["https://broker.example"]);
  expect(server.provider.requests).toHaveLength(2);
  const unmasked = run.raw.replaceAll(/^::add-mask::.*$/gm, "");
  for (const value of [key, tokens.token()]) {
    expect(unmasked).not.toContain(value);
    expect(await job.holding(value)).toEqual([]);
  }
  const inGuest = await job.step(
    { image: bench.image, run: "true", secrets: "T=env:MICROAGENT_ID_TOKEN" },
    { env: tokens.env },
  );
  expect(inGuest.raw).toContain("never enters a guest");
  const without = await job.step({ image: bench.image, run: "true", "oidc-audience": "x" });
  expect(without.exitCode).toBe(1);
  expect(without.raw).toContain("id-token: write");
});

test("the untrusted example runs as printed: the change is tested, without a way out", async () => {
  await using job = await bench.openJob();
  const head = { repo: { full_name: "stranger/project" } };
  const base = { sha: "1".repeat(40), repo: { full_name: "example/project" } };
  const pull_request = { head, base };
  const steps = await runWorkflow(job, {
    file: "examples/workflows/untrusted-pull-request.yml",
    job: "test",
    action: bench.action,
    contexts: { github: { event: { pull_request } } },
    event: { name: "pull_request", payload: { pull_request } },
    async checkout(dir, { ref }) {
      if (ref === base.sha) return await checkoutExamples(dir);
      await mkdir(dir, { recursive: true });
      await writeFile(join(dir, "test_it.py"), unittests);
    },
    env: shared,
  });
  passed(steps);
  const tested = steps.find(({ title }) => title === "Test it");
  expect(tested?.text).toContain("test_no_way_out");
  expect(tested?.outputs).toMatchObject({ conclusion: "success", workspace: "untrusted-tests" });
  expect(job.service.caches).toEqual([]);
});

/** What a stranger could write: it looks around. */
const unittests = `
import os, socket, unittest

class It(unittest.TestCase):
    def test_no_way_out(self):
        for place in [("192.0.2.1", 80), ("169.254.169.254", 80), ("10.0.2.2", 22)]:
            with self.assertRaises(OSError):
                socket.create_connection(place, 2)

    def test_no_git_and_no_keys(self):
        self.assertFalse(os.path.exists("/workspace/.git"))
        self.assertFalse(any("TOKEN" in name for name in os.environ))
`;

test("the nightly example runs as printed: a job for each Agentfile, then one report of all", async () => {
  await using job = await bench.openJob();
  const one = (name: string, agentfile = "", inputs: Record<string, string> = {}) =>
    runWorkflow(job, {
      file: "examples/workflows/nightly.yml",
      job: name,
      action: bench.action,
      checkout: checkoutExamples,
      contexts: { matrix: { agentfile } },
      inputs: { ...uncached, ...inputs },
      env: shared,
    });
  passed(await one("run", "quickstart"));
  // The other one takes minutes as it is: its machine, and a command that fails.
  const second = await one("run", "cpython-tests", { run: "exit 3", image: bench.image });
  expect(second.some(({ failed }) => failed)).toBe(true);
  const report = await one("report");
  passed(report);
  const shown = report.find(({ title }) => title === "Show it")?.summary ?? "";
  expect(shown).toContain("**2 runs: 1 passed, 1 failed, 0 broken**");
  const junit = await readFile(join(job.dirs.workspace, "merged.xml"), "utf8");
  expect(junit).toContain('tests="2"');
});

test("the Vitest example runs as printed, and the next job starts from what it cached", async () => {
  await using job = await bench.openJob();
  // Where modules of the copy of this package that the bootstrap makes are found.
  const host = vitestHost(4);
  await mkdir(join(host, "runs"), { recursive: true });
  await mkdir(join(host, "node_modules", ".bin"), { recursive: true });
  const vitest = join(host, "node_modules", ".bin", "vitest");
  await symlink("../vitest/vitest.mjs", vitest).catch(() => {});
  const workspace = await mkdtemp(join(host, "runs", "workflow-"));
  const inside = { ...job, dirs: { ...job.dirs, workspace } };
  try {
    const run = () =>
      runWorkflow(inside, {
        file: "examples/workflows/vitest.yml",
        job: "test",
        action: bench.action,
        checkout: vitestProject,
        env: { PLUGIN_TEST_IMAGE: bench.image, NO_COLOR: "1" },
      });
    const first = await run();
    passed(first);
    const cache = (steps: readonly RanStep[]) =>
      steps.find(({ title }) => title.startsWith("actions/cache"))?.outputs["cache-hit"];
    expect(cache(first)).toBe("false");
    const text = (steps: readonly RanStep[]) =>
      steps.find(({ title }) => title === "npx vitest run")?.text ?? "";
    expect(text(first)).toMatch(/Tests +3 passed/);
    expect(text(first)).toContain('template "box" is built');
    expect(job.service.caches).toHaveLength(1);

    await job.renew();
    const second = await run();
    passed(second);
    expect(cache(second)).toBe("true");
    expect(text(second)).toMatch(/Tests +3 passed/);
    expect(text(second)).not.toContain("is built");
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
});

/** A project with one test in a machine; its lock file names nothing to fetch. */
async function vitestProject(dir: string): Promise<void> {
  const project = join(root, "test/real/vitest/projects/one-machine");
  await cp(project, dir, { recursive: true });
  const own = { name: "project", version: "1.0.0" };
  const lock = { ...own, lockfileVersion: 3, requires: true, packages: { "": own } };
  await writeFile(join(dir, "package.json"), JSON.stringify({ ...own, type: "module" }));
  await writeFile(join(dir, "package-lock.json"), JSON.stringify(lock));
}
