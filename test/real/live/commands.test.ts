import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listWorkspaces } from "../../../src/workspace/listing.ts";
import { runCli, startCli } from "../../fixtures/cli.ts";
import { machinesOf, openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
let dir: string;

beforeAll(async () => {
  bench = await openWorkbench();
  dir = await mkdtemp(join(tmpdir(), "microagent-live-"));
});
afterAll(async () => {
  for (const { name } of await listWorkspaces(bench.layout)) await cli("rm", name, "--force");
  await rm(dir, { recursive: true, force: true });
  await bench[Symbol.asyncDispose]();
});

function cli(...words: string[]) {
  return runCli(words, { env: { MICROAGENT_STATE_DIR: bench.stateDir }, cwd: dir });
}

async function json(...words: string[]): Promise<Record<string, unknown>> {
  const { stdout, stderr, code } = await cli("--json", ...words);
  if (stdout === "") throw new Error(`${words.join(" ")}: code ${code}, ${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

function create(name: string, ...more: string[]) {
  const machine = ["--image", bench.image, "--memory", "128", "--size-mib", "64"];
  return cli("create", name, ...machine, "--network", "isolated", ...more);
}

describe("the life of a workspace, as commands", () => {
  test("from create to delete", async () => {
    const made = await create("dev", "--setup", "echo ready > /ready", "-e", "WHO=world");
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining("dev: prepared") });
    expect((await create("dev")).stderr).toContain('"dev" is in use');
    expect(await cli("exec", "dev", "--", "true")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is prepared, so it cannot be reached\nhint: .*start dev/),
    });
    expect((await cli("start", "dev")).code).toBe(0);
    expect((await cli("start", "dev")).stderr).toContain("is running, so it cannot be started");
    expect(await json("ps")).toMatchObject({ workspaces: [{ name: "dev", state: "running" }] });
    expect(await json("status", "dev")).toMatchObject({
      ok: true,
      state: "running",
      readiness: { execReady: { ready: true } },
    });
    expect(await json("stats", "dev")).toMatchObject({
      workspace: "dev",
      cpuPercent: expect.any(Number),
      memoryBytes: expect.any(Number),
    });
    expect(await json("connect", "dev", "--send", "tty && exit 6")).toMatchObject({
      exit_code: 6,
      output: expect.stringContaining("/dev/pts/"),
    });
    const exec = await cli(
      "exec",
      "dev",
      "-e",
      "A=b",
      "--",
      "sh",
      "-c",
      "echo $WHO $A; echo e >&2; exit 7",
    );
    expect(exec).toEqual({ code: 7, stdout: "world b\n", stderr: "e\n" });
    expect(await json("exec", "dev", "--", "cat", "/ready")).toMatchObject({
      protocol_version: "exec.v1",
      status: "exited",
      exit_code: 0,
      stdout: Buffer.from("ready\n").toString("base64"),
    });
    expect((await cli("exec", "dev", "--", "/none")).code).toBe(127);
    expect((await cli("exec", "dev", "--", "/ready")).code).toBe(126);
    expect((await cli("exec", "dev", "--timeout", "500ms", "--", "sleep", "60")).code).toBe(124);
    expect((await cli("exec", "dev", "--", "sh", "-c", "kill -9 $$")).code).toBe(137);

    await writeFile(join(dir, "in.txt"), "from here");
    expect((await cli("cp", "in.txt", "dev:/work/out.txt")).code).toBe(0);
    expect((await cli("cp", "dev:/work/out.txt", "back.txt")).code).toBe(0);
    expect(await readFile(join(dir, "back.txt"), "utf8")).toBe("from here");
    const tree = "mkdir /tree; echo x > /tree/file; ln -s file /tree/link; mkfifo /tree/pipe";
    expect((await cli("exec", "dev", "--", "sh", "-c", tree)).code).toBe(0);
    const out = await cli("cp", "dev:/tree", "tree");
    expect(out).toMatchObject({ code: 1, stderr: expect.stringContaining("left out 2 entries") });
    expect(await readFile(join(dir, "tree", "file"), "utf8")).toBe("x\n");
    execFileSync("mkfifo", [join(dir, "tree", "pipe")]);
    const into = await cli("--json", "cp", "tree", "dev:/back");
    expect(into).toMatchObject({ code: 1, stderr: expect.stringContaining("copy_incomplete") });
    expect(JSON.parse(into.stdout)).toMatchObject({
      ok: false,
      skipped: [{ path: "pipe" }],
      skipped_count: 1,
    });
    expect((await cli("exec", "dev", "--", "cat", "/back/file")).stdout).toBe("x\n");
    expect((await cli("exec", "dev", "--stdin", "in.txt", "--", "wc", "-c")).stdout.trim()).toBe(
      "9",
    );

    expect((await cli("pause", "dev")).stdout).toBe("dev: paused\n");
    expect((await cli("exec", "dev", "--", "true")).stderr).toContain("microagent resume dev");
    expect((await cli("resume", "dev")).stdout).toBe("dev: running\n");
    expect((await cli("snapshot", "create", "dev", "--tag", "t1")).stdout).toBe("dev:t1\n");
    expect(await json("create", "twin", "--from-snapshot", "dev:t1")).toMatchObject({
      workspace: "twin",
      state: "running",
    });
    expect((await cli("exec", "twin", "--", "hostname")).stdout).toBe("twin\n");
    expect(await json("snapshot", "list", "dev")).toMatchObject({ snapshots: [{ tag: "t1" }] });
    expect((await cli("snapshot", "delete", "dev", "--tag", "t1")).code).toBe(0);

    expect((await cli("kill", "twin")).code).toBe(2);
    expect((await cli("kill", "twin", "--reason", "enough")).stdout).toBe("twin: stopped\n");
    expect((await cli("delete", "dev")).code).toBe(1);
    expect((await cli("halt", "dev")).stdout).toBe("dev: halted\n");
    expect((await cli("clone", "dev", "copy")).code).toBe(0);
    expect((await cli("start", "copy", "--profile", "huge")).stderr).toContain('wanted "tiny" or');
    expect((await cli("start", "copy", "--profile", "large", "--memory", "300")).code).toBe(0);
    const seen = await cli("exec", "copy", "--", "sh", "-c", "nproc; grep MemTotal /proc/meminfo");
    // Of 300 MiB the kernel keeps some for itself.
    expect(seen.stdout).toMatch(/^4\nMemTotal: +2[0-9]{5} kB\n$/);
    expect((await cli("kill", "copy", "--reason", "seen")).code).toBe(0);
    expect((await cli("wait", "dev")).stdout).toContain("dev: halted");
    expect((await cli("logs", "dev")).code).toBe(0);
    expect((await cli("result", "dev")).stderr).toContain("has no result");
    expect(await cli("rm", "dev", "twin", "copy", "never")).toMatchObject({
      code: 0,
      stdout: "dev: deleted\ntwin: deleted\ncopy: deleted\nnever: not there\n",
    });
    expect(await machinesOf(bench.stateDir)).toEqual([]);
  });

  test("that is stopped gives and takes files all the same, and tells its history", async () => {
    expect((await create("rest", "--output", "report=/work/report", "--exec", "exit 3")).code).toBe(
      0,
    );
    await writeFile(join(dir, "report"), "from here");
    // Before it ever ran, and after it failed.
    expect((await cli("cp", "report", "rest:/work/report")).code).toBe(0);
    expect((await json("status", "rest")).state).toBe("prepared");
    expect((await cli("start", "rest", "--wait", "--wait-timeout", "60s")).code).toBe(1);
    expect(await json("artifact", "rest")).toMatchObject({
      artifacts: { ingress: [], egress: [{ name: "report", path: "/work/report" }] },
    });
    const got = await cli("artifact", "get", "rest", "report", "got");
    expect(got).toMatchObject({ code: 0, stdout: "" });
    expect(await readFile(join(dir, "got"), "utf8")).toBe("from here");
    expect((await cli("artifact", "get", "rest", "other", "got")).stderr).toContain(
      'declares no output "other", wanted one of "report"',
    );
    expect((await cli("cp", "rest:/nowhere", "got")).code).toBe(1);
    const told = await json("events", "rest");
    expect(told.events).toMatchObject([
      { state: "prepared" },
      { state: "starting" },
      { state: "running" },
      { state: "failed", detail: "Its command ended with exit code 3" },
    ]);
    const followed = await cli("--json", "events", "rest", "--follow");
    expect(followed.stdout.trim().split("\n")).toHaveLength(4);
    expect((await cli("delete", "rest")).code).toBe(0);
    expect(await machinesOf(bench.stateDir)).toEqual([]);
  });

  test("that nobody uses is powered off when its time is over, and not while somebody does", async () => {
    expect((await create("idle", "--ttl", "3s", "--start")).code).toBe(0);
    expect((await cli("exec", "idle", "--", "sleep", "5")).code).toBe(0);
    expect((await cli("wait", "idle", "--timeout", "60s")).stdout).toContain("idle: halted");
    expect((await json("status", "idle")).event).toMatchObject({
      detail: "Nobody used it for 3 s",
    });
    expect((await cli("start", "idle", "--ttl", "0")).code).toBe(0);
    expect((await cli("delete", "idle", "--force")).code).toBe(0);
    expect((await cli("run", "--ttl", "5", bench.image, "true")).code).toBe(2);
  });

  test("as the shell of a CI step", async () => {
    expect((await create("ci", "--start")).code).toBe(0);
    const script = join(dir, "step.sh");
    await writeFile(
      script,
      "cd /\nread nothing || true\necho in $(hostname)\nfalse\necho not reached\n",
    );
    await chmod(script, 0o600);
    const env = { MICROAGENT_STATE_DIR: bench.stateDir };
    const named = await runCli(["exec", script], { env: { ...env, MICROAGENT_WORKSPACE: "ci" } });
    expect(named).toEqual({ code: 1, stdout: "in ci\n", stderr: "" });
    expect(await cli("exec", "ci", "--script", script, "--", "sh")).toMatchObject({
      code: 0,
      stdout: "in ci\nnot reached\n",
    });
    expect((await cli("exec", "ci", "--stdin", script, "--", "sh", "-e")).code).toBe(1);
    expect((await cli("exec", "ci", "--", "ls", "/tmp")).stdout).toBe("");
    expect((await cli("exec", script)).stderr).toContain("MICROAGENT_WORKSPACE");

    // A client that is killed takes its command along, and nothing else.
    const hanging = startCli(["exec", "ci", "--", "sh", "-c", "echo up; sleep 1000"], { env });
    await hanging.printed(/^up$/m);
    hanging.child.kill("SIGKILL");
    await hanging.code;
    await expect.poll(async () => (await cli("exec", "ci", "--", "pidof", "sleep")).code).toBe(1);
    // The first interruption is the command's.
    const trapped = startCli(
      [
        "exec",
        "ci",
        "--",
        "sh",
        "-c",
        "trap 'echo bye; exit 9' INT; echo up; while :; do sleep 1; done",
      ],
      { env },
    );
    await trapped.printed(/^up$/m);
    trapped.child.kill("SIGINT");
    expect([await trapped.code, trapped.stdout()]).toEqual([9, "up\nbye\n"]);
    expect((await cli("delete", "ci", "--yes")).code).toBe(0);
  });

  test("with a command of its own, waited for", async () => {
    expect((await create("job", "--exec", "echo done; exit 4")).code).toBe(0);
    const started = await cli("start", "job", "--wait", "--wait-timeout", "60s");
    expect([started.code, started.stdout]).toEqual([1, expect.stringContaining("job: failed")]);
    expect(await json("result", "job")).toMatchObject({ exitCode: 4, stdout: "done\n" });
    expect((await cli("delete", "job")).code).toBe(0);
  });

  test("left behind by a run, for the steps that follow it", async () => {
    const machine = ["--image", bench.image, "--memory", "128", "--network", "isolated"];
    const exec = ["--exec", "echo out; echo made > /made; echo result > /result; exit 3"];
    const run = await cli(
      ...["dispatch", "--name", "steps", "--keep-running", ...machine, ...exec],
      ...["--output", "result=/result", "--output-dir", "out"],
    );
    expect([run.code, run.stdout]).toEqual([3, "out\n"]);
    expect(await readFile(join(dir, "out", "result", "result"), "utf8")).toBe("result\n");
    const record = JSON.parse(await readFile(join(dir, "out", "result.json"), "utf8"));
    expect(record).toMatchObject({ workspace: "steps", exit_code: 3, final_state: "stopped" });
    expect((await cli("exec", "steps", "--", "cat", "/made")).stdout).toBe("made\n");
    expect(
      (await cli("dispatch", "--name", "steps", "--keep-running", ...machine, ...exec)).stderr,
    ).toContain('"steps" is in use');
    expect((await cli("stop", "steps")).stdout).toBe("steps: halted\n");
    expect((await cli("start", "steps")).code).toBe(0);
    expect((await cli("exec", "steps", "--", "cat", "/made")).stdout).toBe("made\n");
    expect((await cli("delete", "steps", "--force")).code).toBe(0);

    // One that is interrupted brings its outputs out and leaves nothing.
    const slow = ["--exec", "echo half > /result; echo up; sleep 1000"];
    const hanging = startCli(
      ["dispatch", "--name", "slow", "--keep-running", ...machine, ...slow].concat(
        ...["--output", "result=/result", "--output-dir", "slow-out"],
      ),
      { env: { MICROAGENT_STATE_DIR: bench.stateDir }, cwd: dir },
    );
    await hanging.printed(/^up$/m);
    hanging.child.kill("SIGTERM");
    expect(await hanging.code).toBe(143);
    expect(await readFile(join(dir, "slow-out", "result", "result"), "utf8")).toBe("half\n");
    expect(await json("ps")).toEqual({ workspaces: [] });
    expect(await machinesOf(bench.stateDir)).toEqual([]);
  });

  test("secrets reach the guest, and nothing of them the disk", async () => {
    const canary = "canary-7d1f1f0c9d";
    await create("quiet", "--secret", "TOKEN=env:THE_TOKEN");
    const env = { MICROAGENT_STATE_DIR: bench.stateDir, THE_TOKEN: canary };
    const started = await runCli(["start", "quiet"], { env });
    expect(started.code).toBe(0);
    expect(await cli("exec", "quiet", "--", "cat", "/run/secrets/TOKEN")).toEqual({
      code: 0,
      stdout: canary,
      stderr: "",
    });
    const saved = await json("snapshot", "create", "quiet", "--tag", "s");
    expect(saved).toMatchObject({ secretsPurged: true });
    expect((await cli("exec", "quiet", "--", "cat", "/run/secrets/TOKEN")).stdout).toBe(canary);
    const { owner_pid: pid } = await json("status", "quiet");
    const places = ["environ", "cmdline"].map((name) => readFile(`/proc/${pid}/${name}`, "latin1"));
    expect((await Promise.all(places)).join("")).not.toContain(canary);
    // What a program did with a secret may still be in the memory that was saved: docs/workspaces.md says so.
    const { execFile } = await import("node:child_process");
    const found = await new Promise<string>((resolve) => {
      execFile(
        "grep",
        ["-rlaF", "--exclude-dir=snapshots", canary, bench.stateDir],
        (_error, stdout) => resolve(stdout),
      );
    });
    expect(found).toBe("");
    expect((await cli("delete", "quiet", "--force")).code).toBe(0);
  });
});
