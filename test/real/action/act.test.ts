import { execFile } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { stateLayout } from "../../../src/host/state-layout.ts";
import { actProgram } from "../../fixtures/actions/act.ts";
import { type ActionBench, openActionBench } from "../../fixtures/actions/action-bench.ts";

const call = promisify(execFile);
const root = join(import.meta.dirname, "..", "..", "..");

let bench: ActionBench;
let act: string;
beforeAll(async () => {
  act = await actProgram();
  bench = await openActionBench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

/** A repository with the built action and the examples, as a release has them. */
async function repository(): Promise<string> {
  const dir = join(bench.dir, "repository");
  await cp(bench.action, dir, { recursive: true });
  await cp(join(root, "examples"), join(dir, "examples"), { recursive: true });
  const identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
  for (const words of [
    ["init", "-q", "-b", "main"],
    ["add", "-A"],
    ["commit", "-qm", "x"],
  ]) {
    await call("git", [...identity, ...words], { cwd: dir });
  }
  await call("git", ["remote", "add", "origin", "https://github.com/example/project"], {
    cwd: dir,
  });
  return dir;
}

/** Runs one job of a workflow on this very host. */
async function runJob(cwd: string, words: readonly string[]) {
  const home = join(bench.dir, "act-home");
  await mkdir(home, { recursive: true });
  const env = { PATH: process.env.PATH ?? "", HOME: home, XDG_CACHE_HOME: join(home, "cache") };
  // Images and kernels of this host: what is tested is the runner's side, not the network.
  const shared = ["--env", `MICROAGENT_CACHE_DIR=${stateLayout().root}`];
  const here = ["-P", "ubuntu-24.04=-self-hosted", "--no-cache-server", "--env", "LANG=C"];
  const all = [...words, ...here, ...shared];
  const options = { cwd, env, maxBuffer: 64 * 1024 * 1024 };
  return await call(act, all, options).then(
    ({ stdout, stderr }) => ({ code: 0, log: `${stdout}\n${stderr}` }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      log: `${error.stdout}\n${error.stderr}`,
    }),
  );
}

test("the nightly example runs as printed under a runner that is not ours", async () => {
  const dir = await repository();
  const words = ["workflow_dispatch", "-W", "examples/workflows/nightly.yml", "-j", "run"];
  const run = await runJob(dir, [...words, "--matrix", "agentfile:quickstart"]);
  expect(run.code, run.log).toBe(0);
  expect(run.log).toContain("Python 3.11");
  expect(run.log).toMatch(/Success - Main .*\.\//);
  expect(run.log).toContain("::set-output:: exit-code=0");
});

test("under it too, what a guest prints is no command, and its exit code ends the job", async () => {
  const dir = join(bench.dir, "repository");
  const workflow = {
    on: "push",
    jobs: {
      job: {
        "runs-on": "ubuntu-24.04",
        steps: [
          { uses: `actions/checkout@${"0".repeat(40)}` },
          {
            id: "vm",
            uses: "./",
            "continue-on-error": true,
            with: {
              image: bench.image,
              workspace: "none",
              run: "echo '::set-output name=conclusion::forged'\necho '##[set-env name=A]forged'\nexit 3\n",
            },
          },
          {
            env: {
              SAID: [
                "$",
                "{{ steps.vm.outputs.exit-code }} $",
                "{{ steps.vm.outputs.conclusion }}",
              ].join(""),
            },
            run: 'test "$SAID" = "3 failure" && test -z "$A" && exit 5',
          },
        ],
      },
    },
  };
  await writeFile(join(dir, "attack.yml"), JSON.stringify(workflow));
  const run = await runJob(dir, ["push", "-W", "attack.yml"]);
  expect(run.code, run.log).toBe(1);
  expect(run.log).toContain("exit status 5");
});

test("a task of any words reaches the agent example as data", async () => {
  const text = await readFile(join(root, "examples/workflows/agent.yml"), "utf8");
  const steps: readonly { readonly run?: string }[] = parse(text).jobs.work.steps;
  const script = steps.find(({ run }) => run?.includes("input.json"))?.run ?? "";
  const cwd = join(bench.dir, "agent");
  await mkdir(join(cwd, "examples/agents/body"), { recursive: true });
  const expression = ["$", "{{ secrets.X }}"].join("");
  const task = `"; touch owned; $(touch owned) \`touch owned\` '\n::set-output name=a::b\u00e9 ${expression}`;
  const env = { PATH: process.env.PATH ?? "", TASK: task, REQUEST: "42" };
  await call("bash", ["-e", "-c", script], { cwd, env });
  const written = await readFile(join(cwd, "examples/agents/body/input.json"), "utf8");
  expect(JSON.parse(written)).toEqual({ request_id: "42", content: task });
  await expect(readFile(join(cwd, "owned"))).rejects.toThrow("ENOENT");
});

test("the untrusted example runs as printed: the change is tested, without a way out", async () => {
  await using job = await bench.openJob();
  const text = await readFile(join(root, "examples/workflows/untrusted-pull-request.yml"), "utf8");
  const steps: readonly { readonly uses?: string; readonly with?: Record<string, string> }[] =
    parse(text).jobs.test.steps;
  const inputs = steps.find(({ uses }) => uses === "./")?.with ?? {};
  const { workspace } = job.dirs;
  await cp(join(root, "examples"), join(workspace, "examples"), { recursive: true });
  await mkdir(join(workspace, "change"));
  await writeFile(join(workspace, "change", "test_it.py"), unittests);
  for (const cwd of [workspace, join(workspace, "change")])
    await call("git", ["init", "-q"], { cwd });
  const env = { MICROAGENT_CACHE_DIR: stateLayout().root };
  const run = await job.step({ ...inputs, workspace: "copy" }, { env });
  expect(run.exitCode, run.raw).toBe(0);
  expect(run.lines.join("\n")).toContain("test_no_way_out");
  expect(run.outputs).toMatchObject({ conclusion: "success", workspace: "untrusted-tests" });
});

/** What a stranger could write: it looks around. */
const unittests = `
import os, socket, unittest

class It(unittest.TestCase):
    def test_no_way_out(self):
        with self.assertRaises(OSError):
            socket.create_connection(("192.0.2.1", 80), 2)

    def test_no_git_and_no_keys(self):
        self.assertFalse(os.path.exists("/workspace/.git"))
        self.assertFalse(any("TOKEN" in name for name in os.environ))
`;

test("the script that merges the nightly example's reports works on what its jobs leave", async () => {
  const text = await readFile(join(root, "examples/workflows/nightly.yml"), "utf8");
  const steps: readonly { readonly name?: string; readonly run?: string }[] =
    parse(text).jobs.report.steps;
  const scripts = steps.flatMap(({ run }) => run ?? []);
  await using job = await bench.openJob();
  for (const [name, code] of [
    ["good", 0],
    ["bad", 4],
  ] as const) {
    const run = await job.step({ image: bench.image, name: `run-${name}`, run: `exit ${code}` });
    const from = join(run.outputs["result-file"] ?? "", "..");
    await cp(from, join(job.dirs.workspace, "runs", `run-${name}`), { recursive: true });
  }
  const { runAction } = await import("../../fixtures/actions/runner.ts");
  const action = join(bench.action, "action", "setup");
  const setup = await runAction({ action, job: job.dirs, inputs: { host: "false" } });
  expect(setup.exitCode, setup.raw).toBe(0);
  const summary = join(job.dirs.temp, "summary.md");
  const env = { PATH: `${setup.paths[0]}:/usr/bin:/bin`, GITHUB_STEP_SUMMARY: summary };
  for (const script of scripts) {
    await call("bash", ["-e", "-c", script], { cwd: job.dirs.workspace, env });
  }
  expect(await readFile(summary, "utf8")).toContain("run&#45;bad");
  const junit = await readFile(join(job.dirs.workspace, "merged.xml"), "utf8");
  expect(junit).toContain('tests="2"');
  expect(junit).toContain('failures="1"');
});
