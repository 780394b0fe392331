import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import {
  type ActionBench,
  type ActionJob,
  openActionBench,
} from "../../fixtures/actions/action-bench.ts";
import { commandsOf, said } from "../../fixtures/actions/log-reader.ts";
import { type Cancelled, cancel, runAction } from "../../fixtures/actions/runner.ts";
import { mountNamespace } from "../../support/mounts.ts";
import { leaveOut } from "../../support/refused.ts";
import { openSmallDisk } from "../../support/small-disk.ts";

let bench: ActionBench;
beforeAll(async () => {
  bench = await openActionBench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

test("a command that takes too long is a timeout, and what it wrote comes out", async () => {
  await using job = await bench.openJob();
  const run = await job.step({
    image: bench.image,
    run: "mkdir /out; echo half > /out/a; sleep 1000",
    artifacts: "out=/out",
    timeout: "2s",
  });
  expect(run.exitCode).toBe(1);
  expect(run.outputs).toMatchObject({ conclusion: "timeout", "exit-code": "124" });
  expect(said(run, "error")).toContain("The run took longer than 2 s");
  expect(job.uploaded().get("out/a")?.toString()).toBe("half\n");
});

/** Cancels when the log says this; what the runner had to do is told afterwards. */
async function cancelledAt(job: ActionJob, mark: string, inputs: Record<string, string>) {
  const cancelled: Cancelled[] = [];
  const run = await job.step(inputs, {
    onPrint: (child, printed) => {
      if (cancelled.length === 0 && printed.includes(mark)) cancelled.push(cancel(child));
    },
  });
  return { run, signals: cancelled.flatMap(({ signals }) => signals) };
}

/** What is true of every step that was cancelled. */
async function expectCancelled({ run, signals }: Awaited<ReturnType<typeof cancelledAt>>) {
  expect(signals).toEqual(["SIGINT"]);
  expect(run.exitCode, run.raw).toBe(1);
  expect(run.outputs).toMatchObject({ conclusion: "cancelled", "exit-code": "130" });
  expect(run.summary).toContain("microagent: cancelled");
  expect(run.deaf).toBe(false);
  const post = await run.post();
  expect(post?.exitCode).toBe(0);
  expect(post === null ? [] : commandsOf(post, "error")).toEqual([]);
}

test.each([
  ["the host check", "::group::Host check"],
  ["the copying of the checkout", "files of the checkout go to"],
  ["the boot", "Caches: nothing was restored"],
  ["setup", "setting up"],
  ["the run", "started"],
])("cancelled in %s, a step ends by itself and leaves nothing", async (_phase, mark) => {
  await using job = await bench.openJob();
  const setup = `setup: ['echo setting up; ${mark === "setting up" ? "sleep 1000" : "true"}']`;
  await writeFile(join(job.dirs.workspace, "agent.yaml"), `image: ${bench.image}\n${setup}\n`);
  const inputs = { file: "agent.yaml", run: "echo started; sleep 1000", workspace: "copy" };
  await expectCancelled(await cancelledAt(job, mark, inputs));
});

test("cancelled while it fetches its image, a step ends by itself and leaves nothing", async () => {
  await using job = await bench.openJob();
  // It takes the question and never answers.
  const silent = createServer((socket) => socket.on("error", () => {}));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const cancelled: Cancelled[] = [];
  try {
    const run = await job.step(
      { image: `127.0.0.1:${port}/never/answers:1`, run: "true" },
      { onStart: (child) => silent.once("connection", () => cancelled.push(cancel(child))) },
    );
    await expectCancelled({ run, signals: cancelled.flatMap(({ signals }) => signals) });
  } finally {
    silent.close();
  }
});

test("cancelled while it collects, a step ends by itself and its post step leaves nothing", async () => {
  await using job = await bench.openJob();
  const cancelled: Cancelled[] = [];
  const run = await job.step(
    {
      image: bench.image,
      // Zeros that are written: a hole arrives at once.
      run: "mkdir /out; dd if=/dev/zero of=/out/big bs=1M count=900 2>/dev/null",
      artifacts: "out=/out",
      "upload-artifacts": "false",
    },
    {
      onStart: (child) => {
        const timer = setInterval(async () => {
          const names = await readdir(job.dirs.temp, { recursive: true }).catch(() => []);
          // A file has its name when all of it is there.
          if (
            cancelled.length > 0 ||
            !names.some((name) => /out[^/]*\/\.[^/]+\.partial$/.test(name))
          )
            return;
          cancelled.push(cancel(child));
        }, 50);
        child.once("close", () => clearInterval(timer));
      },
    },
  );
  expect(cancelled.flatMap(({ signals }) => signals)).toEqual(["SIGINT"]);
  expect(run.exitCode, run.raw).toBe(1);
  expect(run.deaf).toBe(false);
  expect((await run.post())?.exitCode).toBe(0);
  await rm(job.dirs.temp, { recursive: true, force: true });
});

/** Cancels when the services are asked for this. */
async function cancelledAsking(job: ActionJob, call: string, inputs: Record<string, string>) {
  job.service.faults.set(call, 0);
  const cancelled: Cancelled[] = [];
  const run = await job.step(inputs, {
    onStart: (child) => {
      const timer = setInterval(() => {
        if (!job.service.requests.some((path) => path.includes(call))) return;
        clearInterval(timer);
        // The post step comes after it, and nobody cancels that.
        if (cancelled.length === 0) cancelled.push(cancel(child));
      }, 20);
      child.once("close", () => clearInterval(timer));
    },
  });
  expect(cancelled).toEqual([{ signals: ["SIGINT"] }]);
  expect(run.exitCode, run.raw).toBe(1);
  job.service.faults.clear();
  return run;
}

test("cancelled while it waits for a cache, a step ends", async () => {
  await using job = await bench.openJob();
  const run = await cancelledAsking(job, "CacheService", {
    image: bench.image,
    run: "true",
    cache: "auto",
  });
  expect(run.outputs.conclusion).toBe("cancelled");
  expect((await run.post())?.exitCode).toBe(0);
});

test("cancelled while it uploads, a step leaves the upload to the post step", async () => {
  await using job = await bench.openJob();
  const run = await cancelledAsking(job, "CreateArtifact", {
    image: bench.image,
    run: "mkdir /out; echo x > /out/x",
    artifacts: "out=/out",
  });
  const post = await run.post();
  expect(post?.exitCode).toBe(0);
  expect(job.uploaded().get("out/x")?.toString()).toBe("x\n");
});

test("a kept machine whose step was cancelled is gone after the post step", async () => {
  await using job = await bench.openJob();
  const { run, signals } = await cancelledAt(job, "started", {
    image: bench.image,
    keep: "true",
    run: "echo started; sleep 1000",
  });
  expect(signals).toEqual(["SIGINT"]);
  expect(run.outputs.conclusion).toBe("cancelled");
  expect((await run.post())?.raw).toContain("is gone");
  expect(await readdir(join(job.stateDir, "workspaces"))).toEqual([]);
});

test("a cancelled run's outputs are uploaded by the post step", async () => {
  await using job = await bench.openJob();
  const { run } = await cancelledAt(job, "started", {
    image: bench.image,
    run: "mkdir /out; echo half > /out/a; echo started; sleep 1000",
    artifacts: "out=/out",
  });
  expect(job.service.artifacts.size).toBe(0);
  const kept = join(run.outputs["artifacts-dir"] ?? "", "out", "a");
  expect(await readFile(kept, "utf8")).toBe("half\n");
  await run.post();
  expect(job.uploaded().get("out/a")?.toString()).toBe("half\n");
});

test("an action that cannot be loaded fails, and its post step has nothing to do", async () => {
  await using job = await bench.openJob();
  const action = join(bench.dir, "broken");
  await cp(bench.action, action, { recursive: true });
  await writeFile(join(action, "action/dist/main.js"), "this is no program");
  const run = await runAction({ action, job: job.dirs, env: job.service.env });
  expect(run.exitCode).toBe(1);
  const post = await run.post();
  expect(post).toMatchObject({ exitCode: 0, commands: [] });
});

test("a disk that is full costs the outputs, is told, and leaves nothing", async (context) => {
  await using job = await bench.openJob();
  const runs = join(job.dirs.temp, "microagent", "runs");
  await using disk = await openSmallDisk(context, runs, 1);
  const run = await job.step(
    {
      image: bench.image,
      run: "mkdir /out; head -c 8000000 /dev/urandom > /out/big; echo done",
      artifacts: "out=/out",
      "fail-on": "exit,missing-artifact",
    },
    { wrapper: disk.wrapper },
  );
  expect(run.exitCode, run.raw).toBe(1);
  expect(run.lines).toContain("done");
  expect(run.outputs.conclusion, said(run, "error")).toBe("infra-error");
  expect(said(run, "error")).toContain("no space is left");
});

test("a structured output of no use is told, empty, and fails the step where that is asked for", async () => {
  await using job = await bench.openJob();
  const inputs = { image: bench.image, "structured-output": "/answer.json" };
  const bad = await job.step({ ...inputs, run: "echo '{' > /answer.json" });
  expect(bad.exitCode, bad.raw).toBe(0);
  expect(bad.outputs["structured-output"]).toBe("");
  expect(said(bad, "warning")).toContain('Structured output "/answer.json" is no JSON');
  const strict = { ...inputs, "fail-on": "exit, missing-artifact" };
  expect((await job.step({ ...strict, run: "echo '{' > /answer.json" })).exitCode).toBe(1);
  expect((await job.step({ ...strict, run: "true" })).exitCode).toBe(1);
});

test("an artifact service that fails costs the artifact, not the step", async () => {
  await using job = await bench.openJob();
  job.service.faults.set("ArtifactService", 500);
  const run = await job.step({ image: bench.image, run: "echo fine" });
  expect(run.exitCode, run.raw).toBe(0);
  expect(run.outputs).toMatchObject({ conclusion: "success", "artifact-id": "" });
  expect(said(run, "warning")).toContain("The outputs could not be uploaded");
  expect(await readFile(run.outputs["result-file"] ?? "", "utf8")).toContain('"exit_code": 0');
  const requests = job.service.requests.length;
  expect((await run.post())?.commands).toEqual([]);
  expect(job.service.requests).toHaveLength(requests);
});

test("without a summary file the step goes on and says so", async () => {
  await using job = await bench.openJob();
  const run = await job.step({ image: bench.image, run: "true" }, { withoutSummaryFile: true });
  expect(run.exitCode).toBe(0);
  expect(said(run, "warning")).toContain("The summary could not be written");
});

/** Everything that is on the PATH but for what the pattern names. */
async function pathWithout(job: ActionJob, names: RegExp): Promise<string> {
  const bin = join(job.dirs.temp, "bin");
  await mkdir(bin);
  for (const dir of (process.env.PATH ?? "").split(":")) {
    for (const name of await readdir(dir).catch(() => [])) {
      if (!names.test(name)) await symlink(join(dir, name), join(bin, name)).catch(() => {});
    }
  }
  return bin;
}

test("without QEMU, where nobody may install it, the step says what is wanted", async () => {
  await using job = await bench.openJob();
  const PATH = await pathWithout(job, /^(qemu-|apt|sudo$)/);
  const run = await job.step({ image: bench.image, run: "true" }, { env: { PATH } });
  expect(run.exitCode).toBe(1);
  expect(said(run, "error")).toContain("apt-get install -y qemu-system-x86");
  expect(run.outputs.conclusion).toBe("infra-error");
  expect((await run.post())?.exitCode).toBe(0);
});

test("acceleration that is asked for by name is had or refused, never replaced", async () => {
  await using job = await bench.openJob();
  const run = await job.step({ image: bench.image, run: "true", accel: "kvm" });
  expect(run.outputs.accel).not.toBe("tcg");
  if (run.outputs.accel === "kvm") expect(run.exitCode).toBe(0);
  else expect(said(run, "error")).toMatch(/KVM|\/dev\/kvm/);
  expect(run.outputs.conclusion).toBe(run.exitCode === 0 ? "success" : "infra-error");
});

/** Words that run the rest where there is no `/dev/kvm`: none where there is none anyway. */
async function withoutKvm(context: TestContext, dir: string): Promise<readonly string[]> {
  if (!existsSync("/dev/kvm")) return [];
  const namespace = await mountNamespace();
  if (namespace.words === null) return leaveOut(context, "Hiding /dev/kvm", namespace.answer);
  const script = [
    `mkdir -p '${dir}' && mount -t tmpfs tmpfs '${dir}' && mkdir '${dir}/shm'`,
    `for name in null zero full random urandom tty; do touch '${dir}'/$name && mount --bind /dev/$name '${dir}'/$name; done`,
    `ln -s /proc/self/fd '${dir}/fd' && mount --rbind '${dir}' /dev && exec "$@"`,
  ];
  return [...namespace.words, "sh", "-c", script.join("\n"), "sh"];
}

test("where there is no KVM, it is an error to whoever wants it and emulation, said loudly, to whoever does not", async (context) => {
  await using job = await bench.openJob();
  const wrapper = await withoutKvm(context, join(job.dirs.temp, "dev"));
  const wanted = await job.step({ image: bench.image, run: "true", accel: "kvm" }, { wrapper });
  expect(wanted.exitCode, wanted.raw).toBe(1);
  expect(wanted.outputs.conclusion).toBe("infra-error");
  expect(said(wanted, "error")).toMatch(/\/dev\/kvm/);
  const auto = await job.step({ image: bench.image, run: "echo ran" }, { wrapper });
  expect(auto.exitCode, auto.raw).toBe(0);
  expect(auto.outputs.accel).toBe("tcg");
  expect(said(auto, "warning")).toMatch(/Acceleration: tcg\. .*\/dev\/kvm/);
  expect(auto.summary).toContain("tcg");
});

test("what may help at another try is tried once more, and says so", async () => {
  await using job = await bench.openJob();
  const run = await job.step({ image: "127.0.0.1:1/nobody/listens:1", run: "true" });
  expect(run.exitCode).toBe(1);
  expect(run.outputs).toMatchObject({ conclusion: "infra-error", "exit-code": "75" });
  expect(run.lines.filter((line) => line.includes("there is one more try"))).toHaveLength(1);
});

test("a post step undoes what main did to the device, on a machine that outlives the job", async () => {
  await using job = await bench.openJob();
  const bin = join(job.dirs.temp, "fakes");
  await mkdir(bin);
  await writeFile(join(bin, "sudo"), `#!/bin/sh\nprintf '%s\\n' "$*" >> '${bin}/log'\n`);
  await chmod(join(bin, "sudo"), 0o755);
  const env = { PATH: `${bin}:${process.env.PATH}` };
  const state = { "microagent-kvmMode": "660" };
  expect((await job.post(state, { env })).exitCode).toBe(0);
  await expect(readFile(join(bin, "log"))).rejects.toThrow("ENOENT");
  await job.post(state, { env: { ...env, RUNNER_ENVIRONMENT: "self-hosted" } });
  expect((await readFile(join(bin, "log"), "utf8")).trim().split("\n")).toEqual([
    "-n rm -f /etc/udev/rules.d/99-microagent-kvm.rules",
    "-n udevadm control --reload-rules",
    "-n chmod 660 /dev/kvm",
  ]);
});
