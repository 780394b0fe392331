import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../fixtures/cli.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

interface Report {
  readonly ok: boolean;
  readonly verdict: string;
  readonly checks: readonly { id: string; verdict: string; found: string; remedy: string | null }[];
}

async function doctor(
  env: Record<string, string>,
): Promise<{ code: number | null; report: Report }> {
  const run = await runCli(["--json", "doctor"], { env });
  return { code: run.code, report: JSON.parse(run.stdout) as Report };
}

test("a host that boots is not failed, and says what it would boot with and why", async () => {
  const { code, report } = await doctor({ MICROAGENT_STATE_DIR: bench.stateDir });
  expect(code).toBe(0);
  expect(report.ok).toBe(true);
  expect(report).toMatchObject({
    backend: "qemu",
    host: { binaryVersion: expect.any(String), accelerationReason: expect.any(String) },
    kernel: { version: expect.any(String), status: "installed" },
  });
  const run = await bench.run({ exec: "true" });
  expect(report).toMatchObject({
    host: { acceleration: run.boot?.host.accel, binaryPath: run.boot?.host.vmmPath },
    kernel: { sha256: run.boot?.kernel.image.sha256 },
  });
});

test("without a kernel and without QEMU the verdict is failed, each with its remedy", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-doctor-"));
  try {
    const { code, report } = await doctor({
      MICROAGENT_STATE_DIR: dir,
      MICROAGENT_QEMU: join(dir, "none"),
    });
    expect(code).toBe(1);
    expect(report).toMatchObject({ ok: false, verdict: "failed", backend: null, kernel: null });
    const kernel = report.checks.find((check) => check.id === "kernel");
    expect(kernel).toMatchObject({ verdict: "failed", remedy: "microagent kernel install" });
    const vmm = report.checks.find((check) => check.id === "vmm");
    expect(vmm).toMatchObject({ verdict: "failed", remedy: expect.stringContaining("qemu") });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("packages are no remedy for a directory that cannot be made", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-doctor-"));
  try {
    // Nobody, not even root, makes a directory where a file is.
    await writeFile(join(dir, "cache"), "");
    const { code, report } = await doctor({ MICROAGENT_STATE_DIR: dir });
    expect(code).toBe(1);
    const vmm = report.checks.find((check) => check.id === "vmm");
    expect(vmm).toMatchObject({ verdict: "failed", found: expect.stringContaining("cache") });
    expect(vmm?.remedy ?? "").not.toContain("install");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("a program that a boot would not find is not found by the doctor either", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-path-"));
  try {
    // An old QEMU first in PATH is the one a boot would take.
    await mkdir(join(dir, "bin"));
    const old = join(dir, "bin", "qemu-system-x86_64");
    await writeFile(old, "#!/bin/sh\necho QEMU emulator version 4.2.0\n");
    await chmod(old, 0o755);
    await symlink(process.execPath, join(dir, "bin", "node"));
    const { code, report } = await doctor({
      MICROAGENT_STATE_DIR: bench.stateDir,
      PATH: `${join(dir, "bin")}:${process.env.PATH ?? ""}`,
    });
    expect(code).toBe(1);
    const vmm = report.checks.find((check) => check.id === "vmm");
    expect(vmm?.found).toContain("4.2.0");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
