import { execFile as start } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ActionBench, openActionBench } from "../../fixtures/actions/action-bench.ts";
import { runAction } from "../../fixtures/actions/runner.ts";

const execFile = promisify(start);

let bench: ActionBench;
beforeAll(async () => {
  bench = await openActionBench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

const asks = "nslookup -type=a denied.example; true";

test("nothing is reachable that nobody listed, and the refusal comes with the line that allows it", async () => {
  await using job = await bench.openJob();
  await writeFile(
    join(job.dirs.workspace, "agent.yaml"),
    `image: ${bench.image}\nagent:\n  entry: ${asks}\n`,
  );
  const run = await job.step({ file: "agent.yaml" });
  expect(run.exitCode, run.raw).toBe(0);
  expect(JSON.parse(run.outputs["denied-hosts"] ?? "")).toEqual(["denied.example"]);
  expect(Number(run.outputs["egress-denied"])).toBeGreaterThan(0);
  expect(await readFile(run.outputs["receipt-file"] ?? "", "utf8")).toContain("denied.example");
  expect(run.summary).toContain("denied.example");
  const [warning] = run.commands.filter(({ message }) => message.includes("denied.example"));
  expect(warning).toMatchObject({ name: "warning", properties: { file: "agent.yaml", line: "2" } });
  expect(warning?.message).toContain("agent:\n  allow: [denied.example]");

  const strict = await job.step({ file: "agent.yaml", "fail-on": "exit, egress-denied" });
  expect(strict.exitCode).toBe(1);
  expect(strict.outputs).toMatchObject({ conclusion: "success", "exit-code": "0" });
});

test("neither plain HTTP nor a bare address is a way around the list", async () => {
  await using job = await bench.openJob();
  const run = await job.step({
    image: bench.image,
    allow: "allowed.example",
    run: [
      "wget -T 3 -q -O - http://denied.example/ && exit 9",
      "wget -T 3 -q -O - http://192.0.2.1/ && exit 8",
      "wget -T 3 -q --header 'Host: allowed.example' -O - http://192.0.2.1/ && exit 7",
      "nc -w 3 192.0.2.1 443 < /dev/null && exit 6",
      "nslookup denied.example 192.0.2.53 && exit 5",
      "true",
    ].join("\n"),
  });
  expect(run.exitCode, run.raw).toBe(0);
  expect(JSON.parse(run.outputs["denied-hosts"] ?? "")).toEqual(
    expect.arrayContaining(["denied.example", expect.stringContaining("192.0.2.1")]),
  );
  expect(run.outputs["egress-allowed"]).toBe("0");
  const receipt = await readFile(run.outputs["receipt-file"] ?? "", "utf8");
  expect(receipt).not.toContain("egress_allow");
});

test("secrets show in the guest's memory and nowhere else", async () => {
  await using job = await bench.openJob();
  const value = "s3cr3t/value+with\"quotes'and-more";
  const run = await job.step(
    {
      image: bench.image,
      secrets: "TOKEN=env:MY_TOKEN",
      run: [
        'test "$(wc -c < /run/secrets/TOKEN)" -gt 20 || exit 9',
        "env | grep -c s3cr3t && exit 8",
        "cat /run/secrets/TOKEN; echo; base64 /run/secrets/TOKEN; cat /run/secrets/TOKEN >&2",
      ].join("\n"),
    },
    { env: { MY_TOKEN: value } },
  );
  expect(run.exitCode, run.raw).toBe(0);
  const encoded = Buffer.from(value).toString("base64");
  for (const shown of [run.lines.join("\n"), run.summary, JSON.stringify(run.outputs)]) {
    expect(shown).not.toContain("s3cr3t");
  }
  expect(run.lines.join("\n")).not.toContain(encoded);
  expect(run.lines).toContain("***");
  for (const [name, bytes] of job.uploaded()) expect(bytes.includes("s3cr3t"), name).toBe(false);
  expect(JSON.stringify(run.state)).not.toContain("s3cr3t");
});

test("a swapped credential is a placeholder in the guest, and its value is shown by nobody", async () => {
  await using job = await bench.openJob();
  const run = await job.step(
    {
      image: bench.image,
      "cred-swap": "anthropic=env:KEY",
      run: 'test -n "$ANTHROPIC_API_KEY" || exit 9\nenv; cat /proc/self/environ; ls -R /run',
    },
    { env: { KEY: "CANARY-of-a-key" } },
  );
  expect(run.exitCode, run.raw).toBe(0);
  const shown = [run.lines.join("\n"), run.summary, JSON.stringify(run.outputs)];
  for (const text of shown) expect(text).not.toContain("CANARY");
  // Only the command that has it masked names it.
  expect(run.raw.replaceAll(/^::add-mask::.*$/gm, "")).not.toContain("CANARY");
  for (const [name, bytes] of job.uploaded()) expect(bytes.includes("CANARY"), name).toBe(false);
});

test("a stranger's code gets no secrets, and the runner's own keys are nobody's", async () => {
  await using job = await bench.openJob();
  const inputs = { image: bench.image, run: "cat /run/secrets/*", secrets: "TOKEN=env:MY_TOKEN" };
  const head = { repo: { full_name: "stranger/project" } };
  const base = { repo: { full_name: "example/project" } };
  const event = { name: "pull_request_target", payload: { pull_request: { head, base } } };
  const refused = await job.step(inputs, { event, env: { MY_TOKEN: "CANARY" } });
  expect(refused.exitCode).toBe(1);
  expect(refused.raw).toContain("no secrets are given to the guest");
  expect(refused.lines.join("\n")).not.toContain("CANARY");
  const own = await job.step({ ...inputs, secrets: "TOKEN=env:ACTIONS_RUNTIME_TOKEN" });
  expect(own.exitCode).toBe(1);
  expect(own.raw).toContain("the runner's own");
});

test("the workspace comes back as files where it is asked for, without git's and the runner's", async () => {
  await using job = await bench.openJob();
  const { workspace } = job.dirs;
  await writeFile(join(workspace, "a.txt"), "one\n");
  await writeFile(join(workspace, "gone.txt"), "x\n");
  const run = await job.step({
    image: bench.image,
    workspace: "copy",
    "workspace-back": "copy",
    run: "echo two >> a.txt; rm gone.txt; mkdir -p .github .git/hooks; echo evil > .github/x; echo evil > .git/hooks/pre-commit; ln -s /etc/passwd link",
  });
  expect(run.exitCode, run.raw).toBe(0);
  expect(await readFile(join(workspace, "a.txt"), "utf8")).toBe("one\ntwo\n");
  for (const path of ["gone.txt", ".github/x", ".git/hooks/pre-commit", "link"])
    await expect(readFile(join(workspace, path)), path).rejects.toThrow("ENOENT");
});

test("the setup action puts the command on the PATH of later steps", async () => {
  await using job = await bench.openJob();
  const setup = await runAction({
    action: join(bench.action, "action", "setup"),
    job: job.dirs,
    env: job.service.env,
  });
  expect(setup.exitCode, setup.raw).toBe(0);
  expect(setup.paths).toHaveLength(1);
  expect(setup.env).toEqual({ MICROAGENT_STATE_DIR: setup.outputs["state-dir"] });
  expect(setup.outputs.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(["kvm", "tcg"]).toContain(setup.outputs.accel);
  // Without Node on the PATH, as in a job that never set one up.
  const env = { ...setup.env, PATH: `${setup.paths[0]}:/usr/bin:/bin`, HOME: job.dirs.home };
  const later = await execFile("microagent", ["run", bench.image, "echo", "later"], {
    env,
  });
  expect(later.stdout).toBe("later\n");
  expect((await setup.post())?.exitCode).toBe(0);
});
