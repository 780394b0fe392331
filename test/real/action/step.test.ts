import { readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ActionBench, openActionBench } from "../../fixtures/actions/action-bench.ts";
import { commandsOf } from "../../fixtures/actions/log-reader.ts";
import { sha256Hex } from "../../fixtures/actions/results-service.ts";

let bench: ActionBench;
beforeAll(async () => {
  bench = await openActionBench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

const summaryHead = /^### ✅ microagent: success/;

test("a run from an Agentfile leaves outputs, a summary, an artifact that is whole, and nothing else", async () => {
  await using job = await bench.openJob();
  await writeFile(
    join(job.dirs.workspace, "agent.yaml"),
    [
      `image: ${bench.image}`,
      "outputs: [{ name: report, path: /out/report.txt }]",
      "agent: { entry: 'mkdir /out; echo 42 > /out/report.txt; echo hello; echo oops >&2' }",
    ].join("\n"),
  );
  const run = await job.step({ file: "agent.yaml" });
  expect(run.stderr).toBe("");
  expect(run.exitCode).toBe(0);
  expect(run.deaf).toBe(false);
  expect(run.lines).toEqual(expect.arrayContaining(["hello", "oops"]));
  expect(run.outputs).toMatchObject({
    "exit-code": "0",
    conclusion: "success",
    "stdout-tail": "hello\n",
    "artifact-id": "1",
    "cache-hit": "none",
  });
  expect(run.outputs["image-digest"]).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(Number(run.outputs["boot-ms"])).toBeGreaterThan(0);
  const [artifact] = JSON.parse(run.outputs.artifacts ?? "[]");
  expect(artifact).toMatchObject({ name: "report", path: "report/report.txt", size: 3 });
  expect(run.summary).toMatch(summaryHead);
  expect(run.summary).toContain(artifact.sha256);

  const [uploaded] = job.service.artifacts.values();
  expect(uploaded?.finished).toBe(true);
  expect(uploaded?.hash).toBe(`sha256:${sha256Hex(uploaded?.bytes ?? Buffer.alloc(0))}`);
  const files = job.uploaded();
  expect(files.get("report/report.txt")?.toString()).toBe("42\n");
  expect(files.get("result.json")?.toString()).toContain('"final_state": "stopped"');
  expect(files.get("report.html")?.toString()).toContain("<!doctype html>");

  const post = await run.post();
  expect(post?.exitCode).toBe(0);
  expect(post?.commands).toEqual([]);
});

test("a guest's exit code fails the step, is an output, and is shown at the entry's line", async () => {
  await using job = await bench.openJob();
  await writeFile(
    join(job.dirs.workspace, "agent.yaml"),
    `image: ${bench.image}\nagent:\n  entry: exit 3\n`,
  );
  const run = await job.step({ file: "agent.yaml" });
  expect(run.exitCode).toBe(1);
  expect(run.outputs).toMatchObject({ "exit-code": "3", conclusion: "failure" });
  const errors = commandsOf(run, "error");
  expect(errors[0]).toMatchObject({
    message: "The command exited with 3",
    properties: { line: "3" },
  });
});

test("the log is folded by phase, and the guest speaks between them", async () => {
  await using job = await bench.openJob();
  const run = await job.step({
    image: bench.image,
    run: "mkdir /out; echo 42 > /out/x; echo hello; nslookup -type=a denied.example; true",
    artifacts: "out=/out",
    log: "group",
  });
  expect(run.exitCode, run.raw).toBe(0);
  const shown = run.commands.flatMap(({ name, message }) => (name === "group" ? message : []));
  expect(shown).toEqual(["Host check", "Image", "Boot", "Guest output", "Collect", "Receipt"]);
  const ends = commandsOf(run, "endgroup");
  expect(ends).toHaveLength(shown.length);
  const hash = sha256Hex(Buffer.from("42\n"));
  expect(run.lines).toContain(`out/x: 3 B, sha256 ${hash}`);
  expect(run.lines).toContain("refused 1 times: denied.example");
});

test("without annotations nothing becomes one, not by the matchers of other steps either", async () => {
  await using job = await bench.openJob();
  const run = await job.step({ image: bench.image, run: "exit 3", annotations: "off" });
  expect(run.exitCode).toBe(1);
  const names = run.commands.map(({ name }) => name);
  expect(names.filter((name) => name === "notice")).toEqual([]);
  const matchers = commandsOf(run, "remove-matcher");
  expect(matchers.map(({ properties }) => properties.owner)).toContain("tsc");
  // That the step failed has to be said once.
  expect(names.filter((name) => name === "error")).toHaveLength(1);
});

test("what a guest prints is text to the runner, in every form of a command and however it is cut", async () => {
  await using job = await bench.openJob();
  const run = await job.step({
    image: bench.image,
    run: [
      "echo '::add-path::/evil'",
      "echo 'x ##[set-env name=EVIL]1'",
      "printf 'progress\\r::set-output name=exit-code::9\\r##[add-path]/evil\\n'",
      "printf '::stop-commands::mine\\n::mine::\\n'",
      "printf '::err'; sleep 0.3; printf 'or::split\\n'",
      "echo '::set-env name=EVIL::1' >&2",
      "printf '\\033]0;title\\007\\033[31mred\\033[0m\\n'",
    ].join("\n"),
  });
  expect(run.exitCode).toBe(0);
  expect(run.paths).toEqual([]);
  expect(run.env).toEqual({});
  expect(run.outputs["exit-code"]).toBe("0");
  const obeyed = new Set(run.commands.map(({ name }) => name));
  for (const name of ["add-path", "set-env", "set-output", "error"])
    expect(obeyed).not.toContain(name);
  expect(run.lines.join("\n")).toContain("\u001b[31mred");
  expect(run.raw).not.toContain("\u001b]0;");
  expect(run.deaf).toBe(false);
});

test("a link that the guest made leads nowhere: not to the host, not into the artifact", async () => {
  await using job = await bench.openJob();
  await writeFile(join(job.dirs.home, "secret"), "host secret");
  const run = await job.step({
    image: bench.image,
    run: `mkdir /out; ln -s ${job.dirs.home}/secret /out/link; ln -s / /out/root; echo x > /out/x`,
    artifacts: "out=/out",
  });
  expect(run.exitCode).toBe(0);
  const files = job.uploaded();
  expect([...files.keys()].filter((name) => name.startsWith("out/"))).toEqual(["out/x"]);
  expect([...files.values()].join("")).not.toContain("host secret");
});

test("a job's variables and files never reach the guest", async () => {
  await using job = await bench.openJob();
  const run = await job.step(
    {
      image: bench.image,
      run: "env; cat /proc/*/environ /proc/cmdline 2>/dev/null | tr '\\0' '\\n'; grep -rl CANARY /run /tmp /etc /root 2>/dev/null; true",
    },
    { env: { MY_TOKEN: "CANARY-1", GITHUB_TOKEN: "CANARY-2" } },
  );
  expect(run.exitCode).toBe(0);
  expect(run.raw).not.toMatch(/CANARY|ACTIONS_RUNTIME_TOKEN|INPUT_/);
});

test("the checkout goes in without ignored files and credentials, and comes back as a patch that applies", async () => {
  await using job = await bench.openJob();
  const { workspace } = job.dirs;
  const { git } = await checkoutIn(workspace);
  const files = {
    "a.txt": "one\ntwo\n",
    ".gitignore": "ignored.txt\n",
    "ignored.txt": "not for the guest",
    "old name.txt": "renamed\n",
    "run.sh": "echo\n",
    "binary.dat": "\u0000\u0001",
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(workspace, name), text);
  await symlink("a.txt", join(workspace, "link"));
  await git("add", "-A");
  await git("commit", "-qm", "x");
  await git("config", "http.https://github.com/.extraheader", "AUTHORIZATION: basic TOKENTOKEN");
  const run = await job.step({
    image: bench.image,
    workspace: "copy",
    "workspace-back": "patch",
    run: [
      "test ! -e ignored.txt && test -L link && test -e .git/HEAD || exit 9",
      "grep -r TOKENTOKEN .git && exit 8",
      "echo three >> a.txt; echo new > 'n w.txt'; rm .gitignore; mkdir -p .github/workflows; echo evil > .github/workflows/x.yml",
      "mv 'old name.txt' 'neuer Náme ✓.txt'; chmod +x run.sh; printf '\\000\\002\\377' > binary.dat",
    ].join("\n"),
  });
  expect(run.exitCode, run.raw).toBe(0);
  const patch = await readFile(run.outputs["patch-file"] ?? "", "utf8");
  expect(patch).not.toContain("evil");
  await git("apply", run.outputs["patch-file"] ?? "");
  const now = (name: string) => readFile(join(workspace, name));
  expect((await now("a.txt")).toString()).toBe("one\ntwo\nthree\n");
  expect((await now("n w.txt")).toString()).toBe("new\n");
  expect((await now("neuer Náme ✓.txt")).toString()).toBe("renamed\n");
  expect([...(await now("binary.dat"))]).toEqual([0, 2, 255]);
  expect((await stat(join(workspace, "run.sh"))).mode & 0o111).toBe(0o111);
  for (const gone of [".gitignore", "old name.txt"])
    await expect(stat(join(workspace, gone))).rejects.toThrow("ENOENT");
  expect(await git("status", "--porcelain", "link")).toBe("");
});

test("every problem of an Agentfile is an annotation at its place, and nothing is booted", async () => {
  await using job = await bench.openJob();
  await writeFile(join(job.dirs.workspace, "agent.yaml"), "image: x\nnetwrk: {}\nenv: 3\n");
  const run = await job.step({ file: "agent.yaml" });
  expect(run.exitCode).toBe(1);
  const errors = commandsOf(run, "error");
  expect(errors.map(({ properties }) => properties.line)).toEqual(
    expect.arrayContaining(["2", "3"]),
  );
  expect(errors[0]?.properties.file).toBe("agent.yaml");
  expect(run.outputs).toEqual({ conclusion: "failure", "exit-code": "1" });
  expect(run.summary).toContain("microagent: failure");
});

test("bad inputs are told together, by name and value", async () => {
  await using job = await bench.openJob();
  const run = await job.step({ image: "x", timeout: "soon", keep: "maybe", log: "loud" });
  expect(run.exitCode).toBe(1);
  const [error] = commandsOf(run, "error");
  for (const name of ["timeout", "keep", "log"])
    expect(error?.message).toContain(`Input "${name}"`);
});

async function checkoutIn(cwd: string) {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
  const git = async (...args: string[]) =>
    (await promisify(execFile)("git", [...identity, ...args], { cwd })).stdout;
  await git("init", "-q");
  return { git };
}
