import { execFile } from "node:child_process";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
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
