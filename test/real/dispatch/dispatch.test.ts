import { readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeBusyboxImage } from "../../fixtures/busybox-image.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

describe.each(["own", "distribution"])("with the %s kernel", (kernel) => {
  test("a command's output and exit code come back, its streams apart", async () => {
    const result = await bench.run({
      kernel,
      exec: "echo out; echo err >&2; exit 3",
    });
    expect(result.termination).toEqual({ kind: "exited", exitCode: 3 });
    expect(result.stdout.text()).toBe("out\n");
    expect(result.stderr.text()).toBe("err\n");
    expect(result.boot?.kernel.image.flavor).toBe(kernel);
    expect(result.outputDir).toBeNull();
  });

  test("programs lie at the same addresses each time under emulation, and nowhere else", async () => {
    const result = await bench.run({
      kernel,
      exec: "for i in 1 2 3 4; do grep -m1 stack /proc/self/maps; done | sort -u | wc -l",
    });
    const places = result.boot?.host.accel === "tcg" ? 1 : 4;
    expect(result.stdout.text().trim()).toBe(`${places}`);
  });

  test("an Agentfile's setup, files, entry and outputs work together", async () => {
    await writeFile(join(bench.dir, "words.txt"), "three short words\n");
    const spec = `
name: words-${kernel}
files:
  - { src: ./words.txt, dst: /app/words.txt, mode: "0600" }
setup:
  - mkdir -p /srv/tool
  - run: echo 'wc -w < "$1"' > /srv/tool/count
env: { GREETING: hello }
outputs:
  - { name: report, path: /out/report.txt }
  - { name: tree, path: /out/tree }
agent:
  entry: |
    mkdir -p /out/tree/deep
    echo "$GREETING $(sh /srv/tool/count /app/words.txt) $(stat -c %a /app/words.txt)" > /out/report.txt
    echo x > /out/tree/deep/file; chmod 750 /out/tree/deep/file
    ln -s /etc/passwd /out/tree/link; mkfifo /out/tree/pipe
`;
    const outputDir = join(bench.dir, `out-${kernel}`);
    const result = await bench.run({ kernel, outputDir }, { spec });
    expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
    expect(await readFile(join(outputDir, "report", "report.txt"), "utf8")).toBe("hello 3 600\n");
    expect(await readFile(join(outputDir, "tree", "deep", "file"), "utf8")).toBe("x\n");
    expect(result.outputs.artifacts.map((artifact) => artifact.path).sort()).toEqual([
      "report/report.txt",
      "tree/deep/file",
    ]);
    expect(result.outputs.omissions.map((omission) => omission.type).sort()).toEqual([
      "fifo",
      "symlink",
    ]);
    await expect(readlink(join(outputDir, "tree", "link"))).rejects.toThrow();

    const manifest = JSON.parse(await readFile(join(outputDir, "manifest.json"), "utf8"));
    expect(manifest.artifacts[0]).toMatchObject({
      name: "report",
      guest_path: "/out/report.txt",
      path: "report/report.txt",
      size: 12,
    });
    const written = JSON.parse(await readFile(join(outputDir, "result.json"), "utf8"));
    expect(written).toMatchObject({
      workspace: `words-${kernel}`,
      final_state: "stopped",
      result: { exit_code: 0 },
      acceleration: { accel: expect.any(String), reason: expect.any(String) },
      artifacts_missing: [],
    });
  });

  test("the guest is what the image says: user, directory, environment, root's mounts", async () => {
    const result = await bench.run({
      kernel,
      hostname: "research",
      exec: "hostname; id -u; pwd; echo $FROM_IMAGE; readlink /dev/fd; test -w /dev/shm && echo shm; stat -c %a /tmp; touch /new && echo writable",
    });
    expect(result.stdout.text()).toBe("research\n0\n/\nyes\n/proc/self/fd\nshm\n1777\nwritable\n");
  });

  test("a timeout ends the command and still brings its outputs out", async () => {
    const outputDir = join(bench.dir, `slow-${kernel}`);
    const result = await bench.run({
      kernel,
      outputDir,
      timeoutSeconds: 3,
      exec: "echo half > /half.txt; sleep 600",
      output: ["half=/half.txt"],
    });
    expect(result.termination).toEqual({ kind: "timed_out", timeoutMs: 3000 });
    expect(await readFile(join(outputDir, "half", "half.txt"), "utf8")).toBe("half\n");
  });
});

test("a command that cannot start is told apart from one that failed", async () => {
  const result = await bench.run({ command: ["/no/such/program"] });
  expect(result.termination.kind).toBe("not_started");
  expect(result.exitedAt).not.toBeNull();
});

test("a signal that ends the command is named", async () => {
  const result = await bench.run({ exec: "kill -SEGV $$" });
  expect(result.termination).toEqual({ kind: "signaled", signal: "SIGSEGV", oomKilled: false });
});

test("a failing setup command ends the run with its number and output, outputs are collected", async () => {
  const outputDir = join(bench.dir, "setup-failed");
  const result = await bench.run({
    outputDir,
    setup: ["echo log > /setup.log", "echo broken >&2; exit 9"],
    exec: "echo never",
    output: ["log=/setup.log"],
  });
  expect(result.termination).toMatchObject({
    kind: "setup_failed",
    error: { code: "setup_failed" },
  });
  expect(result.stdout.text()).toBe("");
  expect(await readFile(join(outputDir, "log", "setup.log"), "utf8")).toBe("log\n");
});

test("a missing output is recorded, and an error only when outputs are required", async () => {
  const flags = { exec: "true", output: ["gone=/nowhere"], outputDir: join(bench.dir, "gone") };
  const lenient = await bench.run(flags);
  expect(lenient.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(lenient.outputs.missing).toEqual(["gone"]);
  const strict = await bench.run({ ...flags, requireOutputs: true });
  expect(strict.termination).toMatchObject({ kind: "failed", error: { code: "output_missing" } });
});

test("an output without some of its entries is recorded, and an error only when outputs are required", async () => {
  const exec = "mkdir /out; echo a > /out/a; ln -s a /out/b; mkfifo /out/c";
  const flags = { exec, output: ["out=/out"], outputDir: join(bench.dir, "partial") };
  const lenient = await bench.run(flags);
  expect(lenient.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(lenient.outputs.partial).toEqual([{ output: "out", omissionCount: 2 }]);
  const strict = await bench.run({ ...flags, requireOutputs: true });
  expect(strict.termination).toMatchObject({
    kind: "failed",
    error: {
      code: "output_missing",
      message: expect.stringContaining('"out" came out of the guest without 2 of its entries'),
    },
  });
  expect(await readFile(join(bench.dir, "partial", "out", "a"), "utf8")).toBe("a\n");
});

test.each([
  ["SIGUSR1", "USR1"],
  ["rtmin+3", "37"],
])(
  "an interrupted command gets the image's stop signal %s and time to answer it",
  async (stopSignal, trapped) => {
    const image = await makeBusyboxImage(join(bench.dir, `stop-${trapped}`), [], {
      StopSignal: stopSignal,
    });
    const controller = new AbortController();
    const outputDir = join(bench.dir, `stopped-${trapped}`);
    const result = await bench.run(
      {
        image: image.reference,
        outputDir,
        exec: `trap 'echo flushed > /note; exit 0' ${trapped}; echo up; while :; do sleep 0.1; done`,
        output: ["note=/note"],
      },
      { signal: controller.signal, onOutput: () => controller.abort({ signal: "SIGINT" }) },
    );
    expect(result.termination).toEqual({ kind: "interrupted", signal: "SIGINT" });
    expect(await readFile(join(outputDir, "note", "note"), "utf8")).toBe("flushed\n");
  },
);

test("a kept workspace stays with its console and result, and its name is taken", async () => {
  const result = await bench.run({ name: "kept", keep: true, exec: "true" });
  expect(result.keptAt).toBe(join(bench.layout.workspaces, "kept"));
  expect((await stat(join(bench.layout.workspaces, "kept", "serial.log"))).isFile()).toBe(true);
  const again = await bench.run({ name: "kept", exec: "true" });
  expect(again.termination).toMatchObject({ kind: "failed", error: { code: "name_taken" } });
});

test("hostile output names and contents stay inside the output directory", async () => {
  const outputDir = join(bench.dir, "hostile");
  const result = await bench.run({
    outputDir,
    exec: `mkdir -p /out/a; cd /out; ln -s / root; ln -s ../../../.. up; touch "$(printf 'new\\nline')" ; mknod dev c 1 3; echo ok > a/fine; ln a/fine hard`,
    output: ["out=/out", "link=/out/root"],
  });
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  const paths = result.outputs.artifacts.map((artifact) => artifact.path).sort();
  expect(paths).toContain("out/a/fine");
  expect(paths.every((path) => path.startsWith("out/") && !path.includes("\n"))).toBe(true);
  const omitted = result.outputs.omissions.map((omission) => omission.guestPath);
  expect(omitted).toEqual(expect.arrayContaining(["/out/root", "/out/up", "/out/dev"]));
});
